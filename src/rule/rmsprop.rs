//! RMSprop.

use super::formula::Formula;
use crate::simd::{Lanes, Real, Simd};

#[derive(Clone, Copy)]
pub(super) struct RmsProp {
    pub smoothing: f64,
    pub epsilon: f64,
}

impl<R: Real> Formula<R, 1> for RmsProp {
    type Constants = (Self, f64);

    fn constants(self, _: u64, rate: f64) -> (Self, f64) {
        (self, rate)
    }

    #[inline(always)]
    fn step<S: Simd>(
        (Self { smoothing, epsilon }, rate): (Self, f64),
        value: Lanes<S, R>,
        gradient: Lanes<S, R>,
        [square]: &mut [Lanes<S, R>; 1],
    ) -> Lanes<S, R> {
        *square = (gradient * gradient).mul_add(1.0 - smoothing, *square * smoothing);
        (gradient / (square.sqrt() + epsilon)).mul_sub_from(rate, value)
    }
}
