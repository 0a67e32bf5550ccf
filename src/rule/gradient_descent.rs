//! Gradient descent.

use super::formula::Formula;
use crate::simd::{Lanes, Real, Simd};

#[derive(Clone, Copy)]
pub(super) struct GradientDescent;

impl<R: Real> Formula<R, 0> for GradientDescent {
    type Constants = f64;

    fn constants(self, _: u64, rate: f64) -> f64 {
        rate
    }

    #[inline(always)]
    fn step<S: Simd>(rate: f64, value: Lanes<S, R>, gradient: Lanes<S, R>, _: &mut [Lanes<S, R>; 0]) -> Lanes<S, R> {
        gradient.mul_sub_from(rate, value)
    }
}
