//! Numbers that a text of an expression knows by a name.

use super::{Array, Shape};
use crate::error::Error;
use crate::points;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

/// A vector or a matrix of finite numbers for [`Expression::parse`](super::Expression::parse). Clones share the numbers.
///
/// ```
/// use overparam::expression::Data;
/// use overparam::prelude::*;
///
/// let data = [("A".to_owned(), Data::matrix(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))];
/// let expression = Expression::parse("norm(A @ u - [1, 2])", [-1.0, 1.0], data)?;
/// assert!(expression.check(3).is_ok());
/// # Ok::<(), overparam::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Data {
    shape: Shape,
    values: Arc<[f64]>,
}

impl Hash for Data {
    /// Shape and numbers, bit by bit.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.shape.hash(state);
        self.values.iter().for_each(|value| value.to_bits().hash(state));
    }
}

impl Data {
    /// A vector.
    pub fn vector(values: impl Into<Vec<f64>>) -> Self {
        let values: Arc<[f64]> = values.into().into();
        Self { shape: Shape::Vector(values.len()), values }
    }

    /// A matrix of `rows` × `columns`, row by row. That there are so many numbers, and that they are finite, is checked with the
    /// expression.
    pub fn matrix(rows: usize, columns: usize, values: impl Into<Vec<f64>>) -> Self {
        Self { shape: Shape::Matrix(rows, columns), values: values.into().into() }
    }

    /// The numbers in the file `path`, named .csv or .parquet: a vector if there is one column, a matrix if there are several, with a row
    /// for each row of the file. A first line of names may be missing in CSV.
    ///
    /// # Errors
    /// If the file cannot be read, is empty, or has a value that is missing or no finite number; the message names column and row.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let columns = points::number_columns(path)?;
        let rows = columns.first().map_or(0, Vec::len);
        if rows == 0 {
            let problem = "expected at least one number, and there is none".to_owned();
            return Err(Error::Data { path: path.to_owned(), problem });
        }
        let values: Vec<f64> = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
        Ok(if columns.len() == 1 { Self::vector(values) } else { Self::matrix(rows, columns.len(), values) })
    }

    /// The constant in the recording under way.
    #[track_caller]
    pub(super) fn array(&self) -> Array {
        match self.shape {
            Shape::Vector(1) if !self.values[0].is_finite() => {
                Array::vector(&self.values).wrong(format!("constants must be finite numbers, not {}", self.values[0]))
            }
            Shape::Matrix(rows, columns) => Array::matrix(rows, columns, &self.values),
            _ => Array::vector(&self.values),
        }
    }
}
