//! The optimizers: where they start, that the fused ones take the steps of the composed ones, how runs end.

use dfdx::nn::NumParams;
use dfdx::prelude::Device;
use overparam::Element;
use overparam::prelude::*;
use overparam::trace::Sample;
use std::sync::Mutex;

/// 6 embeddings of 3 dimensions, two layers of 4 neurons, 5 dimensions: no two alike.
type Small = Shape<6, 3, 4, 2, 5>;

/// An objective on the tape that keeps the points that it was asked about.
#[derive(Default)]
struct Recorder(Mutex<Vec<Vec<f64>>>);

impl<const N: usize, const D: usize, R: Element> Objective<N, D, R> for Recorder
where
    Cpu: Device<R>,
{
    fn values(&self, x: Taped<N, D, R>) -> TapedValues<N, R> {
        self.0.lock().unwrap().push(x.as_vec().iter().map(|x| x.wide()).collect());
        x.square().sum::<_, Axis<1>>()
    }
}

/// x0 of a run on the tape.
fn start<R: Element>(optimizer: Optimizer, seed: u64, settings: &Settings) -> Vec<f64>
where
    Cpu: Device<R>,
{
    let recorder = Recorder::default();
    Small::run::<R, _>(&recorder, optimizer, seed, &settings.iterations(1)).unwrap();
    recorder.0.into_inner().unwrap().swap_remove(0)
}

fn starts() -> impl Iterator<Item = (u64, Settings)> {
    let squashes = [Squash::Sigmoid, Squash::ScaledTanh];
    let settings = squashes.into_iter().flat_map(|squash| {
        Initialization::ALL.map(|initialization| Settings { squash, initialization, ..Settings::default() })
    });
    settings.flat_map(|settings| (0..5).map(move |seed| (seed, settings)))
}

fn starts_are_the_same<R: Element>()
where
    Cpu: Device<R>,
{
    for (seed, settings) in starts() {
        let context = format!("seed {seed}, {}, {settings:?}", R::NAME);
        let [shallow, deep] = Optimizer::ALL.map(|optimizer| start::<R>(optimizer, seed, &settings));
        assert_eq!(shallow, deep, "on the tape, {context}");
        for function in [Function::Ackley, Function::SpinGlass] {
            let objective = function.objective::<5, R>(seed);
            let [shallow, deep] = Optimizer::ALL.map(|optimizer| {
                let run = Small::run(&objective, optimizer, seed, &settings.iterations(1)).unwrap();
                let Sample { min, mean, .. } = run.samples[0];
                (min.to_bits(), mean.to_bits(), run.x)
            });
            assert_eq!(shallow, deep, "{function}, {context}");
        }
    }
}

#[test]
fn both_optimizers_start_at_the_same_points_bit_for_bit() {
    starts_are_the_same::<f32>();
    starts_are_the_same::<f64>();
}

#[test]
fn both_dtypes_start_at_the_same_points_to_rounding() {
    for (seed, settings) in starts() {
        for optimizer in Optimizer::ALL {
            let (single, double) = (start::<f32>(optimizer, seed, &settings), start::<f64>(optimizer, seed, &settings));
            for (single, double) in single.iter().zip(&double) {
                assert!((single - double).abs() < 1e-6, "seed {seed}, {settings:?}: {single} and {double}");
            }
        }
    }
}

#[test]
fn seeds_differ_and_repeat() {
    let settings = Settings::default();
    let start = |seed| start::<f64>(Optimizer::Deep, seed, &settings);
    assert_eq!(start(1), start(1));
    assert_ne!(start(1), start(2));
}

#[test]
fn scaled_tanh_reaches_as_far_as_its_constant_says() {
    for seed in 0..5 {
        let settings = Settings { squash: Squash::ScaledTanh, ..Settings::default() };
        let x = start::<f64>(Optimizer::Deep, seed, &settings);
        let reach = x.iter().map(|x| (x - 0.5).abs()).fold(0.0, f64::max);
        assert!((reach - 0.5 * 1.7159f64.tanh()).abs() < 1e-15, "{reach}");
    }
}

#[test]
fn projected_descent_is_for_the_shallow_optimizer_and_stays_in_the_cube() {
    let settings = Settings { squash: Squash::Clamp, ..Settings::default() };
    assert_eq!(start::<f64>(Optimizer::Shallow, 1, &settings), start::<f64>(Optimizer::Deep, 1, &Settings::default()));
    let bowl = Function::StyblinskiTang.objective::<5, f64>(0);
    let error = Small::run(&bowl, Optimizer::Deep, 1, &settings).unwrap_err().to_string();
    assert!(error.contains("clamp") && error.contains("sigmoid"), "{error}");
    // The recorder's objective is least in the corner 0: steps lead out of the cube.
    let recorder = Recorder::default();
    let run =
        Small::run::<f64, _>(&recorder, Optimizer::Shallow, 1, &settings.learning_rate(20.0).iterations(50)).unwrap();
    assert_eq!((run.best, run.x), (0.0, vec![0.0; 5]));
    assert!(recorder.0.into_inner().unwrap().iter().flatten().all(|x| (0.0..=1.0).contains(x)));
}

/// The step sizes are small enough for neighboring descents to stay neighbors (their product with the curvature is below 1), so
/// the dynamics are not chaotic, and two computations of the same steps differ by rounding, which adds up. They are constant
/// here: where a descent stagnates, the learning-rate rule looks at the last bit of the mean.
fn same_descents<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize>(
    function: Function,
    optimizer: Optimizer,
    settings: &Settings,
) {
    let objective = function.objective::<D, f64>(2);
    let fused = Shape::<N, K, H, L, D>::run(&objective, optimizer, 2, settings).unwrap();
    let composed = Shape::<N, K, H, L, D>::run::<f64, _>(&objective.composed(), optimizer, 2, settings).unwrap();
    assert_eq!((fused.samples.len(), fused.iterations), (composed.samples.len(), composed.iterations));
    for (a, b) in fused.samples.iter().zip(&composed.samples) {
        let allowed = 1e-13 * (1 + a.iteration) as f64;
        let close = |a: f64, b: f64| (a - b).abs() <= allowed;
        assert!(
            close(a.min, b.min) && close(a.mean, b.mean) && close(a.best, b.best) && a.step_size == b.step_size,
            "{function}, {optimizer}, {:?}: {a:?} fused, {b:?} composed",
            settings.squash
        );
    }
    let [first, .., last] = &fused.samples[..] else { panic!("too few samples") };
    assert!(last.mean < first.mean, "{function}, {optimizer}: no descent from {first:?} to {last:?}");
    assert_eq!(fused.raw(0.25), composed.raw(0.25));
}

/// A thousand iterations at a constant step size.
fn constant(function: Function, squash: Squash) -> Settings {
    let initial = match (function, squash) {
        (Function::Ackley, _) => 1e-4,
        // Steep where the start is far out.
        (_, Squash::ScaledTanh) => 1e-3,
        _ => 1e-2,
    };
    let learning_rate = LearningRate::plateau(initial, Plateau { factor: 1.0, ..Plateau::PAPER });
    Settings { learning_rate, squash, thinned: false, ..Settings::default() }.iterations(1_000)
}

#[test]
fn fused_descents_are_the_composed_ones() {
    for function in Function::ALL {
        for squash in [Squash::Sigmoid, Squash::ScaledTanh] {
            for optimizer in Optimizer::ALL {
                same_descents::<6, 3, 4, 2, 5>(function, optimizer, &constant(function, squash));
            }
        }
        same_descents::<6, 3, 4, 2, 5>(function, Optimizer::Shallow, &constant(function, Squash::Clamp));
    }
}

#[test]
fn fused_descents_are_the_composed_ones_at_the_size_of_the_paper() {
    for function in [Function::Levy, Function::Rosenbrock] {
        for optimizer in Optimizer::ALL {
            same_descents::<50, 10, 10, 1, 50>(function, optimizer, &constant(function, Squash::Sigmoid));
        }
    }
}

#[test]
fn fused_descents_are_the_composed_ones_over_several_panels() {
    for function in [Function::Rastrigin, Function::Ackley, Function::SpinGlass] {
        for optimizer in Optimizer::ALL {
            let settings = constant(function, Squash::Sigmoid).iterations(50);
            same_descents::<65, 3, 4, 2, 5>(function, optimizer, &settings);
            same_descents::<131, 3, 4, 2, 5>(function, optimizer, &settings);
        }
    }
}

/// Everything of a run but the time it took.
fn bits(run: &Run) -> (String, Vec<u64>) {
    let samples = run.samples.iter().flat_map(|s| [s.iteration as f64, s.min, s.mean, s.best, s.step_size]);
    let numbers = samples.chain(run.x.iter().copied()).chain([run.best, run.settings.learning_rate.initial]);
    (format!("{} {} {:?}", run.optimizer, run.seed, run.outcome), numbers.map(f64::to_bits).collect())
}

#[test]
fn sweeps_are_the_same_on_any_number_of_threads() {
    for function in [Function::Rastrigin, Function::SpinGlass] {
        let sweep = Sweep {
            problem: function.into(),
            dimensions: Dimensions { n: 10, k: 5, widths: Widths::of(&[5]), d: 10 },
            rates: vec![1.0, 0.1, 0.01],
            seeds: vec![0, 1, 2],
            optimizers: Optimizer::ALL.to_vec(),
            settings: Settings::default().iterations(200),
        };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let runs = pool.install(|| sweep.run::<f64>(&|_| {})).unwrap();
            runs.iter().map(bits).collect::<Vec<_>>()
        };
        let alone = on(1);
        assert_eq!(alone.len(), sweep.len());
        for threads in [2, 4] {
            assert_eq!(on(threads), alone, "{function} on {threads} threads");
        }
    }
}

#[test]
fn diverged_runs_end_at_once_and_are_never_the_best() {
    let never = |x: Taped<6, 5, f64>| -> TapedValues<6, f64> { (x * -1.0).sqrt().sum::<_, Axis<1>>() };
    let overflow = |x: Taped<6, 5, f64>| -> TapedValues<6, f64> { (x * 1e5).exp().sum::<_, Axis<1>>() };
    for optimizer in Optimizer::ALL {
        let runs = [
            Small::run(&never, optimizer, 0, &Settings::default()).unwrap(),
            Small::run(&overflow, optimizer, 0, &Settings::default()).unwrap(),
        ];
        for run in runs {
            assert_eq!((run.outcome, run.iterations, run.samples.len()), (Outcome::Diverged, 1, 1), "{run}");
            assert!(!run.samples[0].mean.is_finite());
        }
    }
    // Parameters that overflow: the values before that were seen, and the run does not go on without them.
    let sphere = Function::Sphere.objective::<5, f64>(0);
    let settings = Settings { gradient_scale: 1e300, ..Settings::default() };
    let run = Small::run(&sphere, Optimizer::Deep, 0, &settings).unwrap();
    assert_eq!(run.outcome, Outcome::Diverged, "{run}");
    assert!(run.iterations < 10 && run.best.is_finite(), "{run}");
}

#[test]
fn candidates_are_ranked_by_minimum_then_rate_and_those_that_diverge_last() {
    let sphere = Function::Sphere.objective::<5, f64>(0);
    let template = Small::run(&sphere, Optimizer::Deep, 0, &Settings::default().iterations(1)).unwrap();
    let run = |rate: f64, best: f64, outcome: Outcome| {
        let mut run = template.clone();
        (run.settings.learning_rate.initial, run.best, run.outcome) = (rate, best, outcome);
        run
    };
    use Outcome::{Diverged, Finished, Stopped};
    let mut runs = vec![
        run(1.0, 0.01, Finished),
        run(1.0, 0.0, Diverged),
        run(0.1, 0.5, Finished),
        run(0.1, 0.2, Stopped),
        run(0.01, 0.2, Finished),
        run(0.001, 0.3, Finished),
        run(10.0, 0.2, Finished),
        run(100.0, f64::NAN, Diverged),
    ];
    runs.push(run(5.0, 0.0, Finished));
    runs.last_mut().unwrap().optimizer = Optimizer::Shallow;
    let ranked = Candidate::rank(&runs, Optimizer::Deep);
    let found: Vec<_> =
        ranked.iter().map(|candidate| (candidate.rate, candidate.minimum, candidate.diverged)).collect();
    let expected =
        [(10.0, 0.2, 0), (0.1, 0.2, 0), (0.01, 0.2, 0), (0.001, 0.3, 0), (1.0, 0.01, 1), (100.0, f64::INFINITY, 1)];
    assert_eq!(found, expected);
}

#[test]
fn settings_out_of_range_are_errors_that_say_what_was_expected() {
    let sphere = Function::Sphere.objective::<5, f64>(0);
    let fails = |settings: Settings, expected: &str| {
        let error = Small::run(&sphere, Optimizer::Shallow, 0, &settings).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }) && error.to_string().contains(expected), "{error}");
    };
    let fine = Settings::default();
    let invalid = [0.0, -1.0, f64::NAN, f64::INFINITY];
    for value in invalid {
        fails(fine.learning_rate(value), "learning rate must be a positive");
        fails(fine.seconds(value), "seconds must be a positive");
        fails(Settings { gradient_scale: value, ..fine }, "gradient scale must be a positive");
    }
    fails(fine.iterations(0), "iterations must be 1 or more");
    let rule = Plateau::PAPER;
    for factor in [0.0, -1.0, 1.5, f64::NAN] {
        fails(
            Settings { learning_rate: LearningRate::plateau(1.0, Plateau { factor, ..rule }), ..fine },
            "factor must be above 0",
        );
    }
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        fails(
            Settings { learning_rate: LearningRate::plateau(1.0, Plateau { threshold: value, ..rule }), ..fine },
            "threshold must be",
        );
        fails(
            Settings { learning_rate: LearningRate::plateau(1.0, Plateau { floor: value, ..rule }), ..fine },
            "floor must be",
        );
        let schedule = Schedule::Cosine(Cosine { iterations: None, floor: value });
        fails(Settings { learning_rate: LearningRate { initial: 1.0, schedule }, ..fine }, "floor must be");
    }
    let endless =
        Settings { learning_rate: LearningRate { initial: 1.0, schedule: "cosine".parse().unwrap() }, ..fine };
    endless.validate().unwrap();
    fails(endless.seconds(1.0), "iterations must be given with a budget of time");
}

#[test]
fn a_gradient_scale_is_a_larger_step() {
    let levy = Function::Levy.objective::<5, f64>(0);
    let rule = LearningRate::plateau(1.0, Plateau { factor: 1.0, ..Plateau::PAPER });
    let run = |initial, gradient_scale| {
        let learning_rate = LearningRate { initial, ..rule };
        let settings = Settings { learning_rate, gradient_scale, ..Settings::default().iterations(100) };
        Small::run(&levy, Optimizer::Deep, 0, &settings).unwrap()
    };
    let (scaled, plain) = (run(0.25, 4.0), run(1.0, 1.0));
    let means = |run: &Run| run.samples.iter().map(|sample| sample.mean).collect::<Vec<_>>();
    assert_eq!((means(&scaled), scaled.x), (means(&plain), plain.x));
}

#[test]
fn a_budget_of_time_is_used() {
    let levy = Function::Levy.objective::<5, f64>(0);
    let run = Small::run(&levy, Optimizer::Deep, 0, &Settings::default().learning_rate(0.1).seconds(0.05)).unwrap();
    assert!(run.seconds >= 0.05 && run.iterations > 16 && run.outcome == Outcome::Finished, "{run}");
    assert_eq!(run.samples.last().unwrap().iteration + 1, run.iterations);
}

/// How many parameters a module has, by dfdx's count and by the crate's.
#[test]
fn parameters_are_counted() {
    type Network = EmbeddingPerceptron<50, 10, 10, 1, 50, f64, Cpu>;
    type SmallNetwork = EmbeddingPerceptron<6, 3, 4, 2, 5, f32, Cpu>;
    let cpu = Cpu::default();
    let network = Network::draw(&cpu, 0, Initialization::Gaussian).unwrap();
    assert_eq!((network.num_trainable_params(), Network::PARAMETERS), (1_160, 1_160));
    assert_eq!(Dimensions::PAPER.parameters(Optimizer::Deep), 1_160);
    assert_eq!(Dimensions::PAPER.parameters(Optimizer::Shallow), 2_500);
    let network = SmallNetwork::draw(&cpu, 0, Initialization::Gaussian).unwrap();
    assert_eq!(network.num_trainable_params(), SmallNetwork::PARAMETERS);
    assert_eq!(Small::DIMENSIONS.parameters(Optimizer::Deep), SmallNetwork::PARAMETERS);
}

/// Mean, variance and largest magnitude.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance, values.iter().fold(0.0, |largest, value| value.abs().max(largest)))
}

#[test]
fn networks_are_drawn_from_their_distributions() {
    let cpu = Cpu::default();
    for initialization in Initialization::ALL {
        let network = EmbeddingPerceptron::<100, 64, 49, 2, 100, f64, Cpu>::draw(&cpu, 5, initialization).unwrap();
        let (mean, variance, _) = moments(&network.embeddings.as_vec());
        // Five standard deviations, here and below, of the moments of so many draws.
        assert!(mean.abs() < 5.0 / 80.0 && (variance - 1.0).abs() < 5.0 * 2f64.sqrt() / 80.0, "{mean} {variance}");
        let layers = [
            (64.0, network.input.weight.as_vec(), network.input.bias.as_vec()),
            (49.0, network.hidden[0].weight.as_vec(), network.hidden[0].bias.as_vec()),
            (49.0, network.output.weight.as_vec(), network.output.bias.as_vec()),
        ];
        for (inputs, weight, bias) in layers {
            // Variance and the fourth moment's part in its spread, in units of 1/inputs.
            let (expected, spread): (f64, f64) = match initialization {
                Initialization::Gaussian => (1.0, 2f64.sqrt()),
                Initialization::PytorchUniform => (1.0 / 3.0, (4f64 / 45.0).sqrt()),
            };
            for values in [weight, bias] {
                let roots = (values.len() as f64).sqrt();
                let (mean, variance, largest) = moments(&values);
                let context = format!("{initialization:?}, {} draws: {mean} {variance} {largest}", values.len());
                assert!(mean.abs() < 5.0 * f64::sqrt(expected / inputs) / roots, "{context}");
                assert!((variance * inputs - expected).abs() < 5.0 * spread / roots, "{context}");
                if initialization == Initialization::PytorchUniform {
                    assert!((0.9..=1.0).contains(&(largest * f64::sqrt(inputs))), "{context}");
                }
            }
        }
    }
}
