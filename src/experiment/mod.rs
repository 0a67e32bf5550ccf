//! Experiments: single runs, sweeps over learning rates and seeds, and protocols that compare the optimizers.

mod batch;
mod descent;
mod dimensions;
mod keeper;
mod protocol;
mod run;
mod shape;
mod stage;
mod start;
mod sweep;
mod timing;
mod widths;

pub(crate) use batch::PART;
pub use batch::Plan;
pub use descent::Descent;
pub use dimensions::Dimensions;
pub(crate) use keeper::{Keeper, Look};
pub use protocol::{Choice, Comparison, Dtype, Protocol, Units};
pub(crate) use run::Origin;
pub use run::{End, Run};
pub use shape::{PaperShape, Shape};
pub use stage::Stage;
pub(crate) use start::{Start, begin, step, stride};
pub use sweep::{Candidate, Sweep};
pub use timing::Timing;
pub use widths::Widths;
