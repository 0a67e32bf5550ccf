//! The files of a long computation's result, finished or not.

use super::file::{self, DEVICE, Provenance, SETTINGS, VERSION};
use super::replace::ensure_replaces;
use super::table;
use crate::descent::Outcome;
use crate::device::Backend;
use crate::error::Error;
use crate::experiment::Run;
use crate::output::{Output, beside};
use polars::prelude::DataFrame;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Files of unfinished results that are looked at beside one result.
const MOST_UNFINISHED: usize = 1000;

/// The file of a result, and the one beside it for what there is of it after an interruption.
///
/// A part never takes the place of a finished result: it goes to `NAME-unfinished.parquet`, or to `NAME-unfinished-2.parquet` and
/// so on where that is the part of another computation. Nor does it take the place of a part of the same computation with more
/// rows. A finished result replaces what is there, and removes the part of its own computation.
#[derive(Clone, Debug)]
pub struct Destination {
    finished: Output,
    unfinished: Output,
    settings: String,
    backend: Backend,
}

/// The file that a result is in after [`Destination::write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file.
    pub path: &'a Path,
    /// If the file is left as it was: the number of its rows, of which there are more than in the part to be written.
    pub fuller: Option<usize>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(formatter)?;
        match self.fuller {
            Some(rows) => {
                write!(formatter, " (left as it was: it has {rows} rows of an earlier attempt, more than this one)")
            }
            None => Ok(()),
        }
    }
}

impl Destination {
    /// Tries both files, see [`Output::prepare`]. `settings` (JSON) say which computation it is: two with the same settings on the
    /// same device are the same.
    ///
    /// # Errors
    /// If one of the files could not be written.
    pub fn prepare(path: &Path, settings: String, backend: Backend) -> Result<Self, Error> {
        let finished = file::prepare(path)?;
        let same = [(SETTINGS, settings.clone()), (DEVICE, backend.describe())];
        let usable = |path: &PathBuf| match path.symlink_metadata() {
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            Ok(_) => file::metadata(path).is_ok_and(|found| {
                let version = found.get(VERSION).is_some_and(|version| version == env!("CARGO_PKG_VERSION"));
                version && same.iter().all(|(key, value)| found.get(*key) == Some(value))
            }),
        };
        let mut names = (1..=MOST_UNFINISHED).map(|number| beside(path, &ending_of_part(number)));
        let Some(unfinished) = names.find(usable) else {
            // A name that cannot even be looked at, such as one that is too long, has an error of its own.
            let first = Output::prepare(beside(path, &ending_of_part(1)))?;
            let problem = "expected room for an unfinished result, and there are 1000 already: remove some".to_owned();
            return Err(Error::Data { path: first.path().to_owned(), problem });
        };
        Ok(Self { finished, unfinished: Output::prepare(unfinished)?, settings, backend })
    }

    /// The files that may be written: of the finished result, and of a part.
    pub fn outputs(&self) -> [&Output; 2] {
        [&self.finished, &self.unfinished]
    }

    /// Makes sure that no result is lost when the finished one is written, see [`ensure_replaces`](super::ensure_replaces).
    ///
    /// # Errors
    /// If a result would be lost.
    pub fn ensure_replaces(&self) -> Result<(), Error> {
        ensure_replaces(&self.finished, &self.provenance(Outcome::Finished, None), None)
    }

    /// Writes `table`, or a part of it if the `outcome` is [`Outcome::Stopped`].
    ///
    /// # Errors
    /// As [`super::write()`].
    pub fn write(&self, table: &DataFrame, outcome: Outcome) -> Result<Place<'_>, Error> {
        self.write_with(table, outcome, &self.settings)
    }

    /// Writes the trace of `run`, or what there is of it if the run was stopped, without holding the table of all of it.
    ///
    /// # Errors
    /// As [`super::write()`].
    pub fn write_trace(&self, run: &Run) -> Result<Place<'_>, Error> {
        let thinned_from = run.thinned_from.filter(|_| !run.settings.thinned);
        let streamed = run.streamed.as_ref().map_or(0, |stream| stream.len() as usize);
        self.put(table::parts_of(run), streamed + run.samples.len(), self.provenance(run.outcome, thinned_from))
    }

    /// [`Destination::write`] of a table whose settings came to be others than those of the computation.
    ///
    /// # Errors
    /// As [`super::write()`].
    pub fn write_with(&self, table: &DataFrame, outcome: Outcome, settings: &str) -> Result<Place<'_>, Error> {
        let provenance = Provenance { settings: settings.to_owned(), ..self.provenance(outcome, None) };
        self.put([Ok(table.clone())], table.height(), provenance)
    }

    fn provenance(&self, outcome: Outcome, thinned_from: Option<u64>) -> Provenance {
        Provenance { settings: self.settings.clone(), backend: self.backend, outcome, thinned_from }
    }

    /// Writes `parts` of `rows` rows in all.
    fn put(
        &self,
        parts: impl IntoIterator<Item = Result<DataFrame, Error>>,
        rows: usize,
        provenance: Provenance,
    ) -> Result<Place<'_>, Error> {
        let outcome = provenance.outcome;
        let (output, mut fuller) = match outcome {
            Outcome::Stopped => (&self.unfinished, file::rows(self.unfinished.path()).ok()),
            _ => (&self.finished, None),
        };
        fuller = fuller.filter(|&there| there > rows);
        if fuller.is_none() {
            file::write_all(output, parts, &provenance)?;
        }
        if outcome != Outcome::Stopped {
            self.unfinished.remove()?;
        }
        Ok(Place { path: output.path(), fuller })
    }
}

/// `-unfinished`, or `-unfinished-2` and so on.
fn ending_of_part(number: usize) -> String {
    if number > 1 { format!("-unfinished-{number}") } else { "-unfinished".to_owned() }
}
