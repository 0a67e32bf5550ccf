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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::WithSimd;
    use crate::simd::tests::everywhere;
    use std::f64::consts::{FRAC_PI_2, PI};

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Elementary {
        Exp,
        Sigmoid,
        Sin,
        Cos,
        SinPi,
        CosPi,
    }

    use Elementary::*;

    impl Elementary {
        const ALL: [Self; 6] = [Exp, Sigmoid, Sin, Cos, SinPi, CosPi];

        #[inline(always)]
        fn of<S: Simd, R: Real>(self, x: R) -> R {
            match self {
                Exp => exp::<S, R>(x),
                Sigmoid => sigmoid::<S, R>(x),
                Sin => sin_cos::<S, R>(x).0,
                Cos => sin_cos::<S, R>(x).1,
                SinPi => sin_cos_pi::<S, R>(x).0,
                CosPi => sin_cos_pi::<S, R>(x).1,
            }
        }

        /// The standard library's value, in double precision.
        fn reference(self, x: f64) -> f64 {
            match self {
                Exp => x.exp(),
                Sigmoid => 1.0 / (1.0 + (-x).exp()),
                Sin => x.sin(),
                Cos => x.cos(),
                SinPi => half_turns(x).0,
                CosPi => half_turns(x).1,
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

    struct Each<'a, R>(Elementary, &'a [R]);

    impl<R: Real> WithSimd for Each<'_, R> {
        type Output = Vec<R>;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> Vec<R> {
            self.1.iter().map(|&x| self.0.of::<S, R>(x)).collect()
        }
    }

    /// ±`range`, evenly but irregularly, and for the waves also at and beside every quarter turn.
    fn arguments<R: Real>(f: Elementary, range: f64) -> Vec<R> {
        let irregular = |i: u32| range * (2.0 * (f64::from(i) * 0.618_033_988_749_894_9).fract() - 1.0);
        let mut x: Vec<R> = (0..200_000).map(|i| R::of(irregular(i))).collect();
        let turn = match f {
            Exp | Sigmoid => return x,
            Sin | Cos => FRAC_PI_2,
            SinPi | CosPi => 0.5,
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
        let limit = R::EXP_LIMIT.wide();
        let table = [(Exp, limit, 2.0, 0.0), (Sigmoid, limit, 3.0, 0.0)]
            .into_iter()
            .chain([Sin, Cos, SinPi, CosPi].into_iter().flat_map(|f| [1.0, 30.0, 1e4].map(|x| (f, x, 2.0, epsilon))));
        for (f, range, ulps, absolute) in table {
            let x = arguments::<R>(f, range);
            let reference: Vec<f64> = x.iter().map(|x| f.reference(x.wide())).collect();
            for (set, found) in everywhere(|| Each(f, &x)) {
                for ((x, found), &expected) in x.iter().zip(found).zip(&reference) {
                    let error = (found.wide() - expected).abs();
                    let allowed = absolute.max(ulps * ulp::<R>(expected));
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
        let limit = R::EXP_LIMIT;
        let x = [R::NAN, R::INFINITY, -R::INFINITY, limit, -limit, R::ZERO, limit + limit];
        for f in Elementary::ALL {
            for (set, y) in everywhere(|| Each(f, &x)) {
                let context = format!("{f:?} {} on {set}: {y:?}", R::NAME);
                assert!(y[0].wide().is_nan(), "{context}");
                match f {
                    Exp => {
                        assert!(y[1] == y[3] && y[2] == y[4] && y[6] == y[3] && y[1].finite(), "{context}");
                        assert!(y[4] > R::ZERO && y[5] == R::ONE, "{context}");
                    }
                    Sigmoid => {
                        assert!(y[1] == R::ONE && y[3] == R::ONE && y[5] == R::of(0.5), "{context}");
                        assert!(y[2] == y[4] && y[4] > R::ZERO, "{context}");
                    }
                    Sin | SinPi => {
                        assert!(y[5] == R::ZERO && y[1].wide().is_nan() && y[2].wide().is_nan(), "{context}")
                    }
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
