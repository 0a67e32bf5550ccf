//! Finished runs in a folder, from which sweeps go on after an interruption, on one machine or many.
//!
//! # The folder
//! ```text
//! STORE/
//!   rastrigin-5f0c2b9d1e7a4488/     the subject: objective, shape, scalar, device, version
//!     subject.json                  the same as a record
//!     asked/0a1b….json              a request: optimizers, rates, seeds, settings
//!     runs/3c/3c5d….parquet         a finished run
//!     runs/9e/9e01…-17.parquet      17 finished runs that took no time to speak of
//! ```
//! A run is named by a hash of its identity: its subject, its stage, its optimizer, its seed and its settings with the rate and the budget. It is
//! written once it is finished, whole or not at all, and never changed: so any number of processes can add to a store at once without locks,
//! and two that make the same run write the same file. Whoever asks for runs makes those that are not there.
//!
//! Every file of runs has one row per run: its name in the column `run`, the columns of a [summary](crate::trace), and settings, best point
//! and trace as text. Its metadata have a checksum of all of it.
//!
//! The version of this crate is part of the subject, as another may round otherwise. The instruction set is not, unless one was
//! asked for by name: each run says which one it was made with.

mod gather;
mod ledger;
mod manifest;
mod resume;
mod rows;
mod shard;
mod shelf;
mod subject;
#[cfg(test)]
mod tests;

use crate::error::Error;
pub use gather::Gathered;
pub use manifest::{Experiment, Manifest, Trial};
pub use shard::Shard;
pub use shelf::Shelf;
use std::fs;
use std::path::{Path, PathBuf};
pub use subject::{DataFile, RunId, Subject, Text};

/// A folder of finished runs: see the [module](self).
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in `folder`, to add to. It is made where it is missing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|source| Error::file("make", &folder, source))?;
        Ok(Self { folder })
    }

    /// The existing store in `folder`, to read.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let store = Self { folder: folder.into() };
        if store.folders()?.is_empty() {
            let problem = "expected a store of runs, as `overparam sweep --store` makes one".to_owned();
            return Err(Error::Data { path: store.folder, problem });
        }
        Ok(store)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The place of the runs of `experiment`, with a record of the request.
    ///
    /// # Errors
    /// If it cannot be written or read.
    pub fn shelf(&self, experiment: &Experiment) -> Result<Shelf, Error> {
        let shelf = Shelf::open(&self.folder, experiment.subject().clone())?;
        shelf.ask(&experiment.manifest)?;
        Ok(shelf)
    }

    /// All that runs are about, in the order of the folders' names.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn shelves(&self) -> Result<Vec<Shelf>, Error> {
        self.folders()?.into_iter().map(Shelf::read).collect()
    }

    fn folders(&self) -> Result<Vec<PathBuf>, Error> {
        let failed = |source| Error::file("read", &self.folder, source);
        let entries = fs::read_dir(&self.folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let mut folders: Vec<PathBuf> =
            entries.iter().map(fs::DirEntry::path).filter(|path| Shelf::is_in(path)).collect();
        folders.sort();
        Ok(folders)
    }
}
