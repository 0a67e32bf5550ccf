//! Keepers of finished runs.

use super::{Run, Stage};
use crate::descent::{Optimizer, Settings};

/// A store of finished runs, or a closure that watches. It decides before each run of a sweep or a comparison whether the run is made, and
/// receives each run that was made.
pub(crate) trait Keeper: Sync {
    /// Decides about the run of these settings.
    fn look(&self, stage: Stage, optimizer: Optimizer, seed: u64, settings: &Settings) -> Look;

    /// Takes note of a run that was made.
    fn keep(&self, stage: Stage, run: &Run);

    /// True if runs that are made are to be returned as well, false if they are the keeper's alone: their traces may not fit into memory.
    fn returns(&self) -> bool {
        true
    }
}

/// The decision about a run.
pub(crate) enum Look {
    /// Make it.
    Make,
    /// Do not make it: here it is.
    Known(Box<Run>),
    /// Leave it out.
    Leave,
}

/// A keeper that knows nothing and calls a closure after each run.
pub(crate) struct Watching<'a>(pub &'a (dyn Fn(Stage, &Run) + Sync));

impl Keeper for Watching<'_> {
    fn look(&self, _: Stage, _: Optimizer, _: u64, _: &Settings) -> Look {
        Look::Make
    }

    fn keep(&self, stage: Stage, run: &Run) {
        (self.0)(stage, run);
    }
}
