//! The sphere function: Σ u².

use super::{Definition, Extremes, Link, Points};
use crate::array::Array;
use crate::simd::{Real, Simd};

pub(crate) struct Sphere<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Sphere<R> {
    const TITLE: &'static str = "Sphere";
    const SOURCE: &'static str = "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: sphere function";
    const DOMAIN: [f64; 2] = [-5.12, 5.12];
    const UNITS: [f64; 2] = [10.24, 10.24 * 10.24];
    const EXPRESSION: Option<fn(Array) -> Array> = Some(|u| u.square().sum());

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    /// The program takes the mean over coordinates.
    fn published_factor(dimension: usize) -> f64 {
        1.0 / dimension as f64
    }

    fn extremes(dimension: usize) -> Extremes {
        let maximum = 5.12 * 5.12 * dimension as f64;
        Extremes { minimum: 0.0, maximum, minimizer: Some(0.0) }
    }

    fn steepest(_: usize) -> f64 {
        2.0 * 5.12
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        points.add_up(|_, u| (u * u, u + u));
    }

    fn operations(dimension: usize) -> usize {
        3 * dimension
    }
}
