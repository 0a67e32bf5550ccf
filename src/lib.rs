//! Easing non-convex optimization by over-parametrizing it with a neural network.

mod element;
pub mod error;
pub mod experiment;
pub mod figure;
pub mod interrupt;
pub mod network;
pub mod objective;
pub mod optimizer;
pub mod progress;
mod simd;
pub mod trace;

pub use element::Element;
pub use error::Error;
pub use objective::{Couplings, Function};
pub use simd::{Real, instruction_set};

/// What a program or a notebook needs.
pub mod prelude {
    pub use crate::error::Error;
    pub use crate::experiment::{Candidate, Comparison, Dimensions, Dtype, PaperShape, Protocol, Run, Shape, Sweep};
    pub use crate::network::{EmbeddingPerceptron, Initialization};
    pub use crate::objective::{Function, Objective, Scaled, Taped, TapedValues};
    pub use crate::optimizer::{Budget, LearningRate, Optimizer, Outcome, Settings, Squash};
    pub use dfdx::prelude::{Axis, BroadcastTo, Cpu, HasShape, MeanTo, SumTo, Tensor, Trace};
}
