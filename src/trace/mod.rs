//! The records of runs, as Polars DataFrames and as Parquet files that explain themselves.
//!
//! # Traces
//! One row per recorded iteration of a run:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `function` | string | the objective's name |
//! | `optimizer` | string | `shallow` or `deep` |
//! | `rule` | string | the update rule, such as `gradient-descent` |
//! | `seed` | u64 | of the start, and of the couplings of the spin glass |
//! | `learning_rate` | f64 | the first step size α₀ |
//! | `iteration` | u64 | counted from 0; iteration t evaluates x_t and steps to x_{t+1} |
//! | `seconds` | f64 | wall time from the start of the run to the end of this iteration |
//! | `objective_min` | f64 | the smallest scaled objective over the n embeddings at this iteration |
//! | `objective_mean` | f64 | their mean, which is what is descended on |
//! | `best` | f64 | the smallest scaled objective over all embeddings and all iterations so far |
//! | `raw_best` | f64 | the same in the function's own units; for the spin glass the energy per spin |
//! | `step_size` | f64 | the step size of this iteration |
//! | `extrapolated` | bool | the run had settled before this iteration, which was not computed |
//!
//! A run of gradient descent has settled when a step changes no bit of any parameter: from then on only the step size could change, so it
//! ends there. Its later rows are extrapolated, as if it had gone on at the same pace; so are its `iterations` and its `seconds` in the
//! summary, whose column `settled_at` has the iteration of that step. The CPU compares parameters at every 128th iteration.
//! Runs of other update rules never settle: these have a state that goes on changing.
//!
//! A run that records every iteration for a time may fill the free memory, unless it is
//! [streamed](crate::experiment::Descent::stream_to) to disk, as `overparam run` does on the CPU. Its later rows are then log-spaced, from the iteration
//! [`Run::thinned_from`](crate::experiment::Run::thinned_from) on.
//!
//! The runs of a batch start together and advance together: their `seconds` are those of the batch. On a GPU they are measured
//! where a launch ends, and spread evenly over the iterations in between.
//!
//! # Summary
//! One row per run:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `stage` | string | `sweep`: side by side with other runs, to choose α₀; `timed`: alone, what figures show |
//! | `function`, `optimizer`, `rule`, `seed`, `learning_rate` | | as above |
//! | `schedule` | string | how the step size changes: `paper`, `deep-convexity`, `plateau`, `constant`, `cosine`, or `custom` for a plateau of other numbers |
//! | `dtype`, `device`, `squash`, `initialization` | string | how it was computed; `device` is `cpu` or `cuda` |
//! | `instruction_set` | string | the vectors of the processor: `baseline`, `AVX2+FMA`, `AVX-512` or `NEON`; runs of one have the same bits |
//! | `activation` | string | the activation of the network's hidden layers |
//! | `residual`, `frozen_embeddings` | bool | whether the network is added to the shallow start, and whether z stays as drawn |
//! | `n`, `d`, `k` | u64 | embeddings, dimensions, dimensions of an embedding |
//! | `widths` | string | neurons of each hidden layer, from the input on, such as `32,16,8`; empty for a linear network |
//! | `hidden` | u64 | neurons of a hidden layer; null where they differ and for a linear network |
//! | `layers` | u64 | hidden layers |
//! | `parameters` | u64 | variables that the optimizer moves |
//! | `best`, `raw_best` | f64 | the smallest objective of the run; of a diverged one, before it diverged |
//! | `iterations` | u64 | iterations taken |
//! | `seconds` | f64 | wall time |
//! | `outcome` | string | `finished`, `diverged` or `stopped`; a diverged run never counts when rates or optimizers are compared |
//! | `settled_at` | u64 | the iteration whose step changed no parameter; later ones are extrapolated; null if there was none |
//!
//! # Points
//! The best point of every run, one row per run in the order of the summary:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `function`, `optimizer`, `seed`, `learning_rate` | | as above |
//! | `best`, `raw_best` | f64 | the objective at the point |
//! | `x0`, `x1`, … | f64 | the point in the unit cube; null if the objective was a number nowhere |
//! | `u0`, `u1`, … | f64 | the same in the function's box: u = lo + (hi - lo) x |
//!
//! `overparam evaluate` reads such a file. With the dtype of the run, and for the spin glass its seed, it finds `best` again, up to
//! the rounding of the objective.
//!
//! # Files
//! `overparam.checksum` is a SHA-256 of all values, by which `overparam verify` finds out whether a file is as it was written.
//! The metadata of every file has the keys `overparam.version`, `overparam.format`, `overparam.settings` (JSON), `overparam.outcome`,
//! `overparam.device`, `overparam.cpu`, `overparam.instruction_set` and `overparam.checksum`. The format is the number 1; it grows when
//! older versions would misread a file, and files of a higher number are refused. The outcome is `finished`; `diverged` in the trace and the
//! point of a run that diverged; or `stopped` for a part of what was asked for, which goes to a file of its own, see [`Destination`]. A trace that was to have every iteration and is thinned
//! from some iteration on has that one under `overparam.thinned_from`.

mod checksum;
mod destination;
mod file;
mod parquet;
mod replace;
mod table;

pub use crate::descent::Sample;
pub(crate) use checksum::hexadecimal;
pub use destination::{Destination, Place};
pub use file::{Provenance, ensure_known_format, metadata, prepare, read, read_folder, write, write_parts, write_to};
pub(crate) use file::{SETTINGS, encode, ensure_whole, open, read_some, read_with_metadata};
pub use replace::{ensure_replaces, ensure_same_table};
pub(crate) use table::parts;
pub use table::{points, summary, traces};
