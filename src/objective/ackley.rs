//! The Ackley function: -a exp(-b √(mean u²)) - exp(mean cos cu) + a + e, with a = 20, b = 0.2, c = 2π.

use super::{CudaSource, Definition, Extremes, Points, Taped, TapedValues, extremum};
use crate::simd::math::{exp, sin_cos_pi};
use crate::simd::{Real, Simd, dot, flat, flat_mut, lanes, mul_add, sum_first};
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

    #[inline(always)]
    fn evaluate<S: Simd>(&self, points: Points<'_, R>) {
        let Points { dimension, u, gradient, values, scratch } = points;
        let width = u.len() / values.len();
        let cosines = &mut scratch[..u.len()];
        for ((&u, sin), cos) in flat::<R>(u).iter().zip(flat_mut::<R>(gradient)).zip(flat_mut::<R>(cosines)) {
            (*sin, *cos) = sin_cos_pi::<S, R>(u + u);
        }
        let per_dimension = R::of(1.0 / dimension as f64);
        let rows = u.chunks_exact(width).zip(gradient.chunks_exact_mut(width)).zip(cosines.chunks_exact(width));
        for (((u, gradient), cosines), value) in rows.zip(values) {
            let norm = (dot::<S, R>(u, u) * per_dimension).root();
            let funnel = R::of(A) * exp::<S, R>(R::of(-B) * norm);
            let waves = exp::<S, R>(sum_first::<R>(cosines, dimension) * per_dimension);
            *value = (R::of(A) - funnel) + (R::of(E) - waves);
            // At the origin the funnel has a tip; 0 is the middle of its slopes.
            let radial = if norm > R::ZERO { R::of(B) * funnel * per_dimension / norm } else { R::ZERO };
            let angular = R::of(TAU) * waves * per_dimension;
            for (u, slopes) in u.iter().zip(gradient) {
                let sines = *slopes;
                *slopes = lanes::<R>(|lane| mul_add::<S, R>(angular, sines.as_ref()[lane], radial * u.as_ref()[lane]));
            }
        }
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
