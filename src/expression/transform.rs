//! Expressions of other coordinates: built-in functions as expressions, and shifts, rotations and scalings of any of them.

use super::{Bounds, Expression, Recording};
use crate::array::Mistake;
use crate::graph::operation::Binary;
use crate::graph::{Data, Graph, Id};
use crate::objective::{Function, Lowest, Source};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;

impl Function {
    /// The function f as an expression in its box, without a range, to be shifted, rotated and scaled. None for the spin glass, whose couplings are
    /// drawn.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// let rastrigin = Function::Rastrigin.expression().expect("it is a test function");
    /// assert_eq!(Problem::from(rastrigin).evaluate(2, 0, &[0.5, 0.5])?.raw, [0.0]);
    /// # Ok::<(), overparam::Error>(())
    /// ```
    pub fn expression(self) -> Option<Expression> {
        let of = self.array()?;
        let Bounds::All(bounds) = Source::bounds(&self, 1) else { return None };
        Some(Expression::new(self.name(), bounds, move |u| match self.lowest() {
            Lowest::Zero => of(u) + self.describe(u.len()).minimum,
            Lowest::Rounded | Lowest::Unknown => of(u),
        }))
    }
}

/// The map of the coordinates, from the middle of the box.
enum Change {
    Shift(Vec<f64>),
    /// A matrix, row by row.
    Rotation(Vec<f64>),
    Scaling(Vec<f64>),
}

impl Change {
    /// # Errors
    /// If there are too few or too many numbers, or one is not finite.
    fn apply(&self, graph: &mut Graph, centered: Id, dimension: usize) -> Result<Id, String> {
        let (name, numbers, expected) = match self {
            Self::Shift(shift) => ("shift", shift, dimension),
            Self::Rotation(matrix) => ("rotation", matrix, dimension * dimension),
            Self::Scaling(factors) => ("scaling", factors, dimension),
        };
        if numbers.len() != expected {
            let given = numbers.len();
            return Err(format!(
                "its {name} must be {expected} numbers for points of {dimension} coordinates, not {given}"
            ));
        }
        if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
            return Err(format!("its {name} must be of finite numbers, not {number}"));
        }
        let data = |graph: &mut Graph| graph.data(numbers[..].into());
        Ok(match self {
            Self::Shift(_) => {
                let shift = data(graph);
                graph.binary(Binary::Subtract, centered, shift)
            }
            Self::Rotation(_) => graph.product(Data(numbers[..].into()), dimension, dimension, centered),
            Self::Scaling(_) => {
                let factors = data(graph);
                graph.binary(Binary::Multiply, centered, factors)
            }
        })
    }
}

/// Of the coordinates that are the input, the middle and, in their unit, what a step of 1 in the box is.
fn middle_and_unit(graph: &mut Graph, bounds: &Bounds) -> [Id; 2] {
    match bounds {
        Bounds::All([lo, hi]) => [0.5 * (lo + hi), 1.0].map(|number| graph.scalar(number)),
        Bounds::Each(bounds) => {
            [graph.scalar(0.5), graph.data(bounds.iter().map(|[lo, hi]| 1.0 / (hi - lo)).collect())]
        }
    }
}

impl Expression {
    /// The expression f(u - shift): what is at u moves to u + shift. The box and the range stay, so that part of f leaves the box and
    /// something from beyond comes in.
    ///
    /// ```
    /// use overparam::expression::rotation;
    /// use overparam::prelude::*;
    ///
    /// // Rotated and shifted, as in the suites of COCO (Hansen et al., 2009): f(R (u - shift)).
    /// let rastrigin = Function::Rastrigin.expression().expect("it is a test function");
    /// let rotated = rastrigin.rotated(rotation(3, 0)).shifted([1.0, -2.0, 0.5]).named("rotated-rastrigin");
    /// let at = |u: f64| (u + 5.12) / 10.24;
    /// assert!(Problem::from(rotated).evaluate(3, 0, &[at(1.0), at(-2.0), at(0.5)])?.raw[0].abs() < 1e-12);
    /// # Ok::<(), overparam::Error>(())
    /// ```
    #[must_use]
    pub fn shifted(self, shift: impl Into<Vec<f64>>) -> Self {
        self.changed(Change::Shift(shift.into()))
    }

    /// The expression f(m + R (u - m)), where m is the middle of the box and `matrix` has the rows of R, a [`rotation`] or any other.
    #[must_use]
    pub fn rotated(self, matrix: impl Into<Vec<f64>>) -> Self {
        self.changed(Change::Rotation(matrix.into()))
    }

    /// The expression f(m + s (u - m)), where m is the middle of the box and `factors` has an s for each coordinate, such as those of
    /// [`conditioning`].
    #[must_use]
    pub fn scaled(self, factors: impl Into<Vec<f64>>) -> Self {
        self.changed(Change::Scaling(factors.into()))
    }

    /// The expression with its coordinates changed.
    fn changed(self, change: Change) -> Self {
        let inner: Arc<Recording> = self.recording.clone();
        let recording: Arc<Recording> = Arc::new(move |dimension, bounds, place| {
            let (recorded, value) = match inner(dimension, bounds, place)? {
                Ok(recorded) => recorded,
                Err(mistake) => return Ok(Err(mistake)),
            };
            let mut graph = Graph::default();
            let input = graph.input(dimension);
            let [middle, unit] = middle_and_unit(&mut graph, bounds);
            let centered = graph.binary(Binary::Subtract, input, middle);
            let centered = graph.binary(Binary::Divide, centered, unit);
            let changed = match change.apply(&mut graph, centered, dimension) {
                Ok(changed) => changed,
                Err(text) => return Ok(Err(Mistake { text, place })),
            };
            let scaled = graph.binary(Binary::Multiply, changed, unit);
            let input = graph.binary(Binary::Add, scaled, middle);
            let [value] = graph.take_in(&recorded, [value], input, |graph, a, b| graph.binary(Binary::Multiply, a, b));
            Ok(Ok((graph, value)))
        });
        Self { recording, sizes: Arc::default(), ..self }
    }
}

/// A random orthogonal matrix of `dimension` rows and columns, drawn from `seed`: normal numbers, made orthogonal row by row (Gram-Schmidt).
///
/// ```
/// let rotation = overparam::expression::rotation(2, 7);
/// assert!((rotation[0] * rotation[2] + rotation[1] * rotation[3]).abs() < 1e-15);
/// ```
pub fn rotation(dimension: usize, seed: u64) -> Vec<f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(dimension);
    while rows.len() < dimension {
        let mut row: Vec<f64> = (0..dimension).map(|_| StandardNormal.sample(&mut generator)).collect();
        let before = norm(&row);
        // Twice: the second time removes the parts of the others that rounding left.
        for other in rows.iter().chain(&rows) {
            let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
            row.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let length = norm(&row);
        // Almost a sum of the others: another one.
        if length > 1e-6 * before {
            row.iter_mut().for_each(|a| *a /= length);
            rows.push(row);
        }
    }
    rows.concat()
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The factors c^(½ i/(d - 1)) of the coordinates i = 0, …, d - 1, which make a bowl a valley whose curvatures are up to `condition` apart
/// (Hansen et al., 2009).
pub fn conditioning(dimension: usize, condition: f64) -> Vec<f64> {
    let last = dimension.saturating_sub(1).max(1) as f64;
    (0..dimension).map(|i| condition.powf(0.5 * i as f64 / last)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::tests::irregular;
    use crate::objective::Problem;

    /// Values and gradients of the built-in functions. Values are compared with the largest in the box, whose rounding the built-in functions'
    /// scale brings along.
    #[test]
    fn expressions_agree_with_the_built_in_functions() {
        for function in Function::ALL {
            let Some(expression) = function.expression() else {
                assert_eq!(function, Function::SpinGlass);
                continue;
            };
            for d in [1, 2, 3, 50].into_iter().filter(|&d| d >= function.smallest_dimension()) {
                let description = function.describe(d);
                let expression = Problem::from(expression.clone().range(description.minimum, description.maximum));
                let points = 65;
                let x = irregular(points * d, [0.0, 1.0], d);
                let built_in = function.evaluate::<f64>(d, 0, &x).unwrap();
                let found = expression.evaluate::<f64>(d, 0, &x).unwrap();
                let (values, gradients) = (found.scaled, found.gradient);
                for (point, (&found, &expected)) in values.iter().zip(&built_in.scaled).enumerate() {
                    let error = (found - expected).abs();
                    assert!(error <= 1e-12 * expected.abs() + 1e-14, "{function} of {d}: {found}, expected {expected}");
                    let place = point * d..(point + 1) * d;
                    let (found, expected) = (&gradients[place.clone()], &built_in.gradient[place]);
                    let largest = expected.iter().fold(0.0f64, |largest, slope| largest.max(slope.abs()));
                    for (found, expected) in found.iter().zip(expected) {
                        let error = (found - expected).abs();
                        assert!(error <= 1e-12 * largest, "{function} of {d}: slope {found}, expected {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn changes_of_coordinates_are_what_they_say() {
        let d = 5;
        for bounds in
            [Bounds::from([-1.0, 3.0]), Bounds::from((0..d).map(|i| [-1.0, 1.0 + i as f64]).collect::<Vec<_>>())]
        {
            let plain = Expression::with_cube("plain", bounds.clone(), |u, x| {
                Ok((u * (1.0 + u.index()) + x.sin()).square().sum() + u.at(0) * u.at(-1))
            });
            let (shift, matrix) = (irregular(d, [-1.0, 1.0], 3), rotation(d, 1));
            let factors = conditioning(d, 100.0);
            assert_eq!((factors[0], factors[d - 1]), (1.0, 10.0));
            let changed = plain.clone().scaled(&factors[..]).rotated(&matrix[..]).shifted(&shift[..]);
            let x = irregular(9 * d, [0.0, 1.0], 4);
            let found = Problem::from(&changed).evaluate::<f64>(d, 0, &x).unwrap();
            let middle: Vec<f64> = (0..d).map(|i| bounds.to_box(i, 0.5)).collect();
            let moved: Vec<f64> = x
                .chunks(d)
                .flat_map(|x| {
                    let from_middle = |i: usize| bounds.to_box(i, x[i]) - shift[i] - middle[i];
                    let turned = |row: usize| (0..d).map(|i| matrix[row * d + i] * from_middle(i)).sum::<f64>();
                    let back = |i: usize| {
                        let [lo, hi] = bounds.of(i).unwrap();
                        (factors[i] * turned(i)) / (hi - lo) + 0.5
                    };
                    (0..d).map(back).collect::<Vec<_>>()
                })
                .collect();
            let expected = Problem::from(&plain).evaluate::<f64>(d, 0, &moved).unwrap();
            for (found, expected) in found.raw.iter().zip(&expected.raw) {
                assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{found}, expected {expected}");
            }
            assert!(Problem::from(&changed).gradient_error(d, 0).unwrap() < 1e-7);
            let message = plain.clone().shifted([1.0]).check(d).unwrap_err().to_string();
            assert!(message.contains("its shift must be 5 numbers for points of 5 coordinates, not 1"), "{message}");
            let message = plain.rotated(vec![f64::NAN; d * d]).check(d).unwrap_err().to_string();
            assert!(message.contains("its rotation must be of finite numbers, not NaN"), "{message}");
        }
    }

    #[test]
    fn rotations_are_orthogonal() {
        for d in [1, 2, 50] {
            let matrix = rotation(d, 3);
            for (i, row) in matrix.chunks(d).enumerate() {
                for (j, other) in matrix.chunks(d).enumerate() {
                    let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                    assert!((along - f64::from(u8::from(i == j))).abs() < 1e-14, "rows {i} and {j} of {d}: {along}");
                }
            }
            // In one dimension there are two.
            assert!(d == 1 || matrix != rotation(d, 4));
        }
    }
}
