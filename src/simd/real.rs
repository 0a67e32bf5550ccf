//! The scalars that kernels are written over.

use bytemuck::{Pod, Zeroable};
use dfdx::dtypes::Dtype;
use std::fmt::Display;
use std::ops::Neg;

/// `f32` or `f64`: the arithmetic, the bit patterns and the polynomial coefficients that the kernels need.
pub trait Real: Dtype + Pod + Display + Neg<Output = Self> {
    /// One 64-byte vector of this scalar, aligned as such: sixteen `f32` or eight `f64`.
    #[doc(hidden)]
    type Vector: Copy + Send + Sync + Pod + AsRef<[Self]> + AsMut<[Self]>;
    /// How many scalars a [`Real::Vector`] holds.
    #[doc(hidden)]
    const LANES: usize;
    /// The name of the dtype: `"f32"` or `"f64"`.
    const NAME: &'static str;
    #[doc(hidden)]
    const ZERO: Self;
    #[doc(hidden)]
    const NAN: Self;
    #[doc(hidden)]
    const INFINITY: Self;
    /// 1.5 × 2^(mantissa bits): adding it rounds to the nearest integer and leaves that integer in the lowest bits.
    #[doc(hidden)]
    const ROUNDER: Self;
    /// Arguments of the exponential are clamped to ± this, well inside the finite results.
    #[doc(hidden)]
    const EXP_LIMIT: Self;
    /// ln 2, split so that the first part times an exponent is exact.
    #[doc(hidden)]
    const LN_2: [Self; 2];
    /// π/2, split so that the first parts times a quadrant are exact.
    #[doc(hidden)]
    const HALF_PI: [Self; 3];
    /// (exp(r) - 1 - r) / r² on ±ln(2)/2, a Chebyshev fit, lowest power first.
    #[doc(hidden)]
    const EXP: &'static [Self];
    /// (sin(r)/r - 1) / r² on ±π/4, a Chebyshev fit in r², lowest power first.
    #[doc(hidden)]
    const SIN: &'static [Self];
    /// (cos(r) - 1 + r²/2) / r⁴ on ±π/4, a Chebyshev fit in r², lowest power first.
    #[doc(hidden)]
    const COS: &'static [Self];

    /// The nearest value of this type.
    fn of(value: f64) -> Self;
    /// The same value, exactly.
    fn wide(self) -> f64;
    #[doc(hidden)]
    fn fused_mul_add(self, b: Self, c: Self) -> Self;
    #[doc(hidden)]
    fn magnitude(self) -> Self;
    #[doc(hidden)]
    fn root(self) -> Self;
    #[doc(hidden)]
    fn finite(self) -> bool;
    /// 2^n, where the lowest bits of `rounded` hold the integer n (see [`Real::ROUNDER`]).
    #[doc(hidden)]
    fn exp2_of_bits(rounded: Self) -> Self;
    /// (sin, cos) turned by the quadrant that the lowest two bits of `rounded` hold.
    #[doc(hidden)]
    fn turn_by_bits(sin: Self, cos: Self, rounded: Self) -> (Self, Self);
}

macro_rules! real {
    ($real:ident, $bits:ident, vector $vector:ident of $lanes:literal, bias $bias:literal, mantissa $mantissa:literal, rounder $rounder:expr, limit $limit:literal,
     ln_2 $ln_2:expr, half_pi $half_pi:expr, exp $exp:expr, sin $sin:expr, cos $cos:expr) => {
        #[doc(hidden)]
        #[derive(Clone, Copy, Debug, Pod, Zeroable)]
        #[repr(C, align(64))]
        pub struct $vector([$real; $lanes]);

        impl AsRef<[$real]> for $vector {
            #[inline(always)]
            fn as_ref(&self) -> &[$real] {
                &self.0
            }
        }

        impl AsMut<[$real]> for $vector {
            #[inline(always)]
            fn as_mut(&mut self) -> &mut [$real] {
                &mut self.0
            }
        }

        impl Real for $real {
            type Vector = $vector;
            const LANES: usize = $lanes;
            const NAME: &'static str = stringify!($real);
            const ZERO: Self = 0.0;
            const NAN: Self = $real::NAN;
            const INFINITY: Self = $real::INFINITY;
            const ROUNDER: Self = $rounder;
            const EXP_LIMIT: Self = $limit;
            const LN_2: [Self; 2] = $ln_2;
            const HALF_PI: [Self; 3] = $half_pi;
            const EXP: &'static [Self] = &$exp;
            const SIN: &'static [Self] = &$sin;
            const COS: &'static [Self] = &$cos;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $real
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn fused_mul_add(self, b: Self, c: Self) -> Self {
                $real::mul_add(self, b, c)
            }
            #[inline(always)]
            fn magnitude(self) -> Self {
                $real::abs(self)
            }
            #[inline(always)]
            fn root(self) -> Self {
                $real::sqrt(self)
            }
            #[inline(always)]
            fn finite(self) -> bool {
                $real::is_finite(self)
            }
            #[inline(always)]
            fn exp2_of_bits(rounded: Self) -> Self {
                $real::from_bits(rounded.to_bits().wrapping_add($bias) << $mantissa)
            }
            #[inline(always)]
            fn turn_by_bits(sin: Self, cos: Self, rounded: Self) -> (Self, Self) {
                let quadrant = rounded.to_bits();
                let (s, c) = if quadrant & 1 == 0 { (sin, cos) } else { (cos, sin) };
                let sin_sign = (quadrant & 2) << ($bits::BITS - 2);
                let cos_sign = (quadrant.wrapping_add(1) & 2) << ($bits::BITS - 2);
                ($real::from_bits(s.to_bits() ^ sin_sign), $real::from_bits(c.to_bits() ^ cos_sign))
            }
        }
    };
}

real!(f32, u32, vector Vector32 of 16, bias 127, mantissa 23, rounder 12_582_912.0, limit 87.0,
    ln_2 [0.693_359_4, -2.121_944_4e-4],
    half_pi [1.570_312_5, 4.837_513e-4, 7.549_79e-8],
    exp [0.5, 0.166_665_77, 0.041_666_556, 0.008_363_179, 0.001_392_618_4],
    sin [-0.166_666_65, 0.008_332_748, -0.000_195_878_4],
    cos [0.041_666_665, -0.001_388_830_3, 0.000_024_547_892]);

real!(f64, u64, vector Vector64 of 8, bias 1023, mantissa 52, rounder 6_755_399_441_055_744.0, limit 708.0,
    ln_2 [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10],
    half_pi [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21],
    exp [0.500_000_000_000_000_1, 0.166_666_666_666_666_68, 0.041_666_666_666_624_13, 0.008_333_333_333_330_062,
        0.001_388_888_891_721_371_7, 0.000_198_412_698_630_536_17, 0.000_024_801_521_295_954_375,
        2.755_726_845_999_706_5e-6, 2.762_008_844_540_974_8e-7, 2.510_038_549_551_032e-8],
    sin [-0.166_666_666_666_666_65, 0.008_333_333_333_330_946, -0.000_198_412_698_367_549_7,
        2.755_731_610_068_303e-6, -2.505_113_145_542_794_7e-8, 1.591_810_123_027_412e-10],
    cos [0.041_666_666_666_666_664, -0.001_388_888_888_888_739_6, 0.000_024_801_587_298_763_343,
        -2.755_731_727_056_032_4e-7, 2.087_614_602_468_974_7e-9, -1.138_261_486_855_632_3e-11]);
