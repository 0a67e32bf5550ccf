//! Experiments: single runs, sweeps over learning rates and seeds, and protocols that compare the optimizers.

mod batch;
mod descent;
mod dimensions;
mod protocol;
mod run;
mod shape;
mod start;
mod sweep;
mod timing;
mod widths;

pub(crate) use batch::PART;
pub use batch::Plan;
pub use descent::Descent;
pub use dimensions::Dimensions;
pub use protocol::{Choice, Comparison, Dtype, Protocol, Stage, Units};
pub(crate) use run::Origin;
pub use run::{End, Run};
pub use shape::{PaperShape, Shape};
pub(crate) use start::{Start, begin, step};
pub use sweep::{Candidate, Sweep};
pub use timing::Timing;
pub use widths::Widths;
