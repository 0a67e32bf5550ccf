//! The Schwefel function: 418.9829 d - Σ u sin √|u|.

use super::{Definition, Extremes, Link, Lowest, Points, extremum};
use crate::array::Array;
use crate::simd::math::sin_cos;
use crate::simd::{Real, Simd};

/// The largest value of u sin √|u| on the box, so that the minimum is 0.
const PEAK: f64 = 418.982_887_272_433_8;
/// The coordinate at which it is taken.
const PEAK_AT: f64 = 420.968_746_359_982_03;

pub(crate) struct Schwefel<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Schwefel<R> {
    const TITLE: &'static str = "Schwefel";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Schwefel function";
    const DOMAIN: [f64; 2] = [-500.0, 500.0];
    const LOWEST: Lowest = Lowest::Rounded;
    const EXPRESSION: Option<fn(Array) -> Array> = Some(|u| (PEAK - u * u.abs().sqrt().sin()).sum());

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        let highest = extremum::maximum(|u| PEAK - u * u.abs().sqrt().sin(), <Self as Definition<R>>::DOMAIN);
        Extremes { minimum: 0.0, maximum: highest * dimension as f64, minimizer: Some(PEAK_AT) }
    }

    fn steepest(_: usize) -> f64 {
        1.0 + 0.5 * 500f64.sqrt()
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        // d/du (u sin √|u|) = sin √|u| + ½ √|u| cos √|u|, which is 0 at u = 0 where the square root has no slope.
        points.add_up(|_, u| {
            let root = u.abs().sqrt();
            let (sin, cos) = sin_cos(root);
            (u.mul_sub_from(sin, PEAK), (root * cos).mul_add(-0.5, -sin))
        });
    }

    fn operations(dimension: usize) -> usize {
        9 * dimension
    }
}
