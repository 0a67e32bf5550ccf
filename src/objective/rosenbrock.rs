//! The Rosenbrock function: Σ_{i<d} 100 (u_{i+1} - u_i²)² + (u_i - 1)².

use super::{CudaSource, Definition, Extremes, Points, Taped, TapedValues};
use crate::simd::{Real, Simd, flat, flat_mut, keep_first, lanes, mul_add, sum_first};
use bytemuck::Zeroable;
use dfdx::prelude::*;

/// The steepness of the valley's walls.
const WALL: f64 = 100.0;

pub(crate) struct Rosenbrock<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Rosenbrock<R> {
    const TITLE: &'static str = "Rosenbrock";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Rosenbrock function";
    const DOMAIN: [f64; 2] = [-5.0, 10.0];
    const CUDA: Option<CudaSource> =
        Some(CudaSource { parts: &[include_str!("rosenbrock.cu")], work: |n, _| n * CudaSource::PARTS });

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
        let Points { dimension, u, gradient, values, scratch } = points;
        let (width, last) = (u.len() / values.len(), dimension - 1);
        // Both neighbors of a coordinate are read at an offset, from rows that are longer by a vector at that end.
        // walls[LANES + i] is u_{i+1} - u_i².
        let (shifted, rest) = scratch.split_at_mut(width + 1);
        let (walls, terms) = rest.split_at_mut(width + 1);
        for ((u, gradient), value) in u.chunks_exact(width).zip(gradient.chunks_exact_mut(width)).zip(values) {
            shifted[..width].copy_from_slice(u);
            shifted[width] = Zeroable::zeroed();
            let shifted = flat::<R>(shifted);
            for ((wall, next), u) in walls[1..].iter_mut().zip(shifted[1..].chunks_exact(R::LANES)).zip(u) {
                *wall = lanes::<R>(|lane| mul_add::<S, R>(-u.as_ref()[lane], u.as_ref()[lane], next[lane]));
            }
            // The last coordinate starts no summand, and the first has no wall before it.
            walls[0] = Zeroable::zeroed();
            walls[width] = keep_first::<R>(walls[width], last - (width - 1) * R::LANES);
            let before = flat::<R>(&walls[..width + 1])[R::LANES - 1..].chunks_exact(R::LANES);
            let rows = gradient.iter_mut().zip(&mut *terms).zip(before).zip(&walls[1..]).zip(u);
            for ((((slopes, terms), before), wall), u) in rows {
                *slopes = lanes::<R>(|lane| {
                    let (u, wall) = (u.as_ref()[lane], wall.as_ref()[lane]);
                    let pull = u - R::ONE;
                    let pulls = mul_add::<S, R>(R::of(2.0 * WALL), before[lane], pull + pull);
                    mul_add::<S, R>(R::of(-4.0 * WALL) * wall, u, pulls)
                });
                *terms = lanes::<R>(|lane| {
                    let (pull, wall) = (u.as_ref()[lane] - R::ONE, wall.as_ref()[lane]);
                    mul_add::<S, R>(R::of(WALL) * wall, wall, pull * pull)
                });
            }
            let pull = flat::<R>(u)[last] - R::ONE;
            flat_mut::<R>(gradient)[last] -= pull + pull;
            *value = sum_first::<R>(&terms[..width], last);
        }
    }

    fn scratch(_: usize, width: usize) -> usize {
        3 * width + 2
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
