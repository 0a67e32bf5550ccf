//! Every rule, against numbers that PyTorch computed (`tests/reference/rules.py`), and L-BFGS against known minima.

use super::{Parts, Rule};
use crate::simd::{Real, Rows};

const CURVATURES: [f64; 4] = [1.0, 10.0, 0.1, 3.0];
const START: [f64; 4] = [0.5, -0.3, 2.0, -1.25];
const RATE: f64 = 0.05;

/// Parameters after 1, 2 and 25 steps, by torch 2.15.0.
const REFERENCE: [(&str, [[f64; 4]; 3]); 6] = [
    (
        "gradient-descent",
        [
            [0.6246242479906081, -0.2674990364441225, 1.948087675270161, -0.9767658021886484],
            [0.7365564595371884, -0.24161355902632808, 1.874602614368093, -0.861709909299429],
            [0.9408627990106744, -0.05560527827791378, 1.0356909792804199, -0.7596210087199111],
        ],
    ),
    (
        "momentum",
        [
            [0.6246242479906081, -0.2674990364441225, 1.948087675270161, -0.9767658021886484],
            [0.8487182827287358, -0.21236269182603834, 1.8278815221112379, -0.6157991312692126],
            [0.9056727998507152, -0.08750571243169476, 0.9687123480868809, 0.8027361824258565],
        ],
    ),
    (
        "nesterov",
        [
            [0.7367860711821556, -0.2382481692438327, 1.9013665830133062, -0.7308550241584321],
            [0.9964088715299393, -0.17238260330448296, 1.685285856221037, -0.5329037440383851],
            [0.9408197494172531, -0.04112452827091231, 1.0356666260525127, -0.7598067590206359],
        ],
    ),
    (
        "rmsprop",
        [
            [0.999999979939699, 0.19999992307921527, 1.5000000481581162, -0.75000000914966],
            [0.8867623081781068, -0.013878781186537209, 1.025913345749459, -0.7577436994575533],
            [0.9438123945003462, -3.479954201078891e-16, 1.035687624374203, -0.7596208866919428],
        ],
    ),
    (
        "adam",
        [
            [0.549999999799397, -0.2500000007692079, 1.9500000004815812, -1.2000000000914965],
            [0.5999698172226972, -0.20121316035018738, 1.9002530848606967, -1.1502011975761446],
            [0.9401471017818146, 0.0026761097082369165, 0.8852279081709497, -0.6350217354434109],
        ],
    ),
    (
        "adamw",
        [
            [0.549749999799397, -0.24985000076920796, 1.9490000004815813, -1.1993750000914967],
            [0.5994452160787455, -0.20094419388709597, 1.898293538189757, -1.1489801461904037],
            [0.9392335230104808, 0.0023283057689907176, 0.8789199370635045, -0.6332197801904483],
        ],
    ),
];

/// Two parts of two parameters each, with the gradient of Σ a θ²/2 + Σ cos 3θ.
struct Waves<R: Real> {
    values: [Rows<R>; 2],
    gradient: [Rows<R>; 2],
}

impl<R: Real> Waves<R> {
    fn new() -> Self {
        let mut values = [Rows::zeros(1, 2), Rows::zeros(1, 2)];
        for (i, value) in START.into_iter().enumerate() {
            values[i / 2][i % 2] = R::of(value);
        }
        Self { gradient: values.clone(), values }
    }

    /// The objective, with the gradient put in its place.
    fn evaluate(&mut self) -> f64 {
        let mut sum = 0.0;
        for (i, curvature) in CURVATURES.into_iter().enumerate() {
            let value = self.values[i / 2][i % 2].wide();
            sum += 0.5 * curvature * value * value + (3.0 * value).cos();
            self.gradient[i / 2][i % 2] = R::of(curvature * value - 3.0 * (3.0 * value).sin());
        }
        sum
    }

    fn found(&self) -> [f64; 4] {
        std::array::from_fn(|i| self.values[i / 2][i % 2].wide())
    }
}

impl<R: Real> Parts<R> for Waves<R> {
    fn visit(&mut self, visit: &mut dyn FnMut(&mut [R], &[R])) {
        for (values, gradient) in self.values.iter_mut().zip(&self.gradient) {
            visit(values, gradient);
        }
    }
}

/// Parameters after each of `steps` steps.
fn descend<R: Real>(rule: Rule, rate: f64, steps: usize) -> Vec<[f64; 4]> {
    let (mut waves, mut rule) = (Waves::<R>::new(), rule.build::<R>());
    let step = |_| {
        let mean = waves.evaluate();
        rule.step(rate, mean, &mut waves);
        waves.found()
    };
    (0..steps).map(step).collect()
}

#[test]
fn rules_take_the_steps_of_pytorch() {
    assert_eq!(REFERENCE.len(), Rule::ALL.len() - 1, "all but L-BFGS");
    for (name, expected) in REFERENCE {
        let rule: Rule = name.parse().unwrap();
        let [double, single] = [descend::<f64>(rule, RATE, 25), descend::<f32>(rule, RATE, 25)];
        for (step, expected) in [1, 2, 25].into_iter().zip(expected) {
            for ((double, single), expected) in double[step - 1].iter().zip(single[step - 1]).zip(expected) {
                assert!((double - expected).abs() < 1e-14, "{name}, step {step}: {double}, not {expected}");
                assert!((single - expected).abs() < 1e-5, "{name} in f32, step {step}: {single}, not {expected}");
            }
        }
    }
}

#[test]
fn lbfgs_finds_a_minimum() {
    for history in [1, 5, 10] {
        let mut waves = Waves::<f64>::new();
        let mut rule = Rule::Lbfgs { history }.build::<f64>();
        let mut means = Vec::new();
        for _ in 0..60 {
            means.push(waves.evaluate());
            rule.step(1.0, means[means.len() - 1], &mut waves);
        }
        waves.evaluate();
        let norm = waves.gradient.iter().flat_map(|part| part.iter()).map(|slope| slope * slope).sum::<f64>().sqrt();
        assert!(norm < 1e-9, "history {history}: the gradient's norm is {norm}");
        assert!(means[59] < means[0]);
    }
}

#[test]
fn names_are_understood_and_constants_are_checked() {
    for rule in Rule::ALL {
        assert_eq!(rule.name().parse::<Rule>().unwrap(), rule);
        rule.validate().unwrap();
    }
    let error = "adan".parse::<Rule>().unwrap_err().to_string();
    assert!(error.contains("did you mean 'adam'"), "{error}");
    for rule in [
        Rule::Momentum { momentum: 1.0 },
        Rule::Nesterov { momentum: -0.1 },
        Rule::RmsProp { smoothing: f64::NAN, epsilon: 1e-8 },
        Rule::Adam { betas: [0.9, 0.999], epsilon: 0.0 },
        Rule::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, decay: f64::INFINITY },
        Rule::Lbfgs { history: 0 },
    ] {
        assert!(rule.validate().unwrap_err().to_string().contains(" must be "), "{rule:?}");
    }
}
