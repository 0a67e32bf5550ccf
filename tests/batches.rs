//! Runs that advance together give what they give alone.

use dfdx::prelude::Device;
use overparam::Element;
use overparam::prelude::*;
use overparam::trace::Sample;
use std::cell::Cell;
use std::time::Instant;

/// 10 points of 10 dimensions: compiled in, so that single runs take the same steps.
const SMALL: Dimensions = Dimensions { n: 10, k: 5, widths: Widths::of(&[5]), d: 10 };

fn sweep(function: Function, dimensions: Dimensions, iterations: u64) -> Sweep {
    Sweep {
        problem: function.into(),
        dimensions,
        rates: vec![10.0, 0.3, 1e-3],
        seeds: vec![3, 1],
        optimizers: Optimizer::ALL.to_vec(),
        settings: Settings::default().iterations(iterations),
    }
}

/// All of a run but the time.
fn found(run: &Run) -> impl PartialEq + std::fmt::Debug {
    let samples = |&Sample { iteration, min, mean, best, step_size, .. }: &Sample| {
        (iteration, [min, mean, best, step_size].map(f64::to_bits))
    };
    let samples: Vec<_> = run.samples.iter().map(samples).collect();
    let run = run.clone();
    (
        run.function,
        run.optimizer,
        run.seed,
        run.settings,
        run.dtype,
        run.device,
        run.x,
        run.iterations,
        run.outcome,
        (run.settled_at, run.thinned_from),
        samples,
    )
}

fn batched_is_single<R: Element>(sweep: &Sweep) -> Vec<Run>
where
    Cpu: Device<R>,
{
    let single = sweep.run::<R>(&|_| {}).unwrap();
    let share = Cell::new(0.0);
    let batched = sweep
        .run_batched::<R>(Backend::Cpu, &|done| {
            assert!((share.get()..=1.0).contains(&done), "{done} after {}", share.get());
            share.set(done);
        })
        .unwrap();
    assert_eq!((batched.len(), share.get()), (sweep.len(), 1.0));
    for (batched, single) in batched.iter().zip(&single) {
        assert_eq!(found(batched), found(single), "{}, {}", sweep.problem, R::NAME);
        assert_eq!(batched.raw_best(), single.raw_best());
        assert!(batched.seconds > 0.0 && batched.samples.is_sorted_by(|a, b| a.seconds <= b.seconds));
    }
    batched
}

#[test]
fn every_function_optimizer_and_dtype() {
    for function in Function::ALL {
        batched_is_single::<f32>(&sweep(function, SMALL, 300));
        batched_is_single::<f64>(&sweep(function, SMALL, 300));
    }
}

#[test]
fn the_shapes_of_the_paper_and_of_the_published_program() {
    batched_is_single::<f64>(&sweep(Function::Rastrigin, Dimensions::PAPER, 300));
    batched_is_single::<f64>(&sweep(Function::SpinGlass, Dimensions::PAPER, 20));
    batched_is_single::<f32>(&sweep(Function::Michalewicz, Dimensions::DEEP_CONVEXITY, 50));
}

#[test]
fn every_squash_start_and_rule() {
    for squash in [Squash::ScaledTanh, Squash::Clamp] {
        let mut sweep = sweep(Function::Levy, SMALL, 200);
        sweep.settings.squash = squash;
        sweep.settings.initialization = Initialization::PytorchUniform;
        sweep.settings.shallow_start = ShallowStart::Own;
        sweep.settings.learning_rate = LearningRate::DEEP_CONVEXITY;
        sweep.settings.gradient_scale = 7.0;
        sweep.settings.thinned = false;
        if squash == Squash::Clamp {
            let error = sweep.run_batched::<f64>(Backend::Cpu, &|_| {}).unwrap_err().to_string();
            assert!(error.contains("clamp") && error.contains("sigmoid"), "{error}");
            sweep.optimizers = vec![Optimizer::Shallow];
        }
        batched_is_single::<f64>(&sweep);
    }
}

#[test]
fn a_diverged_run_stands_still_and_the_others_go_on() {
    let mut sweep = sweep(Function::Rosenbrock, SMALL, 400);
    sweep.rates = vec![1e200, 0.1];
    sweep.optimizers = vec![Optimizer::Deep];
    let runs = batched_is_single::<f64>(&sweep);
    let outcomes: Vec<_> = runs.iter().map(|run| (run.outcome, run.iterations)).collect();
    let [(Outcome::Diverged, first), (Outcome::Diverged, second), rest @ ..] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert!(first.max(second) < &400, "{outcomes:?}");
    assert_eq!(rest, [(Outcome::Finished, 400); 2]);
}

#[test]
fn a_settled_run_ends_early_and_its_trace_goes_on() {
    const ITERATIONS: u64 = 5_000_000;
    let mut sweep = sweep(Function::Sphere, SMALL, ITERATIONS);
    // A step that is lost in rounding changes no parameter.
    sweep.rates = vec![1e-30];
    let clock = Instant::now();
    let runs = batched_is_single::<f32>(&sweep);
    let taken = clock.elapsed().as_secs_f64();
    for run in &runs {
        assert_eq!((run.outcome, run.iterations), (Outcome::Finished, ITERATIONS), "{run}");
        assert!(run.settled_at.is_some_and(|at| at < 1_000), "{run:?}");
        assert_eq!(run.samples.last().map(|sample| sample.iteration), Some(ITERATIONS - 1), "{run}");
    }
    // The time of the runs is extrapolated; iterations that are really made take it, on as many threads as there are.
    let extrapolated = runs.iter().map(|run| run.seconds).sum::<f64>();
    let threads = rayon::current_num_threads() as f64;
    assert!(taken * threads < 0.5 * extrapolated, "{taken} s for {extrapolated} s of runs");
}

#[test]
fn a_shape_that_is_not_compiled_in_and_a_budget_of_time() {
    let mut sweep = sweep(Function::Ackley, Dimensions { n: 3, k: 2, widths: Widths::of(&[4, 4, 4]), d: 7 }, 1);
    sweep.settings = sweep.settings.seconds(0.2);
    let runs = sweep.run_batched::<f64>(Backend::Cpu, &|_| {}).unwrap();
    assert!(runs.iter().all(|run| run.seconds >= 0.2 && run.iterations > 1), "{runs:?}");
    assert_eq!(
        runs.iter().map(|run| (run.seed, run.settings.learning_rate.initial)).take(3).collect::<Vec<_>>(),
        [(3, 10.0), (1, 10.0), (3, 0.3)]
    );
}

#[test]
fn bad_settings_are_errors() {
    let error = |sweep: Sweep| sweep.run_batched::<f64>(Backend::Cpu, &|_| {}).unwrap_err().to_string();
    let mut bad = sweep(Function::Sphere, SMALL, 0);
    assert!(error(bad.clone()).contains("iterations must be 1 or more"));
    bad = sweep(Function::Sphere, SMALL, 5);
    bad.rates = vec![0.1, f64::NAN];
    assert!(error(bad).contains("learning rate"));
}
