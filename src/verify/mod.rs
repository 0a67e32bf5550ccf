//! Finding out whether results can be trusted: that they are complete and as they were written, that they agree with themselves, and that they
//! come out again.
//!
//! [`store`] checks a [store](crate::store), [`figures`] a folder that `overparam figures` wrote. Each file is read, and its checksum, its
//! columns and its names are checked. Then every run is:
//!
//! - its numbers are finite, unless it diverged; its iterations rise, its seconds do not fall, and `best` does not rise and is never above the
//!   smallest objective recorded so far;
//! - the step sizes are those that the schedule makes of the recorded means: bit for bit over the first iterations, all of which are recorded;
//!   after a gap, where means are missing, one that the schedule can have come to;
//! - F at the best point is `best`, to [`Bound::VALUE`];
//!
//! and some, picked at random, are made again. On the same instruction set every number of theirs but the times has to come out bit for bit.
//! On another one roundings differ, and a descent may amplify them: there the first recorded iteration has to agree to [`Bound::START`].

mod folder;
mod run;

use crate::descent::{Budget, Outcome};
use crate::device::Backend;
use crate::error::Error;
use crate::experiment::{Dtype, Protocol, Run, Stage};
use crate::objective::Problem;
use crate::simd;
use crate::store::Store;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Uniform};
use std::fmt;
use std::path::Path;

pub use folder::figures;

/// How far numbers may be apart.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Of double precision, in units of the scaled objective, relative where it is above 1.
    pub f64: f64,
    /// Of single precision.
    pub f32: f64,
}

impl Bound {
    /// Of F at the best point from the best that is recorded: points are evaluated one by one, and were computed in panels.
    pub const VALUE: Self = Self { f64: 1e-10, f32: 1e-5 };

    /// Of the first recorded iteration from that of another instruction set.
    pub const START: Self = Self { f64: 1e-9, f32: 1e-3 };

    /// True if `a` and `b`, of the scalar `dtype`, are within it. Numbers that are none are within it of each other.
    fn holds(self, dtype: &str, a: f64, b: f64) -> bool {
        let bound = if dtype == "f32" { self.f32 } else { self.f64 };
        a.to_bits() == b.to_bits() || (a - b).abs() <= bound * a.abs().max(1.0) || (a.is_nan() && b.is_nan())
    }
}

/// The checks that were made, and the faults that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that were read.
    pub files: usize,
    /// Runs that were checked.
    pub runs: usize,
    /// Runs that were asked for.
    pub asked: usize,
    /// Runs that were asked for and are missing.
    pub missing: usize,
    /// Runs that were made again and came out bit for bit.
    pub again: usize,
    /// Runs that were made again on another instruction set and came out within the bounds.
    pub elsewhere: usize,
    /// The faults, in sentences.
    pub faults: Vec<String>,
    /// The checks that could not be made, in sentences.
    pub unchecked: Vec<String>,
}

impl Report {
    /// True if nothing is wrong and nothing is missing.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.missing == 0
    }

    fn fault(&mut self, fault: impl fmt::Display) {
        self.faults.push(fault.to_string());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, runs, asked, missing, again, elsewhere, .. } = self;
        write!(
            formatter,
            "{runs} runs in {files} files checked, {missing} of {asked} missing, {again} made again bit for bit"
        )?;
        match elsewhere {
            0 => Ok(()),
            _ => write!(formatter, ", {elsewhere} on another instruction set within bounds"),
        }
    }
}

/// Checks the store or the figures in `folder`: see [`store`] and [`figures`].
///
/// # Errors
/// If there is neither.
pub fn folder(folder: &Path, again: usize, seed: u64) -> Result<Report, Error> {
    match store(folder, again, seed) {
        // A store with a damaged record is an error of that record.
        Err(Error::Data { path, .. }) if path == folder => {
            if folder.join(folder::SUMMARY).is_file() {
                return figures(folder, again, seed);
            }
            let problem = "expected a store of runs, or a folder that `overparam figures` wrote".to_owned();
            Err(Error::Data { path, problem })
        }
        report => report,
    }
}

/// Checks the store in `folder`, and makes `again` of its runs again, which the number `seed` picks.
///
/// Unless an instruction set was chosen or used before, that of the first run is used where this processor has it.
///
/// # Errors
/// If there is no store. Its faults are in the report.
pub fn store(folder: &Path, again: usize, seed: u64) -> Result<Report, Error> {
    let store = Store::read(folder)?;
    let mut report = Report::default();
    let shelves = store.shelves()?;
    let (mut problems, mut all) = (Vec::new(), Vec::new());
    for (number, shelf) in shelves.iter().enumerate() {
        let mut ids = shelf.ids();
        ids.sort();
        if let Some(id) = ids.first()
            && let Some((_, run)) = shelf.one(*id, false)
        {
            simd::prefer(run.instruction_set);
        }
        all.extend(ids.into_iter().map(|id| (number, id)));
        let problem = shelf.subject().problem();
        if let Err(error) = &problem {
            report.unchecked.push(format!("{}: objectives are not computed: {error}", shelf.folder().display()));
        }
        let problem = problem.ok();
        let found = shelf.check(&|path, runs| {
            let mut part = Report { files: 1, ..Report::default() };
            match runs {
                Err(error) => part.fault(error),
                Ok(runs) => {
                    part.runs = runs.len();
                    for (id, (_, run)) in &runs {
                        let faults = run::faults(run, problem.as_ref());
                        faults.iter().for_each(|fault| part.fault(format!("{}: run {id}: {fault}", path.display())));
                    }
                }
            }
            part
        });
        found.into_iter().for_each(|part| report.add(part));
        match shelf.count() {
            Ok((asked, missing)) => (report.asked, report.missing) = (report.asked + asked, report.missing + missing),
            Err(error) => report.fault(error),
        }
        problems.push(problem);
    }
    for place in pick(all.len(), again, seed) {
        let (number, id) = all[place];
        // A run that cannot be read is a fault already.
        let Some((stage, run)) = shelves[number].one(id, true) else { continue };
        if let Some(problem) = &problems[number] {
            report.make_again(problem, stage, &run);
        }
    }
    Ok(report)
}

/// Numbers below `all`, picked at random by `seed`: `wanted` of them, or all.
fn pick(all: usize, wanted: usize, seed: u64) -> Vec<usize> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut places: Vec<usize> = (0..all).collect();
    for first in 0..wanted.min(all) {
        let other = Uniform::new(first, all).sample(&mut generator);
        places.swap(first, other);
    }
    places.truncate(wanted);
    places
}

impl Report {
    /// Adds the findings of another report.
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.runs += other.runs;
        self.asked += other.asked;
        self.missing += other.missing;
        self.faults.extend(other.faults);
        self.unchecked.extend(other.unchecked);
    }

    /// Makes a run again, and compares.
    fn make_again(&mut self, problem: &Problem, stage: Stage, run: &Run) {
        let Run { optimizer, function, seed, settings, .. } = run;
        let rate = settings.learning_rate.initial;
        let name = format!("the {} run of {optimizer} on {function} from seed {seed} at rate {rate}", stage.name());
        if run.device != Backend::Cpu.name() {
            self.unchecked.push(format!("{name} was made on {}, and is not made again here", run.device));
            return;
        }
        match again(problem, run) {
            Err(error) => self.fault(format!("{name} cannot be made again: {error}")),
            Ok(new) if run.instruction_set == new.instruction_set => match run::difference(run, &new) {
                None => self.again += 1,
                Some(what) => self.fault(format!("{name} does not come out again: {what}")),
            },
            Ok(new) => match run::distance(run, &new) {
                None => self.elsewhere += 1,
                Some(what) => {
                    self.fault(format!("{name} does not come out again on another instruction set: {what}"));
                }
            },
        }
    }
}

/// The run once more. One that the clock ended takes as many iterations as it took.
fn again(problem: &Problem, run: &Run) -> Result<Run, Error> {
    let dtype = if run.dtype == Dtype::F32.name() { Dtype::F32 } else { Dtype::F64 };
    let protocol = Protocol { dimensions: run.dimensions, dtype, ..Protocol::paper() };
    let mut settings = run.settings;
    if let Budget::Seconds(_) = settings.budget {
        settings.budget = Budget::Iterations(run.iterations);
    }
    let new = protocol.run(problem, run.optimizer, run.seed, &settings)?;
    match new.outcome {
        Outcome::Stopped => Err(Error::Interrupted),
        _ => Ok(new),
    }
}
