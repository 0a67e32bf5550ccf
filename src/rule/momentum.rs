//! Heavy-ball and Nesterov's momentum.

use super::formula::Formula;
use crate::simd::{Lanes, Real, Simd};

#[derive(Clone, Copy)]
pub(super) struct Momentum {
    pub momentum: f64,
    pub nesterov: bool,
}

impl<R: Real> Formula<R, 1> for Momentum {
    type Constants = (Self, f64);

    fn constants(self, _: u64, rate: f64) -> (Self, f64) {
        (self, rate)
    }

    #[inline(always)]
    fn step<S: Simd>(
        (Self { momentum, nesterov }, rate): (Self, f64),
        value: Lanes<S, R>,
        gradient: Lanes<S, R>,
        [velocity]: &mut [Lanes<S, R>; 1],
    ) -> Lanes<S, R> {
        *velocity = velocity.mul_add(momentum, gradient);
        let direction = if nesterov { velocity.mul_add(momentum, gradient) } else { *velocity };
        direction.mul_sub_from(rate, value)
    }
}
