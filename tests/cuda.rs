//! What a GPU computes is what the CPU computes. `make test-cuda` runs these tests; without it they are reported as ignored.

use dfdx::prelude::Device;
use overparam::Element;
use overparam::prelude::*;

fn sweep(function: Function, dimensions: Dimensions, iterations: u64) -> Sweep {
    // Constant step sizes, small where waves part neighboring descents: two computations then differ by rounding only.
    let learning_rate = LearningRate::plateau(1.0, Plateau { factor: 1.0, ..Plateau::PAPER });
    let rates = match function {
        Function::Ackley | Function::Michalewicz | Function::Rastrigin => vec![1e-3, 1e-4],
        _ => vec![1e-1, 1e-2],
    };
    Sweep {
        problem: function.into(),
        dimensions,
        rates,
        seeds: vec![5, 2],
        optimizers: Optimizer::ALL.to_vec(),
        settings: Settings { learning_rate, ..Settings::default() }.iterations(iterations),
    }
}

fn agree<R: Element>(sweep: &Sweep, tolerance: f64)
where
    Cpu: Device<R>,
{
    let [gpu, cpu] = [Backend::Cuda, Backend::Cpu].map(|backend| sweep.run_batched::<R>(backend, &|_| {}).unwrap());
    assert_eq!((gpu.len(), cpu.len()), (sweep.len(), sweep.len()));
    for (gpu, cpu) in gpu.iter().zip(&cpu) {
        let context = format!("{gpu}, {:?}", gpu.settings);
        assert_eq!((gpu.device, gpu.outcome, gpu.iterations), ("cuda", cpu.outcome, cpu.iterations), "{context}");
        assert_eq!(gpu.samples.len(), cpu.samples.len(), "{context}");
        for (a, b) in gpu.samples.iter().zip(&cpu.samples) {
            // The cosine may differ in its last bit.
            let cosine = matches!(gpu.settings.learning_rate.schedule, Schedule::Cosine(_));
            let apart = (a.step_size - b.step_size).abs();
            let same_step = a.step_size == b.step_size || (cosine && apart <= 1e-14 * b.step_size);
            assert!(a.iteration == b.iteration && same_step, "{context}: {a:?} against {b:?}");
            for (a, b) in [(a.min, b.min), (a.mean, b.mean), (a.best, b.best)] {
                assert!(
                    (a - b).abs() <= tolerance || a == b || (a.is_nan() && b.is_nan()),
                    "{context}: {a} against {b}"
                );
            }
        }
        assert!((gpu.best - cpu.best).abs() <= tolerance && gpu.x.len() == cpu.x.len(), "{context}");
    }
}

#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn every_function_optimizer_and_dtype() {
    let small = Dimensions { n: 7, k: 6, widths: Widths::of(&[5, 5]), d: 9 };
    for dimensions in [small, Dimensions::PAPER] {
        for function in Function::ALL {
            agree::<f32>(&sweep(function, dimensions, 150), 1e-4);
            agree::<f64>(&sweep(function, dimensions, 150), 1e-12);
        }
    }
}

#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn shapes_that_outgrow_shared_memory() {
    let wide = Dimensions { d: 1_000, ..Dimensions::PAPER };
    agree::<f64>(&sweep(Function::Sphere, wide, 50), 1e-12);
    agree::<f64>(
        &sweep(Function::Levy, Dimensions { widths: Widths::of(&[50; 4]), ..Dimensions::DEEP_CONVEXITY }, 50),
        1e-12,
    );
}

#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn squashes_and_rules() {
    for (squash, least_change) in Squash::ALL.into_iter().flat_map(|squash| [(squash, 0.0), (squash, 5e-2)]) {
        let mut sweep = sweep(Function::StyblinskiTang, Dimensions::PAPER, 200);
        sweep.settings.squash = squash;
        sweep.settings.shallow_start = if least_change > 0.0 { ShallowStart::Own } else { ShallowStart::Shared };
        sweep.settings.learning_rate = LearningRate::plateau(
            1.0,
            Plateau { factor: 0.5, patience: 2, threshold: 1e-4, floor: 1e-2, least_change, ..Plateau::PAPER },
        );
        if squash == Squash::Clamp {
            sweep.optimizers = vec![Optimizer::Shallow];
        }
        agree::<f64>(&sweep, 1e-12);
    }
}

#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn every_rule_schedule_and_network() {
    let small = Dimensions { n: 7, k: 6, widths: Widths::of(&[9, 4, 7]), d: 9 };
    for (index, rule) in Rule::ALL.into_iter().enumerate() {
        let mut sweep = sweep(Function::Sphere, if index % 2 == 0 { small } else { Dimensions::PAPER }, 60);
        sweep.rates = vec![1e-2, 1e-3];
        sweep.settings = sweep.settings.rule(rule);
        sweep.settings.learning_rate.schedule = Schedule::ALL[index % Schedule::ALL.len()].1;
        sweep.settings.activation = Activation::ALL[index % Activation::ALL.len()];
        (sweep.settings.residual, sweep.settings.frozen_embeddings) = (index % 2 == 1, index % 3 == 1);
        agree::<f64>(&sweep, 1e-9);
        agree::<f32>(&sweep, 1e-3);
    }
}

#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn targets_and_tolerances_end_runs() {
    let mut sweep = sweep(Function::Sphere, Dimensions::PAPER, 300);
    sweep.settings.target = Some(0.02);
    agree::<f64>(&sweep, 1e-12);
    sweep.settings.tolerance = Some(Tolerance { change: 1e-4, iterations: 5 });
    agree::<f64>(&sweep, 1e-12);
}

/// The published rule at a millionth, where the change of the step size is the least one but for rounding: a product that is not rounded
/// before it is subtracted would make it.
#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn a_step_size_of_a_millionth_stays() {
    let mut sweep = sweep(Function::Sphere, Dimensions::PAPER, 50);
    // Steps so large that the mean objective does not fall.
    (sweep.rates, sweep.settings.gradient_scale) = (vec![1e-6], 1e12);
    sweep.settings.learning_rate = LearningRate::DEEP_CONVEXITY;
    let runs = sweep.run_batched::<f64>(Backend::Cuda, &|_| {}).unwrap();
    assert!(runs.iter().flat_map(|run| &run.samples).all(|sample| sample.step_size == 1e-6));
}

#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn diverged_runs_stand_still() {
    let mut sweep = sweep(Function::Rosenbrock, Dimensions::PAPER, 500);
    (sweep.rates, sweep.optimizers) = (vec![1e200, 1e-2], vec![Optimizer::Deep]);
    agree::<f64>(&sweep, 1e-12);
}

#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn plans_and_descriptions() {
    let mut sweep = sweep(Function::Rastrigin, Dimensions::PAPER, 10);
    sweep.seeds = (0..1_000).collect();
    let plan = sweep.plan::<f64>(Backend::Cuda).unwrap();
    assert_eq!(plan.batches.iter().flatten().sum::<usize>(), sweep.len());
    // More numbers than a kernel counts, and more memory than a GPU has.
    let huge = Dimensions { n: 1_000_000_000, ..Dimensions::PAPER };
    let error = Sweep { dimensions: huge, ..sweep.clone() }.plan::<f64>(Backend::Cuda).unwrap_err().to_string();
    assert!(error.contains("2^31 numbers") && error.contains("smaller shape"), "{error}");
    sweep.settings = sweep.settings.rule(Rule::Lbfgs { history: 100_000_000 });
    let error = sweep.plan::<f64>(Backend::Cuda).unwrap_err().to_string();
    assert!(error.contains("iB of memory is free, limited by the GPU"), "{error}");
    assert!(Backend::auto() == Backend::Cuda && Backend::Cuda.describe().starts_with("cuda: "));
}

/// An objective of one's own runs on dfdx's tape there, as do the functions of the crate.
#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs a GPU: make test-cuda"]
fn the_tape_takes_the_same_steps_there() {
    type Small = Shape<6, 3, 4, 2, 5>;
    let gpu = dfdx::prelude::Cuda::default();
    let settings = Settings::default().learning_rate(1e-2).iterations(50);
    for optimizer in Optimizer::ALL {
        let on_gpu = |x: Taped<6, 5, f64, dfdx::prelude::Cuda>| (x - 0.3).square().sum::<_, Axis<1>>();
        let on_cpu = |x: Taped<6, 5, f64>| (x - 0.3).square().sum::<_, Axis<1>>();
        let there = Small::run_on(&gpu, &on_gpu, optimizer, 1, &settings).unwrap();
        let here = Small::run(&on_cpu, optimizer, 1, &settings).unwrap();
        assert!((there.best - here.best).abs() < 1e-12 && there.device == "cuda", "{there}");
        let levy = Function::Levy.objective::<5, f64>(0);
        let there = Small::run_on(&gpu, &levy, optimizer, 1, &settings).unwrap();
        let here = Small::run(&levy, optimizer, 1, &settings).unwrap();
        assert!((there.best - here.best).abs() < 1e-12 && there.raw(0.5) == here.raw(0.5), "{there}");
    }
}
