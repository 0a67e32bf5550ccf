//! The settings of a run.

use crate::error::Error;
use crate::network::{Activation, Initialization};
use crate::rule::{Cosine, LearningRate, Rule, Schedule};
use crate::simd::Real;
use crate::squash::Map;
use serde::{Deserialize, Serialize};

/// The map from a parameter y to a coordinate x of the unit cube.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Squash {
    /// The logistic sigmoid of y.
    #[default]
    Sigmoid,
    /// (1 + tanh(c y))/2 with c = 1.7159 / max |y| over the start, fixed for the run.
    ScaledTanh,
    /// y itself, kept in [0, 1] after each step: projected descent, for the shallow optimizer only. It starts at the
    /// sigmoid of the network's output, so that x is the same.
    Clamp,
}

impl Squash {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sigmoid, Self::ScaledTanh, Self::Clamp];

    /// `"sigmoid"`, `"scaled-tanh"` or `"clamp"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::ScaledTanh => "scaled-tanh",
            Self::Clamp => "clamp",
        }
    }

    /// The constant of LeCun's scaled tanh.
    const REACH: f64 = 1.7159;

    /// The map of a run that starts at the network output `y`.
    pub(crate) fn map<R: Real>(self, y: &[R]) -> Map {
        match self {
            Self::Sigmoid => Map::Logistic { gain: 1.0 },
            // (1 + tanh v)/2 is the sigmoid of 2 v.
            Self::ScaledTanh => {
                let largest = y.iter().fold(0.0, |largest: f64, y| largest.max(y.wide().abs()));
                Map::Logistic { gain: if largest > 0.0 { 2.0 * Self::REACH / largest } else { 1.0 } }
            }
            Self::Clamp => Map::Clamp,
        }
    }
}

/// The start of the shallow optimizer. The deep one always starts from its network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShallowStart {
    /// At y0 = net(z0), where the deep run of the same seed starts.
    #[default]
    Shared,
    /// At standard normals of its own.
    Own,
}

/// The end of a run: a number of iterations or a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// After this many iterations.
    Iterations(u64),
    /// After this much wall time, in seconds.
    Seconds(f64),
}

impl Budget {
    /// The most iterations and the most seconds.
    pub(crate) fn limits(self) -> (u64, f64) {
        match self {
            Self::Iterations(iterations) => (iterations, f64::INFINITY),
            Self::Seconds(seconds) => (u64::MAX, seconds),
        }
    }
}

/// The end of a run that no longer improves. The best objective is compared with a reference, which follows it whenever it has fallen by more
/// than `change`; the run ends when that has not happened for `iterations` iterations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// In units of the scaled objective; 0 ends runs whose best did not change at all.
    pub change: f64,
    /// At least 1.
    pub iterations: u64,
}

/// The settings of a run, apart from its objective, its shape, its optimizer and its seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The first step size and its schedule.
    pub learning_rate: LearningRate,
    /// The end of the run.
    pub budget: Budget,
    /// The map that keeps x in the unit cube.
    pub squash: Squash,
    /// The distribution of the network's weights and biases.
    pub initialization: Initialization,
    /// The start of the shallow optimizer.
    pub shallow_start: ShallowStart,
    /// The update rule, by which a gradient becomes a step.
    pub rule: Rule,
    /// The activation of the network's hidden layers.
    pub activation: Activation,
    /// True if the deep optimizer's network is added to the shallow optimizer's start: y = y₀ + net(z), with an output layer that starts at
    /// zero, so that both optimizers start at the same x exactly.
    pub residual: bool,
    /// True if the deep optimizer leaves its embeddings z as they were drawn and moves only weights and biases.
    pub frozen_embeddings: bool,
    /// Factor of the gradient: 1 in the paper, where it is that of the scaled objective. The trace is in units of the scaled
    /// objective whatever the factor.
    pub gradient_scale: f64,
    /// A value of the scaled objective: the run ends in the iteration whose best is this or less.
    pub target: Option<f64>,
    /// If given, the run ends when it no longer improves.
    pub tolerance: Option<Tolerance>,
    /// True if the trace keeps only log-spaced iterations (some hundreds), false if it keeps every one.
    pub thinned: bool,
}

impl Default for Settings {
    /// The paper's: rate 1, times 0.9 without improvement, 10,000 iterations, sigmoid, Gaussian start.
    fn default() -> Self {
        Self {
            learning_rate: LearningRate::PAPER,
            budget: Budget::Iterations(10_000),
            squash: Squash::default(),
            initialization: Initialization::default(),
            shallow_start: ShallowStart::default(),
            rule: Rule::default(),
            activation: Activation::default(),
            residual: false,
            frozen_embeddings: false,
            gradient_scale: 1.0,
            target: None,
            tolerance: None,
            thinned: true,
        }
    }
}

impl Settings {
    /// These settings with the first step size `rate`.
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate.initial = rate;
        self
    }

    /// These settings with an update rule and the [schedule](Rule::schedule) that it has by default.
    pub fn rule(mut self, rule: Rule) -> Self {
        (self.rule, self.learning_rate.schedule) = (rule, rule.schedule());
        self
    }

    /// The learning rate, with the budget's iterations for a cosine that has none of its own.
    pub(crate) fn scheduled(&self) -> LearningRate {
        let schedule = match self.budget {
            Budget::Iterations(iterations) => self.learning_rate.schedule.over(iterations),
            Budget::Seconds(_) => self.learning_rate.schedule,
        };
        LearningRate { schedule, ..self.learning_rate }
    }

    /// These settings with a budget of `iterations`.
    pub fn iterations(mut self, iterations: u64) -> Self {
        self.budget = Budget::Iterations(iterations);
        self
    }

    /// These settings with a budget of wall time.
    pub fn seconds(mut self, seconds: f64) -> Self {
        self.budget = Budget::Seconds(seconds);
        self
    }

    /// # Errors
    /// If a number is outside its range.
    pub fn validate(&self) -> Result<(), Error> {
        self.learning_rate.validate()?;
        let setting = |name, expected, value: f64| Error::Setting { name, expected, given: value.to_string() };
        let positive = |value: f64| value > 0.0 && value.is_finite();
        if !positive(self.gradient_scale) {
            return Err(setting("the gradient scale", "a positive finite number", self.gradient_scale));
        }
        self.rule.validate()?;
        if let Some(target) = self.target.filter(|target| !target.is_finite()) {
            return Err(setting("the target", "a finite number, in units of the scaled objective", target));
        }
        if let Some(Tolerance { change, iterations }) = self.tolerance {
            if !(change >= 0.0 && change.is_finite()) {
                return Err(setting("the tolerance", "a finite number, 0 or more", change));
            }
            if iterations == 0 {
                return Err(setting("the number of iterations of the tolerance", "1 or more", 0.0));
            }
        }
        if let (Rule::Lbfgs { .. }, Squash::Clamp) = (self.rule, self.squash) {
            let expected = "sigmoid or scaled-tanh (its line search does not know the bounds of the cube)";
            return Err(Error::Setting { name: "the squash of L-BFGS", expected, given: "clamp".to_owned() });
        }
        if let (Schedule::Cosine(Cosine { iterations: None, .. }), Budget::Seconds(_)) =
            (self.learning_rate.schedule, self.budget)
        {
            let expected = "given with a budget of time: the iterations that the step size falls over";
            return Err(Error::Setting {
                name: "the cosine schedule's iterations",
                expected,
                given: "none".to_owned(),
            });
        }
        match self.budget {
            Budget::Iterations(0) => Err(setting("the number of iterations", "1 or more", 0.0)),
            Budget::Seconds(seconds) if !positive(seconds) => {
                Err(setting("the time budget in seconds", "a positive finite number", seconds))
            }
            _ => Ok(()),
        }
    }
}
