//! Long computations in notebooks and programs that show their progress and survive an interruption.
//!
//! Finished runs go to a store, and whoever asks for the same runs again gets those from the store and the rest computed. They are removed
//! when all are done.

use super::Store;
use super::manifest::Experiment;
use super::shelf::Shelf;
use crate::descent::Outcome;
use crate::device::Backend;
use crate::error::Error;
use crate::experiment::{Comparison, Dtype, Protocol, Run, Stage, Sweep};
use crate::objective::Problem;
use crate::{interrupt, progress, trace};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The environment variable that says where data goes, instead of to `data` below the current folder.
const FOLDER: &str = "OVERPARAM_DATA";

impl Protocol {
    /// [`Protocol::compare`] with its progress shown: a bar on a terminal, a line that changes in a notebook, a line now and then in a log.
    ///
    /// Finished runs are kept in a [store](crate::store) in `data/unfinished` until all are done: after an interruption, the same call goes
    /// on from there.
    ///
    /// # Errors
    /// As [`Protocol::compare`].
    pub fn compare_with_progress(&self, problem: impl Into<Problem>) -> Result<Comparison, Error> {
        self.validate()?;
        let problem = &problem.into();
        let experiment = Experiment::of_comparison(self, problem, Backend::Cpu);
        watched(
            &experiment,
            self.runs(problem),
            &|shelf, known, report| experiment.compare_on(self, shelf, known, true, report),
            &|report| self.compare(problem, report),
        )
    }
}

impl Sweep {
    /// [`Sweep::run`] with its progress shown, and resumed after an interruption: see [`Protocol::compare_with_progress`].
    ///
    /// # Errors
    /// As [`Sweep::run`].
    pub fn run_with_progress(&self, dtype: Dtype) -> Result<Vec<Run>, Error> {
        let experiment = Experiment::of_sweep(self, dtype, Backend::Cpu);
        let plain = |report: Report<'_>| match dtype {
            Dtype::F32 => self.run::<f32>(&|run| report(Stage::Sweep, run)),
            Dtype::F64 => self.run::<f64>(&|run| report(Stage::Sweep, run)),
        };
        let resumed = |shelf: &Shelf, known, report: Report<'_>| experiment.sweep_on(shelf, known, report);
        watched(&experiment, self.len(), &resumed, &plain)
    }
}

type Report<'a> = &'a (dyn Fn(Stage, &Run) + Sync);
type Known = std::collections::HashMap<super::RunId, super::shelf::Loaded>;

/// Calls `resumed` with a shelf, or `plain` where there can be none, and shows the progress over `total` runs.
fn watched<T>(
    experiment: &Experiment,
    total: usize,
    resumed: &dyn Fn(&Shelf, Known, Report<'_>) -> Result<T, Error>,
    plain: &dyn Fn(Report<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let problem = &experiment.sweep.problem;
    let folder = std::env::var_os(FOLDER).map_or_else(|| PathBuf::from("data"), PathBuf::from).join("unfinished");
    let opened = Store::open(folder).and_then(|store| {
        let shelf = store.shelf(experiment)?;
        let known = experiment.known(&shelf)?;
        Ok((shelf, known))
    });
    let (shelf, known) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // A line that cannot be printed is no reason to stop.
            let _ = progress::say(&format!("finished runs are not kept, so do not interrupt: {error}"));
            let watch = Watch::new(problem, total, 0, None);
            let result = plain(&|stage, run| watch.add(stage, run));
            watch.end();
            return result;
        }
    };
    let found = known.values().filter(|(stage, _)| *stage == Stage::Sweep).count();
    let watch = Watch::new(problem, total, found, Some(shelf.folder()));
    let result = resumed(&shelf, known, &|stage, run| watch.add(stage, run))?;
    watch.end();
    if !interrupt::requested() {
        experiment.take_back(&shelf);
    }
    Ok(result)
}

impl Run {
    /// Writes the run to a Parquet file that [`Run::load`] reads: settings, result, samples, and the [end](Run::end). The numbers of the
    /// result are kept to the last bit.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        trace::write(&super::rows::table([(Stage::Timed, self)].into_iter())?, path.as_ref(), "null")
    }

    /// The run that [`Run::save`] wrote.
    ///
    /// # Errors
    /// If the file cannot be read, or is not one that [`Run::save`] of this version wrote.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let table = trace::read(path)?;
        let run = if table.height() == 1 { super::rows::run(&table, 0, true).ok() } else { None };
        run.map(|(_, run)| run).ok_or_else(|| {
            let problem = "expected a run that `Run::save` of this version wrote".to_owned();
            Error::Data { path: path.to_owned(), problem }
        })
    }
}

/// The bar, with the best so far in its message.
struct Watch<'a> {
    bar: indicatif::ProgressBar,
    problem: &'a Problem,
    seen: Mutex<Seen>,
    /// Where finished runs are kept, until that was said.
    folder: Option<&'a Path>,
    said: AtomicBool,
}

/// The state of a [`Watch`].
struct Seen {
    /// The best objective of the runs that did not diverge.
    best: f64,
    /// The number of runs that came to their end, those that were there among them.
    finished: usize,
}

impl<'a> Watch<'a> {
    fn new(problem: &'a Problem, total: usize, found: usize, folder: Option<&'a Path>) -> Self {
        if let Some(folder) = folder.filter(|_| found > 0) {
            // A line that cannot be printed is no reason to stop.
            let _ = progress::say(&format!(
                "{found} of {total} runs were finished before an interruption and are taken from {}",
                folder.display()
            ));
        }
        let bar = progress::bar(total as u64);
        bar.set_message(problem.name().to_owned());
        bar.set_position(found as u64);
        bar.reset_eta();
        bar.tick();
        Self {
            bar,
            problem,
            seen: Mutex::new(Seen { best: f64::INFINITY, finished: found }),
            folder,
            said: AtomicBool::new(found > 0),
        }
    }

    fn add(&self, stage: Stage, run: &Run) {
        if let Some(folder) = self.folder.filter(|_| !self.said.swap(true, Ordering::Relaxed)) {
            let _ = progress::say(&format!(
                "finished runs are kept in {}: after an interruption, run the same again and it goes on from there",
                folder.display()
            ));
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if run.outcome != Outcome::Diverged {
            seen.best = seen.best.min(run.best);
        }
        seen.finished += usize::from(run.outcome != Outcome::Stopped);
        let doing = match stage {
            Stage::Sweep => "",
            Stage::Timed => ", timed runs alone",
        };
        self.bar.set_message(format!("{}{doing}, best so far {:.3e}", self.problem, seen.best));
        self.bar.inc(1);
    }

    fn end(&self) {
        if !interrupt::requested() {
            return self.bar.finish();
        }
        self.bar.abandon();
        let finished = self.seen.lock().unwrap_or_else(PoisonError::into_inner).finished;
        let total = self.bar.length().unwrap_or_default();
        let _ = progress::say(&format!("interrupted: {finished} of {total} runs kept"));
    }
}
