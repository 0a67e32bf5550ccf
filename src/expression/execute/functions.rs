//! Functions of registers, each a function of its own that is compiled for the instruction set.

use super::split;
use crate::simd::elementary::{
    acos, asin, atan, cosh, erf, exp, exp_m1, floor, ln, ln_1p, powf, sin_cos, sinh, softplus, tan, tanh,
};
use crate::simd::math::{self, sin_cos_pi};
use crate::simd::{Lanes, Real, Simd, WithSimd};
use std::marker::PhantomData;

/// A function of one register as a function of its own that is compiled for the instruction set.
pub(super) struct Map<'a, R: Real, F> {
    result: &'a mut [R],
    of: &'a [R],
    function: PhantomData<F>,
}

/// An elementary function.
pub(super) trait Elementary {
    fn of<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R>;
}

impl<R: Real, F: Elementary> WithSimd for Map<'_, R, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (result, &x) in R::registers_mut::<S>(self.result).iter_mut().zip(R::registers::<S>(self.of)) {
            *result = F::of(Lanes::<S, R>::new(simd, x)).register();
        }
    }
}

macro_rules! elementary {
    ($($name:ident $x:ident: $value:expr),+ $(,)?) => {$(
        pub(super) struct $name;

        impl Elementary for $name {
            #[inline(always)]
            fn of<S: Simd, R: Real>($x: Lanes<S, R>) -> Lanes<S, R> {
                $value
            }
        }
    )+};
}

elementary!(
    Exp x: exp(x),
    ExpM1 x: exp_m1(x),
    Ln x: ln(x),
    Ln1p x: ln_1p(x),
    Tan x: tan(x),
    Asin x: asin(x),
    Acos x: acos(x),
    Atan x: atan(x),
    Sinh x: sinh(x),
    Cosh x: cosh(x),
    Tanh x: tanh(x),
    Floor x: floor(x),
    Softplus x: softplus(x),
    Sigmoid x: Lanes::splat(x.simd(), R::ONE) / (exp(-x) + 1.0),
    Erf x: erf(x),
);

/// A power, where each operand is a vector or a single number.
pub(super) struct Powers<'a, R: Real> {
    pub result: &'a mut [R],
    pub base: &'a [R],
    pub exponent: &'a [R],
}

impl<R: Real> WithSimd for Powers<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (base, exponent) = (R::registers::<S>(self.base), R::registers::<S>(self.exponent));
        for (k, result) in R::registers_mut::<S>(self.result).iter_mut().enumerate() {
            let [x, y] = [base, exponent].map(|of| Lanes::<S, R>::new(simd, of[k.min(of.len() - 1)]));
            *result = powf(x, y).register();
        }
    }
}

/// Sine and cosine of the same argument.
pub(super) struct Waves<'a, R: Real> {
    sin: &'a mut [R],
    cos: Option<&'a mut [R]>,
    of: &'a [R],
    argument: Argument<R>,
}

/// The argument of a sine and a cosine.
#[derive(Clone, Copy)]
pub(super) enum Argument<R> {
    Any,
    Near,
    /// π times so many times what is given, which is near.
    Turns(R),
}

impl<R: Real> WithSimd for Waves<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let sin = R::registers_mut::<S>(self.sin);
        let of = R::registers::<S>(self.of);
        let cos = self.cos.map(R::registers_mut::<S>);
        macro_rules! waves {
            ($x:ident => $both:expr) => {
                match cos {
                    Some(cos) => {
                        for ((sin, cos), &x) in sin.iter_mut().zip(cos).zip(of) {
                            let $x = Lanes::<S, R>::new(simd, x);
                            let (s, c) = $both;
                            (*sin, *cos) = (s.register(), c.register());
                        }
                    }
                    None => {
                        for (sin, &x) in sin.iter_mut().zip(of) {
                            let $x = Lanes::<S, R>::new(simd, x);
                            *sin = $both.0.register();
                        }
                    }
                }
            };
        }
        match self.argument {
            Argument::Any => waves!(x => sin_cos(x)),
            Argument::Near => waves!(x => math::sin_cos(x)),
            Argument::Turns(turns) => {
                let turns = Lanes::<S, R>::splat(simd, turns);
                waves!(x => sin_cos_pi(x * turns))
            }
        }
    }
}

#[inline(always)]
pub(super) fn map<S: Simd, R: Real, F: Elementary>(simd: S, result: &mut [R::Register<S>], of: &[R::Register<S>]) {
    let (result, of) = (bytemuck::cast_slice_mut(result), bytemuck::cast_slice(of));
    simd.vectorize(Map::<R, F> { result, of, function: PhantomData });
}

/// The smaller one; NaN comes through.
#[inline(always)]
pub(super) fn smaller<S: Simd, R: Real>(a: Lanes<S, R>, b: Lanes<S, R>) -> Lanes<S, R> {
    let smaller = b.less_than(a, b, a);
    Lanes::splat(a.simd(), -R::INFINITY).less_than(b, smaller, b)
}

/// The larger one; NaN comes through.
#[inline(always)]
pub(super) fn larger<S: Simd, R: Real>(a: Lanes<S, R>, b: Lanes<S, R>) -> Lanes<S, R> {
    let larger = a.less_than(b, b, a);
    b.less_than(Lanes::splat(a.simd(), R::INFINITY), larger, b)
}

/// The sum of a b + c; of b and c, whether they have an element for each of a.
#[inline(always)]
pub(super) fn sum_mul_add<S: Simd, R: Real, const B: bool, const C: bool>(
    simd: S,
    a: &[R::Register<S>],
    b: &[R::Register<S>],
    c: &[R::Register<S>],
) -> Lanes<S, R> {
    let lanes = |register: R::Register<S>| Lanes::<S, R>::new(simd, register);
    let (first_b, first_c, count) = (lanes(b[0]), lanes(c[0]), a.len());
    let (b, c) = (if B { &b[..count] } else { b }, if C { &c[..count] } else { c });
    let mut sums = [Lanes::splat(simd, R::ZERO); 4];
    let term = |k: usize| {
        let b = if B { lanes(b[k]) } else { first_b };
        let c = if C { lanes(c[k]) } else { first_c };
        lanes(a[k]).mul_add(b, c)
    };
    let fours = count - count % 4;
    for k in (0..fours).step_by(4) {
        for (part, sum) in sums.iter_mut().enumerate() {
            *sum += term(k + part);
        }
    }
    for k in fours..count {
        sums[0] += term(k);
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Selections by a comparison; of each operand whether it has an element for each of the result.
#[inline(always)]
pub(super) fn select<S: Simd, R: Real, const A: bool, const B: bool, const C: bool, const D: bool>(
    simd: S,
    result: &mut [R::Register<S>],
    [a, b, c, d]: [&[R::Register<S>]; 4],
) {
    let count = result.len();
    let first = |of: &[R::Register<S>]| Lanes::<S, R>::new(simd, of[0]);
    let alone = [first(a), first(b), first(c), first(d)];
    // Slices as long as the result need no check in the loop.
    let whole = |of: &'_ [R::Register<S>], vector: bool| if vector { count } else { of.len() };
    let (a, b, c, d) = (&a[..whole(a, A)], &b[..whole(b, B)], &c[..whole(c, C)], &d[..whole(d, D)]);
    let element = |of: &[R::Register<S>], k: usize, vector: bool, alone: Lanes<S, R>| {
        if vector { Lanes::new(simd, of[k]) } else { alone }
    };
    for (k, result) in result.iter_mut().enumerate() {
        let (a, b) = (element(a, k, A, alone[0]), element(b, k, B, alone[1]));
        let (c, d) = (element(c, k, C, alone[2]), element(d, k, D, alone[3]));
        *result = a.less_than(b, c, d).register();
    }
}

/// The sine and the cosine of the elements at `a`.
#[inline(always)]
pub(super) fn waves<S: Simd, R: Real>(
    simd: S,
    memory: &mut [R::Register<S>],
    [result, a, count]: [usize; 3],
    second: Option<usize>,
    argument: Argument<R>,
) {
    match second {
        Some(second) => {
            let ranges = [result..result + count, second..second + count, a..a + count];
            let Ok([sin, cos, of]) = memory.get_disjoint_mut(ranges) else { return };
            let (sin, cos, of) =
                (bytemuck::cast_slice_mut(sin), bytemuck::cast_slice_mut(cos), bytemuck::cast_slice(of));
            simd.vectorize(Waves { sin, cos: Some(cos), of, argument });
        }
        None => {
            let (sin, rest) = split(memory, result, count);
            let (sin, of) = (bytemuck::cast_slice_mut(sin), bytemuck::cast_slice(rest.get(a, count)));
            simd.vectorize(Waves { sin, cos: None, of, argument });
        }
    }
}
