//! Operations element by element.

use super::{Array, Shape, undefined};
use crate::graph::Indices;
use crate::graph::operation::{Binary, Unary};
use std::ops::{Add, Div, Mul, Neg, Sub};

impl Array {
    #[track_caller]
    fn unary(self, operation: Unary) -> Self {
        Self::record(&[self], Ok(self.shape), |graph| graph.unary(operation, self.node))
    }

    #[track_caller]
    fn binary(self, name: &str, operation: Binary, other: Self) -> Self {
        let Ok((shape, [a, b])) = Self::together(name, [self, other]) else { return self.undefined_with(other) };
        Self::record(&[a, b], Ok(shape), |graph| graph.binary(operation, a.node, b.node))
    }

    /// The result where one of two arrays is undefined.
    pub(super) fn undefined_with(self, other: Self) -> Self {
        undefined(self.recording.max(other.recording))
    }

    /// The shape of what these arrays make element by element, and the arrays in a form that the graph broadcasts.
    #[track_caller]
    fn together<const N: usize>(name: &str, arrays: [Self; N]) -> Result<(Shape, [Self; N]), ()> {
        if arrays.iter().any(|array| array.is_undefined()) {
            return Err(());
        }
        let mut shape = Shape::Scalar;
        for array in &arrays {
            shape = match (shape, array.shape) {
                (Shape::Scalar, other) | (other, Shape::Scalar) => other,
                (a, b) if a == b || b.len() == 1 => a,
                (a, b) if a.len() == 1 => b,
                (Shape::Matrix(rows, columns), Shape::Vector(len))
                | (Shape::Vector(len), Shape::Matrix(rows, columns))
                    if len == columns =>
                {
                    Shape::Matrix(rows, columns)
                }
                (a, b) => {
                    let _ = array.wrong(format!("{name} of {a} and {b}: the shapes must be the same, or one a scalar"));
                    return Err(());
                }
            };
        }
        let spread = arrays.map(|array| match (shape, array.shape) {
            (Shape::Matrix(..), Shape::Vector(period)) => Self::record(&[array], Ok(shape), |graph| {
                graph.gather(array.node, Indices::Tile { period }, shape.len())
            }),
            _ => array,
        });
        Ok((shape, spread))
    }

    /// A whole power, negative ones included; 0⁰ is 1.
    #[track_caller]
    pub fn powi(self, exponent: i32) -> Self {
        Self::record(&[self], Ok(self.shape), |graph| graph.power(self.node, exponent))
    }

    /// A power. Where the exponent is a constant whole number, the base may be negative.
    #[track_caller]
    pub fn powf(self, exponent: impl Into<Self>) -> Self {
        self.binary("a power", Binary::Power, exponent.into())
    }

    /// The square.
    #[track_caller]
    pub fn square(self) -> Self {
        self.powi(2)
    }

    /// 1 / self.
    #[track_caller]
    pub fn recip(self) -> Self {
        self.unary(Unary::Reciprocal)
    }

    /// The square root; its slope at 0 is taken for 0.
    #[track_caller]
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// e to this power.
    #[track_caller]
    pub fn exp(self) -> Self {
        self.unary(Unary::Exp)
    }

    /// e to this power, less 1, accurate near 0.
    #[track_caller]
    pub fn exp_m1(self) -> Self {
        self.unary(Unary::ExpM1)
    }

    /// The natural logarithm.
    #[track_caller]
    pub fn ln(self) -> Self {
        self.unary(Unary::Ln)
    }

    /// The natural logarithm of 1 + self, accurate near 0.
    #[track_caller]
    pub fn ln_1p(self) -> Self {
        self.unary(Unary::Ln1p)
    }

    /// The sine.
    #[track_caller]
    pub fn sin(self) -> Self {
        self.unary(Unary::Sin)
    }

    /// The cosine.
    #[track_caller]
    pub fn cos(self) -> Self {
        self.unary(Unary::Cos)
    }

    /// The tangent.
    #[track_caller]
    pub fn tan(self) -> Self {
        self.unary(Unary::Tan)
    }

    /// The inverse sine.
    #[track_caller]
    pub fn asin(self) -> Self {
        self.unary(Unary::Asin)
    }

    /// The inverse cosine.
    #[track_caller]
    pub fn acos(self) -> Self {
        self.unary(Unary::Acos)
    }

    /// The inverse tangent.
    #[track_caller]
    pub fn atan(self) -> Self {
        self.unary(Unary::Atan)
    }

    /// The hyperbolic sine.
    #[track_caller]
    pub fn sinh(self) -> Self {
        self.unary(Unary::Sinh)
    }

    /// The hyperbolic cosine.
    #[track_caller]
    pub fn cosh(self) -> Self {
        self.unary(Unary::Cosh)
    }

    /// The hyperbolic tangent.
    #[track_caller]
    pub fn tanh(self) -> Self {
        self.unary(Unary::Tanh)
    }

    /// The absolute value; its slope at 0 is 0.
    #[track_caller]
    pub fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }

    /// -1, 0 or 1; its slope is 0 everywhere.
    #[track_caller]
    pub fn sign(self) -> Self {
        self.unary(Unary::Sign)
    }

    /// The largest whole number that is not above; its slope is 0 everywhere.
    #[track_caller]
    pub fn floor(self) -> Self {
        self.unary(Unary::Floor)
    }

    /// The larger of self and 0; its slope at 0 is 0.
    #[track_caller]
    pub fn relu(self) -> Self {
        Self::record(&[self], Ok(self.shape), |graph| {
            let zero = graph.scalar(0.0);
            graph.binary(Binary::Max, zero, self.node)
        })
    }

    /// ln(1 + e^self).
    #[track_caller]
    pub fn softplus(self) -> Self {
        self.unary(Unary::Softplus)
    }

    /// The logistic sigmoid 1 / (1 + e^-self).
    #[track_caller]
    pub fn sigmoid(self) -> Self {
        self.unary(Unary::Sigmoid)
    }

    /// The error function.
    #[track_caller]
    pub fn erf(self) -> Self {
        self.unary(Unary::Erf)
    }

    /// Element by element the smaller one. Where both are the same, the slope is that of `self`.
    #[track_caller]
    pub fn minimum(self, other: impl Into<Self>) -> Self {
        self.binary("the minimum", Binary::Min, other.into())
    }

    /// Element by element the larger one. Where both are the same, the slope is as [`Array::minimum`] has it.
    #[track_caller]
    pub fn maximum(self, other: impl Into<Self>) -> Self {
        self.binary("the maximum", Binary::Max, other.into())
    }

    /// self held between `low` and `high`; the slope outside is 0.
    #[track_caller]
    pub fn clamp(self, low: impl Into<Self>, high: impl Into<Self>) -> Self {
        self.minimum(high).maximum(low)
    }

    #[track_caller]
    fn comparison(name: &str, a: Self, b: Self, [then, otherwise]: [f64; 2]) -> Self {
        let Ok((shape, [a, b])) = Self::together(name, [a, b]) else { return a.undefined_with(b) };
        Self::record(&[a, b], Ok(shape), |graph| {
            let [then, otherwise] = [then, otherwise].map(|value| graph.scalar(value));
            graph.select_less([a.node, b.node, then, otherwise])
        })
    }

    /// 1 where self < `other`, else 0: a condition of [`Array::select`].
    #[track_caller]
    pub fn less(self, other: impl Into<Self>) -> Self {
        Self::comparison("a comparison", self, other.into(), [1.0, 0.0])
    }

    /// 1 where self > `other`, else 0.
    #[track_caller]
    pub fn greater(self, other: impl Into<Self>) -> Self {
        Self::comparison("a comparison", other.into(), self, [1.0, 0.0])
    }

    /// 1 where self ≤ `other`, else 0, as where one of them is NaN.
    #[track_caller]
    pub fn less_equal(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let not_greater = Self::comparison("a comparison", other, self, [0.0, 1.0]);
        // NaN is not greater than anything, either; a difference with it is not less than anything.
        not_greater * Self::comparison("a comparison", self - other, f64::MAX.into(), [1.0, 0.0])
    }

    /// 1 where self ≥ `other`, else 0, as where one of them is NaN.
    #[track_caller]
    pub fn greater_equal(self, other: impl Into<Self>) -> Self {
        other.into().less_equal(self)
    }

    /// 1 where self = `other`, else 0, as where one of them is NaN.
    #[track_caller]
    pub fn equal(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        self.less_equal(other) * self.greater_equal(other)
    }

    /// 1 where self ≠ `other`, else 0.
    #[track_caller]
    pub fn not_equal(self, other: impl Into<Self>) -> Self {
        1.0 - self.equal(other)
    }

    /// `then` where this condition is not 0, else `otherwise`; numpy's `where`. Slopes are those of the one taken.
    ///
    /// Both are evaluated everywhere, and as in JAX the slope is NaN where the one not taken has no finite slope. So keep its argument in
    /// its domain: `u.greater(0.0).select(u.greater(0.0).select(u, 1.0).ln(), 0.0)`.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// let huber = |u: Array| u.abs().less(1.0).select(0.5 * u.square(), u.abs() - 0.5).sum();
    /// assert!(Expression::new("huber", [-3.0, 3.0], huber).check(5).is_ok());
    /// ```
    #[track_caller]
    pub fn select(self, then: impl Into<Self>, otherwise: impl Into<Self>) -> Self {
        let (then, otherwise) = (then.into(), otherwise.into());
        let Ok((shape, [condition, then, otherwise])) = Self::together("a selection", [self, then, otherwise]) else {
            return self.undefined_with(then).undefined_with(otherwise);
        };
        Self::record(&[condition, then, otherwise], Ok(shape), |graph| {
            graph.select(condition.node, then.node, otherwise.node)
        })
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $operation:ident $name:literal),+) => {$(
        impl<T: Into<Array>> $trait<T> for Array {
            type Output = Array;

            #[track_caller]
            fn $method(self, other: T) -> Array {
                self.binary($name, Binary::$operation, other.into())
            }
        }

        impl $trait<Array> for f64 {
            type Output = Array;

            #[track_caller]
            fn $method(self, other: Array) -> Array {
                Array::scalar(self).binary($name, Binary::$operation, other)
            }
        }
    )+};
}

operators!(
    Add add Add "the sum",
    Sub sub Subtract "the difference",
    Mul mul Multiply "the product",
    Div div Divide "the quotient"
);

impl Neg for Array {
    type Output = Self;

    #[track_caller]
    fn neg(self) -> Self {
        Self::record(&[self], Ok(self.shape), |graph| graph.scale(self.node, -1.0))
    }
}
