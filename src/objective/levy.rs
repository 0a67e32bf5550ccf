//! The Levy function. With w = 1 + (u - 1)/4:
//! sin²(πw₁) + Σ_{i<d} (w_i - 1)² (1 + 10 sin²(πw_i + 1)) + (w_d - 1)² (1 + sin²(2πw_d)).
//! In one dimension the only coordinate is the first and the last, and the sum is empty.

use super::{Definition, Extremes, Link, Points, extremum};
use crate::array::Array;
use crate::simd::math::sin_cos_pi;
use crate::simd::{Lanes, Real, Simd};
use std::f64::consts::{FRAC_1_PI, PI};

pub(crate) struct Levy<R = f64>(std::marker::PhantomData<R>);

/// The summand of all coordinates but the last, at v = w - 1, and its derivative in v.
#[inline(always)]
fn inner<S: Simd, R: Real>(v: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    // sin(πw + 1) = -sin(πv + 1); its square is what counts.
    let (sin, cos) = sin_cos_pi(v + FRAC_1_PI);
    let wave = (sin * sin).mul_add(10.0, 1.0);
    (v * v * wave, v * (v * (20.0 * PI)).mul_add(sin * cos, wave + wave))
}

/// The summand of the last coordinate at v = w - 1, and its derivative in v.
#[inline(always)]
fn last<S: Simd, R: Real>(v: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (sin, cos) = sin_cos_pi(v + v);
    let wave = sin.mul_add(sin, 1.0);
    (v * v * wave, v * (v * (4.0 * PI)).mul_add(sin * cos, wave + wave))
}

/// The extra summand of the first coordinate at v = w - 1, and its derivative in v.
#[inline(always)]
fn first<S: Simd, R: Real>(v: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (sin, cos) = sin_cos_pi(v);
    (sin * sin, sin * cos * (2.0 * PI))
}

impl<R: Real> Definition<R> for Levy<R> {
    const TITLE: &'static str = "Levy";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Levy function";
    const DOMAIN: [f64; 2] = [-10.0, 10.0];
    const EXPRESSION: Option<fn(Array) -> Array> = Some(|u| {
        let v = 0.25 * u - 0.25;
        // 1 for all coordinates but the last, which has 2πv where they have πv + 1 = π(v + 1/π).
        let inner = u.index().less(u.len() as f64 - 1.0);
        let wave = (PI * ((2.0 - inner) * v + FRAC_1_PI * inner)).sin().square();
        (v.square() * (1.0 + (1.0 + 9.0 * inner) * wave)).sum() + (PI * v.at(0)).sin().square()
    });

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    /// The program takes the mean over the terms in the middle.
    fn published_factor(dimension: usize) -> f64 {
        1.0 / (dimension as f64 - 1.0).max(1.0)
    }

    fn extremes(dimension: usize) -> Extremes {
        let domain = <Self as Definition<R>>::DOMAIN.map(|u| (u - 1.0) / 4.0);
        let first = |v: f64| (PI * v).sin().powi(2);
        let inner = |v: f64| v * v * (1.0 + 10.0 * (PI * v + 1.0).sin().powi(2));
        let last = |v: f64| v * v * (1.0 + (2.0 * PI * v).sin().powi(2));
        let maximum = match dimension {
            0 => 0.0,
            1 => extremum::maximum(|v| first(v) + last(v), domain),
            _ => {
                extremum::maximum(|v| first(v) + inner(v), domain)
                    + extremum::maximum(inner, domain) * (dimension - 2) as f64
                    + extremum::maximum(last, domain)
            }
        };
        Extremes { minimum: 0.0, maximum, minimizer: Some(1.0) }
    }

    fn steepest(_: usize) -> f64 {
        // |v| ≤ 2.75: 22 |v| + 10 π v² of an inner summand, more than the last has; π more of the first coordinate; and du = 4 dv.
        0.25 * (22.0 * 2.75 + 10.0 * PI * 2.75 * 2.75 + PI)
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        points.each(|point| {
            // What the first coordinate has besides its summand.
            let (mut value, mut extra) = (point.constant(0.0), point.constant(0.0));
            for i in 0..point.dimension {
                let v = point.coordinate(i).mul_add(0.25, -0.25);
                if i == 0 {
                    (value, extra) = first(v);
                }
                let (summand, slope) = if i + 1 < point.dimension { inner(v) } else { last(v) };
                value += summand;
                point.slope(i, (slope + extra) * 0.25);
                extra = point.constant(0.0);
            }
            value
        });
    }

    fn operations(dimension: usize) -> usize {
        18 * dimension
    }
}
