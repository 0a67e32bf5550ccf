//! Tables of all that a store has.

use super::Store;
use super::shelf::{Loaded, Shelf};
use super::subject::RunId;
use crate::descent::{Outcome, Sample, Thinning};
use crate::device::Backend;
use crate::error::Error;
use crate::experiment::{PART, Run};
use crate::memory::{self, Free};
use crate::output::Output;
use crate::trace::{self, Provenance};
use polars::prelude::DataFrame;
use std::collections::{BTreeSet, HashSet};

/// The runs of a store, in the order of its subjects, of what was asked for, and there of optimizers, rates and seeds. Runs that belong to
/// nothing that was asked for, as timed runs do, come last.
#[derive(Debug)]
pub struct Gathered {
    shelves: Vec<Shelf>,
    /// The runs without their traces, with the number of their shelf.
    runs: Vec<(usize, RunId, Loaded)>,
    /// The number of runs that were asked for and are not there.
    pub missing: usize,
    /// Where the tables come from. Those of runs that are not all there are said to be stopped.
    provenance: Provenance,
}

/// The bytes that a run takes without its trace and its coordinates, in memory and as a row.
const RUN: u64 = 3072;

/// The part of the free memory that traces are held in at once. A table takes more than what it is made of.
const HELD: u64 = 16;

impl Store {
    /// Reads all runs, each checked as it is read, and keeps everything but their traces.
    ///
    /// # Errors
    /// If one cannot be read, or is not as it was written.
    pub fn gather(&self) -> Result<Gathered, Error> {
        let shelves = self.shelves()?;
        let bytes = |shelf: &Shelf| shelf.len() as u64 * (RUN + 8 * shelf.subject().dimensions.d as u64);
        let needed = shelves.iter().map(bytes).sum();
        memory::ensure(|| "a table of all runs".to_owned(), needed, "gather a part of the store at a time")?;
        let (mut runs, mut missing, mut records) = (Vec::new(), 0, Vec::new());
        for (number, shelf) in shelves.iter().enumerate() {
            let mut found = shelf.load(&shelf.ids().into_iter().collect(), false)?;
            let mut seen: HashSet<RunId> = HashSet::new();
            let asked = shelf.asked()?;
            for manifest in &asked {
                for trial in manifest.trials(shelf.naming()) {
                    match found.remove(&trial.id) {
                        Some(run) => {
                            seen.insert(trial.id);
                            runs.push((number, trial.id, run));
                        }
                        None => missing += usize::from(seen.insert(trial.id)),
                    }
                }
            }
            let mut rest: Vec<(RunId, Loaded)> = found.into_iter().collect();
            rest.sort_by(|(a_id, (a_stage, a)), (b_id, (b_stage, b))| {
                let key = |stage: &crate::experiment::Stage, run: &Run| (stage.name(), run.optimizer, run.seed);
                let rates = a.settings.learning_rate.initial.total_cmp(&b.settings.learning_rate.initial);
                key(a_stage, a).cmp(&key(b_stage, b)).then(rates).then(a_id.cmp(b_id))
            });
            runs.extend(rest.into_iter().map(|(id, run)| (number, id, run)));
            records.push(serde_json::json!({ "subject": shelf.subject(), "asked": asked }));
        }
        let cuda = shelves.iter().any(|shelf| shelf.subject().device == Backend::Cuda.name());
        let outcome = if missing == 0 { Outcome::Finished } else { Outcome::Stopped };
        let backend = if cuda { Backend::Cuda } else { Backend::Cpu };
        let settings = serde_json::json!({ "store": records }).to_string();
        let provenance = Provenance { backend, outcome, ..Provenance::new(settings) };
        Ok(Gathered { shelves, runs, missing, provenance })
    }
}

/// The names of the tables beside the summary.
const POINTS: &str = "points";
const TRACES: &str = "traces";

impl Gathered {
    /// The number of runs.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The instruction sets that runs were made with.
    pub fn instruction_sets(&self) -> BTreeSet<&'static str> {
        self.runs.iter().map(|(_, _, (_, run))| run.instruction_set).collect()
    }

    /// Makes sure that the summary, the best points and the traces may be written to these files: see [`trace::ensure_replaces`].
    ///
    /// # Errors
    /// If a result would be lost.
    pub fn ensure_replaces(
        &self,
        summary: Option<&Output>,
        points: Option<&Output>,
        traces: Option<&Output>,
    ) -> Result<(), Error> {
        let runs = Some(self.len());
        let replaces = |output: Option<&Output>, provenance: &Provenance, rows| {
            output.map_or(Ok(()), |output| trace::ensure_replaces(output, provenance, rows))
        };
        replaces(summary, &self.provenance, runs)?;
        replaces(points, &self.of_table(POINTS), runs)?;
        replaces(traces, &self.of_table(TRACES), None)
    }

    fn of_table(&self, name: &str) -> Provenance {
        self.provenance.clone().of_table(name)
    }

    /// Writes one row per run, as [`trace::summary`] has it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_summary(&self, output: &Output) -> Result<(), Error> {
        let rows = |part: &[(usize, RunId, Loaded)]| {
            trace::summary(part.iter().map(|(_, _, (stage, run))| (stage.name(), run)))
        };
        let parts = self.runs.chunks(PART).map(rows);
        let none = self.runs.is_empty().then(|| trace::summary([]));
        trace::write_parts(output, parts.chain(none), &self.provenance)
    }

    /// Writes the best points, one row per run in the order of the summary, as [`trace::points`] has them.
    ///
    /// # Errors
    /// If the runs are about several objectives or shapes, the objective cannot be made again, or the file cannot be written.
    pub fn write_points(&self, output: &Output) -> Result<(), Error> {
        let [shelf] = &self.shelves[..] else {
            let expected = "a store of runs about one objective in one shape";
            let given = format!("one about {} of them", self.shelves.len());
            return Err(Error::Setting { name: "the store of the best points", expected, given });
        };
        let problem = shelf.subject().problem()?;
        let rows = |part: &[(usize, RunId, Loaded)]| trace::points(&problem, part.iter().map(|(_, _, (_, run))| run));
        let parts = self.runs.chunks(PART).map(rows);
        trace::write_parts(output, parts, &self.of_table(POINTS))
    }

    /// Writes the traces, one after the other in the order of the summary, as [`trace::traces`] has them. As many are read at a time as memory
    /// has room for.
    ///
    /// # Errors
    /// If a run cannot be read, or the file cannot be written.
    pub fn write_traces(&self, output: &Output) -> Result<(), Error> {
        let room = Free::now().available() / HELD;
        let bytes =
            |run: &Run| Thinning::new(run.thinned_from == Some(0)).count(run.iterations) * size_of::<Sample>() as u64;
        // Runs of one shelf, up to the memory that there is.
        let (mut chunks, mut first, mut held) = (Vec::new(), 0, 0);
        for (index, (shelf, _, (_, run))) in self.runs.iter().enumerate() {
            let more = bytes(run);
            if index > first && (held + more > room || self.runs[first].0 != *shelf) {
                chunks.push(&self.runs[first..index]);
                (first, held) = (index, 0);
            }
            held += more;
        }
        chunks.push(&self.runs[first..]);
        let tables = |chunk: &[(usize, RunId, Loaded)]| -> Result<Vec<DataFrame>, Error> {
            let Some((shelf, ..)) = chunk.first() else { return Ok(vec![trace::traces([])?]) };
            let mut found = self.shelves[*shelf].load(&chunk.iter().map(|(_, id, _)| *id).collect(), true)?;
            let runs: Vec<Loaded> = chunk.iter().filter_map(|(_, id, _)| found.remove(id)).collect();
            trace::parts(runs.iter().map(|(_, run)| run)).collect()
        };
        let parts = chunks.into_iter().flat_map(|chunk| match tables(chunk) {
            Ok(tables) => tables.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        });
        trace::write_parts(output, parts, &self.of_table(TRACES))
    }
}
