//! Easing non-convex optimization by over-parametrizing it with a neural network.
//!
//! Instead of descending on x in [0, 1]^d (the *shallow* optimizer), descend on the weights and the trainable inputs of a
//! network that puts x out (the *deep* optimizer), as Lopez-Paz and Sagun propose ("Easing non-convex optimization with
//! neural networks", ICLR 2018 workshop); and find out when that helps.
//!
//! ```
//! use overparam::prelude::*;
//!
//! let rastrigin = Function::Rastrigin.objective::<50, f64>(0);
//! let settings = Settings::default().learning_rate(1.0).iterations(500);
//! for optimizer in Optimizer::ALL {
//!     println!("{}", PaperShape::run(&rastrigin, optimizer, 1, &settings)?);
//! }
//! # Ok::<(), overparam::Error>(())
//! ```
//!
//! # Where things are
//! - [`objective`]: the functions to minimize, nine and your own
//! - [`expression`]: objectives of your own, written as array expressions
//! - [`network`]: the network of the deep optimizer and its activations
//! - [`descent`]: the two optimizers, settings, the descent loop; [`rule`]: the update rules and the schedules of the step size
//! - [`experiment`]: single runs, sweeps over learning rates and seeds, the paper's protocol
//! - [`Backend`]: the CPU or a GPU, where the runs of a sweep advance together: [`Sweep::run_batched`](experiment::Sweep::run_batched)
//! - [`points`]: points of your own, from CSV and Parquet
//! - [`store`]: finished runs in a folder, for many processes at once
//! - [`verify`]: whether stores and figures can be trusted
//! - [`trace`]: the records of runs, as DataFrames and Parquet; [`output`]: files that appear whole or not at all
//! - [`report`]: minima, times and rates of both optimizers, by function
//! - [`figure`]: the paper's figures; [`notebook`]: display in evcxr; [`progress`]: progress bars and lines
//!
//! # What the paper leaves open
//! The learning rate shrinks after the step of an iteration whose mean objective is no improvement. Diverged runs end at
//! once and never count. In the sweep that chooses the learning rate, both optimizers take the same number of iterations;
//! in the timed runs the deep one has the time of its shallow twin. x is kept in the cube by the logistic sigmoid. A run
//! of gradient descent whose parameters no longer change ends early, and its trace is completed at the pace it had; runs of
//! other update rules take all their iterations.

mod array;
pub mod descent;
mod device;
mod element;
pub mod error;
pub mod experiment;
pub mod expression;
pub mod figure;
mod graph;
pub mod interrupt;
mod memory;
pub mod network;
pub mod notebook;
pub mod objective;
pub mod output;
mod parametrization;
pub mod points;
pub mod progress;
pub mod report;
pub mod rule;
mod simd;
mod squash;
pub mod store;
mod team;
pub mod trace;
pub mod verify;

pub use device::{Backend, Compute};
pub use element::Element;
pub use error::Error;
pub use expression::{Array, Expression};
pub use objective::{Couplings, Function, Problem};
pub use simd::{Real, instruction_set, instruction_sets, use_instruction_set};
pub use team::use_threads_per_run;

// What values of this crate are made of, for programs that take them apart: adding these crates once more, with other
// features, would compile them once more.
pub use {dfdx, plotly, polars};

/// The names that programs and notebooks need.
pub mod prelude {
    pub use crate::descent::{Budget, Optimizer, Outcome, Sample, Settings, ShallowStart, Squash, Tolerance};
    pub use crate::device::Backend;
    pub use crate::error::Error;
    pub use crate::experiment::{
        Candidate, Choice, Comparison, Descent, Dimensions, Dtype, End, PaperShape, Protocol, Run, Shape, Stage, Sweep,
        Units, Widths,
    };
    pub use crate::expression::{Array, Expression};
    pub use crate::figure::{Figure, Plot, figure1, figure2, figure3};
    pub use crate::network::{Activation, EmbeddingPerceptron, Initialization};
    pub use crate::notebook::{Display as _, DisplayFigure as _, show};
    pub use crate::objective::{Bounds, Function, Objective, Problem, Scaled, Taped, TapedValues};
    pub use crate::report::{Contest, Report};
    pub use crate::rule::{Cosine, LearningRate, Plateau, Rule, Schedule};
    pub use crate::{points, trace};
    // What an objective is written with. Names of this crate come before those of dfdx.
    pub use dfdx::prelude::*;
    pub use polars::prelude::DataFrame;
}

/// Parts of the library that the benchmarks of this repository need beyond the public interface. They may change at any time.
#[doc(hidden)]
pub mod internals {
    pub use crate::device::Profile;
    pub use crate::memory::peak as peak_memory;
    pub use crate::simd::dispatch;
    pub use pulp;

    /// The style of the figures.
    pub mod style {
        pub use crate::figure::style::{
            PAGE, TEXT, axis, axis_id, axis_titles, configuration, font, layout, legend, log_axis, margin, panel_title,
        };
    }
}

/// The README's examples compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
