//! The Rastrigin function: 10 d + Σ (u² - 10 cos 2πu).

use super::definition::SUM_OF_TERMS;
use super::{CudaSource, Definition, Extremes, Link, Points, Taped, TapedValues, extremum};
use crate::simd::math::sin_cos_pi;
use crate::simd::{Real, Simd};
use dfdx::prelude::*;
use std::f64::consts::TAU;

/// The height of the cosine.
const A: f64 = 10.0;

pub(crate) struct Rastrigin<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Rastrigin<R> {
    const TITLE: &'static str = "Rastrigin";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Rastrigin function";
    const DOMAIN: [f64; 2] = [-5.12, 5.12];
    const CUDA: Option<CudaSource> = Some(CudaSource::separable(&[include_str!("rastrigin.cu"), SUM_OF_TERMS]));

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        let highest = extremum::maximum(|u| A + u * u - A * (TAU * u).cos(), <Self as Definition<R>>::DOMAIN);
        Extremes { minimum: 0.0, maximum: highest * dimension as f64, minimizer: Some(vec![0.0; dimension]) }
    }

    fn steepest(_: usize) -> f64 {
        2.0 * 5.12 + A * TAU
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        // 10 (1 - cos) term by term, not 10 d at the end: near the minimum nothing large cancels.
        points.add_up(|_, u| {
            let (sin, cos) = sin_cos_pi(u + u);
            (u.mul_add(u, cos.mul_add(-A, A)), sin.mul_add(A * TAU, u + u))
        });
    }

    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        _: u64,
    ) -> TapedValues<N, R, Dev> {
        let waves = (u.with_empty_tape() * R::of(TAU)).cos() * R::of(-A) + R::of(A);
        (u.square() + waves).sum::<_, Axis<1>>()
    }

    fn operations(dimension: usize) -> usize {
        10 * dimension
    }
}
