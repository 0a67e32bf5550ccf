//! The elementwise operations, with their meaning for one number.

/// An operation on one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unary {
    Reciprocal,
    Sqrt,
    /// The slope of the square root, by the root itself: ½ / x, and 0 at 0.
    RootSlope,
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
    Abs,
    Sign,
    Floor,
    Softplus,
    Sigmoid,
    Erf,
}

impl Unary {
    /// Every one of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 22] = [
        Self::Reciprocal,
        Self::Sqrt,
        Self::RootSlope,
        Self::Exp,
        Self::ExpM1,
        Self::Ln,
        Self::Ln1p,
        Self::Sin,
        Self::Cos,
        Self::Tan,
        Self::Asin,
        Self::Acos,
        Self::Atan,
        Self::Sinh,
        Self::Cosh,
        Self::Tanh,
        Self::Abs,
        Self::Sign,
        Self::Floor,
        Self::Softplus,
        Self::Sigmoid,
        Self::Erf,
    ];

    /// The value at `x`, in double precision.
    pub(crate) fn of(self, x: f64) -> f64 {
        match self {
            Self::Reciprocal => 1.0 / x,
            Self::Sqrt => x.sqrt(),
            Self::RootSlope if x > 0.0 => 0.5 / x,
            Self::RootSlope => x * 0.0,
            Self::Exp => x.exp(),
            Self::ExpM1 => x.exp_m1(),
            Self::Ln => x.ln(),
            Self::Ln1p => x.ln_1p(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tan => x.tan(),
            Self::Asin => x.asin(),
            Self::Acos => x.acos(),
            Self::Atan => x.atan(),
            Self::Sinh => x.sinh(),
            Self::Cosh => x.cosh(),
            Self::Tanh => x.tanh(),
            Self::Abs => x.abs(),
            // NaN is neither above nor below 0.
            Self::Sign => match () {
                _ if x > 0.0 => 1.0,
                _ if x < 0.0 => -1.0,
                _ => x * 0.0,
            },
            Self::Floor => x.floor(),
            Self::Softplus => {
                let larger = if x < 0.0 { 0.0 } else { x };
                larger + (-x.abs()).exp().ln_1p()
            }
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Erf => erf(x),
        }
    }
}

/// An operation on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Min,
    Max,
}

impl Binary {
    /// The value at (`a`, `b`), in double precision.
    pub(crate) fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Power => a.powf(b),
            // NaN comes through, unlike from `f64::min`.
            Self::Min if b < a || b.is_nan() => b,
            Self::Max if a < b || b.is_nan() => b,
            Self::Min | Self::Max => a,
        }
    }

    /// The order of the operands does not matter.
    pub(crate) fn commutes(self) -> bool {
        matches!(self, Self::Add | Self::Multiply | Self::Min | Self::Max)
    }
}

/// A reduction of many numbers to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reduction {
    Sum,
    Product,
    Min,
    Max,
}

impl Reduction {
    /// The number that a reduction of nothing would be.
    pub(crate) fn start(self) -> f64 {
        match self {
            Self::Sum => 0.0,
            Self::Product => 1.0,
            Self::Min => f64::INFINITY,
            Self::Max => f64::NEG_INFINITY,
        }
    }

    /// One step of it.
    pub(crate) fn step(self) -> Binary {
        match self {
            Self::Sum => Binary::Add,
            Self::Product => Binary::Multiply,
            Self::Min => Binary::Min,
            Self::Max => Binary::Max,
        }
    }
}

/// π times the result is `factor`, if that is a multiple of ½.
pub(crate) fn half_turns(factor: f64) -> Option<f64> {
    let turns = factor / std::f64::consts::PI;
    let halves = (2.0 * turns).round();
    (halves != 0.0 && (2.0 * turns - halves).abs() <= 1e-15 * halves.abs()).then_some(0.5 * halves)
}

/// The error function, by the series 2/√π e^(-x²) Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)), whose terms are all of one sign (Abramowitz &
/// Stegun, 7.1.6). From 6 on it is 1 to the last digit.
fn erf(x: f64) -> f64 {
    if x.is_nan() || x.abs() >= 6.0 {
        return if x.is_nan() { x } else { x.signum() };
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_its_tabulated_values() {
        // Abramowitz & Stegun, table 7.1.
        let table = [(0.1, 0.112_462_916_018_284_9), (0.5, 0.520_499_877_813_046_5), (1.0, 0.842_700_792_949_714_9)];
        for (x, expected) in table.into_iter().chain([(2.0, 0.995_322_265_018_952_7), (0.0, 0.0), (9.0, 1.0)]) {
            assert!((erf(x) - expected).abs() <= 1e-15 && erf(-x) == -erf(x), "{x}: {}", erf(x));
        }
        assert!(erf(f64::NAN).is_nan());
    }

    #[test]
    fn nan_comes_through() {
        for operation in Unary::ALL {
            assert!(operation.of(f64::NAN).is_nan(), "{operation:?}");
        }
        for operation in [Binary::Min, Binary::Max] {
            assert!(operation.of(f64::NAN, 1.0).is_nan() && operation.of(1.0, f64::NAN).is_nan(), "{operation:?}");
        }
    }
}
