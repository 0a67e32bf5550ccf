//! Finished runs that somebody keeps.

use super::{Run, Stage};
use crate::descent::{Optimizer, Settings};

/// Something that is asked before each run of a sweep or a comparison, and told of each run made: a store of finished runs, or a
/// closure that watches.
pub(crate) trait Keeper: Sync {
    /// What to do about the run of these settings.
    fn look(&self, stage: Stage, optimizer: Optimizer, seed: u64, settings: &Settings) -> Look;

    /// Takes note of a run that was made.
    fn keep(&self, stage: Stage, run: &Run);

    /// True if runs that are made are to be returned as well, false if they are the keeper's alone: their traces may not fit into memory.
    fn returns(&self) -> bool {
        true
    }
}

/// The answer about a run: to make it, or to take one that is there.
pub(crate) enum Look {
    /// It is to be made.
    Make,
    /// It is known, and need not be made.
    Known(Box<Run>),
    /// It is not wanted here.
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
