//! The Styblinski-Tang function: ½ Σ (u⁴ - 16 u² + 5 u).

use super::{Definition, Extremes, Link, Points};
use crate::array::Array;
use crate::simd::{Real, Simd};

/// The minimum in one dimension, and where it is: the smallest root of 2 u³ - 16 u + 2.5.
const LOWEST: f64 = -39.166_165_703_771_42;
const LOWEST_AT: f64 = -2.903_534_027_771_177;
/// √(LOWEST_AT² - 8), the unit of a coordinate.
const UNIT: f64 = 0.656_132_494_565_781;
/// LOWEST_AT in the unit, and its square.
const AT: f64 = -4.425_225_166_896_656;
const AT_SQUARED: f64 = 19.582_617_777_735_533;

pub(crate) struct StyblinskiTang<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for StyblinskiTang<R> {
    const TITLE: &'static str = "Styblinski-Tang";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Styblinski-Tang function";
    const DOMAIN: [f64; 2] = [-5.0, 5.0];
    const UNITS: [f64; 2] = [UNIT, 2.0 * UNIT * UNIT * UNIT * UNIT];
    const EXPRESSION: Option<fn(Array) -> Array> = Some(|u| {
        // Above the minimum, which is at a: ½ (u² - a²)² + (a² - 8) (u - a)².
        let (apart, off) = (u.square() - LOWEST_AT * LOWEST_AT, u - LOWEST_AT);
        (0.5 * apart.square() + UNIT * UNIT * off.square()).sum()
    });

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        let d = dimension as f64;
        // At u = 5: ½ (625 - 400 + 25).
        Extremes { minimum: LOWEST * d, maximum: 125.0 * d, minimizer: Some(LOWEST_AT) }
    }

    fn steepest(_: usize) -> f64 {
        // |2 u³ - 16 u + 2.5| at u = 5: in between it is less.
        250.0 - 80.0 + 2.5
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        points.each(|point| {
            // With a the place of the minimum, a summand is ½ (u² - a²)² + (a² - 8) (u - a)² above it, and its slope is
            // 2 u (u² - a²) + 2 (a² - 8) (u - a). The units leave ¼ (u² - a²)² + ½ (u - a)², with the slope u (u² - a²) + u - a.
            let [mut quartics, mut squares] = [point.constant(0.0); 2];
            for i in 0..point.dimension {
                let u = point.coordinate(i);
                let (apart, off) = (u.mul_add(u, -AT_SQUARED), u - AT);
                (quartics, squares) = (apart.mul_add(apart, quartics), off.mul_add(off, squares));
                point.slope(i, u.mul_add(apart, off));
            }
            quartics.mul_add(0.25, squares * 0.5)
        });
    }

    fn operations(dimension: usize) -> usize {
        9 * dimension
    }
}
