//! The Rosenbrock function: Σ_{i<d} 100 (u_{i+1} - u_i²)² + (u_i - 1)².

use super::{Definition, Extremes, Points, Taped, TapedValues};
use crate::simd::{Real, Simd, mul_add, sum};
use dfdx::prelude::*;

/// The steepness of the valley's walls.
const WALL: f64 = 100.0;

pub(crate) struct Rosenbrock<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Rosenbrock<R> {
    const TITLE: &'static str = "Rosenbrock";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Rosenbrock function";
    const DOMAIN: [f64; 2] = [-5.0, 10.0];

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        // A summand is convex in u_{i+1} and largest at u_i = 10; the last coordinate is then best at -5, the others at 10.
        let summand = |u: f64, next: f64| WALL * (next - u * u).powi(2) + (u - 1.0).powi(2);
        let maximum = summand(10.0, 10.0) * dimension.saturating_sub(2) as f64 + summand(10.0, -5.0);
        Extremes { minimum: 0.0, maximum, minimizer: Some(vec![1.0; dimension]) }
    }

    #[inline(always)]
    fn evaluate<S: Simd>(&self, points: Points<'_, R>) {
        let Points { dimension, stride, u, gradient, values, scratch } = points;
        let last = dimension - 1;
        // Both neighbors of a coordinate are read at an offset from rows that are longer by a vector, so that every loop runs
        // over whole vectors. walls[LANES + i] is u_{i+1} - u_i².
        let (shifted, scratch) = scratch.split_at_mut(stride + R::LANES);
        let (walls, terms) = scratch.split_at_mut(stride + R::LANES);
        shifted[..stride].copy_from_slice(u);
        shifted[stride..].fill(R::ZERO);
        for ((wall, &next), &u) in walls[R::LANES..].iter_mut().zip(&shifted[1..=stride]).zip(u) {
            *wall = mul_add::<S, R>(-u, u, next);
        }
        walls[R::LANES - 1] = R::ZERO;
        walls[R::LANES + last..].fill(R::ZERO);
        let (before, walls) = (&walls[R::LANES - 1..][..stride], &walls[R::LANES..]);
        for ((((slope, term), &before), &wall), &u) in
            gradient.iter_mut().zip(&mut *terms).zip(before).zip(walls).zip(u)
        {
            let pull = u - R::ONE;
            *term = mul_add::<S, R>(R::of(WALL) * wall, wall, pull * pull);
            let pulls = mul_add::<S, R>(R::of(2.0 * WALL), before, pull + pull);
            *slope = mul_add::<S, R>(R::of(-4.0 * WALL) * wall, u, pulls);
        }
        // The last coordinate starts no summand.
        let pull = u[last] - R::ONE;
        gradient[last] -= pull + pull;
        terms[last..].fill(R::ZERO);
        values[0] = sum::<S, R>(&terms[..stride]);
    }

    fn scratch(_: usize, stride: usize) -> usize {
        3 * stride + 2 * R::LANES
    }

    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        _: u64,
    ) -> TapedValues<N, R, Dev> {
        let mask = (0..D).map(|i| if i + 1 < D { R::ONE } else { R::ZERO }).collect();
        let mask: Tensor<(Const<N>, Const<D>), R, Dev> = u.device().tensor_from_vec(mask, (Const::<D>,)).broadcast();
        let next = u.with_empty_tape().roll::<Axis<1>>(D - 1);
        let walls = (next - u.with_empty_tape().square()).square() * R::of(WALL);
        ((walls + (u + -R::ONE).square()) * mask).sum::<_, Axis<1>>()
    }

    fn operations(dimension: usize) -> usize {
        13 * dimension
    }
}
