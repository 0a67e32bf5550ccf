//! Elementary functions over registers, on the whole range of their arguments, for objectives that users write.
//!
//! They give what the standard library gives: NaN outside of the domain, ±inf at poles and on overflow, subnormal results, the sign
//! of zero, and NaN for NaN. The documentation of each states its largest error in units in the last place (ulp), and the
//! tests hold them to it. Polynomials are fitted by Chebyshev interpolation in 60 digits, that of the complementary error
//! function by weighted least squares. There are no branches but one, taken by sines, cosines and tangents of arguments so
//! large that the standard library has to reduce them.

mod coefficients;
#[cfg(test)]
mod tests;

use super::math::{self, exp_tail, octaves_and_rest, polynomial};
use super::{Lanes, Real, Simd};
use coefficients::{
    ASIN, ATAN, ERF, ERF_LIMIT, ERFC, EXP_ENDS, HALF_PI, LN, LN_REST, LN_TO_2, NORMAL, QUADRANT, QUARTER_PI,
    SINH_LIMIT, THIRD, TINY, WAVE_LIMIT,
};
use std::f64::consts::FRAC_2_PI;

/// n and t with e^x = 2^n (1 + t), for x in the range of the exponential.
#[inline(always)]
fn octaves_and_tail<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (rounded, r) = octaves_and_rest(x);
    (rounded - R::ROUNDER, exp_tail(r))
}

/// 2^n for an integer n in the range of exponents.
#[inline(always)]
fn power_of_two<S: Simd, R: Real>(n: Lanes<S, R>) -> Lanes<S, R> {
    Lanes::new(n.simd(), R::exp2_of_bits(n.simd(), (n + R::ROUNDER).register()))
}

/// 2^n (1 + t), subnormal or infinite where it has to be.
#[inline(always)]
fn scaled<S: Simd, R: Real>(n: Lanes<S, R>, t: Lanes<S, R>) -> Lanes<S, R> {
    let half = n.mul_add(0.5, R::ROUNDER) - R::ROUNDER;
    let power = power_of_two(half);
    power.mul_add(t, power) * power_of_two(n - half)
}

/// The larger of x and 0.
#[inline(always)]
fn positive_part<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    x.less_than(0.0, 0.0, x)
}

/// e^x, within 2 ulp.
#[inline(always)]
pub(crate) fn exp<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let [low, high] = EXP_ENDS.precision::<R>();
    let (n, t) = octaves_and_tail(x.clamp(low, high));
    scaled(n, t)
}

/// e^x - 1, within 4 ulp.
#[inline(always)]
pub(crate) fn exp_m1<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    // Half of it, as e^x may be twice what 2^n can be.
    let (n, t) = octaves_and_tail(x.clamp(-60.0, EXP_ENDS.precision::<R>()[1]));
    let power = power_of_two(n - 1.0);
    let half = power.mul_add(t, power - 0.5);
    x.abs().less_than(f64::EPSILON * f64::EPSILON, x, half + half)
}

/// (e^x - 1)/4 for 0 ≤ x ≤ [`SINH_LIMIT`].
#[inline(always)]
fn quarter_of_growth<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let (n, t) = octaves_and_tail(x);
    let power = power_of_two(n - 2.0);
    power.mul_add(t, power - 0.25)
}

/// sinh x, within 4 ulp.
#[inline(always)]
pub(crate) fn sinh<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let limit = SINH_LIMIT.precision::<R>();
    let quarter = quarter_of_growth(x.abs().clamp(0.0, limit));
    let half = quarter + quarter / quarter.mul_add(4.0, 1.0);
    x.abs().less_than(TINY.precision::<R>(), x, (half + half).times_sign(x))
}

/// cosh x, within 3 ulp.
#[inline(always)]
pub(crate) fn cosh<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let (n, t) = octaves_and_tail(x.abs().clamp(0.0, SINH_LIMIT.precision::<R>()));
    let power = power_of_two(n - 2.0);
    let quarter = power.mul_add(t, power);
    let half = quarter + Lanes::splat(x.simd(), R::of(0.0625)) / quarter;
    half + half
}

/// tanh x, within 4 ulp.
#[inline(always)]
pub(crate) fn tanh<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    // tanh 20 is 1.
    let (n, t) = octaves_and_tail(x.abs().clamp(0.0, 20.0) * 2.0);
    let power = power_of_two(n);
    let growth = power.mul_add(t, power - 1.0);
    (growth / (growth + 2.0)).times_sign(x)
}

/// ln(1 + t), where s = t/(2 + t), by a polynomial for such s: t - s (t - R) with R = ln(1 + t)/s - 2.
#[inline(always)]
fn ln_near_1<S: Simd, R: Real>(t: Lanes<S, R>, coefficients: &[f64]) -> Lanes<S, R> {
    let s = t / (t + 2.0);
    let square = s * s;
    s.mul_sub_from(polynomial(coefficients, square).mul_sub_from(square, t), t)
}

/// k ln 2 + ln(1 + f), for f from √½ - 1 to √2 - 1.
#[inline(always)]
fn ln_of_parts<S: Simd, R: Real>(k: Lanes<S, R>, f: Lanes<S, R>) -> Lanes<S, R> {
    let s = f / (f + 2.0);
    let square = s * s;
    let half_square = f * f * 0.5;
    let rest = polynomial(LN.precision::<R>(), square).mul_add(square, half_square);
    let rest = s.mul_add(rest, k * R::LN_2[1]);
    k.mul_add(R::LN_2[0], f - (half_square - rest))
}

/// (k, m) with x = 2^k m and m from √½ to √2, for positive finite x, subnormal ones too.
#[inline(always)]
fn parts<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (smallest, octaves) = NORMAL.precision::<R>();
    let factor = f64::from_bits((1023 + octaves as u64) << 52);
    let (k, m) = x.less_than(smallest, x * factor, x).exponent_and_mantissa();
    (k - x.less_than(smallest, f64::from(octaves), 0.0), m)
}

/// `logarithm` where x is positive and finite, and what the logarithm is elsewhere: -inf at 0, NaN below, inf at inf.
#[inline(always)]
fn with_ends<S: Simd, R: Real>(x: Lanes<S, R>, logarithm: Lanes<S, R>) -> Lanes<S, R> {
    let outside = x.less_than(0.0, f64::NAN, f64::NEG_INFINITY);
    let zero = Lanes::splat(x.simd(), R::ZERO);
    x.less_than(f64::INFINITY, zero.less_than(x, logarithm, outside), x)
}

/// ln x, within 2 ulp.
#[inline(always)]
pub(crate) fn ln<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let (k, m) = parts(x);
    with_ends(x, ln_of_parts(k, m - 1.0))
}

/// ln(1 + x), within 2 ulp.
#[inline(always)]
pub(crate) fn ln_1p<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let u = x + 1.0;
    let (k, m) = u.exponent_and_mantissa();
    // What rounding u left out, of which a large u has nothing to say.
    let kept = u - 1.0;
    let left = (x - kept) + (Lanes::splat(x.simd(), R::ONE) - (u - kept));
    let left = u.less_than(f64::from(1_u32 << 31) * f64::from(1_u32 << 31), left * power_of_two(-k), 0.0);
    let logarithm = with_ends(u, ln_of_parts(k, (m - 1.0) + left));
    x.abs().less_than(f64::EPSILON * f64::EPSILON, x, logarithm)
}

/// ln(1 + e^x), within 4 ulp.
#[inline(always)]
pub(crate) fn softplus<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    ln_near_1(exp(-x.abs()), LN_TO_2.precision::<R>()) + positive_part(x)
}

/// atan x, within 3 ulp.
#[inline(always)]
pub(crate) fn atan<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    const TAN_PI_8: f64 = std::f64::consts::SQRT_2 - 1.0;
    let a = x.abs();
    let [half, quarter] = [HALF_PI.precision::<R>(), QUARTER_PI.precision::<R>()];
    let (small, middle) = (TAN_PI_8, 1.0 / TAN_PI_8);
    let numerator = a.less_than(small, a, a.less_than(middle, a - 1.0, -1.0));
    let denominator = a.less_than(small, 1.0, a.less_than(middle, a + 1.0, a));
    let t = numerator / denominator;
    let square = t * t;
    let angle = polynomial(ATAN.precision::<R>(), square).mul_add(square * t, t);
    let high = a.less_than(small, 0.0, a.less_than(middle, quarter[0], half[0]));
    let low = a.less_than(small, 0.0, a.less_than(middle, quarter[1], half[1]));
    (high + (low + angle)).times_sign(x)
}

/// asin a for 0 ≤ a ≤ ½, and beyond that half of acos a, which is asin √((1 - a)/2).
#[inline(always)]
fn arcsine_of_part<S: Simd, R: Real>(a: Lanes<S, R>) -> Lanes<S, R> {
    let half = Lanes::<S, R>::splat(a.simd(), R::of(0.5));
    let square = half.less_than(a, a.mul_sub_from(0.5, 0.5), a * a);
    let s = half.less_than(a, square.sqrt(), a);
    polynomial(ASIN.precision::<R>(), square).mul_add(square * s, s)
}

/// asin x, within 3 ulp.
#[inline(always)]
pub(crate) fn asin<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let a = x.abs();
    let part = arcsine_of_part(a);
    let [high, low] = HALF_PI.precision::<R>();
    let rest = (part + part - low).mul_sub_from(1.0, high);
    Lanes::splat(x.simd(), R::of(0.5)).less_than(a, rest, part).times_sign(x)
}

/// acos x, within 3 ulp.
#[inline(always)]
pub(crate) fn acos<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let part = arcsine_of_part(x.abs());
    let [high, low] = HALF_PI.precision::<R>();
    let half = Lanes::<S, R>::splat(x.simd(), R::of(0.5));
    let large = half.less_than(x.abs(), part, part.times_sign(x));
    let rest = (large - low).mul_sub_from(1.0, high);
    half.less_than(x, part + part, x.less_than(-0.5, rest + rest, rest))
}

/// Replaces those lanes of `value` whose argument is beyond [`WAVE_LIMIT`] by `function` of it.
#[inline(always)]
fn beyond<S: Simd, R: Real>(x: Lanes<S, R>, value: Lanes<S, R>, function: fn(f64) -> f64) -> Lanes<S, R> {
    let mut value = value.register();
    lane_by_lane(x.scalars(), bytemuck::cast_slice_mut(std::slice::from_mut(&mut value)), function);
    Lanes::new(x.simd(), value)
}

#[cold]
#[inline(never)]
fn lane_by_lane<R: Real>(x: &[R], values: &mut [R], function: fn(f64) -> f64) {
    for (value, &x) in values.iter_mut().zip(x) {
        if x.wide().abs() > WAVE_LIMIT {
            *value = R::of(function(x.wide()));
        }
    }
}

/// True if any lane is beyond [`WAVE_LIMIT`].
#[inline(always)]
fn any_beyond<S: Simd, R: Real>(x: Lanes<S, R>) -> bool {
    (-x.abs()).any_less_than(R::of(-WAVE_LIMIT))
}

/// (sin x, cos x), within 2 ulp or, near their zeros, within 2^-24 (`f32`) or 2^-53 (`f64`).
#[inline(always)]
pub(crate) fn sin_cos<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (sin, cos) = math::sin_cos(x);
    if any_beyond(x) {
        return (beyond(x, sin, f64::sin), beyond(x, cos, f64::cos));
    }
    (sin, cos)
}

/// tan x, within 4 ulp.
#[inline(always)]
pub(crate) fn tan<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let &[first, ref middle @ .., last] = QUADRANT.precision::<R>() else {
        unreachable!("there are three or four parts")
    };
    let rounded = x.mul_add(FRAC_2_PI, R::ROUNDER);
    let n = rounded - R::ROUNDER;
    // x less n quadrants, and what rounding left out of that.
    let whole = n.mul_sub_from(first, x);
    let (mut most, mut left) = (whole, Lanes::splat(x.simd(), R::ZERO));
    for &part in middle {
        let less = n.mul_sub_from(part, most);
        (most, left) = (less, left + n.mul_sub_from(part, most - less));
    }
    let rest = n.mul_add(last, -left);
    let r = most - rest;
    let left = (most - r) - rest;
    let (sin, cos) = math::within_a_quadrant(r);
    let (sin, cos) =
        R::turn_by_bits(x.simd(), (sin + left).register(), r.mul_sub_from(left, cos).register(), rounded.register());
    let tan = Lanes::new(x.simd(), sin) / Lanes::new(x.simd(), cos);
    let tan = x.abs().less_than(TINY.precision::<R>(), x, tan);
    if any_beyond(x) { beyond(x, tan, f64::tan) } else { tan }
}

/// The error function, within 3 ulp.
#[inline(always)]
pub(crate) fn erf<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let a = x.abs().clamp(0.0, ERF_LIMIT.precision::<R>());
    let square = a * a;
    let small = polynomial(ERF.precision::<R>(), square).mul_add(a, a);
    let (n, t) = octaves_and_tail(-square);
    let power = power_of_two(n);
    let y = a - 2.0;
    let pieces = ERFC.precision::<R>();
    let third = y * y * y;
    let power_of_y = if pieces[0].len() == 3 { third } else { (third * y) * (third * y) };
    let complement = power_of_y.mul_add(polynomial(pieces[2], y), polynomial(pieces[1], y));
    let complement = power_of_y.mul_add(complement, polynomial(pieces[0], y));
    let large = power.mul_add(t, power).mul_sub_from(complement, 1.0);
    a.less_than(1.0, small, large).times_sign(x)
}

/// The largest integer that is not larger than x.
#[inline(always)]
pub(crate) fn floor<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    // From here on there are only integers; adding it leaves one.
    let integers = R::ROUNDER / 1.5;
    let a = x.abs();
    let rounded = ((a + integers) - integers).times_sign(x);
    let floor = x.less_than(rounded, rounded - 1.0, rounded);
    a.less_than(integers, floor, x)
}

/// -1, 0 or 1.
#[inline(always)]
pub(crate) fn sign<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    Lanes::splat(x.simd(), R::ZERO).less_than(x, 1.0, x.less_than(0.0, -1.0, x))
}

/// The sum, and what rounding it left out, where |a| ≥ |b| or a = 0.
#[inline(always)]
fn exact_sum<S: Simd, R: Real>(a: Lanes<S, R>, b: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// ln x in two parts, accurate to 1.5 times the digits of a number, for positive finite x.
#[inline(always)]
fn ln_in_two_parts<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (k, m) = parts(x);
    let one = Lanes::splat(x.simd(), R::ONE);
    // s = (m - 1)/(m + 1), and ln m = 2 (s + s³/3 + s⁵/5 + …).
    let f = m - 1.0;
    let denominator = m + 1.0;
    let denominator_rest = m - (denominator - 1.0);
    let reciprocal = one / denominator;
    let s = f * reciprocal;
    let (product, rest) = s.exact_product(denominator);
    let s_rest = s.mul_sub_from(denominator_rest, (f - product) - rest) * reciprocal;
    let (square, rest) = s.exact_product(s);
    let square_rest = (s + s).mul_add(s_rest, rest);
    let [third, third_rest] = THIRD.precision::<R>();
    let higher = polynomial(LN_REST.precision::<R>(), square) * square;
    let (factor, factor_rest) = exact_sum(Lanes::splat(x.simd(), R::of(third)), higher);
    let factor_rest = factor_rest + third_rest;
    let (product, rest) = square.exact_product(factor);
    let product_rest = rest + square.mul_add(factor_rest, square_rest * factor);
    let (cube, rest) = s.exact_product(product);
    let cube_rest = rest + s.mul_add(product_rest, s_rest * product);
    let (half, half_rest) = exact_sum(s, cube);
    let half_rest = half_rest + (s_rest + cube_rest);
    let (sum, rest) = exact_sum(k * R::LN_2[0], half + half);
    exact_sum(sum, rest + k.mul_add(R::LN_2[1], half_rest + half_rest))
}

/// x^y, within 3 ulp; 1 if x = 1 or y = 0, whatever the other, as the standard library has it.
#[inline(always)]
pub(crate) fn powf<S: Simd, R: Real>(x: Lanes<S, R>, y: Lanes<S, R>) -> Lanes<S, R> {
    let [low, high] = EXP_ENDS.precision::<R>();
    let a = x.abs();
    let (logarithm, logarithm_rest) = ln_in_two_parts(a);
    let logarithm = with_ends(a, logarithm);
    // An infinite y is as good as the largest number, times a logarithm of 0 too.
    let largest = if size_of::<R>() == 4 { f64::from(f32::MAX) } else { f64::MAX };
    let y = y.clamp(-largest, largest);
    let (exponent, rest) = y.exact_product(logarithm);
    let rest = y.mul_add(logarithm_rest, rest);
    let rest = exponent.abs().less_than(high - low, rest, 0.0);
    let exponent = exponent.clamp(low, high);
    let (rounded, r) = octaves_and_rest(exponent);
    let power = scaled(rounded - R::ROUNDER, exp_tail(r + rest));
    // Of a negative x only integer powers are real; of -inf all.
    let whole = floor(y);
    let half = y * 0.5;
    let signed = floor(half).equal_to(half, power, power.times_sign(x));
    let signed = whole.equal_to(y, signed, power);
    let real = whole.equal_to(y, signed, Lanes::splat(x.simd(), -R::INFINITY).less_than(x, f64::NAN, power));
    let power = x.less_than(0.0, real, signed);
    x.equal_to(1.0, 1.0, y.equal_to(0.0, 1.0, power))
}
