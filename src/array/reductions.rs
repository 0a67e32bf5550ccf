//! Reductions: sums, means, products, norms and extremes.

use super::{Array, Shape};
use crate::graph::operation::Reduction;

impl Array {
    #[track_caller]
    fn reduce(self, reduction: Reduction) -> Self {
        Self::record(&[self], Ok(Shape::Scalar), |graph| graph.reduce(reduction, self.node))
    }

    /// The sum of all elements.
    #[track_caller]
    pub fn sum(self) -> Self {
        self.reduce(Reduction::Sum)
    }

    /// The mean of all elements.
    #[track_caller]
    pub fn mean(self) -> Self {
        self.sum() * (1.0 / self.len() as f64)
    }

    /// The product of all elements.
    #[track_caller]
    pub fn product(self) -> Self {
        self.reduce(Reduction::Product)
    }

    /// The smallest element; elements that share it share its slope.
    #[track_caller]
    pub fn min(self) -> Self {
        self.reduce(Reduction::Min)
    }

    /// The largest element; elements that share it share its slope.
    #[track_caller]
    pub fn max(self) -> Self {
        self.reduce(Reduction::Max)
    }

    /// The Euclidean norm; its slope at 0 is taken for 0.
    #[track_caller]
    pub fn norm(self) -> Self {
        self.square().sum().sqrt()
    }

    /// ln Σ e^element, without overflow.
    #[track_caller]
    pub fn log_sum_exp(self) -> Self {
        let largest = self.max();
        let largest = Self::record(&[largest], Ok(Shape::Scalar), |graph| graph.detach(largest.node));
        (self - largest).exp().sum().ln() + largest
    }

    /// The sum of the products of two arrays of the same shape.
    #[track_caller]
    pub fn dot(self, other: impl Into<Self>) -> Self {
        (self * other.into()).sum()
    }

    /// The sums of the columns of a matrix (`axis` 0) or of its rows (`axis` 1).
    #[track_caller]
    pub fn sum_axis(self, axis: usize) -> Self {
        let shape = match (self.shape, axis) {
            (Shape::Matrix(_, columns), 0) => Ok(Shape::Vector(columns)),
            (Shape::Matrix(rows, _), 1) => Ok(Shape::Vector(rows)),
            (Shape::Vector(_), 0) => return self.sum(),
            (shape, axis) => Err(format!("a sum over axis {axis} needs an array with that axis, not {shape}")),
        };
        Self::record(&[self], shape, |graph| match self.shape {
            Shape::Matrix(_, columns) if axis == 0 => graph.sum_columns(self.node, columns),
            Shape::Matrix(_, columns) => graph.sum_rows(self.node, columns),
            Shape::Scalar | Shape::Vector(_) => self.node,
        })
    }

    /// The means of the columns of a matrix (`axis` 0) or of its rows (`axis` 1).
    #[track_caller]
    pub fn mean_axis(self, axis: usize) -> Self {
        let sums = self.sum_axis(axis);
        sums * (sums.len() as f64 / self.len() as f64)
    }

    /// Cumulative sums, in the order of the elements: a vector.
    #[track_caller]
    pub fn cumulative_sum(self) -> Self {
        let shape = Shape::Vector(self.len());
        Self::record(&[self], Ok(shape), |graph| graph.cumulate(self.node, false))
    }
}
