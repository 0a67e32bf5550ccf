//! Descent: the two optimizers, shallow and deep, and the loop that they share: descent on the mean objective of `N` points in the unit cube, by gradient descent or another [update rule](crate::rule).
//!
//! They differ in one thing, how parameters become x: the shallow optimizer moves y, and x = S(y); the deep
//! optimizer moves the weights and the inputs of a network whose output is y ([`EmbeddingPerceptron`](crate::network::EmbeddingPerceptron)). They share the
//! descent loop, the update rules and the schedules of the step size, and a run of one starts at the same x as the run of the other with the same seed
//! unless it starts [elsewhere](ShallowStart::Own).

mod crew;
mod deep;
mod progress;
mod record;
mod sample;
mod settings;
mod shallow;
mod step;
mod stepper;
mod stream;
mod summary;
mod thinning;

pub(crate) use deep::FusedDeep;
pub(crate) use progress::{Found, Progress};
pub(crate) use record::Record;
pub use sample::Sample;
pub use settings::{Budget, Settings, ShallowStart, Squash, Tolerance};
pub(crate) use shallow::{FusedShallow, parts as shallow_parts};
pub(crate) use step::{State, Step};
pub(crate) use stepper::Stepper;
pub(crate) use stream::Stream;
pub(crate) use thinning::Thinning;

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The parameters that descent moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// The coordinates themselves, through a squash.
    Shallow,
    /// The weights and the inputs of a network that puts out the coordinates.
    Deep,
}

impl Optimizer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Shallow, Self::Deep];

    /// `"shallow"` or `"deep"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shallow => "shallow",
            Self::Deep => "deep",
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Optimizer {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|optimizer| optimizer.name() == name);
        found.ok_or_else(|| Error::unknown("optimizer", name, &Self::ALL.map(Self::name)))
    }
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It used up its budget.
    Finished,
    /// It reached its [target](Settings::target).
    Reached,
    /// It came to rest by its [tolerance](Settings::tolerance).
    Converged,
    /// The mean objective stopped being a finite number. Such a run is never reported as the best.
    Diverged,
    /// It was interrupted.
    Stopped,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Finished, Self::Reached, Self::Converged, Self::Diverged, Self::Stopped];

    /// `"finished"`, `"reached"`, `"converged"`, `"diverged"` or `"stopped"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Reached => "reached",
            Self::Converged => "converged",
            Self::Diverged => "diverged",
            Self::Stopped => "stopped",
        }
    }
}
