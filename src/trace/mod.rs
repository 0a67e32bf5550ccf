//! What a run records, as Polars DataFrames and as Parquet files that explain themselves.
//!
//! # Traces
//! One row a recorded iteration of a run:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `function` | string | the objective's name |
//! | `optimizer` | string | `shallow` or `deep` |
//! | `seed` | u64 | of the start, and of the couplings of the spin glass |
//! | `learning_rate` | f64 | the first step size α₀ |
//! | `iteration` | u64 | counted from 0; iteration t evaluates x_t and steps to x_{t+1} |
//! | `seconds` | f64 | wall time from the start of the run to the end of this iteration |
//! | `objective_min` | f64 | the smallest scaled objective over the n embeddings at this iteration |
//! | `objective_mean` | f64 | their mean, which is what is descended on |
//! | `best` | f64 | the smallest scaled objective over all embeddings and all iterations so far |
//! | `raw_best` | f64 | the same in the function's own units; for the spin glass the energy per spin |
//! | `step_size` | f64 | the step size of this iteration |
//!
//! A run whose last step changed no bit of any parameter has settled: nothing but the step size can change any more, so it
//! ends there. Its later rows, its `iterations` and its `seconds` are completed as if it had gone on, at the pace it kept.
//!
//! The runs of a batch start together and advance together: their `seconds` are those of the batch. On a GPU they are measured
//! where a launch ends, and spread evenly over the iterations in between.
//!
//! # Summary
//! One row a run:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `stage` | string | `sweep`: side by side with other runs, to choose α₀; `timed`: alone, what figures show; `single`: on request |
//! | `function`, `optimizer`, `seed`, `learning_rate` | | as above |
//! | `dtype`, `device`, `squash`, `initialization` | string | how it was computed; `device` is `cpu` or `cuda` |
//! | `n`, `d`, `k`, `hidden`, `layers` | u64 | embeddings, dimensions, dimensions of an embedding, neurons of a layer, hidden layers |
//! | `parameters` | u64 | variables that the optimizer moves |
//! | `best`, `raw_best` | f64 | the answer, as above |
//! | `iterations` | u64 | iterations taken |
//! | `seconds` | f64 | wall time |
//! | `outcome` | string | `finished`, `diverged` or `stopped` |

mod file;
mod parquet;
mod table;
mod thinning;

pub use file::{check, metadata, read, write, write_from};
pub(crate) use file::{open, read_some};
pub use table::{summary, traces};
pub(crate) use thinning::Thinning;

/// What is recorded of one iteration. The columns of a trace, see the [module](self).
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
