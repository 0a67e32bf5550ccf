//! Parts of arrays, other shapes, and products of matrices.

use super::{Array, LONGEST, Shape};
use crate::graph::Indices;
use std::ops::{Bound, RangeBounds};

impl Array {
    /// `count` elements of a vector or rows of a matrix, at `indices`.
    #[track_caller]
    fn take(self, indices: Indices, count: usize) -> Self {
        match self.shape {
            Shape::Matrix(_, columns) => {
                let shape = Shape::Matrix(count, columns);
                let places = || (0..count).flat_map(|k| (0..columns).map(move |j| (k, j)));
                Self::record(&[self], Ok(shape), |graph| {
                    let list = places().map(|(k, j)| (indices.at(k) * columns + j) as u32).collect();
                    graph.gather(self.node, Indices::List(list), shape.len())
                })
            }
            _ => Self::record(&[self], Ok(Shape::Vector(count)), |graph| graph.gather(self.node, indices, count)),
        }
    }

    /// The number of elements of a vector or rows of a matrix.
    fn extent(self) -> Result<usize, String> {
        match self.shape {
            Shape::Vector(len) | Shape::Matrix(len, _) => Ok(len),
            Shape::Scalar => Err("a scalar has no parts to take".to_owned()),
        }
    }

    /// A part of a vector, or some rows of a matrix. Ends below 0 count from the end, as in numpy: `u.slice(1..)`, `u.slice(..-1)`.
    #[track_caller]
    pub fn slice(self, range: impl RangeBounds<isize>) -> Self {
        self.slice_step(range, 1)
    }

    /// Every `step`-th element of a part of a vector, or row of a matrix: `u.slice_step(.., 3)`. A step below 0 goes backwards, from a
    /// start that is then the larger end, as numpy has it.
    #[track_caller]
    pub fn slice_step(self, range: impl RangeBounds<isize>, step: isize) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => Some(start),
            Bound::Excluded(&start) => Some(start.saturating_add(1)),
            Bound::Unbounded => None,
        };
        let end = match range.end_bound() {
            // The end that counts from the end and includes the last has no number.
            Bound::Included(&-1) => None,
            Bound::Included(&end) => Some(end.saturating_add(1)),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => None,
        };
        self.slice_between(start, end, step)
    }

    /// numpy's `self[start:end:step]`.
    #[track_caller]
    pub(crate) fn slice_between(self, start: Option<isize>, end: Option<isize>, step: isize) -> Self {
        if self.is_undefined() {
            return self;
        }
        let len = match self.extent() {
            Ok(len) => len as isize,
            Err(text) => return self.wrong(text),
        };
        if step == 0 {
            return self.wrong("the step of a slice must be other than 0");
        }
        let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let place = |end: isize| if end < 0 { end.saturating_add(len) } else { end }.clamp(lowest, highest);
        let first = start.map_or(if step > 0 { lowest } else { highest }, place);
        let end = end.map_or(if step > 0 { highest } else { lowest }, place);
        let span = if step > 0 { end - first } else { first - end };
        if span <= 0 {
            return self.wrong(format!("the slice from {first} to {end} by {step} of {} holds nothing", self.shape));
        }
        let count = (span as usize).div_ceil(step.unsigned_abs());
        self.take(Indices::Slice { start: first as usize, step }, count)
    }

    /// The place of element or row `index`, which counts from the end where it is below 0.
    fn place(self, index: isize) -> Result<usize, String> {
        let len = self.extent()?;
        let place = if index < 0 { index.saturating_add(len as isize) } else { index };
        usize::try_from(place).ok().filter(|&place| place < len).ok_or_else(|| {
            let part = if matches!(self.shape, Shape::Matrix(..)) { "row" } else { "element" };
            format!("{} has no {part} {index}: they are counted from 0", self.shape)
        })
    }

    /// An element of a vector, a scalar, or a row of a matrix, a vector; the last one is `at(-1)`.
    #[track_caller]
    pub fn at(self, index: isize) -> Self {
        if self.is_undefined() {
            return self;
        }
        let place = match self.place(index) {
            Ok(place) => place,
            Err(text) => return self.wrong(text),
        };
        let (shape, start) = match self.shape {
            Shape::Matrix(_, columns) => (Shape::Vector(columns), place * columns),
            _ => (Shape::Scalar, place),
        };
        Self::record(&[self], Ok(shape), |graph| {
            graph.gather(self.node, Indices::Slice { start, step: 1 }, shape.len())
        })
    }

    /// A column of a matrix; the last one is `column(-1)`.
    #[track_caller]
    pub fn column(self, index: isize) -> Self {
        self.transpose().at(index)
    }

    /// Elements of a vector, or rows of a matrix, in the order of `indices`, which count from 0 and may repeat.
    #[track_caller]
    pub fn gather(self, indices: &[usize]) -> Self {
        if self.is_undefined() {
            return self;
        }
        let list: Result<Vec<u32>, String> =
            indices.iter().map(|&index| Ok(self.place(isize::try_from(index).unwrap_or(isize::MAX))? as u32)).collect();
        match list {
            Ok(list) if list.is_empty() => self.wrong("a gathering needs at least one index"),
            Ok(list) => self.take(Indices::List(list.into()), indices.len()),
            Err(text) => self.wrong(text),
        }
    }

    /// All pairs i < j of the elements of a vector or of the rows of a matrix: the i, and the j, in the order of [`pairs`].
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// // The energy of 13 atoms (Lennard-Jones), in units in which a pair is at -1 in the distance 1.
    /// let cluster = Expression::new("Lennard-Jones", [-2.0, 2.0], |u| {
    ///     let (a, b) = u.reshape(13, 3).pairs();
    ///     let r2 = (a - b).square().sum_axis(1);
    ///     (r2.powi(-6) - 2.0 * r2.powi(-3)).sum()
    /// });
    /// assert!(cluster.check(39).is_ok());
    /// ```
    #[track_caller]
    pub fn pairs(self) -> (Self, Self) {
        if self.is_undefined() {
            return (self, self);
        }
        match self.extent() {
            Ok(rows) if rows.saturating_mul(rows - 1) / 2 > LONGEST => {
                (self.wrong(format!("the pairs of {rows} rows or elements are more than {LONGEST}")), self)
            }
            Ok(rows) if rows >= 2 => {
                let [first, second] = pairs(rows);
                (self.gather(&first), self.gather(&second))
            }
            Ok(_) => (self.wrong("pairs need at least two elements or rows, not 1"), self),
            Err(text) => (self.wrong(text), self),
        }
    }

    /// The elements as a matrix of `rows` × `columns`, row by row.
    #[track_caller]
    pub fn reshape(self, rows: usize, columns: usize) -> Self {
        let fits = rows.checked_mul(columns) == Some(self.len());
        let shape = if fits {
            Ok(Shape::Matrix(rows, columns))
        } else {
            Err(format!("{} with {} elements does not fill {rows} × {columns}", self.shape, self.len()))
        };
        Self::record(&[self], shape, |_| self.node)
    }

    /// The elements as a vector, row by row.
    #[track_caller]
    pub fn flatten(self) -> Self {
        Self::record(&[self], Ok(Shape::Vector(self.len())), |_| self.node)
    }

    /// The transposed matrix; a vector is its own.
    #[track_caller]
    pub fn transpose(self) -> Self {
        let Shape::Matrix(rows, columns) = self.shape else { return self };
        Self::record(&[self], Ok(Shape::Matrix(columns, rows)), |graph| graph.transpose(self.node, rows, columns))
    }

    /// Scalars and vectors one after the other, a vector; or matrices with as many columns one below the other.
    #[track_caller]
    pub fn concatenate(parts: &[Self]) -> Self {
        let Some(first) = parts.first() else {
            return Self::scalar(0.0).wrong("a concatenation needs at least one part");
        };
        if let Some(undefined) = parts.iter().find(|part| part.is_undefined()) {
            return *undefined;
        }
        let columns = |part: &Self| if let Shape::Matrix(_, columns) = part.shape { Some(columns) } else { None };
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let shape = match parts.iter().find(|part| columns(part) != columns(first)) {
            Some(other) => Err(format!("{} and {} do not fit one after the other", first.shape, other.shape)),
            None => Ok(columns(first).map_or(Shape::Vector(len), |columns| Shape::Matrix(len / columns, columns))),
        };
        Self::record(parts, shape, |graph| graph.concat(parts.iter().map(|part| part.node).collect()))
    }

    /// The matrix product, numpy's `@`: matrix × vector, vector × matrix, matrix × matrix, or of two vectors their scalar product. With a
    /// constant matrix it is computed by the crate's own matrix products.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// let data = vec![0.5; 20 * 6];
    /// let fit = Expression::new("least squares", [-1.0, 1.0], move |u| {
    ///     (Array::matrix(20, 6, &data).matmul(u) - 1.0).square().mean()
    /// });
    /// assert!(fit.check(6).is_ok());
    /// // A matrix of the wrong width is an error that says so.
    /// assert!(fit.check(7).is_err());
    /// ```
    #[track_caller]
    pub fn matmul(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        if self.is_undefined() || other.is_undefined() {
            return self.undefined_with(other);
        }
        // As matrices: a vector on the left is a row, on the right a column.
        let (rows, inner) = match self.shape {
            Shape::Matrix(rows, columns) => (rows, columns),
            shape => (1, shape.len()),
        };
        let (inner_too, columns) = match other.shape {
            Shape::Matrix(rows, columns) => (rows, columns),
            shape => (shape.len(), 1),
        };
        let shape = match (self.shape, other.shape) {
            (Shape::Scalar, _) | (_, Shape::Scalar) => {
                Err("a matrix product with a scalar is written with *".to_owned())
            }
            _ if inner != inner_too => Err(format!(
                "the product of {} and {}: the {inner} columns on the left must be as many as the {inner_too} rows on the right",
                self.shape, other.shape
            )),
            (Shape::Vector(_), Shape::Vector(_)) => return self.dot(other),
            (Shape::Vector(_), Shape::Matrix(..)) => Ok(Shape::Vector(columns)),
            (Shape::Matrix(..), Shape::Vector(_)) => Ok(Shape::Vector(rows)),
            (Shape::Matrix(..), Shape::Matrix(..)) => {
                match rows.checked_mul(columns).and_then(|n| n.checked_mul(inner)) {
                    Some(work) if work <= LONGEST => Ok(Shape::Matrix(rows, columns)),
                    _ => Err(format!("a product of {rows} × {inner} and {inner} × {columns} is too large")),
                }
            }
        };
        Self::record(&[self, other], shape, |graph| graph.matmul(self.node, other.node, [rows, inner, columns]))
    }
}

/// All pairs i < j of 0, 1, …, `count` - 1, row by row: the i, and the j.
pub fn pairs(count: usize) -> [Vec<usize>; 2] {
    let all = || (0..count).flat_map(|i| (i + 1..count).map(move |j| [i, j]));
    [all().map(|[i, _]| i).collect(), all().map(|[_, j]| j).collect()]
}
