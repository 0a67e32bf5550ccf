//! The kernel's own source on the host, compiled by the C compiler: how its arithmetic is tested without a GPU.

use super::samples::expressions;
use super::*;
use crate::descent::{ShallowStart, Squash, Tolerance};
use crate::experiment::Widths;
use crate::experiment::batch::{Trial, cpu};
use crate::expression::{Array, Expression, tests};
use crate::graph::cuda::{CudaSource, PARTS};
use crate::network::Activation;
use crate::objective::Function;
use crate::rule::LearningRate;
use bytemuck::cast_slice;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A program that makes one launch: its arguments come in, and what it leaves behind goes out.
struct Host<R> {
    folder: TempDir,
    image: Image<R>,
    memory: Vec<f64>,
    best: Vec<R>,
}

/// The settings of a kernel that is compiled and run on the host.
#[derive(Clone, Copy)]
struct Build {
    /// Threads of a block.
    threads: usize,
    /// The limits of the GPU.
    limits: Limits,
    /// More of the C compiler's options.
    options: &'static [&'static str],
}

/// A GPU whose blocks have whatever a run needs.
pub(super) const LIMITS: Limits = Limits { block: 1 << 30, processor: 1 << 30, reserved: 0 };

/// A GPU whose blocks have nothing.
const NO_SHARED_MEMORY: Limits = Limits { block: 0, processor: 0, reserved: 0 };

/// Threads share the work in a way that does not fit: what is right for three is right for any number.
const THREE_THREADS: Build = Build { threads: 3, limits: LIMITS, options: &[] };
const ONE_THREAD: Build = Build { threads: 1, ..THREE_THREADS };

impl<R: Real> Host<R> {
    fn new(image: Image<R>, build: Build) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kernel = folder.path().join("kernel.c");
        std::fs::write(&kernel, &image.source.text).unwrap();
        let compiled = Command::new("cc")
            .args(["-std=gnu11", "-O1", "-Wall", "-Werror", "-Wno-unused", "-pthread", "-o"])
            .arg(folder.path().join("host"))
            .args(build.options)
            .arg(format!("-DTHREADS={}", build.threads))
            .arg(format!("-DKERNEL_SOURCE=\"{}\"", kernel.display()))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/experiment/batch/cuda/host.c"))
            .arg("-lm")
            .output()
            .expect("a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let memory = vec![0.0; image.runs() * image.source.memory];
        Self { best: vec![R::ZERO; image.runs() * image.dimension], memory, folder, image }
    }
}

impl<R: Real> Machine<R> for Host<R> {
    fn launch(&mut self, first: u64, count: u64, kept: &[u64]) -> Result<(Vec<f64>, Vec<f64>), Error> {
        let Image { settings, gains, seeds, couplings, bases, parameters, progress, .. } = &self.image;
        let lengths = [gains.len(), kept.len(), couplings.len(), bases.len()].map(|length| length as u64);
        let header: Vec<u64> = [first, count].into_iter().chain(lengths).collect();
        let input: [&[u8]; 11] = [
            cast_slice(&header),
            cast_slice(settings),
            cast_slice(gains),
            cast_slice(seeds),
            cast_slice(couplings),
            cast_slice(bases),
            cast_slice(kept),
            cast_slice(parameters),
            cast_slice(&self.memory),
            cast_slice(progress),
            cast_slice(&self.best),
        ];
        let mut program = Command::new(self.folder.path().join("host"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        program.stdin.take().unwrap().write_all(&input.concat()).unwrap();
        let output = program.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut rest = &output.stdout[..];
        let mut take = |bytes: usize| {
            let (taken, left) = rest.split_at(bytes);
            rest = left;
            taken
        };
        let scalars = |bytes: &[u8]| bytemuck::pod_collect_to_vec::<u8, R>(bytes);
        let numbers = |bytes: &[u8]| bytemuck::pod_collect_to_vec::<u8, f64>(bytes);
        let sizes = (size_of_val(&parameters[..]), size_of_val(&progress[..]));
        self.image.parameters = scalars(take(sizes.0));
        self.memory = numbers(take(size_of_val(&self.memory[..])));
        self.image.progress = numbers(take(sizes.1));
        self.best = scalars(take(size_of_val(&self.best[..])));
        let samples = numbers(take(self.image.runs() * kept.len() * SAMPLE * size_of::<f64>()));
        assert!(rest.is_empty());
        Ok((self.image.progress.clone(), samples))
    }

    fn best(&mut self) -> Result<Vec<R>, Error> {
        Ok(self.best.clone())
    }
}

/// 7 points of 9 dimensions, two layers: no two alike, no multiple of anything.
const SMALL: Dimensions = Dimensions { n: 7, k: 6, widths: Widths::of(&[5, 5]), d: 9 };

/// Two rates for each of two seeds.
const TRIALS: [Trial; 4] = trials([1e-1, 1e-2]);

/// Rates for functions with waves, which part neighboring descents if the steps are larger.
const SMALL_TRIALS: [Trial; 4] = trials([1e-3, 1e-4]);

const fn trials([large, small]: [f64; 2]) -> [Trial; 4] {
    [
        Trial { rate: large, seed: 5 },
        Trial { rate: small, seed: 5 },
        Trial { rate: large, seed: 2 },
        Trial { rate: small, seed: 2 },
    ]
}

fn drive<R: Real>(mut engine: Box<dyn Engine<R>>) -> Vec<Found<R>> {
    while engine.advance().unwrap().is_some() {}
    engine.finish().unwrap()
}

fn on_the_host<R: Element>(batch: &Batch<'_>, build: Build) -> Vec<Found<R>> {
    drive(Box::new(Launches::new(batch, build.limits, |image: Image<R>| Ok(Host::new(image, build))).unwrap()))
}

/// Descents that take the same steps, but for rounding: every value of every sample, most of them below 1, is within `tolerance`.
fn agree<R: Element>(batch: &Batch<'_>, build: Build, tolerance: f64) {
    let kernel = on_the_host::<R>(batch, build);
    let cores = drive(Box::new(cpu::Cores::<R>::new(batch).unwrap()));
    for ((kernel, cores), trial) in kernel.iter().zip(&cores).zip(batch.trials) {
        let &Batch { ref problem, optimizer, dimensions, settings, .. } = batch;
        let Settings { squash, rule, activation, .. } = settings;
        let context = format!(
            "{problem} {optimizer} {} {dimensions}, {trial:?}, {squash:?}, {rule}, {activation}, {} threads",
            R::NAME,
            build.threads
        );
        assert_eq!((kernel.iterations, kernel.outcome), (cores.iterations, cores.outcome), "{context}");
        assert_eq!(kernel.trace.len(), cores.trace.len(), "{context}");
        let mut worst: f64 = 0.0;
        for (a, b) in kernel.trace.iter().zip(&cores.trace) {
            assert_eq!((a.iteration, a.step_size.to_bits()), (b.iteration, b.step_size.to_bits()), "{context}");
            let pairs = [(a.min, b.min), (a.mean, b.mean), (a.best, b.best)];
            let apart =
                pairs.into_iter().filter(|(a, b)| a != b && !(a.is_nan() && b.is_nan())).map(|(a, b)| (a - b).abs());
            // A NaN beside a number is as far apart as can be.
            worst = apart.fold(worst, |worst, apart| if apart.is_nan() { f64::INFINITY } else { worst.max(apart) });
        }
        println!("{worst:.1e} apart: {context}");
        assert!(worst <= tolerance, "{worst:e} apart: {context}");
        assert_eq!(kernel.best.value.wide(), kernel.trace.last().unwrap().best, "{context}");
        // Near a minimum x is known to the square root of the value's precision.
        for (a, b) in kernel.best.x.iter().zip(&cores.best.x) {
            assert!((a.wide() - b.wide()).abs() <= tolerance.sqrt(), "{context}: {a} by the kernel, {b} by the cores");
        }
    }
}

fn batch(objective: impl Into<Problem>, optimizer: Optimizer, settings: &Settings) -> Batch<'_> {
    let problem = objective.into();
    let trials = match problem.function() {
        Some(Function::Ackley | Function::Michalewicz | Function::Rastrigin) | None => &SMALL_TRIALS,
        _ => &TRIALS,
    };
    Batch { problem, dimensions: SMALL, optimizer, settings, trials }
}

/// The largest difference between values that rounding alone drives apart, over the iterations below.
const TOLERANCES: [f64; 2] = [1e-5, 1e-13];

/// Step sizes are constant: where a descent stagnates, the learning-rate rule looks at the last bit of the mean.
fn constant(iterations: u64) -> Settings {
    let learning_rate = LearningRate::plateau(1.0, Plateau { factor: 1.0, ..Plateau::PAPER });
    Settings { learning_rate, ..Settings::default() }.iterations(iterations)
}

#[test]
fn the_kernel_takes_the_steps_of_the_cores() {
    let settings = constant(150);
    for function in Function::ALL {
        for optimizer in Optimizer::ALL {
            let batch = batch(function, optimizer, &settings);
            agree::<f32>(&batch, THREE_THREADS, TOLERANCES[0]);
            agree::<f64>(&batch, THREE_THREADS, TOLERANCES[1]);
        }
    }
}

#[test]
fn expressions_take_the_steps_of_the_cores() {
    let settings = constant(20);
    for expression in expressions() {
        for optimizer in Optimizer::ALL {
            let batch = batch(&expression, optimizer, &settings);
            agree::<f32>(&batch, THREE_THREADS, TOLERANCES[0]);
            agree::<f64>(&batch, THREE_THREADS, TOLERANCES[1]);
        }
    }
    // With a box for each coordinate, and a gradient that is one number.
    let bounds: Vec<[f64; 2]> = (0..SMALL.d).map(|i| [-1.0, 1.0 + i as f64]).collect();
    let each = Expression::new("each", bounds, |u| (u * u.sin()).sum()).range(-10.0, 10.0);
    let slope = Expression::new("slope", [-1.0, 1.0], |u| (u.sum() - 1.0).exp());
    for expression in [each, slope, Expression::new("constant", [-1.0, 1.0], |_| Array::scalar(2.0))] {
        agree::<f64>(&batch(&expression, Optimizer::Shallow, &settings), ONE_THREAD, TOLERANCES[1]);
    }
}

/// What a function keeps of each point is a sum or two, and two numbers: what its gradient needs besides lies where the gradient will, or is computed again.
#[test]
fn the_sources_of_functions_keep_no_more_than_two_sums() {
    for function in Function::ALL.into_iter().filter(|&function| function != Function::SpinGlass) {
        let CudaSource { text, work, .. } = Problem::from(function).cuda(SMALL.d).unwrap().unwrap();
        assert!(work <= 2 * PARTS + 2, "{function} keeps {work} numbers of each point: {text}");
    }
}

#[test]
fn random_expressions_take_the_steps_of_the_cores() {
    let settings = constant(3);
    (0..40u64).into_par_iter().for_each(|seed| {
        let random = move |u| tests::random(1_000 * seed + 17, u, false);
        let expression = Expression::new(format!("random {seed}"), [-1.5, 1.5], random);
        agree::<f64>(&batch(&expression, Optimizer::Shallow, &settings), THREE_THREADS, 1e-9);
    });
}

#[test]
fn the_shapes_of_the_paper_and_of_the_published_program() {
    let settings = constant(100);
    for (function, dimensions) in [
        (Function::Rastrigin, Dimensions::PAPER),
        (Function::SpinGlass, Dimensions { d: 20, ..Dimensions::PAPER }),
        (Function::Levy, Dimensions::DEEP_CONVEXITY),
    ] {
        for optimizer in Optimizer::ALL {
            agree::<f64>(&Batch { dimensions, ..batch(function, optimizer, &settings) }, ONE_THREAD, TOLERANCES[1]);
        }
    }
}

#[test]
fn squashes_starts_rules_and_gradient_scales() {
    // The step size comes to rest at the floor, or before because the change would be too small.
    for (squash, least_change) in Squash::ALL.into_iter().flat_map(|squash| [(squash, 0.0), (squash, 5e-2)]) {
        let shallow_start = if least_change > 0.0 { ShallowStart::Own } else { ShallowStart::Shared };
        let learning_rate = LearningRate::plateau(
            1.0,
            Plateau { factor: 0.5, patience: 2, threshold: 1e-4, floor: 1e-2, least_change, ..Plateau::PAPER },
        );
        let settings = Settings {
            learning_rate,
            squash,
            shallow_start,
            thinned: false,
            gradient_scale: 7.0,
            ..Settings::default()
        };
        let settings = settings.iterations(200);
        for optimizer in Optimizer::ALL.into_iter().filter(|&of| squash != Squash::Clamp || of == Optimizer::Shallow) {
            agree::<f64>(&batch(Function::StyblinskiTang, optimizer, &settings), ONE_THREAD, TOLERANCES[1]);
        }
    }
}

/// Rates for rules whose steps do not shrink with the gradient.
const EVEN_TRIALS: [Trial; 4] = trials([1e-2, 1e-3]);

#[test]
fn every_rule() {
    for rule in Rule::ALL {
        let settings = Settings::default().rule(rule).iterations(60);
        for optimizer in Optimizer::ALL {
            let of = Batch { trials: &EVEN_TRIALS, ..batch(Function::Sphere, optimizer, &settings) };
            agree::<f64>(&of, THREE_THREADS, 1e-12);
            agree::<f32>(&of, ONE_THREAD, 1e-4);
        }
        // The steps of projected descent end in the cube. Where a gradient is next to zero, RMSprop makes its rounding a step: not a
        // function with waves.
        let clamped = Settings { squash: Squash::Clamp, ..settings };
        if clamped.validate().is_ok() {
            let of = Batch { trials: &EVEN_TRIALS, ..batch(Function::Sphere, Optimizer::Shallow, &clamped) };
            agree::<f64>(&of, ONE_THREAD, 1e-12);
        }
    }
}

/// A history that is shorter than the run, so that pairs are replaced, and a function on which the line search has to shorten steps.
#[test]
fn a_full_history_and_shortened_steps() {
    let settings = Settings::default().rule(Rule::Lbfgs { history: 3 }).iterations(40);
    for optimizer in Optimizer::ALL {
        let of = Batch { trials: &trials([1.0, 50.0]), ..batch(Function::Levy, optimizer, &settings) };
        agree::<f64>(&of, THREE_THREADS, 1e-7);
    }
}

#[test]
fn every_schedule() {
    let patient = Plateau { factor: 0.5, patience: 2, threshold: 0.01, cooldown: 3, floor: 0.01, ..Plateau::PAPER };
    let schedules = Schedule::ALL.map(|(_, schedule)| schedule);
    for schedule in schedules.into_iter().chain([
        Schedule::Plateau(patient),
        Schedule::Plateau(Plateau { relative: true, ..patient }),
        Schedule::Cosine(Cosine { iterations: Some(30), floor: 1e-3 }),
        Schedule::Cosine(Cosine { iterations: Some(30), floor: 1e3 }),
    ]) {
        let learning_rate = LearningRate { initial: 1.0, schedule };
        let settings = Settings { learning_rate, thinned: false, ..Settings::default() }.iterations(50);
        agree::<f64>(&batch(Function::StyblinskiTang, Optimizer::Shallow, &settings), ONE_THREAD, TOLERANCES[1]);
    }
}

#[test]
fn every_network() {
    let constant = constant(60);
    let networks = [
        (Widths::of(&[]), ONE_THREAD),
        (Widths::of(&[9, 4, 7]), THREE_THREADS),
        // So many layers that a loop goes through them.
        (Widths::of(&[5, 4, 5, 4, 5, 4, 5, 4, 5]), ONE_THREAD),
    ];
    for (widths, build) in networks {
        let of =
            Batch { dimensions: Dimensions { widths, ..SMALL }, ..batch(Function::Levy, Optimizer::Deep, &constant) };
        agree::<f64>(&of, build, TOLERANCES[1]);
    }
    // More parameters than coordinates.
    let wide = Dimensions { widths: Widths::of(&[40]), ..SMALL };
    agree::<f64>(&Batch { dimensions: wide, ..batch(Function::Levy, Optimizer::Deep, &constant) }, ONE_THREAD, 1e-12);
    for activation in Activation::ALL {
        for (residual, frozen_embeddings) in [(false, false), (true, false), (true, true)] {
            let settings = Settings { activation, residual, frozen_embeddings, ..constant };
            agree::<f64>(&batch(Function::Levy, Optimizer::Deep, &settings), ONE_THREAD, 1e-12);
        }
    }
    // Both at once with another rule, in single precision, from starts that a residual network adds to.
    let settings = Settings {
        residual: true,
        frozen_embeddings: true,
        activation: Activation::Gelu,
        shallow_start: ShallowStart::Own,
        ..Settings::default().rule(Rule::ALL[4]).iterations(40)
    };
    let of = Batch { trials: &EVEN_TRIALS, ..batch(Function::StyblinskiTang, Optimizer::Deep, &settings) };
    agree::<f32>(&of, THREE_THREADS, 1e-4);
}

#[test]
fn targets_and_tolerances_end_runs() {
    let tolerance = |change, iterations| Some(Tolerance { change, iterations });
    let settings = Settings::default().iterations(300);
    let mut outcomes = Vec::new();
    for settings in [
        Settings { target: Some(0.02), ..settings },
        Settings { tolerance: tolerance(1e-4, 5), ..settings },
        Settings { tolerance: tolerance(0.0, 1), ..settings },
        Settings { target: Some(0.02), tolerance: tolerance(1e-4, 5), ..settings },
        Settings { target: Some(-1.0), tolerance: tolerance(1.0, 1_000), ..settings },
    ] {
        for optimizer in Optimizer::ALL {
            let of = batch(Function::Sphere, optimizer, &settings);
            agree::<f64>(&of, THREE_THREADS, TOLERANCES[1]);
            outcomes.extend(on_the_host::<f64>(&of, ONE_THREAD).iter().map(|run| run.outcome));
        }
    }
    for outcome in [Outcome::Reached, Outcome::Converged, Outcome::Finished] {
        assert!(outcomes.contains(&outcome), "no run has {outcome:?}");
    }
}

/// Every number of threads, and either memory, comes to the same bits.
#[test]
fn threads_and_memory_change_nothing() {
    let settings = Settings::default().iterations(40);
    let searching = settings.rule(Rule::Lbfgs { history: 3 });
    let functions = [Function::Ackley, Function::Rosenbrock, Function::SpinGlass, Function::Levy].map(Problem::from);
    let expressions = expressions();
    let problems = functions.into_iter().chain(expressions.iter().map(Problem::from));
    let cases = problems.map(|problem| (problem, &settings)).chain([(Function::Levy.into(), &searching)]);
    for (problem, settings) in cases {
        for optimizer in Optimizer::ALL {
            let batch = batch(&problem, optimizer, settings);
            let bits = |build| {
                let found = on_the_host::<f64>(&batch, build);
                let samples = found.iter().flat_map(|run| &run.trace).map(|s| [s.min, s.mean, s.best, s.step_size]);
                (samples.map(|sample| sample.map(f64::to_bits)).collect::<Vec<_>>(), found[0].best.x.clone())
            };
            let one = bits(ONE_THREAD);
            assert_eq!(bits(Build { threads: 8, ..ONE_THREAD }), one, "{problem}, {optimizer}");
            assert_eq!(
                bits(Build { limits: NO_SHARED_MEMORY, ..THREE_THREADS }),
                one,
                "{problem}, {optimizer} in global memory"
            );
        }
    }
}

/// A build under a sanitizer of the C compiler.
const fn sanitized(option: &'static [&'static str; 1]) -> Build {
    Build { options: option, ..THREE_THREADS }
}

/// Finds two threads that touch the same number between two barriers, one of them writing.
const THREAD_SANITIZER: &[&str; 1] = &["-fsanitize=thread"];

/// Finds what is touched outside of an argument, and arithmetic without a meaning.
const ADDRESS_SANITIZER: &[&str; 1] = &["-fsanitize=address,undefined"];

#[test]
#[ignore = "needs a C compiler with sanitizers: make test-sanitizers"]
fn sanitizers_find_no_race_and_nothing_outside_the_arguments() {
    let settings = Settings::default().iterations(3);
    for sanitized in [THREAD_SANITIZER, ADDRESS_SANITIZER].map(sanitized) {
        for (function, optimizer) in Function::ALL.into_iter().flat_map(|of| Optimizer::ALL.map(|by| (of, by))) {
            let found = on_the_host::<f64>(&batch(function, optimizer, &settings), sanitized);
            assert!(found.iter().all(|run| run.outcome == Outcome::Finished));
        }
        for expression in expressions() {
            let found = on_the_host::<f64>(&batch(&expression, Optimizer::Shallow, &settings), sanitized);
            assert!(found.iter().all(|run| run.outcome == Outcome::Finished), "{expression:?}");
        }
        let activation = Activation::Gelu;
        for (rule, frozen) in Rule::ALL.into_iter().flat_map(|rule| [(rule, false), (rule, true)]) {
            let settings = Settings {
                activation,
                residual: frozen,
                frozen_embeddings: frozen,
                ..settings.rule(rule).iterations(6)
            };
            for optimizer in Optimizer::ALL {
                let found = on_the_host::<f64>(&batch(Function::Levy, optimizer, &settings), sanitized);
                assert!(found.iter().all(|run| run.outcome == Outcome::Finished));
            }
        }
    }
}

#[test]
#[ignore = "needs a C compiler with sanitizers: make test-sanitizers"]
fn sanitizers_find_a_missing_barrier() {
    let settings = Settings::default().iterations(3);
    let mut image = Image::<f64>::new(&batch(Function::Levy, Optimizer::Shallow, &settings), LIMITS).unwrap();
    let whole = image.source.text.len();
    image.source.text = image.source.text.replacen("  SYNC();\n", "", 1);
    assert!(image.source.text.len() < whole, "no barrier to leave out");
    let mut host = Host::new(image, sanitized(THREAD_SANITIZER));
    let panic = std::panic::catch_unwind(AssertUnwindSafe(move || host.launch(0, 3, &[]))).unwrap_err();
    let message = panic.downcast_ref::<String>().expect("what failed, with what the program said");
    assert!(message.contains("data race"), "{message}");
}

#[test]
fn diverged_runs_stand_still_and_settled_ones_go_on() {
    let settings = Settings::default().iterations(6_000);
    let trials = [Trial { rate: 1e200, seed: 1 }, Trial { rate: 0.3, seed: 1 }, Trial { rate: 1e6, seed: 2 }];
    let of = Batch { trials: &trials, ..batch(Function::Rosenbrock, Optimizer::Deep, &settings) };
    let found = on_the_host::<f64>(&of, ONE_THREAD);
    let alone = drive(Box::new(cpu::Cores::<f64>::new(&of).unwrap()));
    let ends = |found: &[Found<f64>]| found.iter().map(|run| (run.outcome, run.iterations)).collect::<Vec<_>>();
    assert_eq!(ends(&found), ends(&alone));
    assert_eq!((found[0].outcome, found[1].outcome), (Outcome::Diverged, Outcome::Finished));
    assert_eq!(found[0].trace.last().unwrap().iteration + 1, found[0].iterations);
    assert!(found[1].trace.is_sorted_by(|a, b| a.seconds <= b.seconds && a.iteration < b.iteration));
    // With a step far below its resolution, nothing moves from the start.
    let trials = [Trial { rate: 1e-30, seed: 1 }];
    for optimizer in Optimizer::ALL {
        let of = Batch { trials: &trials, ..batch(Function::Sphere, optimizer, &settings) };
        agree::<f32>(&of, THREE_THREADS, 1e-6);
        // Here every step is compared, on the cores those of every 128th iteration.
        let settled = |found: Vec<Found<f32>>| found.into_iter().map(|run| run.settled_at).collect::<Vec<_>>();
        assert_eq!(settled(on_the_host::<f32>(&of, ONE_THREAD)), [Some(0)]);
        assert_eq!(settled(drive(Box::new(cpu::Cores::<f32>::new(&of).unwrap()))), [Some(127)]);
    }
}

#[test]
fn a_budget_of_time_is_kept() {
    let settings = Settings::default().seconds(0.2);
    let found = on_the_host::<f64>(&batch(Function::Sphere, Optimizer::Shallow, &settings), ONE_THREAD);
    for run in found {
        assert!(run.seconds >= 0.2 && run.outcome == Outcome::Finished, "{} s, {:?}", run.seconds, run.outcome);
        assert_eq!(run.trace.last().unwrap().iteration + 1, run.iterations);
    }
}

#[test]
fn demands_are_those_of_the_image() {
    let settings = Settings::default();
    for optimizer in Optimizer::ALL {
        let of = batch(Function::SpinGlass, optimizer, &settings);
        let image = Image::<f32>::new(&of, NO_SHARED_MEMORY).unwrap();
        let demand = demand::<f32>(&of.problem, of.dimensions, optimizer, &settings, NO_SHARED_MEMORY);
        let Demand { run, seed } = demand.unwrap();
        assert_eq!(2 * seed, size_of_val(&image.couplings[..]) as u64);
        // What all runs share: settings, the iterations that are kept, and in place of a residual network's points one number.
        let shared = (settings::COUNT + SLOTS) * 8 + 4;
        assert_eq!(4 * run + 2 * seed, (image.bytes() - shared) as u64);
        assert!(image.source.block.global && !Image::<f32>::new(&of, LIMITS).unwrap().source.block.global);
    }
}
