//! Elementary functions over registers, on the whole range of their arguments, for objectives that users write.
//!
//! They give what the standard library gives: NaN outside of the domain, ±inf at poles and on overflow, subnormal results, the sign
//! of zero, and NaN for NaN. The documentation of each states its largest error in units in the last place (ulp), and the
//! tests hold them to it. Polynomials are fitted by Chebyshev interpolation in 60 digits, that of the complementary error
//! function by weighted least squares. There are no branches but one, taken by sines, cosines and tangents of arguments so
//! large that the standard library has to reduce them.

use super::math::{self, polynomial};
use super::{Lanes, Real, Simd};
use std::f64::consts::{FRAC_2_PI, LOG2_E};

/// Constants of single and of double precision.
struct Of<T> {
    single: T,
    double: T,
}

impl<T: Copy> Of<T> {
    #[inline(always)]
    fn precision<R: Real>(&self) -> T {
        if size_of::<R>() == 4 { self.single } else { self.double }
    }
}

/// A number less than which x is what sin x, tan x, sinh x and e^x - 1 are rounded to.
const TINY: Of<f64> = Of { single: 1e-5, double: 1e-9 };

/// (log((1 + s)/(1 - s)) - 2s) / s³ in s² up to that of m = (1 + s)/(1 - s) = √2.
const LN: Of<&[f64]> = Of {
    single: &[0.666_666_7, 0.400_001_23, 0.285_508_22, 0.233_304_68],
    double: &[
        0.666_666_666_666_667,
        0.399_999_999_998_995_05,
        0.285_714_286_259_754_87,
        0.222_222_111_347_950_8,
        0.181_828_891_252_617_23,
        0.153_317_216_005_560_42,
        0.146_164_496_850_434_06,
    ],
};

/// The same up to s² = 1/9, where m = 2.
const LN_TO_2: Of<&[f64]> = Of {
    single: &[0.666_666_7, 0.399_997_06, 0.285_923_57, 0.217_065_75, 0.232_243_3],
    double: &[
        0.666_666_666_666_666_6,
        0.400_000_000_000_145_85,
        0.285_714_285_671_087_6,
        0.222_222_227_174_278_64,
        0.181_817_894_361_328_59,
        0.153_855_700_649_586_23,
        0.133_141_442_096_549_35,
        0.120_010_728_095_907_13,
        0.088_007_384_861_446_74,
        0.161_640_456_119_435_3,
    ],
};

/// (log((1 + s)/(1 - s))/(2s) - 1 - s²/3) / s⁴ in s² up to that of m = √2.
const LN_REST: Of<&[f64]> = Of {
    single: &[0.200_000_08, 0.142_811_2, 0.115_240_77],
    double: &[
        0.200_000_000_000_000_12,
        0.142_857_142_856_692_8,
        0.111_111_111_355_387_25,
        0.090_909_041_258_036_99,
        0.076_927_872_502_294_15,
        0.066_429_836_369_453_07,
        0.064_567_480_334_015_76,
    ],
};

/// (atan(t)/t - 1)/t² in t² up to tan² π/8.
const ATAN: Of<&[f64]> = Of {
    single: &[-0.333_333_3, 0.199_995_4, -0.142_639_56, 0.107_437_31, -0.064_519_28],
    double: &[
        -0.333_333_333_333_333_3,
        0.199_999_999_999_955_2,
        -0.142_857_142_846_665_42,
        0.111_111_110_152_563_61,
        -0.090_909_045_781_239_03,
        0.076_921_831_908_260_87,
        -0.066_645_114_473_819_48,
        0.058_581_489_128_022_1,
        -0.050_854_497_379_402_6,
        0.039_231_658_295_587_19,
        -0.019_176_887_119_062_26,
    ],
};

/// (asin(s)/s - 1)/s² in s² up to 1/4.
const ASIN: Of<&[f64]> = Of {
    single: &[0.166_666_66, 0.075_000_94, 0.044_599_403, 0.031_100_662, 0.017_149_238, 0.033_690_847],
    double: &[
        0.166_666_666_666_666_69,
        0.074_999_999_999_984_33,
        0.044_642_857_146_355_43,
        0.030_381_944_138_531_247,
        0.022_372_172_942_149_9,
        0.017_352_392_720_869_973,
        0.013_971_212_973_552_933,
        0.011_479_177_415_184_906,
        0.010_322_814_350_185_78,
        0.005_457_506_718_640_358,
        0.017_400_879_442_694_02,
        -0.014_851_887_071_247_204,
        0.028_757_851_367_421_566,
    ],
};

/// erf(x)/x - 1 in x² up to 1.
const ERF: Of<&[f64]> = Of {
    single: &[
        0.128_379_17,
        -0.376_126_26,
        0.112_835_94,
        -0.026_854_211,
        0.005_189_087_2,
        -0.000_801_686_43,
        7.875_875e-5,
    ],
    double: &[
        0.128_379_167_095_512_56,
        -0.376_126_389_031_835_43,
        0.112_837_916_709_450_06,
        -0.026_866_170_643_237_77,
        0.005_223_977_607_116_422_5,
        -0.000_854_832_597_538_969_2,
        0.000_120_552_949_048_397_07,
        -1.492_473_690_741_966e-5,
        1.644_742_470_331_736_2e-6,
        -1.620_848_380_187_170_5e-7,
        1.372_006_454_677_768_6e-8,
        -7.795_898_827_002_142e-10,
    ],
};

/// e^x² erfc(x) in x - 2, from 1 up to [`ERF_LIMIT`]: as accurate as it has to be, relative to e^x²,
/// in three pieces of as many coefficients: a loop over all of them would not be unrolled.
const ERFC: Of<[&[f64]; 3]> = Of {
    single: [
        &[0.255_395_6, -0.106_797_79, 0.041_801_564],
        &[-0.015_443_011, 0.005_475_551_8, -0.001_857_389],
        &[0.000_503_507_6, -0.000_202_318_85, 0.000_106_836_805],
    ],
    double: [
        &[
            0.255_395_676_310_505_64,
            -0.106_796_461_853_530_77,
            0.041_802_752_603_385_25,
            -0.015_460_637_762_766_78,
            0.005_440_738_542_821_857,
            -0.001_831_664_288_636_701_3,
            0.000_592_469_943_826_207_1,
            -0.000_184_778_327_822_302_2,
        ],
        &[
            5.572_852_222_296_893_5e-5,
            -1.629_377_339_519_393e-5,
            4.627_746_455_259_822_5e-6,
            -1.279_464_947_962_716_9e-6,
            3.453_622_414_951_424e-7,
            -9.082_933_719_528_29e-8,
            2.299_378_421_033_783e-8,
            -5.764_753_583_145_408e-9,
        ],
        &[1.566_945_293_712_220_5e-9, -4.159_286_290_818_554e-10, 7.622_726_152_068_79e-11, -6.272_294_620_074_137e-12],
    ],
};

/// From here on erf is 1.
const ERF_LIMIT: Of<f64> = Of { single: 4.0, double: 5.95 };

/// π/2 in two parts.
const HALF_PI: Of<[f64; 2]> = Of {
    single: [1.570_796_370_506_286_6, -4.371_138_828_673_793e-8],
    double: [1.570_796_326_794_896_6, 6.123_233_995_736_766e-17],
};

/// π/4 in two parts.
const QUARTER_PI: Of<[f64; 2]> = Of {
    single: [0.785_398_185_253_143_3, -2.185_569_414_336_896_4e-8],
    double: [0.785_398_163_397_448_3, 3.061_616_997_868_383e-17],
};

/// π/2 in parts, all but the last so short that their products with a quadrant are exact.
const QUADRANT: Of<&[f64]> = Of {
    single: &[1.570_312_5, 0.000_483_751_296_997_070_3, 7.549_533_620_476_723e-8, 2.563_344_068_257_089_6e-12],
    double: &[1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21],
};

/// 1/3 in two parts.
const THIRD: Of<[f64; 2]> = Of {
    single: [0.333_333_343_267_440_8, -9.934_107_758_624_577e-9],
    double: [0.333_333_333_333_333_3, 1.850_371_707_708_594e-17],
};

/// The smallest positive normal number, and a power of two that makes all smaller ones normal.
const NORMAL: Of<(f64, i32)> = Of { single: (1.175_494_350_822_287_5e-38, 25), double: (f64::MIN_POSITIVE, 54) };

/// Arguments of the exponential beyond which it is 0 or infinite.
const EXP_ENDS: Of<[f64; 2]> = Of { single: [-105.0, 89.0], double: [-746.0, 710.0] };

/// An argument beyond which sinh and cosh are infinite, and so near to that that a quarter of e^x is finite.
const SINH_LIMIT: Of<f64> = Of { single: 89.45, double: 710.5 };

/// Arguments of the waves beyond which the standard library takes over.
const WAVE_LIMIT: f64 = 1e4;

/// n and t with e^x = 2^n (1 + t), for x in the range of the exponential.
#[inline(always)]
fn octaves_and_tail<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let n = x.mul_add(LOG2_E, R::ROUNDER) - R::ROUNDER;
    let r = n.mul_sub_from(R::LN_2[0], x);
    let r = n.mul_sub_from(R::LN_2[1], r);
    (n, polynomial(R::EXP, r).mul_add(r * r, r))
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

/// Whether any lane is beyond [`WAVE_LIMIT`].
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
    let n = exponent.mul_add(LOG2_E, R::ROUNDER) - R::ROUNDER;
    let r = n.mul_sub_from(R::LN_2[0], exponent);
    let r = n.mul_sub_from(R::LN_2[1], r) + rest;
    let power = scaled(n, polynomial(R::EXP, r).mul_add(r * r, r));
    // Of a negative x only integer powers are real; of -inf all.
    let whole = floor(y);
    let half = y * 0.5;
    let signed = floor(half).equal_to(half, power, power.times_sign(x));
    let signed = whole.equal_to(y, signed, power);
    let real = whole.equal_to(y, signed, Lanes::splat(x.simd(), -R::INFINITY).less_than(x, f64::NAN, power));
    let power = x.less_than(0.0, real, signed);
    x.equal_to(1.0, 1.0, y.equal_to(0.0, 1.0, power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::everywhere;
    use crate::simd::{Rows, WithSimd};

    /// A function, the standard library's, and the largest error in ulp that the documentation allows.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Function {
        Exp,
        ExpM1,
        Ln,
        Ln1p,
        Sin,
        Cos,
        Tan,
        Asin,
        Acos,
        Atan,
        Sinh,
        Cosh,
        Tanh,
        Erf,
        Softplus,
        Floor,
        Sign,
        /// x to this power.
        Power(f64),
        /// This to the power of x.
        PowerOf(f64),
    }

    use Function::*;

    const POWERS: [f64; 12] =
        [2.0, 3.0, -1.0, 0.5, 1.5, -2.5, 0.0, 1e-3, 1001.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    const BASES: [f64; 10] = [2.0, 10.0, 0.75, 1.0, -1.0, -2.0, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY];

    impl Function {
        fn all() -> impl Iterator<Item = Self> {
            let functions =
                [Exp, ExpM1, Ln, Ln1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Erf, Softplus, Floor, Sign];
            functions.into_iter().chain(POWERS.map(Power)).chain(BASES.map(PowerOf))
        }

        #[inline(always)]
        fn of<S: Simd, R: Real>(self, x: Lanes<S, R>) -> Lanes<S, R> {
            match self {
                Exp => exp(x),
                ExpM1 => exp_m1(x),
                Ln => ln(x),
                Ln1p => ln_1p(x),
                Sin => sin_cos(x).0,
                Cos => sin_cos(x).1,
                Tan => tan(x),
                Asin => asin(x),
                Acos => acos(x),
                Atan => atan(x),
                Sinh => sinh(x),
                Cosh => cosh(x),
                Tanh => tanh(x),
                Erf => erf(x),
                Softplus => softplus(x),
                Floor => floor(x),
                Sign => sign(x),
                Power(y) => powf(x, Lanes::splat(x.simd(), R::of(y))),
                PowerOf(base) => powf(Lanes::splat(x.simd(), R::of(base)), x),
            }
        }

        /// The value for an argument that single precision may have rounded, as its parameters are.
        fn reference<R: Real>(self, x: f64) -> f64 {
            match self {
                Exp => x.exp(),
                ExpM1 => x.exp_m1(),
                Ln => x.ln(),
                Ln1p => x.ln_1p(),
                Sin => x.sin(),
                Cos => x.cos(),
                Tan => x.tan(),
                Asin => x.asin(),
                Acos => x.acos(),
                Atan => x.atan(),
                Sinh => x.sinh(),
                Cosh => x.cosh(),
                Tanh => x.tanh(),
                Erf => accurate_erf(x),
                Softplus if x > 0.0 => x + (-x).exp().ln_1p(),
                Softplus => x.exp().ln_1p(),
                Floor => x.floor(),
                Sign if x == 0.0 || x.is_nan() => x,
                Sign => x.signum(),
                Power(y) => x.powf(R::of(y).wide()),
                PowerOf(base) => R::of(base).wide().powf(x),
            }
        }

        fn ulps(self) -> f64 {
            match self {
                Floor | Sign => 0.0,
                Exp | Ln | Ln1p | Sin | Cos => 2.0,
                Cosh | Asin | Acos | Atan | Erf | Power(_) | PowerOf(_) => 3.0,
                ExpM1 | Sinh | Tanh | Tan | Softplus => 4.0,
            }
        }
    }

    /// The error function by its series, and from 0.8 on by the continued fraction of its complement.
    fn accurate_erf(x: f64) -> f64 {
        use std::f64::consts::FRAC_2_SQRT_PI;
        let a = x.abs();
        let square = a * a;
        let value = if a > 6.0 {
            1.0
        } else if a < 0.8 {
            // (-a²)^n / n!, from the smallest term on.
            let mut powers = vec![a];
            for n in 1..30 {
                powers.push(-powers[n - 1] * square / n as f64);
            }
            let terms = (0..30).rev().map(|n| powers[n] / (2 * n + 1) as f64);
            FRAC_2_SQRT_PI * terms.sum::<f64>()
        } else {
            let gauss = (-square).exp() * (1.0 - a.mul_add(a, -square));
            let fraction = (1..700).rev().fold(a, |rest, n| a + 0.5 * f64::from(n) / rest);
            1.0 - 0.5 * FRAC_2_SQRT_PI * gauss / fraction
        };
        if x.is_nan() { x } else { value.copysign(x) }
    }

    struct Each<'a, R>(Function, &'a [R]);

    impl<R: Real> WithSimd for Each<'_, R> {
        type Output = Vec<R>;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<R> {
            let mut rows = Rows::<R>::zeros(1, self.1.len());
            rows[..self.1.len()].copy_from_slice(self.1);
            for register in R::registers_mut::<S>(&mut rows) {
                *register = self.0.of(Lanes::<S, R>::new(simd, *register)).register();
            }
            rows[..self.1.len()].to_vec()
        }
    }

    /// Special values and those beside where a formula changes, any bits, and magnitudes evenly on a logarithmic scale, more near 1.
    fn arguments<R: Real>() -> Vec<R> {
        let single = R::NAME == "f32";
        let beside = |x: f64| {
            let (less, more) = match single {
                true => (f64::from((x as f32).next_down()), f64::from((x as f32).next_up())),
                false => (x.next_down(), x.next_up()),
            };
            [less, x, more, -less, -x, -more]
        };
        let special = [
            0.0,
            f64::INFINITY,
            f64::NAN,
            1.0,
            0.5,
            2.0,
            1.5,
            3.0,
            20.0,
            4.0,
            5.95,
            6.0,
            WAVE_LIMIT,
            f64::from(f32::MIN_POSITIVE),
            f64::from(f32::MAX),
            f64::MIN_POSITIVE,
            f64::MAX,
            std::f64::consts::SQRT_2,
            std::f64::consts::FRAC_1_SQRT_2,
            2.414_213_562_373_095,
            0.414_213_562_373_095,
            88.722_84,
            89.415_99,
            103.278,
            709.782_712_893_384,
            710.475_860_073_944,
            745.133_219_101_941,
            8_388_608.0,
            4_503_599_627_370_496.0,
            16_777_216.0,
            9_007_199_254_740_992.0,
            1e-8,
            1e-9,
            1e-5,
        ];
        let mut x: Vec<f64> = special.into_iter().flat_map(beside).collect();
        let irregular = |i: u32| (f64::from(i) * 0.618_033_988_749_894_9).fract();
        let signed = |i: u32| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let exponents = if single { (-149.0, 128.0) } else { (-1074.0, 1024.0) };
        let scale = |i: u32, (low, high): (f64, f64)| signed(i) * (low + (high - low) * irregular(i)).exp2();
        x.extend((0..60_000).map(|i| scale(i, exponents)));
        x.extend((0..60_000).map(|i| scale(i, (-30.0, 11.0))));
        x.extend((0..60_000).map(|i| scale(i, (-1.0, 1.0))));
        x.extend((0..60_000).map(|i| 20.0 * (2.0 * irregular(i) - 1.0)));
        x.extend((0..60_000).map(|i| 1e4 * (2.0 * irregular(i) - 1.0)));
        // Beside the poles and zeros of the tangent, and integers and halves.
        x.extend((0..6_000).flat_map(|n| beside(f64::from(n) * std::f64::consts::FRAC_PI_2)));
        x.extend((0..1_000).flat_map(|n| beside(f64::from(n) * 0.5)));
        x.into_iter().map(R::of).collect()
    }

    /// The distance from |x| to the next larger number.
    fn ulp<R: Real>(x: f64) -> f64 {
        match R::NAME {
            "f32" => f64::from((x.abs() as f32).next_up()) - f64::from(x.abs() as f32),
            _ => x.abs().next_up() - x.abs(),
        }
    }

    fn is_as_documented<R: Real>(epsilon: f64) {
        let x = arguments::<R>();
        for f in Function::all() {
            let reference: Vec<f64> = x.iter().map(|x| f.reference::<R>(x.wide())).collect();
            for (set, found) in everywhere(|| Each(f, &x)) {
                let mut worst = (0.0, 0.0);
                for ((&x, found), &expected) in x.iter().zip(found).zip(&reference) {
                    let nearest = R::of(expected).wide();
                    let (x, found) = (x.wide(), found.wide());
                    let context = || format!("{f:?}({x:e}) = {found:e} on {set}, {expected:e} expected ({})", R::NAME);
                    if nearest.is_nan() || found.is_nan() {
                        assert!(nearest.is_nan() && found.is_nan(), "{}", context());
                    } else if nearest.is_infinite() || found.is_infinite() {
                        assert_eq!(nearest, found, "{}", context());
                    } else if matches!(f, Sin | Cos) && (found - expected).abs() <= epsilon {
                        // Near a zero.
                    } else {
                        let zeros = nearest == 0.0 && found == 0.0;
                        assert!(!zeros || nearest.is_sign_positive() == found.is_sign_positive(), "{}", context());
                        let error = (found - expected).abs() / ulp::<R>(nearest);
                        if error > worst.0 {
                            worst = (error, x);
                        }
                        assert!(error <= f.ulps(), "{}: {error} ulp", context());
                    }
                }
                println!("{f:?} {} {set}: {:.2} ulp at {:e}", R::NAME, worst.0, worst.1);
            }
        }
    }

    #[test]
    fn elementary_functions_are_as_accurate_as_documented_in_single_precision() {
        is_as_documented::<f32>(2f64.powi(-24));
    }

    #[test]
    fn elementary_functions_are_as_accurate_as_documented_in_double_precision() {
        is_as_documented::<f64>(2f64.powi(-53));
    }
}
