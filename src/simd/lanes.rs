//! A register and the instruction set that works on it, with the operators of a number.

use super::{Real, Simd};
use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// As many scalars as a register holds, one of every point: formulas over it read as they do for one point.
pub(crate) struct Lanes<S: Simd, R: Real> {
    simd: S,
    register: R::Register<S>,
}

impl<S: Simd, R: Real> Clone for Lanes<S, R> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Simd, R: Real> Copy for Lanes<S, R> {}

/// An operand that a formula may combine with [`Lanes`]: other lanes, or a constant, the same in every lane.
pub(crate) trait Operand<S: Simd, R: Real> {
    fn lanes(self, simd: S) -> Lanes<S, R>;
}

impl<S: Simd, R: Real> Operand<S, R> for Lanes<S, R> {
    #[inline(always)]
    fn lanes(self, _: S) -> Self {
        self
    }
}

impl<S: Simd, R: Real> Operand<S, R> for f64 {
    #[inline(always)]
    fn lanes(self, simd: S) -> Lanes<S, R> {
        Lanes::splat(simd, R::of(self))
    }
}

impl<S: Simd, R: Real> Lanes<S, R> {
    /// The number of scalars in it.
    pub(crate) const COUNT: usize = size_of::<R::Register<S>>() / size_of::<R>();

    #[inline(always)]
    pub(crate) fn new(simd: S, register: R::Register<S>) -> Self {
        Self { simd, register }
    }

    #[inline(always)]
    pub(crate) fn splat(simd: S, scalar: R) -> Self {
        Self::new(simd, R::splat(simd, scalar))
    }

    #[inline(always)]
    pub(crate) fn register(self) -> R::Register<S> {
        self.register
    }

    #[inline(always)]
    pub(crate) fn simd(self) -> S {
        self.simd
    }

    /// self × `factor` + `summand`, in one rounding where the instruction set has it.
    #[inline(always)]
    pub(crate) fn mul_add(self, factor: impl Operand<S, R>, summand: impl Operand<S, R>) -> Self {
        let (factor, summand) = (factor.lanes(self.simd), summand.lanes(self.simd));
        Self::new(self.simd, R::mul_add(self.simd, self.register, factor.register, summand.register))
    }

    /// `minuend` - self × `factor`, in one rounding where the instruction set has it.
    #[inline(always)]
    pub(crate) fn mul_sub_from(self, factor: impl Operand<S, R>, minuend: impl Operand<S, R>) -> Self {
        let (factor, minuend) = (factor.lanes(self.simd), minuend.lanes(self.simd));
        Self::new(self.simd, R::negate_mul_add(self.simd, self.register, factor.register, minuend.register))
    }

    /// self held between `low` and `high`; NaN stays NaN.
    #[inline(always)]
    pub(crate) fn clamp(self, low: f64, high: f64) -> Self {
        let [low, high] = [low, high].map(|bound| Operand::<S, R>::lanes(bound, self.simd).register);
        Self::new(self.simd, R::clamp(self.simd, self.register, low, high))
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        Self::new(self.simd, R::magnitude(self.simd, self.register))
    }

    #[inline(always)]
    pub(crate) fn sqrt(self) -> Self {
        Self::new(self.simd, R::root(self.simd, self.register))
    }

    /// Lane by lane `then` where self < `bound`, else `otherwise`.
    #[inline(always)]
    pub(crate) fn less_than(
        self,
        bound: impl Operand<S, R>,
        then: impl Operand<S, R>,
        otherwise: impl Operand<S, R>,
    ) -> Self {
        let simd = self.simd;
        let (bound, then, otherwise) = (bound.lanes(simd), then.lanes(simd), otherwise.lanes(simd));
        let selected = R::select_less(simd, self.register, bound.register, then.register, otherwise.register);
        Self::new(simd, selected)
    }

    /// Lane by lane `then` where self = `other`, else `otherwise`.
    #[inline(always)]
    pub(crate) fn equal_to(
        self,
        other: impl Operand<S, R>,
        then: impl Operand<S, R>,
        otherwise: impl Operand<S, R>,
    ) -> Self {
        let simd = self.simd;
        let (other, then, otherwise) = (other.lanes(simd), then.lanes(simd), otherwise.lanes(simd));
        let selected = R::select_equal(simd, self.register, other.register, then.register, otherwise.register);
        Self::new(simd, selected)
    }

    /// self, negated where `sign` is negative or -0.
    #[inline(always)]
    pub(crate) fn times_sign(self, sign: Self) -> Self {
        Self::new(self.simd, R::times_sign(self.simd, self.register, sign.register))
    }

    /// (k, m) with self = 2^k m and m from √½ to √2, where self is positive and normal.
    #[inline(always)]
    pub(crate) fn exponent_and_mantissa(self) -> (Self, Self) {
        let (k, m) = R::exponent_and_mantissa(self.simd, self.register);
        (Self::new(self.simd, k), Self::new(self.simd, m))
    }

    /// The product with `other` and what rounding it left out.
    #[inline(always)]
    pub(crate) fn exact_product(self, other: Self) -> (Self, Self) {
        let product = self * other;
        if !S::IS_SCALAR {
            return (product, self.mul_add(other, -product));
        }
        // The baseline rounds twice in a multiply-add. Dekker's product of halves.
        let halves = |x: Self| {
            let upper = Self::new(x.simd, R::upper_half(x.simd, x.register));
            (upper, x - upper)
        };
        let ((a, b), (c, d)) = (halves(self), halves(other));
        (product, ((a * c - product) + a * d + b * c) + b * d)
    }

    /// True if self < `bound` in any lane.
    #[inline(always)]
    pub(crate) fn any_less_than(self, bound: R) -> bool {
        R::any_less(self.simd, self.register, R::splat(self.simd, bound))
    }

    /// The scalars.
    #[inline(always)]
    pub(crate) fn scalars(&self) -> &[R] {
        bytemuck::cast_slice(std::slice::from_ref(&self.register))
    }
}

macro_rules! operator {
    ($($trait:ident $method:ident by $real:ident),+) => {$(
        impl<S: Simd, R: Real, O: Operand<S, R>> $trait<O> for Lanes<S, R> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: O) -> Self {
                let other = other.lanes(self.simd);
                Self::new(self.simd, R::$real(self.simd, self.register, other.register))
            }
        }
    )+};
}

operator!(Add add by plus, Sub sub by minus, Mul mul by times, Div div by over);

impl<S: Simd, R: Real, O: Operand<S, R>> AddAssign<O> for Lanes<S, R> {
    #[inline(always)]
    fn add_assign(&mut self, other: O) {
        *self = *self + other;
    }
}

impl<S: Simd, R: Real> Neg for Lanes<S, R> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Operand::<S, R>::lanes(-0.0, self.simd) - self
    }
}

impl<S: Simd, R: Real> fmt::Debug for Lanes<S, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.scalars()).finish()
    }
}
