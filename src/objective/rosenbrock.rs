//! The Rosenbrock function: Σ_{i<d} 100 (u_{i+1} - u_i²)² + (u_i - 1)².

use super::{Definition, Extremes, Link, Points};
use crate::array::Array;
use crate::simd::{Real, Simd};

/// The steepness of the valley's walls.
const WALL: f64 = 100.0;

pub(crate) struct Rosenbrock<R = f64>(std::marker::PhantomData<R>);

impl<R: Real> Definition<R> for Rosenbrock<R> {
    const TITLE: &'static str = "Rosenbrock";
    const SOURCE: &'static str =
        "Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments: Rosenbrock function";
    const DOMAIN: [f64; 2] = [-5.0, 10.0];
    const DIMENSIONS: (usize, &'static str) = (2, "2 or more for the Rosenbrock function, a sum over pairs of neighbors");
    const UNITS: [f64; 2] = [1.0, 2.0 * WALL];
    const EXPRESSION: Option<fn(Array) -> Array> = Some(|u| {
        if u.len() == 1 {
            return Array::scalar(0.0);
        }
        let (before, next) = (u.slice(..-1), u.slice(1..));
        (WALL * (next - before.square()).square() + (before - 1.0).square()).sum()
    });

    fn new(_: usize, _: u64) -> Self {
        Self(Default::default())
    }

    fn extremes(dimension: usize) -> Extremes {
        // A summand is convex in u_{i+1} and largest at u_i = 10; the last coordinate is then best at -5, the others at 10.
        let summand = |u: f64, next: f64| WALL * (next - u * u).powi(2) + (u - 1.0).powi(2);
        let maximum = match dimension.checked_sub(2) {
            Some(others) => summand(10.0, 10.0) * others as f64 + summand(10.0, -5.0),
            None => 0.0,
        };
        Extremes { minimum: 0.0, maximum, minimizer: Some(1.0) }
    }

    fn steepest(_: usize) -> f64 {
        // |u| ≤ 10, and |u_{i+1} - u_i²| ≤ 105: as the first coordinate of a summand and as the second.
        4.0 * WALL * 105.0 * 10.0 + 2.0 * 9.0 + 2.0 * WALL * 105.0
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        points.each(|point| {
            // In the units a summand is wall²/2 + pull²/200.
            let [mut walls, mut pulls, mut before] = [point.constant(0.0); 3];
            let mut u = point.coordinate(0);
            for i in 1..point.dimension {
                let next = point.coordinate(i);
                let (wall, pull) = (u.mul_sub_from(u, next), u - 1.0);
                (walls, pulls) = (wall.mul_add(wall, walls), pull.mul_add(pull, pulls));
                // What the summand before has in its second coordinate, and what this one has in its first.
                point.slope(i - 1, pull.mul_add(1.0 / WALL, wall.mul_sub_from(u + u, before)));
                (before, u) = (wall, next);
            }
            point.slope(point.dimension - 1, before);
            walls.mul_add(0.5, pulls * (0.5 / WALL))
        });
    }

    fn operations(dimension: usize) -> usize {
        12 * dimension
    }
}
