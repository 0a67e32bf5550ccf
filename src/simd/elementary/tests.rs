//! Every function on every instruction set against the standard library.

use super::*;
use crate::simd::tests::{Each, Elementwise, everywhere};

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

impl Elementwise for Function {
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
}

impl Function {
    fn all() -> impl Iterator<Item = Self> {
        let functions =
            [Exp, ExpM1, Ln, Ln1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Erf, Softplus, Floor, Sign];
        functions.into_iter().chain(POWERS.map(Power)).chain(BASES.map(PowerOf))
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
