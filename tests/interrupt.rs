//! Requests to stop, and what is picked up after them. A request holds for the whole process, and so does the current folder
//! that unfinished runs are kept below: one test has the process for itself.

use overparam::interrupt;
use overparam::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};

type Small = Shape<6, 3, 4, 2, 5>;

/// Ends this process if it does not come to an end by itself: what does not stop would go on for ever.
fn watch_over_the_process() {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(300));
        eprintln!("a request to stop was not followed");
        std::process::exit(1);
    });
}

/// Runs `work`, and requests an interrupt when `ready` says so. Returns the result.
fn interrupted_when<T>(ready: impl Fn() -> bool + Send, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !ready() {
                std::thread::sleep(Duration::from_millis(1));
            }
            interrupt::request();
        });
        work()
    })
}

/// Runs `work`, and requests an interrupt after `delay`. Returns the result and the time taken.
fn interrupted<T>(delay: Duration, work: impl FnOnce() -> T) -> (T, Duration) {
    let clock = Instant::now();
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(delay);
            interrupt::request();
        });
        work()
    });
    (result, clock.elapsed())
}

fn sphere(settings: &Settings) -> Run {
    Small::run(&Function::Sphere.objective::<5, f32>(0), Optimizer::Deep, 0, settings).unwrap()
}

fn requested_runs_stop() {
    interrupt::request();
    let run = sphere(&Settings::default());
    assert_eq!((run.outcome, run.iterations, run.samples.len()), (Outcome::Stopped, 1, 1), "{run}");
    interrupt::clear();
    let endless = Settings::default().iterations(u64::MAX);
    let (run, _) = interrupted(Duration::from_millis(50), || sphere(&endless.learning_rate(0.1)));
    assert_eq!(run.outcome, Outcome::Stopped, "{run}");
    let last = run.samples.last().unwrap();
    assert_eq!((last.iteration + 1, last.best), (run.iterations, run.best), "{run}");
    interrupt::clear();
    assert_eq!(sphere(&Settings::default()).outcome, Outcome::Finished);
}

/// A step that is lost in rounding settles at once: nothing is left to compute, and the trace is completed until it is stopped.
fn requested_completions_stop() {
    let endless = Settings::default().iterations(u64::MAX).learning_rate(1e-30);
    let (run, taken) = interrupted(Duration::from_millis(500), || sphere(&endless));
    interrupt::clear();
    assert_eq!(run.outcome, Outcome::Stopped, "{run}");
    // A run that is computed looks for a request after every 16 iterations, one that is completed after every 65,536.
    assert_eq!((run.iterations - 1) % 65_536, 0, "{run}");
    assert!(taken < Duration::from_secs(20), "{taken:?}");
}

fn sweeps_leave_out_what_is_not_begun(sweep: &Sweep) {
    interrupt::request();
    assert!(sweep.run::<f64>(&|_| {}).unwrap().is_empty());
    interrupt::clear();
}

/// Whether there is a file of finished runs below `folder`.
fn has_runs(folder: &Path) -> bool {
    let is_of_runs = |path: &Path| path.extension().is_some_and(|extension| extension == "parquet");
    // What is removed meanwhile has none.
    let entries = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    entries.into_iter().any(|path| if path.is_dir() { has_runs(&path) } else { is_of_runs(&path) })
}

/// The rate, seed, best x and the time: equal only if it is the same run.
fn identity(run: &Run) -> (Optimizer, f64, u64, Vec<f64>, f64) {
    (run.optimizer, run.settings.learning_rate.initial, run.seed, run.x.clone(), run.seconds)
}

fn sweeps_go_on_where_they_were_interrupted(sweep: &Sweep) {
    let folder = Path::new("data/unfinished");
    // Finished runs are kept from some time on.
    let kept = || has_runs(folder);
    let first = interrupted_when(kept, || sweep.run_with_progress(Dtype::F64).unwrap());
    interrupt::clear();
    let finished: Vec<_> = first.iter().filter(|run| run.outcome == Outcome::Finished).map(identity).collect();
    assert!(!finished.is_empty() && first.len() < sweep.len(), "{} of {} runs", first.len(), sweep.len());
    assert_eq!(folder.read_dir().unwrap().count(), 1, "finished runs are kept in a folder");
    let second = sweep.run_with_progress(Dtype::F64).unwrap();
    assert!(!folder.exists(), "the folder is gone when all is done");
    let found: Vec<_> = second.iter().map(identity).collect();
    assert!(finished.iter().all(|run| found.contains(run)), "finished runs are not run again");
    let whole = sweep.run::<f64>(&|_| {}).unwrap();
    let values =
        |runs: &[Run]| runs.iter().map(identity).map(|(by, rate, seed, x, _)| (by, rate, seed, x)).collect::<Vec<_>>();
    assert_eq!(values(&second), values(&whole));
}

fn comparisons_with_progress_are_comparisons(protocol: &Protocol) {
    let shown = protocol.compare_with_progress(Function::Sphere).unwrap();
    let plain = protocol.compare(Function::Sphere, &|_, _| {}).unwrap();
    let values =
        |runs: &[Run]| runs.iter().map(|run| (run.optimizer, run.seed, run.best.to_bits())).collect::<Vec<_>>();
    assert_eq!(values(&shown.sweep), values(&plain.sweep));
    assert_eq!((shown.timed.len(), plain.timed.len()), (4, 4));
    assert!(!Path::new("data/unfinished").exists());
}

#[test]
fn requests_to_stop_are_followed_and_work_goes_on_after_them() {
    watch_over_the_process();
    let folder = tempfile::tempdir().unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let mut protocol = Protocol::paper();
    (protocol.iterations, protocol.seeds, protocol.rates) = (300, 2, vec![1.0, 0.1]);
    let mut sweep = protocol.sweep(Function::Rastrigin);
    // Enough for several seconds on all cores: finished runs are kept after two.
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    sweep.seeds = (0..100 * cores).collect();
    sweep.settings = sweep.settings.iterations(4_000);
    requested_runs_stop();
    requested_completions_stop();
    sweeps_leave_out_what_is_not_begun(&sweep);
    sweeps_go_on_where_they_were_interrupted(&sweep);
    comparisons_with_progress_are_comparisons(&protocol);
}
