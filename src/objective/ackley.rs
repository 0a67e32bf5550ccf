//! The Ackley function: -a exp(-b √(mean u²)) - exp(mean cos cu) + a + e, with a = 20, b = 0.2, c = 2π.

use super::{Definition, Extremes, Link, Points, extremum};
use crate::array::Array;
use crate::simd::math::{exp_and_less_one, half_wave_pi};
use crate::simd::{Lanes, Real, Simd};
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
    const EXPRESSION: Option<fn(Array) -> Array> = Some(|u| {
        // With n the norm and m the mean of 1 - cos cu = 2 sin² ½cu, the value is a (1 - e^-bn) + e (1 - e^-m): nothing cancels.
        let norm = u.square().mean().sqrt();
        let waves = 2.0 * (0.5 * TAU * u).sin().square().mean();
        -A * (-B * norm).exp_m1() - E * (-waves).exp_m1()
    });

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

    fn operations(dimension: usize) -> usize {
        10 * dimension
    }
}
