//! L-BFGS: a quasi-Newton direction from the last steps, and a backtracking line search along it.

use super::{Parts, Update};
use crate::simd::Real;
use std::collections::VecDeque;

/// The share of the decrease that the slope promises which a step has to bring (Armijo's condition).
const SUFFICIENT: f64 = 1e-4;

/// Bounds of the factor by which a step that does not bring it is shortened.
const SHORTER: [f64; 2] = [0.1, 0.5];

/// After so many trials along one direction the history is dropped, and the gradient is followed.
const TRIALS: u32 = 20;

/// A step and the change of the gradient over it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// 1 / (step · change).
    curvature: f64,
}

/// The point that the line search set out from.
struct Origin {
    values: Vec<f64>,
    gradient: Vec<f64>,
    mean: f64,
    direction: Vec<f64>,
    /// The slope of the mean objective along the direction, negative.
    slope: f64,
    /// The length of the trial step, in directions.
    length: f64,
    trials: u32,
}

/// L-BFGS at work, in double precision whatever the parameters are in.
pub(super) struct Lbfgs {
    history: usize,
    pairs: VecDeque<Pair>,
    origin: Option<Origin>,
}

impl Lbfgs {
    pub(super) fn new(history: usize) -> Self {
        Self { history, pairs: VecDeque::new(), origin: None }
    }

    /// Minus the inverse Hessian, as the history knows it, times `gradient`: the two-loop recursion.
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
        let mut weights = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let weight = pair.curvature * dot(&pair.step, &direction);
            add(&mut direction, -weight, &pair.change);
            weights.push(weight);
        }
        if let Some(pair) = self.pairs.back() {
            let scale = 1.0 / (pair.curvature * dot(&pair.change, &pair.change));
            direction.iter_mut().for_each(|value| *value *= scale);
        }
        for (pair, weight) in self.pairs.iter().zip(weights.into_iter().rev()) {
            let correction = weight - pair.curvature * dot(&pair.change, &direction);
            add(&mut direction, correction, &pair.step);
        }
        direction
    }

    /// Sets out from a point along a new direction.
    fn set_out(&mut self, rate: f64, mean: f64, values: Vec<f64>, gradient: Vec<f64>) -> Origin {
        let mut direction = self.direction(&gradient);
        let mut slope = dot(&gradient, &direction);
        if !(slope < 0.0 && slope.is_finite()) {
            self.pairs.clear();
            direction = gradient.iter().map(|slope| -slope).collect();
            slope = dot(&gradient, &direction);
        }
        // Without a history the direction has the units of a gradient: the first step is at most as long as the rate.
        let length = if self.pairs.is_empty() { rate * (1.0 / norm(&gradient)).min(1.0) } else { rate };
        Origin { values, gradient, mean, direction, slope, length, trials: 0 }
    }
}

impl<R: Real> Update<R> for Lbfgs {
    fn step(&mut self, rate: f64, mean: f64, parts: &mut dyn Parts<R>) {
        let (mut values, mut gradient) = (Vec::new(), Vec::new());
        parts.visit(&mut |part, slopes| {
            values.extend(part.iter().map(|value| value.wide()));
            gradient.extend(slopes.iter().map(|slope| slope.wide()));
        });
        let origin = match self.origin.take() {
            None => self.set_out(rate, mean, values, gradient),
            Some(mut origin) => {
                if mean <= origin.mean + SUFFICIENT * origin.length * origin.slope {
                    let step: Vec<f64> = values.iter().zip(&origin.values).map(|(now, then)| now - then).collect();
                    let change: Vec<f64> =
                        gradient.iter().zip(&origin.gradient).map(|(now, then)| now - then).collect();
                    let product = dot(&step, &change);
                    if product > f64::EPSILON * dot(&change, &change) {
                        if self.pairs.len() == self.history {
                            self.pairs.pop_front();
                        }
                        self.pairs.push_back(Pair { step, change, curvature: 1.0 / product });
                    }
                    self.set_out(rate, mean, values, gradient)
                } else {
                    origin.trials += 1;
                    if origin.trials == TRIALS && !self.pairs.is_empty() {
                        self.pairs.clear();
                        self.set_out(rate, origin.mean, origin.values, origin.gradient)
                    } else {
                        // The minimum of the parabola through both objectives with the slope at the origin.
                        let rise = mean - origin.mean - origin.length * origin.slope;
                        let factor = -0.5 * origin.length * origin.slope / rise;
                        let [least, most] = SHORTER;
                        origin.length *= if factor.is_finite() { factor.clamp(least, most) } else { least };
                        origin
                    }
                }
            }
        };
        let mut place = 0;
        parts.visit(&mut |part, _| {
            for value in part {
                *value = R::of(origin.length.mul_add(origin.direction[place], origin.values[place]));
                place += 1;
            }
        });
        self.origin = Some(origin);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums side by side, which the compiler keeps in registers.
    let (mut sums, (heads, tails)) = ([0.0; 8], (a.as_chunks::<8>(), b.as_chunks::<8>()));
    for (a, b) in heads.0.iter().zip(tails.0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + heads.1.iter().zip(tails.1).map(|(a, b)| a * b).sum::<f64>()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// `to` += `factor` × `values`.
fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += factor * value;
    }
}
