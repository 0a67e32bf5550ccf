//! Activations between the layers of a network.

use crate::error::Error;
use crate::simd::math::{exp, sin_cos};
use crate::simd::{Lanes, Real, Simd};
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};
use std::fmt;
use std::str::FromStr;

/// The slope of the leaky ReLU below zero: PyTorch's default.
const LEAK: f64 = 0.01;

/// √(2/π), the argument's factor in the tanh form of GELU.
const GELU_FACTOR: f64 = FRAC_2_SQRT_PI / SQRT_2;

/// The factor of the cubic term in the tanh form of GELU.
const GELU_CUBE: f64 = 0.044_715;

/// The function that hidden layers apply to each neuron's sum s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(s, 0), the paper's.
    #[default]
    Relu,
    /// s itself: the network is a product of linear layers.
    Identity,
    /// tanh s.
    Tanh,
    /// s, times 0.01 where s < 0.
    LeakyRelu,
    /// ½ s (1 + tanh(√(2/π) (s + 0.044715 s³))), the usual approximation of s Φ(s).
    ///
    /// # Reference
    /// Hendrycks, Gimpel (2016), Gaussian error linear units (GELUs), section 2.
    Gelu,
    /// sin s, for |s| ≤ 10⁴. Beyond, the error grows with |s|; from about 6·10⁶ (`f32`) or 3·10¹⁵ (`f64`) on, the result may also be
    /// above 1.
    ///
    /// # Reference
    /// Sitzmann et al. (2020), Implicit neural representations with periodic activation functions.
    Sine,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Self; 6] = [Self::Relu, Self::Identity, Self::Tanh, Self::LeakyRelu, Self::Gelu, Self::Sine];

    /// The slope of the leaky ReLU below zero, and of GELU's tanh form the argument's factor and that of the cubic term.
    pub(crate) const CONSTANTS: [f64; 3] = [LEAK, GELU_FACTOR, GELU_CUBE];

    /// The name on the command line and in the data, such as `"leaky-relu"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Identity => "identity",
            Self::Tanh => "tanh",
            Self::LeakyRelu => "leaky-relu",
            Self::Gelu => "gelu",
            Self::Sine => "sine",
        }
    }

    /// True if the derivatives are kept from the forward pass for the backward pass.
    pub(crate) fn keeps_slopes(self) -> bool {
        !matches!(self, Self::Relu | Self::Identity)
    }

    /// The activation of `sum` and its derivative.
    #[inline(always)]
    fn of<S: Simd, R: Real>(self, sum: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
        let one = Lanes::splat(sum.simd(), R::ONE);
        match self {
            // Not a maximum: NaN must stay NaN, since that is how divergence is detected.
            Self::Relu => (sum.less_than(0.0, 0.0, sum), sum.less_than(0.0, 0.0, one)),
            Self::Identity => (sum, one),
            Self::Tanh => {
                let value = tanh(sum);
                (value, value.mul_sub_from(value, one))
            }
            Self::LeakyRelu => (sum.less_than(0.0, sum * LEAK, sum), sum.less_than(0.0, LEAK, one)),
            Self::Gelu => {
                let square = sum * sum;
                let value = tanh(square.mul_add(GELU_CUBE, 1.0) * sum * GELU_FACTOR);
                let inner = square.mul_add(3.0 * GELU_CUBE, 1.0) * GELU_FACTOR;
                let (half, above) = (sum * 0.5, (value + 1.0) * 0.5);
                (sum * above, (half * value.mul_sub_from(value, one)).mul_add(inner, above))
            }
            Self::Sine => sin_cos(sum),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|activation| activation.name() == name);
        found.ok_or_else(|| Error::unknown("activation", name, &Self::ALL.map(Self::name)))
    }
}

/// tanh, within 4 × 10⁻¹⁶ (`f64`) or 2 × 10⁻⁷ (`f32`) of the true value.
#[inline(always)]
fn tanh<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R> {
    let decay = exp(x.abs() * -2.0);
    let magnitude = (-decay + 1.0) / (decay + 1.0);
    x.less_than(0.0, -magnitude, magnitude)
}

/// Replaces `sums` by their activations and writes the derivatives to `slopes`, where the activation keeps them.
#[inline(always)]
pub(super) fn activate<S: Simd, R: Real>(simd: S, activation: Activation, sums: &mut [R], slopes: &mut [R]) {
    if !activation.keeps_slopes() {
        return;
    }
    let (sums, slopes) = (R::registers_mut::<S>(sums), R::registers_mut::<S>(slopes));
    for (sum, slope) in sums.iter_mut().zip(slopes) {
        let (value, derivative) = activation.of(Lanes::<S, R>::new(simd, *sum));
        (*sum, *slope) = (value.register(), derivative.register());
    }
}

/// Multiplies `gradients` by the derivatives that the forward pass kept; where it kept none they are 1.
#[inline(always)]
pub(super) fn multiply<S: Simd, R: Real>(simd: S, gradients: &mut [R], slopes: &[R]) {
    for (gradient, &slope) in R::registers_mut::<S>(gradients).iter_mut().zip(R::registers::<S>(slopes)) {
        *gradient = (Lanes::<S, R>::new(simd, *gradient) * Lanes::new(simd, slope)).register();
    }
}
