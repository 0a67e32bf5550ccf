//! The learning-rate rule.

use serde::{Deserialize, Serialize};

/// When the step size shrinks: it is multiplied by `factor` after `patience` + 1 iterations in a row whose mean objective is
/// not below the best so far.
///
/// The step of an iteration is taken before the rule looks at its mean objective, which is that of the point the step
/// left: what a training loop with a scheduler does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearningRate {
    /// The first step size, α₀.
    pub initial: f64,
    /// What the step size is multiplied by.
    pub factor: f64,
    /// How many iterations without improvement are forgiven.
    pub patience: u64,
    /// By how much a mean objective must be below the best so far to be an improvement.
    pub threshold: f64,
    /// The step size never shrinks below this.
    pub floor: f64,
}

impl LearningRate {
    /// The paper's rule: times 0.9 after each iteration without improvement.
    pub const PAPER: Self = Self { initial: 1.0, factor: 0.9, patience: 0, threshold: 0.0, floor: 0.0 };

    /// The rule of the authors' published program: times 0.99 after two iterations without improvement by 10⁻¹⁰, down to 10⁻¹⁰.
    pub const DEEP_CONVEXITY: Self = Self { initial: 1.0, factor: 0.99, patience: 1, threshold: 1e-10, floor: 1e-10 };
}

/// The rule at work.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    rule: LearningRate,
    step_size: f64,
    best: f64,
    failures: u64,
}

impl Schedule {
    pub(super) fn new(rule: LearningRate) -> Self {
        Self { rule, step_size: rule.initial, best: f64::INFINITY, failures: 0 }
    }

    /// The step size of the next iteration.
    pub(super) fn step_size(&self) -> f64 {
        self.step_size
    }

    /// Takes note of an iteration's mean objective.
    pub(super) fn observe(&mut self, mean: f64) {
        if mean < self.best - self.rule.threshold {
            self.best = mean;
            self.failures = 0;
        } else {
            self.failures += 1;
            if self.failures > self.rule.patience {
                // A rate that starts below the floor stays where it is.
                self.step_size = (self.step_size * self.rule.factor).max(self.rule.floor.min(self.step_size));
                self.failures = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step_sizes(rule: LearningRate, means: &[f64]) -> Vec<f64> {
        let mut schedule = Schedule::new(rule);
        let observe = |&mean: &f64| {
            schedule.observe(mean);
            schedule.step_size()
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
        let rule = LearningRate { initial: 1.0, factor: 0.5, patience: 1, threshold: 0.1, floor: 0.3 };
        // 0.45 is below 0.5, but not by the threshold; two failures in a row shrink once, and the floor holds.
        let means = [0.5, 0.45, 0.45, 0.45, 0.45, 0.3, 0.3, 0.3];
        assert_eq!(step_sizes(rule, &means), [1.0, 1.0, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]);
    }

    #[test]
    fn a_mean_that_is_not_a_number_is_no_improvement() {
        assert_eq!(step_sizes(LearningRate::PAPER, &[f64::NAN, 0.5]), [0.9, 0.9]);
    }
}
