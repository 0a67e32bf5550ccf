//! The Ackley function: -a exp(-b √(mean u²)) - exp(mean cos cu) + a + e, with a = 20, b = 0.2, c = 2π.

use super::{CudaSource, Definition, Extremes, Link, Points, Taped, TapedValues, extremum};
use crate::simd::math::{exp_and_less_one, half_wave_pi};
use crate::simd::{Lanes, Real, Simd};
use dfdx::prelude::*;
use std::f64::consts::{E, TAU};

const A: f64 = 20.0;
const B: f64 = 0.2;
/// The width of the box.
const WIDTH: f64 = 65.536;

pub(crate) struct Ackley<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Ackley<R> {
    const TITLE: &'static str = "Ackley";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Ackley function";
    const DOMAIN: [f64; 2] = [-0.5 * WIDTH, 0.5 * WIDTH];
    const UNITS: [f64; 2] = [WIDTH, 1.0];
    const CUDA: Option<CudaSource> =
        Some(CudaSource { parts: &[include_str!("ackley.cu")], work: |n, _| 2 * n * CudaSource::PARTS });

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(_: usize) -> Extremes {
        // The value is concave in the two means, hence below its tangent at the best point of the diagonal; the tangent is a sum
        // over the coordinates, each largest at that point. So no point off the diagonal is higher.
        let diagonal = |u: f64| -A * (-B * u).exp() - (TAU * u).cos().exp() + A + E;
        let maximum = extremum::maximum(diagonal, [0.0, <Self as Definition<R>>::DOMAIN[1]]);
        Extremes { minimum: 0.0, maximum, minimizer: Some(0.0) }
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
            // The value is a (1 - e^-bn) + e (1 - e^-m), with n the norm and m the mean of 1 - cos cu = 2 sin² ½cu: nothing cancels.
            let (mut squares, mut waves) = (point.constant(0.0), point.constant(0.0));
            for i in 0..point.dimension {
                let u = point.coordinate(i);
                let (sin, product) = half_wave_pi(u, WIDTH);
                squares = u.mul_add(u, squares);
                waves = sin.mul_add(sin, waves);
                point.scratch[i] = product.register();
            }
            let norm = (squares * per_dimension).sqrt();
            let (funnel, funnel_less_one) = exp_and_less_one(norm * (-B * WIDTH));
            let (wave, wave_less_one) = exp_and_less_one(waves * (-2.0 * per_dimension));
            // At the origin the funnel has a tip; 0 is the middle of its slopes.
            let steepness = funnel * (A * B * WIDTH * per_dimension);
            let radial = point.constant(0.0).less_than(norm, steepness / norm, 0.0);
            let angular = wave * (2.0 * E * TAU * WIDTH * per_dimension);
            for i in 0..point.dimension {
                let product = Lanes::new(angular.simd(), point.scratch[i]);
                point.slope(i, angular.mul_add(product, radial * point.coordinate(i)));
            }
            wave_less_one.mul_sub_from(E, funnel_less_one.mul_sub_from(A, 0.0))
        });
    }

    fn scratch(dimension: usize) -> usize {
        dimension
    }

    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        _: u64,
    ) -> TapedValues<N, R, Dev> {
        // 1 - e^-v is 2 t/(1 + t) with t = tanh(v/2), and 1 - cos cu is 2 sin² ½cu: nothing cancels.
        let sines = (u.with_empty_tape() * R::of(0.5 * TAU)).sin();
        let waves = sines.square().mean::<_, Axis<1>>().tanh();
        // A tiny offset keeps the square root's slope finite at the origin.
        let norm = (u.square().mean::<_, Axis<1>>() + R::of(1e-30)).sqrt();
        let funnel = (norm * R::of(0.5 * B)).tanh();
        let funnel = funnel.with_empty_tape() / (funnel + R::ONE) * R::of(2.0 * A);
        funnel + waves.with_empty_tape() / (waves + R::ONE) * R::of(2.0 * E)
    }

    fn operations(dimension: usize) -> usize {
        10 * dimension
    }
}
