//! The last digits of the objectives: accuracy near the minimum, values that never fall below it, no subnormal numbers, and the
//! dimensions that a function is defined in.

use dfdx::prelude::{Const, Device, TensorFromVec};
use overparam::Element;
use overparam::prelude::*;
use std::num::FpCategory;

/// F and ∂F/∂x₀ at points near the middle of the box and farther away, by the definitions in 60 digits.
const NEAR_THE_MIDDLE: [(Function, [f64; 3], f64, f64); 30] = [
    (Function::Ackley, [0.5000000000000002, 0.49999999999999994, 0.5], 1.5519698637654341e-15, 6.578306729548287),
    (Function::Ackley, [0.50000000000001, 0.49999999999999667, 0.5], 7.141839295562938e-14, 6.432796958081576),
    (Function::Ackley, [0.500000000001, 0.49999999999966666, 0.5], 7.147433741093066e-12, 6.432761254164823),
    (Function::Ackley, [0.500000001, 0.49999999966666664, 0.5], 7.147555848285395e-9, 6.432803718509096),
    (Function::Ackley, [0.5000001, 0.4999999666666667, 0.5], 7.147931722607099e-7, 6.4334801494521745),
    (Function::Ackley, [0.50001, 0.49999666666666664, 0.5], 7.185507153725008e-5, 6.501115711581427),
    (Function::Ackley, [0.501, 0.49966666666666665, 0.5], 0.010836271000784888, 12.867835118942098),
    (Function::Ackley, [0.53, 0.49, 0.5], 0.24063017025081737, 2.977637185342338),
    (Function::Ackley, [0.7, 0.43333333333333335, 0.5], 0.7714040715679974, 6.842114445697341),
    (Function::Ackley, [0.99, 0.33666666666666667, 0.5], 0.92656683413238, 6.6681720637812045),
    (Function::Rastrigin, [0.5000000000000002, 0.49999999999999994, 0.5], 9.001884698349433e-30, 7.631225331410574e-14),
    (Function::Rastrigin, [0.50000000000001, 0.49999999999999667, 0.5], 1.906281465532821e-26, 3.4340513991347585e-12),
    (Function::Rastrigin, [0.500000000001, 0.49999999999966666, 0.5], 1.9092691434071666e-22, 3.436722328000752e-10),
    (Function::Rastrigin, [0.500000001, 0.49999999966666664, 0.5], 1.9093323543365342e-16, 3.4367982586927976e-7),
    (Function::Rastrigin, [0.5000001, 0.4999999666666667, 0.5], 1.9093324179241057e-12, 3.4367983540595245e-5),
    (Function::Rastrigin, [0.50001, 0.49999666666666664, 0.5], 1.9093323602183424e-8, 0.0034367981199547835),
    (Function::Rastrigin, [0.501, 0.49966666666666665, 0.5], 0.0001908735415708522, 0.3434439627398769),
    (Function::Rastrigin, [0.53, 0.49, 0.5], 0.1290382141612977, 5.02711635514915),
    (Function::Rastrigin, [0.7, 0.43333333333333335, 0.5], 0.15874202885416497, 1.9251553012693314),
    (Function::Rastrigin, [0.99, 0.33666666666666667, 0.5], 0.3528188678869277, 1.435365050378963),
    (Function::Sphere, [0.5000000000000002, 0.49999999999999994, 0.5], 6.984705931644376e-32, 5.921189464667501e-16),
    (Function::Sphere, [0.50000000000001, 0.49999999999999667, 0.5], 1.4791141972893971e-28, 2.6645352591003757e-14),
    (Function::Sphere, [0.500000000001, 0.49999999999966666, 0.5], 1.481432384210255e-24, 2.6666076754130095e-12),
    (Function::Sphere, [0.500000001, 0.49999999966666664, 0.5], 1.481481430578665e-18, 2.6666665912481826e-9),
    (Function::Sphere, [0.5000001, 0.4999999666666667, 0.5], 1.4814814799219087e-14, 2.666666665263051e-7),
    (Function::Sphere, [0.50001, 0.49999666666666664, 0.5], 1.4814814814712864e-10, 2.6666666666545307e-5),
    (Function::Sphere, [0.501, 0.49966666666666665, 0.5], 1.4814814814815005e-6, 0.002666666666666669),
    (Function::Sphere, [0.53, 0.49, 0.5], 0.0013333333333333357, 0.08000000000000007),
    (Function::Sphere, [0.7, 0.43333333333333335, 0.5], 0.059259259259259234, 0.5333333333333332),
    (Function::Sphere, [0.99, 0.33666666666666667, 0.5], 0.3557037037037037, 1.3066666666666666),
];

fn relative(found: f64, expected: f64) -> f64 {
    (found - expected).abs() / expected.abs()
}

#[test]
fn values_and_slopes_near_a_minimum_in_the_middle_keep_their_relative_accuracy() {
    for (function, x, value, slope) in NEAR_THE_MIDDLE {
        let found = function.objective::<3, f64>(0).evaluate(&x).unwrap();
        let errors = [relative(found.scaled[0], value), relative(found.gradient[0], slope)];
        assert!(errors.iter().all(|&error| error < 1e-12), "{function} at {x:?}: {errors:?}");
        // What single precision can hold of the point, against double precision there.
        let narrow = x.map(|x| x as f32);
        let double = function.objective::<3, f64>(0).evaluate(&narrow.map(f64::from)).unwrap();
        let single = function.objective::<3, f32>(0).evaluate(&narrow).unwrap();
        let value = (f64::from(single.scaled[0]), double.scaled[0]);
        // Far from the middle the waves turn by what rounding the coordinate does.
        let allowed = if (x[0] - 0.5).abs() < 0.01 { 2e-6 } else { 2e-5 };
        assert!(value.0 == value.1 || relative(value.0, value.1) < allowed, "{function} at {narrow:?}: {value:?}");
    }
}

/// A minimizer in the unit cube, if one is described; for the Michalewicz function it is searched, coordinate by coordinate.
fn minimizer(function: Function, d: usize) -> Vec<f64> {
    let about = function.describe(d);
    let [lo, hi] = about.domain;
    if let Some(minimizer) = about.minimizer {
        return minimizer.iter().map(|u| (u - lo) / (hi - lo)).collect();
    }
    let search = |i: usize| {
        let summand = |x: f64| {
            let u = std::f64::consts::PI * x;
            u.sin() * (i as f64 * u * u / std::f64::consts::PI).sin().powi(20)
        };
        let mut best = 0.5;
        for (reach, steps) in [(0.5, 50_000), (1e-4, 1_000), (1e-6, 1_000), (1e-8, 1_000)] {
            let at = |step: i32| best + reach * f64::from(step) / f64::from(steps);
            best = (-steps..=steps).map(at).max_by(|&a, &b| summand(a).total_cmp(&summand(b))).unwrap();
        }
        best
    };
    (1..=d).map(search).collect()
}

/// Irregular numbers from 0 to 1.
fn irregular(i: usize) -> f64 {
    (i as f64 * 0.618_033_988_749_894_9).fract()
}

const WITH_MINIMUM: [Function; 8] = [
    Function::Ackley,
    Function::Levy,
    Function::Michalewicz,
    Function::Rastrigin,
    Function::Rosenbrock,
    Function::Schwefel,
    Function::Sphere,
    Function::StyblinskiTang,
];

/// Points at the minimizer, about it at every scale, in the middle and in corners.
fn points<R: Element>(minimizer: &[f64]) -> Vec<R> {
    let d = minimizer.len();
    let about = (0..200).flat_map(|walk| {
        let reach = 10f64.powf(-1.0 - f64::from(walk % 17));
        (0..d).map(move |i| reach * (2.0 * irregular(walk as usize * d + i + 1) - 1.0))
    });
    let about = about.enumerate().map(|(i, off)| (minimizer[i % d] + off).clamp(0.0, 1.0));
    let corners = (0..20 * d).map(|i| irregular(i + 7).round());
    minimizer.iter().copied().chain(vec![0.5; d]).chain(about).chain(corners).map(R::of).collect()
}

fn is_never_below_0<R: Element>(d: usize) {
    for function in WITH_MINIMUM.into_iter().filter(|function| d >= function.smallest_dimension()) {
        // Of so many coordinates the search would take minutes.
        if function == Function::Michalewicz && d > 100 {
            continue;
        }
        let about = function.describe(d);
        let found = function.evaluate(d, 0, &points::<R>(&minimizer(function, d))).unwrap();
        for (point, (value, raw)) in found.scaled.iter().zip(&found.raw).enumerate() {
            let context = format!("{function} in {d} dimensions, {}, point {point}: {value}", R::NAME);
            assert!(value.is_sign_positive() && *value <= R::of(1.0 + 1e-6), "{context}");
            let expected = about.minimum + (about.maximum - about.minimum) * value.wide();
            assert_eq!(*raw, R::of(expected), "{context}");
        }
        let lowest = found.scaled[0].wide();
        let bound = match function {
            // Of two summits that differ by less than the search sees it may take the lower one.
            Function::Michalewicz => 1e-7 + 2.0 * R::epsilon().wide(),
            Function::Schwefel => 2.0 * R::epsilon().wide(),
            // The minimizer is rounded, and the value rises with the square of that.
            _ => 1e5 * R::epsilon().wide().powi(2),
        };
        assert!(lowest <= bound, "{function} in {d} dimensions, {}: {lowest:e} at the minimizer", R::NAME);
    }
}

#[test]
fn no_value_is_below_0_and_at_the_minimizer_it_is_as_small_as_x_allows() {
    for d in [1, 2, 3, 10, 50, 67, 10_000] {
        is_never_below_0::<f64>(d);
        is_never_below_0::<f32>(d);
    }
}

/// As [`is_never_below_0`], by the chain of operations.
fn chain_is_never_below_0<const D: usize, R: Element>()
where
    Cpu: Device<R>,
{
    for function in WITH_MINIMUM.into_iter().filter(|function| D >= function.smallest_dimension()) {
        let points = points::<R>(&minimizer(function, D));
        let objective = function.objective::<D, R>(0).composed();
        for x in points.chunks_exact(D) {
            let x = Cpu::default().tensor_from_vec(x.to_vec(), (Const::<1>, Const::<D>));
            let values: TapedValues<1, R> = objective.values(x.leaky_trace());
            let value = values.as_vec()[0];
            assert!(value >= R::ZERO, "{function} in {D} dimensions, {}: {value}", R::NAME);
        }
    }
}

#[test]
fn no_value_of_the_chains_is_below_0() {
    chain_is_never_below_0::<1, f64>();
    chain_is_never_below_0::<2, f64>();
    chain_is_never_below_0::<50, f64>();
    chain_is_never_below_0::<1, f32>();
    chain_is_never_below_0::<2, f32>();
    chain_is_never_below_0::<50, f32>();
}

#[test]
fn chains_keep_nan() {
    for function in Function::ALL {
        let x = Cpu::default().tensor_from_vec(vec![0.3, f64::NAN], (Const::<1>, Const::<2>));
        let values: TapedValues<1, f64> = function.objective::<2, f64>(0).composed().values(x.leaky_trace());
        assert!(values.as_vec()[0].is_nan(), "{function}");
    }
}

#[test]
fn where_x_can_be_the_minimizer_the_value_is_exactly_0() {
    for function in [Function::Ackley, Function::Rastrigin, Function::Sphere] {
        for d in [1, 2, 7, 50, 10_000] {
            let double = function.evaluate::<f64>(d, 0, &vec![0.5; d]).unwrap();
            assert!(double.scaled[0].to_bits() == 0 && double.raw[0].to_bits() == 0, "{function}: {double:?}");
            let single = function.evaluate::<f32>(d, 0, &vec![0.5; d]).unwrap();
            assert!(single.scaled[0].to_bits() == 0 && single.raw[0].to_bits() == 0, "{function}: {single:?}");
        }
    }
}

/// Of how many numbers, and how many of them are subnormal.
#[derive(Default)]
struct Count {
    numbers: usize,
    subnormal: usize,
}

impl Count {
    fn add<R: Element>(&mut self, number: R) {
        self.numbers += 1;
        self.subnormal += usize::from(number.classify() == FpCategory::Subnormal);
    }
}

/// Descents through the sigmoid, step by step, and the subnormal numbers among x, F, its gradient and what the steps are made of.
fn subnormal_numbers<R: Element>(function: Function, rate: f64) -> Count {
    const D: usize = 20;
    const POINTS: usize = 20;
    let mut y: Vec<R> = (0..D * POINTS).map(|i| R::of(12.0 * irregular(i) - 6.0)).collect();
    let objective = function.objective::<D, R>(0);
    let step = R::of(rate / POINTS as f64);
    let mut count = Count::default();
    for _ in 0..200 {
        let x: Vec<R> = y.iter().map(|&y| (R::one() + (-y).exp()).recip()).collect();
        let found = objective.evaluate(&x).unwrap();
        found.scaled.iter().for_each(|&value| count.add(value));
        for ((y, &x), &slope) in y.iter_mut().zip(&x).zip(&found.gradient) {
            let spread = x * (R::one() - x);
            let along = step * slope * spread;
            [x, *y, slope, slope * spread, along].into_iter().for_each(|number| count.add(number));
            *y -= along;
        }
    }
    count
}

#[test]
fn descents_meet_no_subnormal_numbers() {
    for function in Function::ALL {
        for rate in [1.0, 1e-3, 1e-6, 1e-10] {
            for count in [subnormal_numbers::<f32>(function, rate), subnormal_numbers::<f64>(function, rate)] {
                let Count { numbers, subnormal } = count;
                assert!(subnormal == 0, "{function} at rate {rate:e}: {subnormal} of {numbers} numbers");
            }
        }
    }
}

/// The powers of the Michalewicz function's sine are subnormal in many places, or would be.
#[test]
fn no_slope_of_the_michalewicz_function_is_subnormal() {
    let x: Vec<f32> = (0..50 * 20_000).map(|i| irregular(i) as f32).collect();
    let found = Function::Michalewicz.objective::<50, f32>(0).evaluate(&x).unwrap();
    let mut count = Count::default();
    found.gradient.iter().chain(&found.scaled).for_each(|&number| count.add(number));
    assert_eq!(count.subnormal, 0, "of {}", count.numbers);
}

fn is_refused<T>(found: Result<T, Error>) {
    let message = found.err().expect("too few dimensions").to_string();
    assert_eq!(
        message,
        "the dimension must be 2 or more for the Rosenbrock function, a sum over pairs of neighbors, not 1"
    );
}

#[test]
fn too_few_dimensions_are_refused() {
    let rosenbrock = Function::Rosenbrock.objective::<1, f64>(0);
    is_refused(Function::Rosenbrock.evaluate(1, 0, &[0.5]));
    is_refused(Function::Rosenbrock.evaluate::<f32>(1, 0, &[]));
    is_refused(rosenbrock.evaluate(&[0.5]));
    for optimizer in Optimizer::ALL {
        is_refused(Shape::<4, 2, 2, 1, 1>::run(&rosenbrock, optimizer, 0, &Settings::default().iterations(3)));
    }
    let mut sweep = Protocol::paper().sweep(Function::Rosenbrock);
    sweep.dimensions.d = 1;
    is_refused(sweep.plan::<f64>(Backend::Cpu));
    for function in Function::ALL {
        assert_eq!(function.smallest_dimension(), if function == Function::Rosenbrock { 2 } else { 1 });
        assert!(matches!(function.evaluate::<f64>(0, 0, &[]), Err(Error::Setting { .. })), "{function}");
        let smallest = function.smallest_dimension();
        let found = function.evaluate::<f64>(smallest, 0, &vec![0.3; smallest]).unwrap();
        assert!(found.scaled[0].is_finite() && found.gradient.iter().all(|slope| slope.is_finite()), "{function}");
    }
    let about = Function::Rosenbrock.describe(1);
    assert_eq!((about.minimum, about.maximum), (0.0, 0.0));
}

#[test]
fn the_list_says_that_a_function_needs_more_dimensions() {
    let list = |d: &str| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_overparam")).args(["list", "--d", d]).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find(|line| line.starts_with("rosenbrock")).unwrap().to_owned()
    };
    assert!(list("1").contains("needs d = 2 or more"), "{}", list("1"));
    assert!(list("2").contains("every u_i = 1"), "{}", list("2"));
}
