//! Easing non-convex optimization by over-parametrizing it with a neural network.

pub mod bench;
mod element;
pub mod error;
pub mod experiment;
pub mod figure;
pub mod interrupt;
pub mod network;
pub mod notebook;
pub mod objective;
pub mod optimizer;
pub mod progress;
mod simd;
pub mod trace;

pub use element::Element;
pub use error::Error;
pub use objective::{Couplings, Function};
pub use simd::{Real, instruction_set};

// What values of this crate are made of, for programs that take them apart: adding these crates once more, with other
// features, would compile them once more.
pub use {dfdx, plotly, polars};

/// What a program or a notebook needs.
pub mod prelude {
    pub use crate::error::Error;
    pub use crate::experiment::{
        Candidate, Comparison, Dimensions, Dtype, PaperShape, Protocol, Run, Shape, Stage, Sweep,
    };
    pub use crate::figure::{Plot, figure1, figure2, figure3};
    pub use crate::network::{EmbeddingPerceptron, Initialization};
    pub use crate::notebook::{Display as _, DisplayFigure as _, show};
    pub use crate::objective::{Function, Objective, Scaled, Taped, TapedValues};
    pub use crate::optimizer::{Budget, LearningRate, Optimizer, Outcome, Settings, Squash};
    pub use crate::trace;
    pub use dfdx::prelude::{Axis, BroadcastTo, Cpu, HasShape, MeanTo, SumTo, Tensor, Trace};
    pub use polars::prelude::DataFrame;
}
