//! Elementary functions without branches, so that a loop over them becomes vectors.
//!
//! Each is a reduction of the argument followed by a polynomial, fitted to these intervals by Chebyshev interpolation in 60
//! digits. The tests below hold their errors against the standard library; the documentation of each states them in
//! units in the last place (ulp). NaN in, NaN out.

use super::{Real, Simd, mul_add};

/// Horner's scheme: `c[0] + x (c[1] + x (c[2] + …))`.
#[inline(always)]
fn polynomial<S: Simd, R: Real>(coefficients: &[R], x: R) -> R {
    let (last, rest) = coefficients.split_last().expect("every fit has a coefficient");
    rest.iter().rev().fold(*last, |value, &c| mul_add::<S, R>(value, x, c))
}

/// e^x, within 2 ulp for |x| ≤ 87 (`f32`) or 708 (`f64`); beyond, the value at that limit.
#[inline(always)]
pub(crate) fn exp<S: Simd, R: Real>(x: R) -> R {
    let x = if x > R::EXP_LIMIT { R::EXP_LIMIT } else { x };
    let x = if x < -R::EXP_LIMIT { -R::EXP_LIMIT } else { x };
    let rounded = mul_add::<S, R>(x, R::of(std::f64::consts::LOG2_E), R::ROUNDER);
    let n = rounded - R::ROUNDER;
    let r = mul_add::<S, R>(n, -R::LN_2[0], x);
    let r = mul_add::<S, R>(n, -R::LN_2[1], r);
    let tail = mul_add::<S, R>(polynomial::<S, R>(R::EXP, r), r * r, r);
    mul_add::<S, R>(R::exp2_of_bits(rounded), tail, R::exp2_of_bits(rounded))
}

/// The logistic sigmoid 1 / (1 + e^-x), within 3 ulp for |x| ≤ 87 (`f32`) or 708 (`f64`).
#[inline(always)]
pub(crate) fn sigmoid<S: Simd, R: Real>(x: R) -> R {
    R::ONE / (R::ONE + exp::<S, R>(-x))
}

/// (sin x, cos x) for |x| ≤ 10⁴, within 2 ulp or, near their zeros, within 2^-24 (`f32`) or 2^-53 (`f64`).
#[inline(always)]
pub(crate) fn sin_cos<S: Simd, R: Real>(x: R) -> (R, R) {
    let rounded = mul_add::<S, R>(x, R::of(std::f64::consts::FRAC_2_PI), R::ROUNDER);
    let n = rounded - R::ROUNDER;
    let r = mul_add::<S, R>(n, -R::HALF_PI[0], x);
    let r = mul_add::<S, R>(n, -R::HALF_PI[1], r);
    let r = mul_add::<S, R>(n, -R::HALF_PI[2], r);
    turned::<S, R>(r, rounded)
}

/// (sin πx, cos πx) for |x| ≤ 10⁴, within 2 ulp or, near their zeros, within 2^-24 (`f32`) or 2^-53 (`f64`).
#[inline(always)]
pub(crate) fn sin_cos_pi<S: Simd, R: Real>(x: R) -> (R, R) {
    let rounded = x + x + R::ROUNDER;
    let n = rounded - R::ROUNDER;
    let r = mul_add::<S, R>(n, R::of(-0.5), x);
    turned::<S, R>(r * R::of(std::f64::consts::PI), rounded)
}

/// (sin, cos) of `r`, |r| ≤ π/4, turned by the quadrant in `rounded`.
#[inline(always)]
fn turned<S: Simd, R: Real>(r: R, rounded: R) -> (R, R) {
    let square = r * r;
    let sin = mul_add::<S, R>(polynomial::<S, R>(R::SIN, square), square * r, r);
    let half = mul_add::<S, R>(square, R::of(-0.5), R::ONE);
    let cos = mul_add::<S, R>(polynomial::<S, R>(R::COS, square), square * square, half);
    R::turn_by_bits(sin, cos, rounded)
}
