//! The Styblinski-Tang function: ½ Σ (u⁴ - 16 u² + 5 u).

use super::definition::SUM_OF_TERMS;
use super::{CudaSource, Definition, Extremes, Link, Points, Taped, TapedValues};
use crate::simd::{Real, Simd};
use dfdx::prelude::*;

/// The minimum in one dimension, and where it is: the smallest root of 2 u³ - 16 u + 2.5.
const LOWEST: f64 = -39.166_165_703_771_42;
const LOWEST_AT: f64 = -2.903_534_027_771_177_6;

pub(crate) struct StyblinskiTang<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for StyblinskiTang<R> {
    const TITLE: &'static str = "Styblinski-Tang";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Styblinski-Tang function";
    const DOMAIN: [f64; 2] = [-5.0, 5.0];
    const UNITS: [f64; 2] = [10.0, 100.0];
    const CUDA: Option<CudaSource> = Some(CudaSource::separable(&[include_str!("styblinski_tang.cu"), SUM_OF_TERMS]));

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        let d = dimension as f64;
        // At u = 5: ½ (625 - 400 + 25).
        Extremes { minimum: LOWEST * d, maximum: 125.0 * d, minimizer: Some(vec![LOWEST_AT; dimension]) }
    }

    fn steepest(_: usize) -> f64 {
        // |2 u³ - 16 u + 2.5| at u = 5: in between it is less.
        250.0 - 80.0 + 2.5
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        points.each(|point| {
            // In the units a summand is 50 u⁴ - 8 u² + u/4. Of u² (200 u² - 16)/4 - 4 u² + u/4 the slope has the bracket, too.
            let [mut products, mut squares, mut sum] = [point.constant(0.0); 3];
            for i in 0..point.dimension {
                let u = point.coordinate(i);
                let square = u * u;
                let inner = square.mul_add(200.0, -16.0);
                products = square.mul_add(inner, products);
                squares += square;
                sum += u;
                point.slope(i, u.mul_add(inner, 0.25));
            }
            products.mul_add(0.25, squares.mul_add(-4.0, sum * 0.25))
        });
    }

    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        _: u64,
    ) -> TapedValues<N, R, Dev> {
        let square = u.with_empty_tape().square();
        let quartic = square.with_empty_tape().square() + square * R::of(-16.0);
        ((quartic + u * R::of(5.0)) * R::of(0.5)).sum::<_, Axis<1>>()
    }

    fn operations(dimension: usize) -> usize {
        9 * dimension
    }
}
