//! Update rules: how the gradient of the mean objective becomes a step of the parameters.
//!
//! A rule that works on every parameter by itself is a formula over registers, with its state beside the parameters; L-BFGS works on
//! all of them together. The definitions and the defaults are those of PyTorch's optimizers; the tests hold them to numbers that were computed
//! with PyTorch.

mod adam;
mod formula;
mod gradient_descent;
mod lbfgs;
mod momentum;
mod rmsprop;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::optimizer::{Plateau, Schedule};
use crate::simd::Real;
use formula::Elementwise;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An update rule with its constants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Rule {
    /// Plain gradient descent, the paper's rule: θ ← θ − α g.
    #[default]
    GradientDescent,
    /// Heavy-ball momentum: v ← μ v + g, θ ← θ − α v.
    ///
    /// # Reference
    /// Polyak (1964), Some methods of speeding up the convergence of iteration methods; in the form of `torch.optim.SGD`.
    Momentum {
        /// The share μ of the velocity that is kept, in [0, 1).
        momentum: f64,
    },
    /// Nesterov's momentum: v ← μ v + g, θ ← θ − α (g + μ v).
    ///
    /// # Reference
    /// Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum in deep learning; in the form of
    /// `torch.optim.SGD` with `nesterov=True`.
    Nesterov {
        /// The share μ of the velocity that is kept, in [0, 1).
        momentum: f64,
    },
    /// RMSprop: v ← ρ v + (1 − ρ) g², θ ← θ − α g / (√v + ε).
    ///
    /// # Reference
    /// Tieleman, Hinton (2012), lecture 6.5 of Neural Networks for Machine Learning; in the form of `torch.optim.RMSprop`.
    RmsProp {
        /// The share ρ of the mean square that is kept, in [0, 1).
        smoothing: f64,
        /// The summand ε of the denominator.
        epsilon: f64,
    },
    /// Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − α m̂ / (√v̂ + ε), where m̂ and v̂ are corrected for their start at 0.
    ///
    /// # Reference
    /// Kingma, Ba (2015), Adam: a method for stochastic optimization, algorithm 1; in the form of `torch.optim.Adam`.
    Adam {
        /// The shares β₁, β₂ of the two means that are kept, in [0, 1).
        betas: [f64; 2],
        /// The summand ε of the denominator.
        epsilon: f64,
    },
    /// Adam with decoupled weight decay: θ ← (1 − α λ) θ before Adam's step.
    ///
    /// # Reference
    /// Loshchilov, Hutter (2019), Decoupled weight decay regularization, algorithm 2; in the form of `torch.optim.AdamW`.
    AdamW {
        /// The shares β₁, β₂ of the two means that are kept, in [0, 1).
        betas: [f64; 2],
        /// The summand ε of the denominator.
        epsilon: f64,
        /// The weight decay λ.
        decay: f64,
    },
    /// L-BFGS with a backtracking line search on the mean objective. Every iteration evaluates one trial point.
    ///
    /// # Reference
    /// Nocedal, Wright (2006), Numerical optimization, algorithms 3.1, 7.4 and 7.5.
    Lbfgs {
        /// Pairs of steps and changes of the gradient that are kept.
        history: usize,
    },
}

impl Rule {
    /// Every rule with its default constants.
    pub const ALL: [Self; 7] = [
        Self::GradientDescent,
        Self::Momentum { momentum: 0.9 },
        Self::Nesterov { momentum: 0.9 },
        Self::RmsProp { smoothing: 0.99, epsilon: 1e-8 },
        Self::Adam { betas: [0.9, 0.999], epsilon: 1e-8 },
        Self::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, decay: 1e-2 },
        Self::Lbfgs { history: 10 },
    ];

    /// The name on the command line and in the data, such as `"gradient-descent"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GradientDescent => "gradient-descent",
            Self::Momentum { .. } => "momentum",
            Self::Nesterov { .. } => "nesterov",
            Self::RmsProp { .. } => "rmsprop",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
            Self::Lbfgs { .. } => "lbfgs",
        }
    }

    /// The default schedule of the rule: the paper's for gradient descent, constant for the others, as in PyTorch.
    pub fn schedule(self) -> Schedule {
        match self {
            Self::GradientDescent => Schedule::Plateau(Plateau::PAPER),
            _ => Schedule::Constant,
        }
    }

    /// # Errors
    /// If a constant is outside its range.
    pub fn validate(self) -> Result<(), Error> {
        let setting = |name, expected, given: f64| Err(Error::Setting { name, expected, given: given.to_string() });
        let share = |name, value: f64| match (0.0..1.0).contains(&value) {
            true => Ok(()),
            false => setting(name, "at least 0 and below 1", value),
        };
        let epsilon = |value: f64| match value >= 0.0 && value.is_finite() {
            true => Ok(()),
            false => setting("the epsilon of the rule", "a finite number, 0 or more", value),
        };
        match self {
            Self::GradientDescent => Ok(()),
            Self::Momentum { momentum } | Self::Nesterov { momentum } => share("the momentum", momentum),
            Self::RmsProp { smoothing, epsilon: e } => {
                share("the smoothing of RMSprop", smoothing)?;
                epsilon(e)
            }
            Self::Adam { betas, epsilon: e } => {
                betas.into_iter().try_for_each(|beta| share("a beta of Adam", beta))?;
                epsilon(e)
            }
            Self::AdamW { betas, epsilon: e, decay } => {
                Self::Adam { betas, epsilon: e }.validate()?;
                match decay >= 0.0 && decay.is_finite() {
                    true => Ok(()),
                    false => setting("the weight decay", "a finite number, 0 or more", decay),
                }
            }
            Self::Lbfgs { history: 0 } => setting("the history of L-BFGS", "1 or more", 0.0),
            Self::Lbfgs { .. } => Ok(()),
        }
    }

    /// The rule at work, before its first step.
    pub(crate) fn build<R: Real>(self) -> Box<dyn Update<R>> {
        match self {
            Self::GradientDescent => Box::new(Elementwise::new(gradient_descent::GradientDescent)),
            Self::Momentum { momentum } => Box::new(Elementwise::new(momentum::Momentum { momentum, nesterov: false })),
            Self::Nesterov { momentum } => Box::new(Elementwise::new(momentum::Momentum { momentum, nesterov: true })),
            Self::RmsProp { smoothing, epsilon } => Box::new(Elementwise::new(rmsprop::RmsProp { smoothing, epsilon })),
            Self::Adam { betas, epsilon } => Box::new(Elementwise::new(adam::Adam { betas, epsilon, decay: 0.0 })),
            Self::AdamW { betas, epsilon, decay } => Box::new(Elementwise::new(adam::Adam { betas, epsilon, decay })),
            Self::Lbfgs { history } => Box::new(lbfgs::Lbfgs::new(history)),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Rule {
    type Err = Error;

    /// The rule of this name with its default constants.
    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|rule| rule.name() == name);
        found.ok_or_else(|| Error::unknown("rule", name, &Self::ALL.map(Self::name)))
    }
}

/// Parameters and the gradient in them, part by part.
///
/// The parts come in the same order each time, values and gradient of a part in the same layout: whole [`Real::Block`]s. Padding is the
/// same arithmetic as a parameter beside it, or zero in both.
pub(crate) trait Parts<R: Real> {
    /// Calls `visit` with the values and the gradient of each part.
    fn visit(&mut self, visit: &mut dyn FnMut(&mut [R], &[R]));
}

/// The state of an update rule.
pub(crate) trait Update<R: Real>: Send {
    /// Moves the parameters by one step at `rate`; `mean` is the objective that they have.
    fn step(&mut self, rate: f64, mean: f64, parts: &mut dyn Parts<R>);
}
