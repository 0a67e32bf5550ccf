//! The Rastrigin function: 10 d + Σ (u² - 10 cos 2πu).

use super::{Definition, Extremes, Link, Points, extremum};
use crate::array::Array;
use crate::simd::math::half_wave_pi;
use crate::simd::{Real, Simd};
use std::f64::consts::TAU;

/// The height of the cosine.
const A: f64 = 10.0;
/// The width of the box.
const WIDTH: f64 = 10.24;

pub(crate) struct Rastrigin<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Rastrigin<R> {
    const TITLE: &'static str = "Rastrigin";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Rastrigin function";
    const DOMAIN: [f64; 2] = [-0.5 * WIDTH, 0.5 * WIDTH];
    const UNITS: [f64; 2] = [WIDTH, WIDTH * WIDTH];
    const EXPRESSION: Option<fn(Array) -> Array> = Some(|u| {
        // 1 - cos 2πu is 2 sin² πu: nothing cancels.
        (u.square() + 2.0 * A * (0.5 * TAU * u).sin().square()).sum()
    });

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        let highest = extremum::maximum(|u| A + u * u - A * (TAU * u).cos(), <Self as Definition<R>>::DOMAIN);
        Extremes { minimum: 0.0, maximum: highest * dimension as f64, minimizer: Some(0.0) }
    }

    fn steepest(_: usize) -> f64 {
        2.0 * 5.12 + A * TAU
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        // 1 - cos 2πu is 2 sin² πu: nothing cancels, and near the minimum the value loses nothing.
        points.each(|point| {
            let (mut squares, mut waves) = (point.constant(0.0), point.constant(0.0));
            for i in 0..point.dimension {
                let u = point.coordinate(i);
                let (sin, product) = half_wave_pi(u, WIDTH);
                squares += u * u;
                waves = sin.mul_add(sin, waves);
                point.slope(i, product.mul_add(2.0 * A * TAU / WIDTH, u + u));
            }
            waves.mul_add(2.0 * A / (WIDTH * WIDTH), squares)
        });
    }

    fn operations(dimension: usize) -> usize {
        10 * dimension
    }
}
