//! The record of one iteration.

/// The record of one iteration. The columns of a [trace](crate::trace).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Counted from 0.
    pub iteration: u64,
    /// Wall time since the start of the run.
    pub seconds: f64,
    /// The smallest scaled objective of this iteration.
    pub min: f64,
    /// The mean scaled objective of this iteration.
    pub mean: f64,
    /// The smallest scaled objective so far.
    pub best: f64,
    /// The step size of this iteration.
    pub step_size: f64,
}
