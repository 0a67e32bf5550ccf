//! Experiments that go on from the runs of a store.

use super::manifest::{Experiment, Trial};
use super::shelf::{Loaded, Shelf};
use super::subject::RunId;
use crate::descent::{Optimizer, Outcome, Settings};
use crate::element::Element;
use crate::error::Error;
use crate::experiment::{Comparison, Dtype, Keeper, Look, Protocol, Run, Stage, Sweep};
use crate::progress::say;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};

/// Traces that are counted on to be waiting for a file.
const WAITING: usize = 64;

/// Asks a shelf before each run, and gives it each run made.
struct Ledger<'a> {
    shelf: &'a Shelf,
    /// The runs that are wanted, if not all are.
    wanted: Option<HashSet<RunId>>,
    /// Runs that were read beforehand.
    known: HashMap<RunId, Loaded>,
    /// True if runs are returned.
    returns: bool,
    /// True if a run that cannot be written is said once, and false if it ends the rest.
    goes_on: bool,
    said: AtomicBool,
    report: &'a (dyn Fn(Stage, &Run) + Sync),
}

impl Keeper for Ledger<'_> {
    fn look(&self, stage: Stage, optimizer: Optimizer, seed: u64, settings: &Settings) -> Look {
        if self.shelf.has_failed() {
            return Look::Leave;
        }
        let id = self.shelf.naming().id(stage, optimizer, seed, settings);
        if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(&id)) {
            return Look::Leave;
        }
        if let Some((_, run)) = self.known.get(&id) {
            if stage == Stage::Timed {
                (self.report)(stage, run);
            }
            return Look::Known(Box::new(run.clone()));
        }
        match self.shelf.has(id) {
            false => Look::Make,
            true if !self.returns => Look::Leave,
            // Another process made it meanwhile. A run that cannot be read is made.
            true => match self.shelf.one(id, true) {
                Some((_, run)) => Look::Known(Box::new(run)),
                None => Look::Make,
            },
        }
    }

    fn keep(&self, stage: Stage, run: &Run) {
        // A stopped run is not finished.
        if run.outcome != Outcome::Stopped {
            let id = self.shelf.naming().id(stage, run.optimizer, run.seed, &run.settings);
            self.shelf.keep(id, stage, run);
            if self.goes_on
                && let Some(error) = self.shelf.failure()
                && !self.said.swap(true, Ordering::Relaxed)
            {
                // A line that cannot be printed is no reason to stop.
                let _ = say(&format!("finished runs are not kept, so do not interrupt: {error}"));
            }
        }
        (self.report)(stage, run);
    }

    fn returns(&self) -> bool {
        self.returns
    }
}

impl Experiment {
    /// Makes those of `trials`, which are runs of the sweep, that are not on the shelf. `report` is called after each; if they are `batched`,
    /// `progressed` with the share of the sweep that is done.
    ///
    /// Ends early after an [interrupt](crate::interrupt), or when a run cannot be written; see [`Shelf::failure`].
    ///
    /// # Errors
    /// As [`Sweep::run`] and [`Sweep::run_batched`].
    pub fn make(
        &self,
        shelf: &Shelf,
        trials: &[Trial],
        batched: bool,
        report: &(dyn Fn(Stage, &Run) + Sync),
        progressed: &dyn Fn(f64),
    ) -> Result<(), Error> {
        let wanted = Some(trials.iter().map(|trial| trial.id).collect());
        let ledger = self.ledger(shelf, wanted, HashMap::new(), false, report);
        let mut sweep = self.sweep.clone();
        if !batched {
            // Several processes at the same sweep begin at different runs.
            let turn = RandomState::new().hash_one(0) as usize;
            let length = sweep.seeds.len().max(1);
            sweep.seeds.rotate_left(turn % length);
        }
        let made = match self.subject.dtype {
            Dtype::F32 => self.made::<f32>(&sweep, batched, progressed, &ledger),
            Dtype::F64 => self.made::<f64>(&sweep, batched, progressed, &ledger),
        };
        shelf.flush();
        made
    }

    fn made<R: Element>(
        &self,
        sweep: &Sweep,
        batched: bool,
        progressed: &dyn Fn(f64),
        ledger: &Ledger<'_>,
    ) -> Result<(), Error> {
        match batched {
            true => sweep.run_batched_kept::<R>(self.backend, progressed, ledger),
            false => sweep.run_kept::<R>(ledger),
        }
        .map(|_| ())
    }

    /// Finds out before anything is computed whether the runs that the threads of the current rayon pool make at a time fit into memory, and
    /// if all of them are to be `listed` their best points.
    ///
    /// # Errors
    /// As [`Sweep::ensure_room`].
    pub fn ensure_room(&self, listed: bool) -> Result<(), Error> {
        let held = [rayon::current_num_threads().saturating_add(WAITING), if listed { self.len() } else { 0 }];
        match self.subject.dtype {
            Dtype::F32 => self.sweep.ensure_room_beside::<f32>(held.map(|count| count.min(self.len()))),
            Dtype::F64 => self.sweep.ensure_room_beside::<f64>(held.map(|count| count.min(self.len()))),
        }
    }

    /// The runs of the sweep that are on the shelf, in the order of optimizers, rates, seeds, without their traces.
    ///
    /// # Errors
    /// If one cannot be read, or is not as it was written.
    pub fn runs(&self, shelf: &Shelf) -> Result<Vec<Run>, Error> {
        let trials = self.trials();
        let mut found = shelf.load(&trials.iter().map(|trial| trial.id).collect(), false)?;
        Ok(trials.iter().filter_map(|trial| found.remove(&trial.id)).map(|(_, run)| run).collect())
    }

    /// The number of those of `trials` that are on the shelf.
    pub fn there(&self, shelf: &Shelf, trials: &[Trial]) -> usize {
        trials.iter().filter(|trial| shelf.has(trial.id)).count()
    }

    /// The sweep, whose runs are returned as well, with those that the shelf has.
    ///
    /// # Errors
    /// As [`Sweep::run`].
    pub(super) fn sweep_on(
        &self,
        shelf: &Shelf,
        known: HashMap<RunId, Loaded>,
        report: &(dyn Fn(Stage, &Run) + Sync),
    ) -> Result<Vec<Run>, Error> {
        let ledger = Ledger { goes_on: true, ..self.ledger(shelf, None, known, true, report) };
        let runs = match self.subject.dtype {
            Dtype::F32 => self.sweep.ensure_room::<f32>().and_then(|()| self.sweep.run_kept::<f32>(&ledger)),
            Dtype::F64 => self.sweep.ensure_room::<f64>().and_then(|()| self.sweep.run_kept::<f64>(&ledger)),
        };
        shelf.flush();
        runs
    }

    /// The comparison by `protocol`, with the runs that the shelf has; `report` is called as in [`Experiment::compare`]. A run that cannot be written ends it, unless it `goes_on` and says so.
    ///
    /// # Errors
    /// As [`Protocol::compare_on`], and if the shelf's runs cannot be read.
    pub(super) fn compare_on(
        &self,
        protocol: &Protocol,
        shelf: &Shelf,
        known: HashMap<RunId, Loaded>,
        goes_on: bool,
        report: &(dyn Fn(Stage, &Run) + Sync),
    ) -> Result<Comparison, Error> {
        let ledger = Ledger { goes_on, ..self.ledger(shelf, None, known, true, report) };
        let comparison = protocol.compare_kept(self.backend, &self.sweep.problem, &ledger);
        shelf.flush();
        comparison
    }

    /// The comparison by the manifest's protocol, with the runs that the shelf has. `report` is called after each run that is made, and for each
    /// timed one that is there: which ones belong to the comparison is known when the sweep is done. Ends early after an
    /// [interrupt](crate::interrupt), or when a run cannot be written; see [`Shelf::failure`].
    ///
    /// # Errors
    /// As [`Protocol::compare_on`], and if the shelf's runs cannot be read.
    pub fn compare(&self, shelf: &Shelf, report: &(dyn Fn(Stage, &Run) + Sync)) -> Result<Comparison, Error> {
        let Some(protocol) = &self.manifest.protocol else {
            let expected = "that of a protocol";
            return Err(Error::Setting { name: "the experiment", expected, given: "a sweep".to_owned() });
        };
        self.compare_on(protocol, shelf, self.known(shelf)?, false, report)
    }

    /// The runs of the sweep and the timed runs that the shelf has.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn known(&self, shelf: &Shelf) -> Result<HashMap<RunId, Loaded>, Error> {
        let trials: HashSet<RunId> = self.trials().iter().map(|trial| trial.id).collect();
        let mut known = shelf.load(&shelf.ids().into_iter().collect(), true)?;
        let compared = self.manifest.protocol.is_some();
        known.retain(|id, (stage, _)| trials.contains(id) || (compared && *stage == Stage::Timed));
        Ok(known)
    }

    /// Takes the experiment off the shelf, which is kept elsewhere now. The shelf goes with it, unless something else was asked for there.
    pub fn take_back(&self, shelf: &Shelf) {
        shelf.take_back(&self.manifest);
    }

    fn ledger<'a>(
        &self,
        shelf: &'a Shelf,
        wanted: Option<HashSet<RunId>>,
        known: HashMap<RunId, Loaded>,
        returns: bool,
        report: &'a (dyn Fn(Stage, &Run) + Sync),
    ) -> Ledger<'a> {
        Ledger { shelf, wanted, known, returns, goes_on: false, said: AtomicBool::new(false), report }
    }
}
