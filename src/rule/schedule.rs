//! Learning rates: the first step size and its schedule.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// The first step size and how it changes.
///
/// The step of an iteration is taken before the schedule sees its mean objective, which is that of the point the step
/// left: what a training loop with a scheduler does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearningRate {
    /// The first step size, α₀.
    pub initial: f64,
    /// The change from iteration to iteration.
    pub schedule: Schedule,
}

impl LearningRate {
    /// The paper's: 1, times 0.9 after each iteration without improvement.
    pub const PAPER: Self = Self { initial: 1.0, schedule: Schedule::Plateau(Plateau::PAPER) };

    /// The learning rate of the authors' published program: see [`Plateau::DEEP_CONVEXITY`].
    pub const DEEP_CONVEXITY: Self = Self { initial: 1.0, schedule: Schedule::Plateau(Plateau::DEEP_CONVEXITY) };

    /// A learning rate that shrinks on plateaus.
    pub const fn plateau(initial: f64, plateau: Plateau) -> Self {
        Self { initial, schedule: Schedule::Plateau(plateau) }
    }

    /// # Errors
    /// If a number is outside its range.
    pub fn validate(&self) -> Result<(), Error> {
        let setting = |name, expected, value: f64| Err(Error::Setting { name, expected, given: value.to_string() });
        if !(self.initial > 0.0 && self.initial.is_finite()) {
            return setting("the learning rate", "a positive finite number, such as 0.1", self.initial);
        }
        let numbers = match self.schedule {
            Schedule::Constant => vec![],
            Schedule::Cosine(Cosine { iterations: Some(0), .. }) => {
                return setting("the number of iterations of the cosine schedule", "1 or more", 0.0);
            }
            Schedule::Cosine(Cosine { floor, .. }) => vec![("the learning-rate floor", floor)],
            Schedule::Plateau(Plateau { factor, threshold, floor, least_change, .. }) => {
                if !(factor > 0.0 && factor <= 1.0) {
                    return setting("the learning-rate factor", "above 0 and at most 1", factor);
                }
                vec![
                    ("the improvement threshold", threshold),
                    ("the learning-rate floor", floor),
                    ("the least change of the learning rate", least_change),
                ]
            }
        };
        match numbers.into_iter().find(|(_, value)| !(*value >= 0.0 && value.is_finite())) {
            Some((name, value)) => setting(name, "a finite number, 0 or more", value),
            None => Ok(()),
        }
    }
}

/// The change of the step size over the iterations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// It does not.
    Constant,
    /// It shrinks where the mean objective no longer improves.
    Plateau(Plateau),
    /// It falls along half a cosine.
    Cosine(Cosine),
}

impl Schedule {
    /// The schedules by name: the paper's, that of the authors' published program, PyTorch's `ReduceLROnPlateau` with its defaults,
    /// none, and half a cosine over the budget.
    pub const ALL: [(&'static str, Self); 5] = [
        ("paper", Self::Plateau(Plateau::PAPER)),
        ("deep-convexity", Self::Plateau(Plateau::DEEP_CONVEXITY)),
        ("plateau", Self::Plateau(Plateau::PYTORCH)),
        ("constant", Self::Constant),
        ("cosine", Self::Cosine(Cosine { iterations: None, floor: 0.0 })),
    ];

    /// This schedule in a run of `iterations` iterations.
    pub(crate) fn over(self, iterations: u64) -> Self {
        match self {
            Self::Cosine(Cosine { iterations: None, floor }) => {
                Self::Cosine(Cosine { iterations: Some(iterations), floor })
            }
            other => other,
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    /// `paper`, `plateau`, `constant` or `cosine`.
    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found
            .map(|(_, schedule)| schedule)
            .ok_or_else(|| Error::unknown("schedule", name, &Self::ALL.map(|(name, _)| name)))
    }
}

impl fmt::Display for Schedule {
    /// The name, whatever the threshold of a plateau and the length of a cosine; `custom` for a plateau that has none.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |schedule: &Self| match (*schedule, *self) {
            (Self::Plateau(known), Self::Plateau(plateau)) => {
                Plateau { threshold: plateau.threshold, ..known } == plateau
            }
            (known, schedule) => std::mem::discriminant(&known) == std::mem::discriminant(&schedule),
        };
        formatter.pad(Self::ALL.iter().find(|(_, known)| named(known)).map_or("custom", |(name, _)| name))
    }
}

/// The step size is multiplied by `factor` after `patience` + 1 iterations in a row whose mean objective is not below the best so far.
/// This is PyTorch's `ReduceLROnPlateau` with `mode="min"`. A mean that is not a number is no improvement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// The factor of the step size, in (0, 1).
    pub factor: f64,
    /// Iterations without improvement that are forgiven.
    pub patience: u64,
    /// A mean objective is an improvement if it is below the best so far by more than this: in units of the scaled objective, or where
    /// it is `relative` as a share of the best.
    pub threshold: f64,
    /// True if the threshold is a share of the best mean objective so far: PyTorch's `threshold_mode="rel"`.
    pub relative: bool,
    /// Iterations after a change of the step size that never count as without improvement.
    pub cooldown: u64,
    /// The step size never shrinks below this: PyTorch's `min_lr`. One that starts below stays where it is.
    pub floor: f64,
    /// The step size changes only by more than this: PyTorch's `eps`. So it stays where it is from about
    /// `least_change` / (1 - `factor`) on.
    pub least_change: f64,
}

impl Plateau {
    /// The paper's rule: times 0.9 after each iteration without improvement.
    pub const PAPER: Self =
        Self { factor: 0.9, patience: 0, threshold: 0.0, relative: false, cooldown: 0, floor: 0.0, least_change: 0.0 };

    /// The rule of the authors' published program: times 0.99 after two iterations in a row without an improvement by more than
    /// 10⁻¹⁰, as long as that changes the step size by more than 10⁻⁸, PyTorch's default `eps`. So the step size stays where it is from
    /// about 10⁻⁶ on, and never comes near the floor of 10⁻¹⁰.
    pub const DEEP_CONVEXITY: Self =
        Self { factor: 0.99, patience: 1, threshold: 1e-10, floor: 1e-10, least_change: 1e-8, ..Self::PAPER };

    /// PyTorch's defaults: times 0.1 after eleven iterations in a row without an improvement by a ten-thousandth.
    pub const PYTORCH: Self = Self {
        factor: 0.1,
        patience: 10,
        threshold: 1e-4,
        relative: true,
        cooldown: 0,
        floor: 0.0,
        least_change: 1e-8,
    };
}

/// The step size falls from α₀ to `floor` as (1 + cos(π t / `iterations`))/2 does, and stays there: PyTorch's `CosineAnnealingLR` up to
/// its `T_max`.
///
/// # Reference
/// Loshchilov, Hutter (2017), SGDR: stochastic gradient descent with warm restarts, equation 5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cosine {
    /// Iterations that the fall takes; `None` for those of the run's budget.
    pub iterations: Option<u64>,
    /// The last step size.
    pub floor: f64,
}

/// A learning rate at work.
#[derive(Clone, Debug)]
pub(crate) struct StepSize {
    rate: LearningRate,
    current: f64,
    best: f64,
    failures: u64,
    cooling: u64,
    /// Iterations observed.
    iteration: u64,
}

impl StepSize {
    pub(crate) fn new(rate: LearningRate) -> Self {
        Self { rate, current: rate.initial, best: f64::INFINITY, failures: 0, cooling: 0, iteration: 0 }
    }

    /// The step size of the next iteration.
    pub(crate) fn current(&self) -> f64 {
        self.current
    }

    /// Sets the step size of the next iteration, from which the schedule goes on.
    pub(crate) fn set(&mut self, step_size: f64) {
        self.current = step_size;
        self.rate.initial = step_size;
    }

    /// Goes to the step size of `iteration`, of a schedule that does not depend on the objective.
    pub(crate) fn skip_to(&mut self, iteration: u64) {
        if let Some(before) = iteration.checked_sub(1) {
            self.iteration = before;
            self.observe(0.0);
        }
    }

    /// Takes note of an iteration's mean objective.
    pub(crate) fn observe(&mut self, mean: f64) {
        self.iteration += 1;
        match self.rate.schedule {
            Schedule::Constant | Schedule::Cosine(Cosine { iterations: None, .. }) => {}
            Schedule::Cosine(Cosine { iterations: Some(iterations), floor }) => {
                let share = self.iteration.min(iterations) as f64 / iterations as f64;
                let initial = self.rate.initial;
                // A rate that starts below the floor stays where it is.
                let floor = floor.min(initial);
                self.current = floor + (initial - floor) * 0.5 * (1.0 + (PI * share).cos());
            }
            Schedule::Plateau(plateau) => self.shrink(plateau, mean),
        }
    }

    fn shrink(&mut self, plateau: Plateau, mean: f64) {
        let Plateau { factor, patience, threshold, relative, cooldown, floor, least_change } = plateau;
        let bound = if relative { self.best * (1.0 - threshold) } else { self.best - threshold };
        if mean < bound {
            (self.best, self.failures) = (mean, 0);
        } else {
            self.failures += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.failures) = (self.cooling - 1, 0);
        }
        if self.failures > patience {
            // At or below the floor the difference is not positive.
            let smaller = (self.current * factor).max(floor);
            if self.current - smaller > least_change {
                self.current = smaller;
            }
            (self.cooling, self.failures) = (cooldown, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step_sizes(rule: LearningRate, means: &[f64]) -> Vec<f64> {
        let mut schedule = StepSize::new(rule);
        let observe = |&mean: &f64| {
            schedule.observe(mean);
            schedule.current()
        };
        means.iter().map(observe).collect()
    }

    #[test]
    fn shrinks_after_each_iteration_without_improvement() {
        let means = [0.5, 0.4, 0.4, 0.45, 0.39, 0.39];
        let expected = [1.0, 1.0, 0.9, 0.81, 0.81, 0.81 * 0.9];
        for (found, expected) in step_sizes(LearningRate::PAPER, &means).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} against {expected}");
        }
    }

    #[test]
    fn patience_threshold_and_floor() {
        let rule = LearningRate::plateau(
            1.0,
            Plateau { factor: 0.5, patience: 1, threshold: 0.1, floor: 0.3, ..Plateau::PAPER },
        );
        // 0.45 is below 0.5, but not by the threshold; two failures in a row shrink once, and the floor holds.
        let means = [0.5, 0.45, 0.45, 0.45, 0.45, 0.3, 0.3, 0.3];
        assert_eq!(step_sizes(rule, &means), [1.0, 1.0, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]);
    }

    #[test]
    fn a_mean_that_is_not_a_number_is_no_improvement() {
        assert_eq!(step_sizes(LearningRate::PAPER, &[f64::NAN, 0.5]), [0.9, 0.9]);
    }

    /// The last step size of so many failures.
    fn least(rule: LearningRate, failures: usize) -> f64 {
        step_sizes(rule, &vec![0.5; failures + 1]).pop().unwrap()
    }

    #[test]
    fn names_come_back() {
        for (name, schedule) in Schedule::ALL {
            assert_eq!((name.parse::<Schedule>().unwrap(), schedule.to_string()), (schedule, name.to_owned()));
            assert_eq!(schedule.over(7).to_string(), name);
        }
        let custom = Schedule::Plateau(Plateau { factor: 0.5, ..Plateau::PAPER });
        assert_eq!(custom.to_string(), "custom");
    }

    #[test]
    fn schedules_are_those_of_pytorch() {
        // `tests/reference/schedules.py`, torch 2.15.0: step sizes of the iterations 0, 1, 5, 12, 20, 30, 45 and 59.
        let means: Vec<f64> = (0..60).map(|t| 1.0 / f64::from(1 + t / 3) + 0.05 * (7.0 * f64::from(t)).sin()).collect();
        let long = Plateau {
            factor: 0.5,
            patience: 2,
            threshold: 0.01,
            relative: false,
            cooldown: 3,
            floor: 0.01,
            least_change: 1e-8,
        };
        let cosine = [
            0.5,
            0.499_657_383_688_643_4,
            0.491_481_456_572_267_05,
            0.452_254_248_593_736_86,
            0.375,
            0.250_000_000_000_000_06,
            0.073_223_304_703_363_13,
            0.000_342_616_311_356_541_75,
        ];
        for (schedule, expected) in [
            (Schedule::Plateau(Plateau::PYTORCH), [0.5; 8]),
            (Schedule::Plateau(long), [0.5, 0.5, 0.5, 0.5, 0.25, 0.125, 0.0625, 0.01]),
            (Schedule::Cosine(Cosine { iterations: None, floor: 0.0 }).over(60), cosine),
            (Schedule::Constant, [0.5; 8]),
        ] {
            let mut sizes = vec![0.5];
            sizes.extend(step_sizes(LearningRate { initial: 0.5, schedule }, &means));
            for (iteration, expected) in [0, 1, 5, 12, 20, 30, 45, 59].into_iter().zip(expected) {
                assert!((sizes[iteration] - expected).abs() < 1e-15, "{schedule:?}, {iteration}: {}", sizes[iteration]);
            }
        }
    }

    #[test]
    fn too_small_a_change_is_not_made() {
        let rule = |initial| LearningRate::plateau(initial, Plateau::DEEP_CONVEXITY);
        let expected = (0..1146).fold(0.1, |rate, _| rate * 0.99);
        assert!(least(rule(0.1), 2 * 1146 - 1) > expected);
        assert_eq!(least(rule(0.1), 2 * 1146), expected);
        assert_eq!(least(rule(0.1), 10_000), expected);
        assert!((expected / 9.9525e-7 - 1.0).abs() < 1e-5, "{expected}");
        // The change would be 10⁻⁸, less by rounding; then some below the floor.
        for initial in [1e-6, 1e-7, 1e-10, 1e-12] {
            assert_eq!(least(rule(initial), 10_000), initial);
        }
        // A change of exactly the least is not made, one above it is.
        let exact = LearningRate::plateau(1.0, Plateau { factor: 0.5, least_change: 0.25, ..Plateau::PAPER });
        assert_eq!((least(exact, 1), least(exact, 2), least(exact, 9)), (0.5, 0.5, 0.5));
        // The floor cuts the change short.
        let floor =
            LearningRate::plateau(1.0, Plateau { factor: 0.5, least_change: 0.1, floor: 0.45, ..Plateau::PAPER });
        assert_eq!((least(floor, 1), least(floor, 9)), (0.5, 0.5));
        // A factor of 1 never changes anything.
        assert_eq!(least(LearningRate::plateau(1.0, Plateau { factor: 1.0, ..Plateau::PAPER }), 50), 1.0);
    }

    #[test]
    fn an_improvement_is_by_more_than_the_threshold() {
        let rule = LearningRate::plateau(1.0, Plateau { factor: 0.5, threshold: 0.25, ..Plateau::PAPER });
        // By exactly the threshold; by more; infinity after infinity.
        assert_eq!(step_sizes(rule, &[1.0, 0.75, 0.5]), [1.0, 0.5, 0.5]);
        assert_eq!(step_sizes(rule, &[f64::INFINITY, f64::INFINITY, 0.5]), [0.5, 0.25, 0.25]);
        // Means that fall by less at a time count from the best, not from the last.
        assert_eq!(step_sizes(rule, &[1.0, 0.875, 0.75, 0.625]), [1.0, 0.5, 0.25, 0.25]);
    }
}
