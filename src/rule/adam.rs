//! Adam and AdamW.

use super::formula::Formula;
use crate::simd::{Lanes, Real, Simd};

#[derive(Clone, Copy)]
pub(super) struct Adam {
    pub betas: [f64; 2],
    pub epsilon: f64,
    /// The decoupled weight decay λ; 0 for Adam.
    pub decay: f64,
}

/// The constants of one step.
#[derive(Clone, Copy)]
pub(super) struct Constants {
    adam: Adam,
    /// α / (1 − β₁ᵗ).
    rate: f64,
    /// 1 / √(1 − β₂ᵗ).
    correction: f64,
    /// 1 − α λ.
    shrink: f64,
}

impl<R: Real> Formula<R, 2> for Adam {
    type Constants = Constants;

    fn constants(self, number: u64, rate: f64) -> Constants {
        let [first, second] = self.betas.map(|beta| 1.0 - beta.powf(number as f64));
        Constants { adam: self, rate: rate / first, correction: 1.0 / second.sqrt(), shrink: 1.0 - rate * self.decay }
    }

    #[inline(always)]
    fn step<S: Simd>(
        Constants { adam: Adam { betas, epsilon, decay }, rate, correction, shrink }: Constants,
        value: Lanes<S, R>,
        gradient: Lanes<S, R>,
        [mean, square]: &mut [Lanes<S, R>; 2],
    ) -> Lanes<S, R> {
        *mean = (gradient - *mean).mul_add(1.0 - betas[0], *mean);
        *square = (gradient * gradient).mul_add(1.0 - betas[1], *square * betas[1]);
        let value = if decay == 0.0 { value } else { value * shrink };
        (*mean / square.sqrt().mul_add(correction, epsilon)).mul_sub_from(rate, value)
    }
}
