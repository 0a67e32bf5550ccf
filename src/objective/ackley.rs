//! The Ackley function: -a exp(-b √(mean u²)) - exp(mean cos cu) + a + e, with a = 20, b = 0.2, c = 2π.

use super::{CudaSource, Definition, Extremes, Link, Points, Taped, TapedValues, extremum};
use crate::simd::math::{exp, sin_cos_pi};
use crate::simd::{Lanes, Real, Simd};
use dfdx::prelude::*;
use std::f64::consts::{E, TAU};

const A: f64 = 20.0;
const B: f64 = 0.2;

pub(crate) struct Ackley<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Ackley<R> {
    const TITLE: &'static str = "Ackley";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Ackley function";
    const DOMAIN: [f64; 2] = [-32.768, 32.768];
    const CUDA: Option<CudaSource> =
        Some(CudaSource { parts: &[include_str!("ackley.cu")], work: |n, _| 2 * n * CudaSource::PARTS });

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        // The value is concave in the two means, hence below its tangent at the best point of the diagonal; the tangent is a sum
        // over the coordinates, each largest at that point. So no point off the diagonal is higher.
        let diagonal = |u: f64| -A * (-B * u).exp() - (TAU * u).cos().exp() + A + E;
        let maximum = extremum::maximum(diagonal, [0.0, <Self as Definition<R>>::DOMAIN[1]]);
        Extremes { minimum: 0.0, maximum, minimizer: Some(vec![0.0; dimension]) }
    }

    fn steepest(dimension: usize) -> f64 {
        // Of the funnel at most A B/√d, where the point lies on an axis; of the waves TAU E/d.
        let d = dimension as f64;
        A * B / d.sqrt() + TAU * E / d
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        points.each(|point| {
            let per_dimension = 1.0 / point.dimension as f64;
            let (mut squares, mut cosines) = (point.constant(0.0), point.constant(0.0));
            for i in 0..point.dimension {
                let u = point.coordinate(i);
                let (sin, cos) = sin_cos_pi(u + u);
                squares = u.mul_add(u, squares);
                cosines += cos;
                point.scratch[i] = sin.register();
            }
            let norm = (squares * per_dimension).sqrt();
            let funnel = exp(norm * -B) * A;
            let waves = exp(cosines * per_dimension);
            // At the origin the funnel has a tip; 0 is the middle of its slopes.
            let radial = point.constant(0.0).less_than(norm, funnel * (B * per_dimension) / norm, 0.0);
            let angular = waves * (TAU * per_dimension);
            for i in 0..point.dimension {
                let sin = Lanes::new(angular.simd(), point.scratch[i]);
                point.slope(i, angular.mul_add(sin, radial * point.coordinate(i)));
            }
            (point.constant(A) - funnel) + (point.constant(E) - waves)
        });
    }

    fn scratch(dimension: usize) -> usize {
        dimension
    }

    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        _: u64,
    ) -> TapedValues<N, R, Dev> {
        let waves = (u.with_empty_tape() * R::of(TAU)).cos().mean::<_, Axis<1>>().exp();
        // A tiny offset keeps the square root's slope finite at the origin.
        let norm = (u.square().mean::<_, Axis<1>>() + R::of(1e-30)).sqrt();
        (norm * R::of(-B)).exp() * R::of(-A) - waves + R::of(A + E)
    }

    fn operations(dimension: usize) -> usize {
        10 * dimension
    }
}
