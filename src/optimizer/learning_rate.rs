//! The learning-rate rule.

use serde::{Deserialize, Serialize};

/// When the step size shrinks: it is multiplied by `factor` after `patience` + 1 iterations in a row whose mean objective is
/// not below the best so far. This is PyTorch's `ReduceLROnPlateau` with `mode="min"`, `threshold_mode="abs"` and no cooldown.
///
/// The step of an iteration is taken before the rule looks at its mean objective, which is that of the point the step
/// left: what a training loop with a scheduler does. A mean that is not a number is no improvement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearningRate {
    /// The first step size, α₀.
    pub initial: f64,
    /// What the step size is multiplied by.
    pub factor: f64,
    /// How many iterations without improvement are forgiven.
    pub patience: u64,
    /// A mean objective is an improvement if it is below the best so far by more than this, in units of the scaled objective.
    pub threshold: f64,
    /// The step size never shrinks below this: PyTorch's `min_lr`. One that starts below stays where it is.
    pub floor: f64,
    /// The step size changes only by more than this: PyTorch's `eps`. So it stays where it is from about
    /// `least_change` / (1 - `factor`) on.
    pub least_change: f64,
}

impl LearningRate {
    /// The paper's rule: times 0.9 after each iteration without improvement.
    pub const PAPER: Self =
        Self { initial: 1.0, factor: 0.9, patience: 0, threshold: 0.0, floor: 0.0, least_change: 0.0 };

    /// The rule of the authors' published program: times 0.99 after two iterations in a row without an improvement by more than
    /// 10⁻¹⁰, as long as that changes the step size by more than 10⁻⁸, PyTorch's default `eps`. So the step size stays where it is from
    /// about 10⁻⁶ on, and never comes near the floor of 10⁻¹⁰.
    pub const DEEP_CONVEXITY: Self =
        Self { initial: 1.0, factor: 0.99, patience: 1, threshold: 1e-10, floor: 1e-10, least_change: 1e-8 };
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
                // At or below the floor the difference is not positive.
                let smaller = (self.step_size * self.rule.factor).max(self.rule.floor);
                if self.step_size - smaller > self.rule.least_change {
                    self.step_size = smaller;
                }
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
        let rule = LearningRate { factor: 0.5, patience: 1, threshold: 0.1, floor: 0.3, ..LearningRate::PAPER };
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
    fn too_small_a_change_is_not_made() {
        let rule = |initial| LearningRate { initial, ..LearningRate::DEEP_CONVEXITY };
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
        let exact = LearningRate { factor: 0.5, least_change: 0.25, ..LearningRate::PAPER };
        assert_eq!((least(exact, 1), least(exact, 2), least(exact, 9)), (0.5, 0.5, 0.5));
        // The floor cuts the change short.
        let floor = LearningRate { factor: 0.5, least_change: 0.1, floor: 0.45, ..LearningRate::PAPER };
        assert_eq!((least(floor, 1), least(floor, 9)), (0.5, 0.5));
        // A factor of 1 never changes anything.
        assert_eq!(least(LearningRate { factor: 1.0, ..LearningRate::PAPER }, 50), 1.0);
    }

    #[test]
    fn an_improvement_is_by_more_than_the_threshold() {
        let rule = LearningRate { factor: 0.5, threshold: 0.25, ..LearningRate::PAPER };
        // By exactly the threshold; by more; infinity after infinity.
        assert_eq!(step_sizes(rule, &[1.0, 0.75, 0.5]), [1.0, 0.5, 0.5]);
        assert_eq!(step_sizes(rule, &[f64::INFINITY, f64::INFINITY, 0.5]), [0.5, 0.25, 0.25]);
        // Means that fall by less at a time count from the best, not from the last.
        assert_eq!(step_sizes(rule, &[1.0, 0.875, 0.75, 0.625]), [1.0, 0.5, 0.25, 0.25]);
    }
}
