//! The Michalewicz function: -Σ sin u_i sin^2m(i u_i²/π), i from 1, with m = 10.

use super::{Definition, Extremes, Link, Lowest, Points, extremum};
use crate::array::Array;
use crate::simd::math::{sin_cos, sin_cos_pi};
use crate::simd::{Real, Simd};
use std::f64::consts::{FRAC_1_PI, PI};

/// The steepness m.
const STEEPNESS: i32 = 10;

/// Up to which sin²(i u²/π) a summand and its slope are taken for 0. In `f32`, sin¹⁹ is up to 7e-18 there, and the slope is 1e-14 of the
/// largest; what is left is far enough from the smallest normal number that no product with it, in a descent at any rate, is subnormal:
/// many processors take a hundred times as long over those.
const fn flat<R: Real>() -> f64 {
    if size_of::<R>() == size_of::<f32>() { 1.0 / 64.0 } else { 1e-30 }
}

pub(crate) struct Michalewicz<R = f64>(std::marker::PhantomData<R>);

/// sin u sin^2m(i u²/π).
fn summand(i: usize, u: f64) -> f64 {
    u.sin() * (i as f64 * u * u / PI).sin().powi(2 * STEEPNESS)
}

/// The largest [`summand`] on [0, π]. Its arches lie between the zeros of the second sine, u = π √(k/i), and the
/// highest is one of those nearest to π/2, the maximum of the first: k near i/4.
fn peak(i: usize) -> f64 {
    let zero = |k: usize| PI * (k as f64 / i as f64).sqrt();
    let arches = (i / 4).saturating_sub(3)..(i / 4 + 4).min(i);
    arches.map(|k| extremum::unimodal_maximum(|u| summand(i, u), zero(k), zero(k + 1))).fold(0.0, f64::max)
}

impl<R: Real> Definition<R> for Michalewicz<R> {
    const TITLE: &'static str = "Michalewicz";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Michalewicz function";
    const DOMAIN: [f64; 2] = [0.0, PI];
    const LOWEST: Lowest = Lowest::Rounded;
    const EXPRESSION: Option<fn(Array) -> Array> = Some(|u| {
        let waves = ((u.index() + 1.0) * u.square() / PI).sin();
        -(u.sin() * waves.powi(2 * STEEPNESS)).sum()
    });

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        // The minimizer is not kept: it is where the 1-D searches end, known to their precision only.
        Extremes { minimum: -(1..=dimension).map(peak).sum::<f64>(), maximum: 0.0, minimizer: None }
    }

    fn steepest(dimension: usize) -> f64 {
        // |cos sin^20| ≤ 1, and 40 i u/π |sin^19 cos|, which is largest where sin² is 19/20, with u ≤ π.
        1.0 + 40.0 * 0.95f64.powf(9.5) * 0.05f64.sqrt() * dimension as f64
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        points.each(|point| {
            let mut sum = point.constant(0.0);
            for i in 0..point.dimension {
                let u = point.coordinate(i);
                // sin(i u²/π) = sin(π · i/π² · u²).
                let rate = (i + 1) as f64 * (FRAC_1_PI * FRAC_1_PI);
                let (sin, cos) = sin_cos(u);
                let (wave, wave_cos) = sin_cos_pi(u * rate * u);
                let square = wave * wave;
                // Not of the square itself: the comparison takes no longer than this product.
                let fourth = square.less_than(flat::<R>(), 0.0, square * square);
                let eighth = fourth * fourth;
                let nineteenth = eighth * eighth * square * wave;
                // -d/du sin^20(π r u²) = -40 π r u sin^19 cos.
                let turn = u * (-4.0 * f64::from(STEEPNESS) * PI * rate) * wave_cos;
                sum += sin * nineteenth * wave;
                point.slope(i, nineteenth * cos.mul_sub_from(wave, sin * turn));
            }
            -sum
        });
    }

    fn operations(dimension: usize) -> usize {
        21 * dimension
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_point_is_above_the_peak() {
        const POINTS: usize = 100_000;
        for i in 1..=60 {
            let grid = (0..=POINTS).map(|point| summand(i, PI * point as f64 / POINTS as f64));
            let highest = grid.fold(0.0, f64::max);
            // An arch falls off by ½ (40 i u/π)²/20 (u - u₀)², and half a cell is 1.6e-5.
            let missed = 10.0 * (i * i) as f64 * 1.6e-5f64.powi(2);
            assert!((-1e-12..missed).contains(&(peak(i) - highest)), "i = {i}: {} against {highest}", peak(i));
        }
    }
}
