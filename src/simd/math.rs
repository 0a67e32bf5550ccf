//! Elementary functions without branches, over registers.
//!
//! Each is a reduction of the argument followed by a polynomial, fitted to these intervals by Chebyshev interpolation in 60
//! digits. The tests below hold their errors against the standard library; the documentation of each states them in
//! units in the last place (ulp). NaN in, NaN out.

use super::{Lanes, Real, Simd, Tables, WithSimd};
use bytemuck::Pod;
use std::f64::consts::{FRAC_2_PI, LOG2_E, PI};
use std::marker::PhantomData;

/// `c[0] + x (c[1] + x (c[2] + …))`, by Horner's scheme in x² for the even and the odd powers side by side: what counts is how long
/// a chain of operations waits for itself.
#[inline(always)]
pub(super) fn polynomial<S: Simd, R: Real>(coefficients: &[f64], x: Lanes<S, R>) -> Lanes<S, R> {
    let square = x * x;
    let mut sums = [Lanes::splat(x.simd(), R::ZERO); 2];
    let degree = coefficients.len() - 1;
    for (power, &coefficient) in coefficients.iter().enumerate().rev() {
        let sum = &mut sums[power % 2];
        // The two highest powers begin the sums.
        *sum = if power + 2 > degree {
            Lanes::splat(x.simd(), R::of(coefficient))
        } else {
            sum.mul_add(square, coefficient)
        };
    }
    sums[1].mul_add(x, sums[0])
}

/// e^x, within 2 ulp for |x| ≤ 87 (`f32`) or 708 (`f64`); beyond, the value at that limit.
#[inline(always)]
pub(crate) fn exp<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let (power, tail) = power_and_tail(x);
    power.mul_add(tail, power)
}

/// e^x as [`exp`] has it, and e^x - 1 within 4 ulp, 0 at 0.
#[inline(always)]
pub(crate) fn exp_and_less_one<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (power, tail) = power_and_tail(x);
    (power.mul_add(tail, power), power.mul_add(tail, power - 1.0))
}

/// The nearest power of two to e^x, and by how much of it e^x is larger.
#[inline(always)]
fn power_and_tail<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (rounded, r) = octaves_and_rest(x.clamp(-R::EXP_LIMIT, R::EXP_LIMIT));
    (Lanes::new(x.simd(), R::exp2_of_bits(x.simd(), rounded.register())), exp_tail(r))
}

/// n and r with x = n ln 2 + r, where |r| is at most half of ln 2; n comes with [`Real::ROUNDER`] added to it.
#[inline(always)]
pub(super) fn octaves_and_rest<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let rounded = x.mul_add(LOG2_E, R::ROUNDER);
    let n = rounded - R::ROUNDER;
    let r = n.mul_sub_from(R::LN_2[0], x);
    (rounded, n.mul_sub_from(R::LN_2[1], r))
}

/// e^r - 1 for |r| up to half of ln 2.
#[inline(always)]
pub(super) fn exp_tail<S: Simd, R: Real>(r: Lanes<S, R>) -> Lanes<S, R> {
    polynomial(R::EXP, r).mul_add(r * r, r)
}

/// The logistic sigmoid 1 / (1 + e^(-gain y)).
///
/// Within 4 + |gain y| ulp where |gain y| is at most 43 (`f32`) or 353.5 (`f64`): as far off as the sigmoid of an argument one ulp
/// away. Beyond, the values at that limit.
#[derive(Clone, Copy)]
pub(crate) struct Sigmoid<S: Simd, R: Real> {
    gain: Lanes<S, R>,
    /// The sixteenths of an octave by which e^(-gain y) rises with y.
    sixteenths: Lanes<S, R>,
    /// The largest |y|.
    limit: f64,
    tables: Option<Tables>,
}

impl<S: Simd, R: Real> Sigmoid<S, R> {
    /// `tables` are those of the instruction set that `simd` is, or is the half of.
    #[inline(always)]
    pub(crate) fn new(simd: S, tables: Option<Tables>, gain: f64) -> Self {
        let limit = R::ODDS_LIMIT / gain.abs();
        let sixteenths = Lanes::splat(simd, R::of(-16.0 * LOG2_E * gain));
        Self { gain: Lanes::splat(simd, R::of(gain)), sixteenths, limit, tables }
    }

    /// The sigmoids of two arguments, which share a division. NaN in either makes both NaN: they are coordinates of one point.
    #[inline(always)]
    pub(crate) fn both(self, a: Lanes<S, R>, b: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
        Self::of_odds(self.odds(a), self.odds(b))
    }

    /// The sigmoids x of two arguments with the odds v = (1 - x)/x: 1/(1 + v).
    #[inline(always)]
    pub(crate) fn of_odds(a: Lanes<S, R>, b: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
        let (a, b) = (a + 1.0, b + 1.0);
        let reciprocal = Lanes::splat(a.simd(), R::of(1.0)) / (a * b);
        (reciprocal * b, reciprocal * a)
    }

    /// e^(-gain y), the odds of the sigmoid. Where a power of two in sixteenths can be looked up, a short polynomial is left to
    /// do.
    #[inline(always)]
    pub(crate) fn odds(self, y: Lanes<S, R>) -> Lanes<S, R> {
        let y = y.clamp(-self.limit, self.limit);
        let Some(tables) = self.tables else { return exp(-(y * self.gain)) };
        let rounded = y.mul_add(self.sixteenths, R::ROUNDER);
        let n = rounded - R::ROUNDER;
        let r = y.mul_add(self.sixteenths, -n);
        let [rest @ .., highest] = R::SIXTEENTH else { unreachable!("a polynomial has coefficients") };
        let mut tail = Lanes::splat(y.simd(), R::of(*highest));
        for &coefficient in rest.iter().rev() {
            tail = tail.mul_add(r, coefficient);
        }
        let power = Lanes::new(y.simd(), R::sixteenths_of_bits::<S>(tables, rounded.register()));
        (power * r).mul_add(tail, power)
    }
}

/// The bounds of odds, chosen so that the product of two denominators 1 + v is finite.
#[inline(always)]
pub(crate) fn clamp_odds<S: Simd, R: Real>(odds: Lanes<S, R>) -> Lanes<S, R> {
    odds.clamp(R::ODDS[0], R::ODDS[1])
}

/// Coefficients of the series 1 + x/2! + x²/3! + … of (e^x - 1)/x.
const GROWTH: [f64; 8] =
    [1.0, 1.0 / 2.0, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5_040.0, 1.0 / 40_320.0];

/// (e^x - 1)/x by so many terms of its series after the first, for |x| as small as [`Real::GENTLE`] says.
#[inline(always)]
pub(crate) fn gentle_growth<S: Simd, R: Real>(x: Lanes<S, R>, terms: usize) -> Lanes<S, R> {
    polynomial(&GROWTH[..=terms], x)
}

/// [`exp`] as a call, for formulas that have no room for it: what is too large is not inlined, and then compiled without the
/// instruction set.
#[inline(always)]
pub(crate) fn exp_apart<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    struct Apart<R: Real, T>(T, PhantomData<R>);
    impl<R: Real, T: Pod> WithSimd for Apart<R, T> {
        type Output = T;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> T {
            bytemuck::cast(exp(Lanes::<S, R>::new(simd, bytemuck::cast(self.0))).register())
        }
    }
    Lanes::new(x.simd(), x.simd().vectorize(Apart::<R, _>(x.register(), PhantomData)))
}

/// (sin x, cos x) for |x| ≤ 10⁴, within 2 ulp or, near their zeros, within 2^-24 (`f32`) or 2^-53 (`f64`).
#[inline(always)]
pub(crate) fn sin_cos<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let rounded = x.mul_add(FRAC_2_PI, R::ROUNDER);
    let n = rounded - R::ROUNDER;
    let r = R::HALF_PI.iter().fold(x, |r, &part| n.mul_sub_from(part, r));
    turned(r, rounded)
}

/// (sin πx, cos πx) for |x| ≤ 10⁴, within 2 ulp or, near their zeros, within 2^-24 (`f32`) or 2^-53 (`f64`).
#[inline(always)]
pub(crate) fn sin_cos_pi<S: Simd, R: Real>(x: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let rounded = x + x + R::ROUNDER;
    let n = rounded - R::ROUNDER;
    let r = n.mul_sub_from(0.5, x);
    turned(r * PI, rounded)
}

/// (sin πkx, sin πkx cos πkx), the first but for its sign, for `k` times |x| ≤ 10⁴: the roots of ½ (1 - cos 2πkx), and ½ sin 2πkx. Near
/// x = 0 both are within 4 ulp, elsewhere off by that and by what rounding kx does.
#[inline(always)]
pub(crate) fn half_wave_pi<S: Simd, R: Real>(x: Lanes<S, R>, k: f64) -> (Lanes<S, R>, Lanes<S, R>) {
    let rounded = x.mul_add(2.0 * k, R::ROUNDER);
    let n = rounded - R::ROUNDER;
    let r = n.mul_sub_from(0.5, x * k);
    let (sin, cos) = within_a_quadrant(r * PI);
    let (sin, product) = R::turn_product_by_bits(x.simd(), sin.register(), cos.register(), rounded.register());
    (Lanes::new(x.simd(), sin), Lanes::new(x.simd(), product))
}

/// (sin, cos) of `r`, |r| ≤ π/4, turned by the quadrant in `rounded`.
#[inline(always)]
fn turned<S: Simd, R: Real>(r: Lanes<S, R>, rounded: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let (sin, cos) = within_a_quadrant(r);
    let (sin, cos) = R::turn_by_bits(r.simd(), sin.register(), cos.register(), rounded.register());
    (Lanes::new(r.simd(), sin), Lanes::new(r.simd(), cos))
}

/// (sin, cos) of `r`, |r| ≤ π/4.
#[inline(always)]
pub(super) fn within_a_quadrant<S: Simd, R: Real>(r: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
    let square = r * r;
    let sin = polynomial(R::SIN, square).mul_add(square * r, r);
    let half = square.mul_sub_from(0.5, 1.0);
    let cos = polynomial(R::COS, square).mul_add(square * square, half);
    (sin, cos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tables;
    use crate::simd::tests::{Each, Elementwise, everywhere};
    use std::f64::consts::FRAC_PI_2;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Elementary {
        Exp,
        Sigmoid,
        SigmoidTwice,
        /// By one of the series for small arguments.
        GentleExp(usize),
        Sin,
        Cos,
        SinPi,
        CosPi,
        ExpLessOne,
        /// |sin πx|.
        HalfWave,
        /// ½ sin 2πx.
        HalfWaveSlope,
    }

    use Elementary::*;

    impl Elementwise for Elementary {
        #[inline(always)]
        fn of<S: Simd, R: Real>(self, x: Lanes<S, R>) -> Lanes<S, R> {
            match self {
                Exp => exp(x),
                Sigmoid => super::Sigmoid::new(x.simd(), tables(x.simd()), 1.0).both(x, -x).0,
                SigmoidTwice => super::Sigmoid::new(x.simd(), tables(x.simd()), 2.0).both(-x, x * 0.5).1,
                GentleExp(series) => gentle_growth(x, R::GENTLE[series].1).mul_add(x, 1.0),
                Sin => sin_cos(x).0,
                Cos => sin_cos(x).1,
                SinPi => sin_cos_pi(x).0,
                CosPi => sin_cos_pi(x).1,
                ExpLessOne => exp_and_less_one(x).1,
                HalfWave => half_wave_pi(x * 0.25, 4.0).0.abs(),
                HalfWaveSlope => half_wave_pi(x * 0.25, 4.0).1,
            }
        }
    }

    impl Elementary {
        /// Those that are for any argument.
        const ALL: [Self; 10] =
            [Exp, Sigmoid, SigmoidTwice, Sin, Cos, SinPi, CosPi, ExpLessOne, HalfWave, HalfWaveSlope];

        /// The standard library's value, in double precision.
        fn reference(self, x: f64) -> f64 {
            match self {
                Exp | GentleExp(_) => x.exp(),
                Sigmoid | SigmoidTwice => 1.0 / (1.0 + (-x).exp()),
                Sin => x.sin(),
                Cos => x.cos(),
                SinPi => half_turns(x).0,
                CosPi => half_turns(x).1,
                ExpLessOne => x.exp_m1(),
                HalfWave => half_turns(x).0.abs(),
                HalfWaveSlope => 0.5 * half_turns(2.0 * x).0,
            }
        }
    }

    /// (sin πx, cos πx): x reduced exactly to |r| ≤ 1/4, and πr kept in two parts.
    fn half_turns(x: f64) -> (f64, f64) {
        let n = (2.0 * x).round();
        let r = x - 0.5 * n;
        let (high, low) = (PI * r, PI.mul_add(r, -(PI * r)) + 1.224_646_799_147_353_2e-16 * r);
        let (s, c) = (low.mul_add(high.cos(), high.sin()), low.mul_add(-high.sin(), high.cos()));
        [(s, c), (c, -s), (-s, -c), (-c, s)][n.rem_euclid(4.0) as usize]
    }

    /// ±`range`, evenly but irregularly, and for the waves also at and beside every quarter turn.
    fn arguments<R: Real>(f: Elementary, range: f64) -> Vec<R> {
        let irregular = |i: u32| range * (2.0 * (f64::from(i) * 0.618_033_988_749_894_9).fract() - 1.0);
        let mut x: Vec<R> = (0..200_000).map(|i| R::of(irregular(i))).collect();
        let turn = match f {
            Exp | Sigmoid | SigmoidTwice | GentleExp(_) | ExpLessOne => return x,
            Sin | Cos => FRAC_PI_2,
            SinPi | CosPi | HalfWave | HalfWaveSlope => 0.5,
        };
        let turns = (range / turn) as u32;
        x.extend((0..=turns).flat_map(|n| [1.0, 1.0 - 1e-6].map(|beside| R::of(f64::from(n) * turn * beside))));
        x
    }

    /// The distance from |x| to the next larger number.
    fn ulp<R: Real>(x: f64) -> f64 {
        match R::NAME {
            "f32" => f64::from((x.abs() as f32).next_up()) - f64::from(x.abs() as f32),
            _ => x.abs().next_up() - x.abs(),
        }
    }

    /// Holds every function on every instruction set against what its documentation states. `f64` is held against a
    /// reference with an error of half a unit itself, and still keeps the bounds.
    fn is_accurate<R: Real>(epsilon: f64) {
        // Function, largest argument, ulp, or else absolute error.
        let limit = R::EXP_LIMIT;
        let half = R::ODDS_LIMIT;
        // Near 0 there is nothing but the relative error.
        let near_zero = [1e-12, 1e-6, 1e-3, 0.2].into_iter().flat_map(|range| {
            [(ExpLessOne, range, 4.0, 0.0), (HalfWave, range, 4.0, 0.0), (HalfWaveSlope, range, 4.0, 0.0)]
        });
        let exponentials = [
            (Exp, limit, 2.0, 0.0),
            (ExpLessOne, limit, 4.0, 0.0),
            (Sigmoid, half, 4.0, 0.0),
            (SigmoidTwice, half, 4.0, 0.0),
        ]
        .into_iter()
        .chain(R::GENTLE.into_iter().enumerate().map(|(series, (bound, _))| (GentleExp(series), bound, 1.0, 0.0)));
        let table = exponentials
            .chain(near_zero)
            .chain([HalfWave, HalfWaveSlope].map(|f| (f, 100.0, 4.0, 2.0 * epsilon)))
            .chain([Sin, Cos, SinPi, CosPi].into_iter().flat_map(|f| [1.0, 30.0, 1e4].map(|x| (f, x, 2.0, epsilon))));
        for (f, range, ulps, absolute) in table {
            let x = arguments::<R>(f, range);
            let reference: Vec<f64> = x.iter().map(|x| f.reference(x.wide())).collect();
            for (set, found) in everywhere(|| Each(f, &x)) {
                for ((x, found), &expected) in x.iter().zip(found).zip(&reference) {
                    let error = (found.wide() - expected).abs();
                    // A sigmoid may be that of an argument one ulp away.
                    let shift = if matches!(f, Sigmoid | SigmoidTwice) { x.wide().abs() } else { 0.0 };
                    let allowed = absolute.max((ulps + shift) * ulp::<R>(expected));
                    assert!(error <= allowed, "{f:?}({x}) = {found} on {set}, {expected} expected ({})", R::NAME);
                }
            }
        }
    }

    #[test]
    fn single_precision_is_as_accurate_as_documented() {
        is_accurate::<f32>(2f64.powi(-24));
    }

    #[test]
    fn double_precision_is_as_accurate_as_documented() {
        is_accurate::<f64>(2f64.powi(-53));
    }

    fn is_right_at_the_ends<R: Real>() {
        let limit = R::of(R::EXP_LIMIT);
        let x = [R::of(f64::NAN), R::INFINITY, -R::INFINITY, limit, -limit, R::ZERO, limit + limit];
        for f in Elementary::ALL {
            for (set, y) in everywhere(|| Each(f, &x)) {
                let context = format!("{f:?} {} on {set}: {y:?}", R::NAME);
                assert!(y[0].wide().is_nan(), "{context}");
                match f {
                    Exp => {
                        assert!(y[1] == y[3] && y[2] == y[4] && y[6] == y[3] && y[1].wide().is_finite(), "{context}");
                        assert!(y[4] > R::ZERO && y[5] == R::ONE, "{context}");
                    }
                    Sigmoid | SigmoidTwice => {
                        let full = (y[3].wide() - 1.0).abs() <= ulp::<R>(1.0);
                        assert!(full && y[1] == y[3] && y[6] == y[3] && y[5] == R::of(0.5), "{context}");
                        assert!(y[2] == y[4] && y[4] > R::ZERO, "{context}");
                    }
                    ExpLessOne => {
                        assert!(y[1] == y[3] && y[2] == y[4] && y[6] == y[3] && y[1].wide().is_finite(), "{context}");
                        assert!(y[4] == R::of(-1.0) && y[5] == R::ZERO, "{context}");
                    }
                    Sin | SinPi | HalfWave | HalfWaveSlope => {
                        assert!(y[5] == R::ZERO && y[1].wide().is_nan() && y[2].wide().is_nan(), "{context}")
                    }
                    GentleExp(_) => unreachable!("for small arguments only"),
                    Cos | CosPi => assert!(y[5] == R::ONE && y[1].wide().is_nan() && y[2].wide().is_nan(), "{context}"),
                }
            }
        }
    }

    #[test]
    fn nan_stays_nan_and_the_ends_of_the_range_hold() {
        is_right_at_the_ends::<f32>();
        is_right_at_the_ends::<f64>();
    }
}
