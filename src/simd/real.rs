//! The scalars that kernels are written over, and the registers that hold them.

use super::Simd;
use bytemuck::{Pod, Zeroable};
use dfdx::dtypes::Dtype;
use std::any::Any;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64;
use std::fmt::{Debug, Display};
use std::ops::Neg;

/// `f32` or `f64`: the arithmetic, the bit patterns and the polynomial coefficients that the kernels need.
pub trait Real: Dtype + Pod + Display + Neg<Output = Self> {
    /// 64 bytes of this scalar, aligned as such: what buffers are made of, whatever the instruction set.
    #[doc(hidden)]
    type Block: Debug + Send + Sync + Pod;
    /// The number of scalars in a [`Real::Block`]: sixteen `f32` or eight `f64`.
    #[doc(hidden)]
    const BLOCK: usize;
    /// A register of an instruction set, full of this scalar.
    #[doc(hidden)]
    type Register<S: Simd>: Pod + Send + Sync;
    /// The name of the dtype: `"f32"` or `"f64"`.
    const NAME: &'static str;
    #[doc(hidden)]
    const ZERO: Self;
    #[doc(hidden)]
    const INFINITY: Self;
    /// 1.5 × 2^(mantissa bits): adding it rounds to the nearest integer and leaves that integer in the lowest bits.
    #[doc(hidden)]
    const ROUNDER: f64;
    /// Arguments of the exponential are clamped to ± this, well inside the finite results.
    #[doc(hidden)]
    const EXP_LIMIT: f64;
    /// Odds of a sigmoid are held between e^± this, half the range of the exponential: the product of two of them is finite.
    #[doc(hidden)]
    const ODDS_LIMIT: f64;
    /// e^-[`Real::ODDS_LIMIT`] and e^[`Real::ODDS_LIMIT`], or next to it.
    #[doc(hidden)]
    const ODDS: [f64; 2];
    /// Series 1 + x/2! + x²/3! + … of (e^x - 1)/x: up to which |x|, and how many terms after the first, so that what is left out of
    /// e^x is less than a quarter of the distance from 1 to the next smaller number.
    #[doc(hidden)]
    const GENTLE: [(f64, usize); 2];
    /// ln 2, split so that the first part times an exponent is exact.
    #[doc(hidden)]
    const LN_2: [f64; 2];
    /// π/2, split so that the first parts times a quadrant are exact.
    #[doc(hidden)]
    const HALF_PI: &'static [f64];
    /// (exp(r) - 1 - r) / r² on ±ln(2)/2, a Chebyshev fit, lowest power first.
    #[doc(hidden)]
    const EXP: &'static [f64];
    /// (2^(r/16) - 1) / r on ±1/2, a Chebyshev fit, lowest power first.
    #[doc(hidden)]
    const SIXTEENTH: &'static [f64];
    /// (sin(r)/r - 1) / r² on ±π/4, a Chebyshev fit in r², lowest power first.
    #[doc(hidden)]
    const SIN: &'static [f64];
    /// (cos(r) - 1 + r²/2) / r⁴ on ±π/4, a Chebyshev fit in r², lowest power first.
    #[doc(hidden)]
    const COS: &'static [f64];

    /// The nearest value of this type.
    fn of(value: f64) -> Self;
    /// The same value, exactly.
    fn wide(self) -> f64;

    /// `scalars`, a whole number of [`Real::Block`]s, as registers.
    #[doc(hidden)]
    fn registers<S: Simd>(scalars: &[Self]) -> &[Self::Register<S>];
    #[doc(hidden)]
    fn registers_mut<S: Simd>(scalars: &mut [Self]) -> &mut [Self::Register<S>];
    #[doc(hidden)]
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Register<S>;
    #[doc(hidden)]
    fn plus<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    #[doc(hidden)]
    fn minus<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    #[doc(hidden)]
    fn times<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    #[doc(hidden)]
    fn over<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    /// a b + c, in one rounding where the instruction set has it.
    #[doc(hidden)]
    fn mul_add<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>, c: Self::Register<S>)
    -> Self::Register<S>;
    /// c - a b, in one rounding where the instruction set has it.
    #[doc(hidden)]
    fn negate_mul_add<S: Simd>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;
    /// `x` held between `low` and `high`; NaN stays NaN.
    #[doc(hidden)]
    fn clamp<S: Simd>(
        simd: S,
        x: Self::Register<S>,
        low: Self::Register<S>,
        high: Self::Register<S>,
    ) -> Self::Register<S>;
    #[doc(hidden)]
    fn magnitude<S: Simd>(simd: S, x: Self::Register<S>) -> Self::Register<S>;
    #[doc(hidden)]
    fn root<S: Simd>(simd: S, x: Self::Register<S>) -> Self::Register<S>;
    /// Lane by lane `then` where a < b, else `otherwise`.
    #[doc(hidden)]
    fn select_less<S: Simd>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        then: Self::Register<S>,
        otherwise: Self::Register<S>,
    ) -> Self::Register<S>;
    /// Lane by lane `then` where a = b, else `otherwise`.
    #[doc(hidden)]
    fn select_equal<S: Simd>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        then: Self::Register<S>,
        otherwise: Self::Register<S>,
    ) -> Self::Register<S>;
    /// `x`, its sign turned around where that of `sign` is set.
    #[doc(hidden)]
    fn times_sign<S: Simd>(simd: S, x: Self::Register<S>, sign: Self::Register<S>) -> Self::Register<S>;
    /// (k, m) with x = 2^k m and m from √½ to √2, for positive normal `x`.
    #[doc(hidden)]
    fn exponent_and_mantissa<S: Simd>(simd: S, x: Self::Register<S>) -> (Self::Register<S>, Self::Register<S>);
    /// `x` without the lower half of its mantissa: products of two such numbers are exact.
    #[doc(hidden)]
    fn upper_half<S: Simd>(simd: S, x: Self::Register<S>) -> Self::Register<S>;
    /// True if a < b in any lane.
    #[doc(hidden)]
    fn any_less<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> bool;
    /// 2^n, where the lowest bits of `rounded` hold the integer n (see [`Real::ROUNDER`]).
    #[doc(hidden)]
    fn exp2_of_bits<S: Simd>(simd: S, rounded: Self::Register<S>) -> Self::Register<S>;
    /// 2^(n/16), where the lowest bits of `rounded` hold the integer n.
    #[doc(hidden)]
    fn sixteenths_of_bits<S: Simd>(tables: Tables, rounded: Self::Register<S>) -> Self::Register<S>;
    /// (sin, cos) turned by the quadrant that the lowest two bits of `rounded` hold.
    #[doc(hidden)]
    fn turn_by_bits<S: Simd>(
        simd: S,
        sin: Self::Register<S>,
        cos: Self::Register<S>,
        rounded: Self::Register<S>,
    ) -> (Self::Register<S>, Self::Register<S>);
    /// Of (sin, cos) turned by the quadrant that the lowest two bits of `rounded` hold, sin but for its sign, and sin × cos.
    #[doc(hidden)]
    fn turn_product_by_bits<S: Simd>(
        simd: S,
        sin: Self::Register<S>,
        cos: Self::Register<S>,
        rounded: Self::Register<S>,
    ) -> (Self::Register<S>, Self::Register<S>);
}

/// The instruction set that looks up every lane in a table of sixteen at once.
#[cfg(target_arch = "x86_64")]
pub type Tables = pulp::x86::V4;
/// There is none.
#[cfg(not(target_arch = "x86_64"))]
pub type Tables = std::convert::Infallible;

/// `simd`, if it has tables; known when compiled.
#[inline(always)]
pub(crate) fn tables<S: Simd>(simd: S) -> Option<Tables> {
    (&simd as &dyn Any).downcast_ref().copied()
}

/// The part of `simd` that is AVX2, if there is one; known when compiled.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn avx2<S: Simd>(simd: S) -> Option<pulp::x86::V3> {
    tables(simd).map(|simd| *simd).or((&simd as &dyn Any).downcast_ref().copied())
}

/// The instruction set on registers half as wide. A type of its own, so that kernels compiled for AVX2 share no function with it:
/// what is called from a single place is inlined, and has to be.
#[cfg(target_arch = "x86_64")]
pub(super) type Half = pulp::x86::V3_256b;
/// There is none.
#[cfg(not(target_arch = "x86_64"))]
pub(super) type Half = pulp::Scalar;

/// The half of `simd`, if that is AVX-512: its operations may take as long as two on half the width. Known when compiled.
#[inline(always)]
pub(super) fn half<S: Simd>(simd: S) -> Option<Half> {
    #[cfg(target_arch = "x86_64")]
    return tables(simd).map(|simd| pulp::x86::V3_256b(*simd));
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = simd;
        None
    }
}

/// 2^(k/16).
const SIXTEENTHS: [f64; 16] = [
    1.0,
    1.044_273_782_427_413_8,
    1.090_507_732_665_257_7,
    1.138_788_634_756_691_6,
    1.189_207_115_002_721,
    1.241_857_812_073_484,
    1.296_839_554_651_009_6,
    1.354_255_546_936_892_7,
    std::f64::consts::SQRT_2,
    1.476_826_145_939_499_3,
    1.542_210_825_407_940_7,
    1.610_490_331_949_254_3,
    1.681_792_830_507_429,
    1.756_252_160_373_299_5,
    1.834_008_086_409_342_4,
    1.915_206_561_397_147_4,
];

/// `bits` shifted left, lane by lane. pulp shifts 32-bit lanes only; AVX-512 multiplies 64-bit lanes, and a multiplication by a
/// power of two compiles to a shift. Elsewhere the lanes are shifted one by one.
#[inline(always)]
fn shift_left_u64<S: Simd>(simd: S, mut bits: S::u64s, by: u32) -> S::u64s {
    if S::U64_LANES == 8 {
        return simd.mul_u64s(bits, simd.splat_u64s(1 << by));
    }
    for lane in bytemuck::cast_slice_mut::<S::u64s, u64>(std::slice::from_mut(&mut bits)) {
        *lane <<= by;
    }
    bits
}

/// The bits of 2^20 + e, where the exponents e are those in `bits` of positive numbers, biased. pulp shifts 32-bit lanes only: the
/// upper ones are shifted, which leaves e where 2^20 has its ones.
#[inline(always)]
fn exponent_bits_u64<S: Simd>(simd: S, bits: S::u64s) -> S::u64s {
    const OF_2_TO_20: u64 = 1043 << 52;
    let shifted = if size_of::<S::u32s>() == size_of::<S::u64s>() {
        let halves: S::u32s = bytemuck::cast(bits);
        bytemuck::cast(simd.wrapping_dyn_shr_u32s(halves, simd.splat_u32s(20)))
    } else {
        let mut shifted = bits;
        for lane in bytemuck::cast_slice_mut::<S::u64s, u64>(std::slice::from_mut(&mut shifted)) {
            *lane >>= 20;
        }
        shifted
    };
    simd.or_u64s(simd.and_u64s(shifted, simd.splat_u64s(0x7ff << 32)), simd.splat_u64s(OF_2_TO_20))
}

/// The same with 2^23.
#[inline(always)]
fn exponent_bits_u32<S: Simd>(simd: S, bits: S::u32s) -> S::u32s {
    const OF_2_TO_23: u32 = 150 << 23;
    simd.or_u32s(simd.wrapping_dyn_shr_u32s(bits, simd.splat_u32s(23)), simd.splat_u32s(OF_2_TO_23))
}

#[inline(always)]
fn shift_left_u32<S: Simd>(simd: S, bits: S::u32s, by: u32) -> S::u32s {
    simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(by))
}

/// `a` where `mask` is set, else `b`. pulp's own function is not inlined where there is much of it.
#[inline(always)]
fn select_f64<S: Simd>(simd: S, mask: S::m64s, a: S::f64s, b: S::f64s) -> S::f64s {
    simd.transmute_f64s_u64s(simd.select_u64s(mask, simd.transmute_u64s_f64s(a), simd.transmute_u64s_f64s(b)))
}

/// The same in single precision.
#[inline(always)]
fn select_f32<S: Simd>(simd: S, mask: S::m32s, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.transmute_f32s_u32s(simd.select_u32s(mask, simd.transmute_u32s_f32s(a), simd.transmute_u32s_f32s(b)))
}

/// `n`, a register or the lower half of one.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn widened<T: Pod>(simd: Tables, n: T) -> x86_64::__m512i {
    if size_of::<T>() == size_of::<x86_64::__m512i>() {
        return bytemuck::cast(n);
    }
    simd.avx512f._mm512_castsi256_si512(bytemuck::cast(n))
}

/// `n`, or its lower half.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn narrowed<T: Pod>(simd: Tables, n: x86_64::__m512i) -> T {
    if size_of::<T>() == size_of::<x86_64::__m512i>() {
        return bytemuck::cast(n);
    }
    bytemuck::cast(simd.avx512f._mm512_castsi512_si256(n))
}

/// The lower half of a register of the instruction set that `half` is the half of.
#[inline(always)]
pub(super) fn lower<S: Simd, R: Real>(simd: S, register: R::Register<S>) -> R::Register<Half> {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = tables(simd) {
        return narrowed(simd, bytemuck::cast(register));
    }
    let _ = (simd, register);
    unreachable!("only what has a half is halved")
}

/// `table[n mod 16]` + n · 2^19, for the bits n of every lane.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn look_up_u32<T: Pod>(simd: Tables, table: &[u32; 16], n: T) -> T {
    let n = widened(simd, n);
    let table = simd.avx512f._mm512_permutexvar_epi32(n, bytemuck::cast(*table));
    narrowed(simd, simd.avx512f._mm512_add_epi32(table, simd.avx512f._mm512_slli_epi32::<19>(n)))
}

/// `table[n mod 16]` + n · 2^48, for the bits n of every lane.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn look_up_u64<T: Pod>(simd: Tables, table: &[u64; 16], n: T) -> T {
    let n = widened(simd, n);
    let [low, high]: [x86_64::__m512i; 2] = bytemuck::cast(*table);
    let table = simd.avx512f._mm512_permutex2var_epi64(low, n, high);
    narrowed(simd, simd.avx512f._mm512_add_epi64(table, simd.avx512f._mm512_slli_epi64::<48>(n)))
}

#[cfg(not(target_arch = "x86_64"))]
fn look_up_u32<T: Pod>(none: Tables, _: &[u32; 16], _: T) -> T {
    match none {}
}

#[cfg(not(target_arch = "x86_64"))]
fn look_up_u64<T: Pod>(none: Tables, _: &[u64; 16], _: T) -> T {
    match none {}
}

macro_rules! real {
    ($real:ident as $floats:ident, $bits:ident as $words:ident, block $block:ident of $lanes:literal,
     [$as_simd:ident $as_mut_simd:ident $splat:ident $add:ident $sub:ident $mul:ident $div:ident $mul_add:ident
      $negate_mul_add:ident $min:ident $max:ident $sqrt:ident $less_than:ident $equal:ident $first_true:ident $count:ident],
     [$to_bits:ident $from_bits:ident $splat_bits:ident $add_bits:ident $and_bits:ident $xor_bits:ident $equal_bits:ident
      $sub_bits:ident $select:ident $shift_left:ident],
     exponent $exponent_bits:ident $exponent_one:literal,
     bias $bias:literal, mantissa $mantissa:literal, rounder $rounder:expr, limit $limit:literal, odds $odds_limit:literal $odds:expr,
     gentle $gentle:expr, ln_2 $ln_2:expr,
     half_pi $half_pi:expr, exp $exp:expr, sixteenth $sixteenth:expr, table $look_up:ident, sin $sin:expr, cos $cos:expr) => {
        #[doc(hidden)]
        #[derive(Clone, Copy, Debug, Pod, Zeroable)]
        #[repr(C, align(64))]
        pub struct $block([$real; $lanes]);

        impl Real for $real {
            type Block = $block;
            const BLOCK: usize = $lanes;
            type Register<S: Simd> = S::$floats;
            const NAME: &'static str = stringify!($real);
            const ZERO: Self = 0.0;
            const INFINITY: Self = $real::INFINITY;
            const ROUNDER: f64 = $rounder;
            const EXP_LIMIT: f64 = $limit;
            const ODDS_LIMIT: f64 = $odds_limit;
            const ODDS: [f64; 2] = $odds;
            const GENTLE: [(f64, usize); 2] = $gentle;
            const LN_2: [f64; 2] = $ln_2;
            const HALF_PI: &'static [f64] = &$half_pi;
            const EXP: &'static [f64] = &$exp;
            const SIXTEENTH: &'static [f64] = &$sixteenth;
            const SIN: &'static [f64] = &$sin;
            const COS: &'static [f64] = &$cos;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $real
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn registers<S: Simd>(scalars: &[Self]) -> &[S::$floats] {
                S::$as_simd(scalars).0
            }
            #[inline(always)]
            fn registers_mut<S: Simd>(scalars: &mut [Self]) -> &mut [S::$floats] {
                S::$as_mut_simd(scalars).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$floats {
                simd.$splat(x)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$floats, b: S::$floats) -> S::$floats {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: S::$floats, b: S::$floats) -> S::$floats {
                simd.$sub(a, b)
            }
            #[inline(always)]
            fn times<S: Simd>(simd: S, a: S::$floats, b: S::$floats) -> S::$floats {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn over<S: Simd>(simd: S, a: S::$floats, b: S::$floats) -> S::$floats {
                simd.$div(a, b)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$floats, b: S::$floats, c: S::$floats) -> S::$floats {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn negate_mul_add<S: Simd>(simd: S, a: S::$floats, b: S::$floats, c: S::$floats) -> S::$floats {
                simd.$negate_mul_add(a, b, c)
            }
            #[inline(always)]
            fn clamp<S: Simd>(simd: S, x: S::$floats, low: S::$floats, high: S::$floats) -> S::$floats {
                if S::IS_SCALAR {
                    let x = $select(simd, simd.$less_than(high, x), high, x);
                    return $select(simd, simd.$less_than(x, low), low, x);
                }
                // In this order a NaN comes through: x86 gives the second operand then, and Arm the NaN.
                simd.$max(low, simd.$min(high, x))
            }
            #[inline(always)]
            fn magnitude<S: Simd>(simd: S, x: S::$floats) -> S::$floats {
                // As with `select`.
                simd.$from_bits(simd.$and_bits(simd.$to_bits(x), simd.$splat_bits($bits::MAX >> 1)))
            }
            #[inline(always)]
            fn root<S: Simd>(simd: S, x: S::$floats) -> S::$floats {
                simd.$sqrt(x)
            }
            #[inline(always)]
            fn select_less<S: Simd>(
                simd: S,
                a: S::$floats,
                b: S::$floats,
                then: S::$floats,
                otherwise: S::$floats,
            ) -> S::$floats {
                $select(simd, simd.$less_than(a, b), then, otherwise)
            }
            #[inline(always)]
            fn select_equal<S: Simd>(
                simd: S,
                a: S::$floats,
                b: S::$floats,
                then: S::$floats,
                otherwise: S::$floats,
            ) -> S::$floats {
                $select(simd, simd.$equal(a, b), then, otherwise)
            }
            #[inline(always)]
            fn times_sign<S: Simd>(simd: S, x: S::$floats, sign: S::$floats) -> S::$floats {
                let sign = simd.$and_bits(simd.$to_bits(sign), simd.$splat_bits(1 << ($bits::BITS - 1)));
                simd.$from_bits(simd.$xor_bits(simd.$to_bits(x), sign))
            }
            #[inline(always)]
            fn exponent_and_mantissa<S: Simd>(simd: S, x: S::$floats) -> (S::$floats, S::$floats) {
                const ONE: $bits = $bias << $mantissa;
                let root = ((0.5 as $real).to_bits() + std::$real::consts::SQRT_2.to_bits() - ONE) as $bits;
                let bits = simd.$to_bits(x);
                // With the exponent k, biased, in its place.
                let moved = simd.$add_bits(bits, simd.$splat_bits(ONE.wrapping_sub(root)));
                let exponent = simd.$from_bits($exponent_bits(simd, moved));
                let k = simd.$sub(exponent, simd.$splat($exponent_one + $bias as $real));
                let power = simd.$and_bits(moved, simd.$splat_bits($bits::MAX << $mantissa));
                let m = simd.$add_bits(simd.$sub_bits(bits, power), simd.$splat_bits(ONE));
                (k, simd.$from_bits(m))
            }
            #[inline(always)]
            fn upper_half<S: Simd>(simd: S, x: S::$floats) -> S::$floats {
                simd.$from_bits(simd.$and_bits(simd.$to_bits(x), simd.$splat_bits($bits::MAX << ($mantissa / 2 + 1))))
            }
            #[inline(always)]
            fn any_less<S: Simd>(simd: S, a: S::$floats, b: S::$floats) -> bool {
                simd.$first_true(simd.$less_than(a, b)) < S::$count
            }
            #[inline(always)]
            fn exp2_of_bits<S: Simd>(simd: S, rounded: S::$floats) -> S::$floats {
                let exponent = simd.$add_bits(simd.$to_bits(rounded), simd.$splat_bits($bias));
                simd.$from_bits($shift_left(simd, exponent, $mantissa))
            }
            #[inline(always)]
            fn sixteenths_of_bits<S: Simd>(tables: Tables, rounded: S::$floats) -> S::$floats {
                /// Of n = 16 q + k the bits of 2^(k/16), less those that k takes along where n is shifted until q is in the exponent.
                const TABLE: [$bits; 16] = {
                    let mut table = [0; 16];
                    let mut k = 0;
                    while k < 16 {
                        table[k] = (SIXTEENTHS[k] as $real).to_bits().wrapping_sub((k as $bits) << ($mantissa - 4));
                        k += 1;
                    }
                    table
                };
                $look_up(tables, &TABLE, rounded)
            }
            #[inline(always)]
            fn turn_by_bits<S: Simd>(
                simd: S,
                sin: S::$floats,
                cos: S::$floats,
                rounded: S::$floats,
            ) -> (S::$floats, S::$floats) {
                let quadrant = simd.$to_bits(rounded);
                let (one, two) = (simd.$splat_bits(1), simd.$splat_bits(2));
                let even = simd.$equal_bits(simd.$and_bits(quadrant, one), simd.$splat_bits(0));
                let (s, c) = ($select(simd, even, sin, cos), $select(simd, even, cos, sin));
                // Without closures, which are not inlined where there is much of them.
                let sin_sign = $shift_left(simd, simd.$and_bits(quadrant, two), $bits::BITS - 2);
                let cos_quadrant = simd.$add_bits(quadrant, one);
                let cos_sign = $shift_left(simd, simd.$and_bits(cos_quadrant, two), $bits::BITS - 2);
                let sin = simd.$from_bits(simd.$xor_bits(simd.$to_bits(s), sin_sign));
                let cos = simd.$from_bits(simd.$xor_bits(simd.$to_bits(c), cos_sign));
                (sin, cos)
            }
            #[inline(always)]
            fn turn_product_by_bits<S: Simd>(
                simd: S,
                sin: S::$floats,
                cos: S::$floats,
                rounded: S::$floats,
            ) -> (S::$floats, S::$floats) {
                let quadrant = simd.$to_bits(rounded);
                let even = simd.$equal_bits(simd.$and_bits(quadrant, simd.$splat_bits(1)), simd.$splat_bits(0));
                // A quarter turn makes of sin × cos its negative.
                let sign = $shift_left(simd, quadrant, $bits::BITS - 1);
                let product = simd.$from_bits(simd.$xor_bits(simd.$to_bits(simd.$mul(sin, cos)), sign));
                ($select(simd, even, sin, cos), product)
            }
        }
    };
}

real!(f32 as f32s, u32 as u32s, block Block32 of 16,
    [as_simd_f32s as_mut_simd_f32s splat_f32s add_f32s sub_f32s mul_f32s div_f32s mul_add_e_f32s negate_mul_add_e_f32s
     min_f32s max_f32s sqrt_f32s less_than_f32s equal_f32s first_true_m32s F32_LANES],
    [transmute_u32s_f32s transmute_f32s_u32s splat_u32s add_u32s and_u32s xor_u32s equal_u32s sub_u32s select_f32 shift_left_u32],
    exponent exponent_bits_u32 8_388_608.0,
    bias 127, mantissa 23, rounder 12_582_912.0, limit 87.0, odds 43.0 [2.115_131e-19, 4.727_84e18], gentle [(4.4e-3, 1), (0.07, 3)],
    ln_2 [0.693_359_4, -2.121_944_4e-4],
    half_pi [1.570_312_5, 4.837_513e-4, 7.549_79e-8],
    exp [0.5, 0.166_665_77, 0.041_666_556, 0.008_363_179, 0.001_392_618_4],
    sixteenth [0.043_321_698_784_996_58, 0.000_938_412_310_874_908_6, 1.355_104_620_457_100_2e-5],
    table look_up_u32,
    sin [-0.166_666_65, 0.008_332_748, -0.000_195_878_4],
    cos [0.041_666_665, -0.001_388_830_3, 0.000_024_547_892]);

real!(f64 as f64s, u64 as u64s, block Block64 of 8,
    [as_simd_f64s as_mut_simd_f64s splat_f64s add_f64s sub_f64s mul_f64s div_f64s mul_add_e_f64s negate_mul_add_e_f64s
     min_f64s max_f64s sqrt_f64s less_than_f64s equal_f64s first_true_m64s F64_LANES],
    [transmute_u64s_f64s transmute_f64s_u64s splat_u64s add_u64s and_u64s xor_u64s equal_u64s sub_u64s select_f64 shift_left_u64],
    exponent exponent_bits_u64 1_048_576.0,
    bias 1023, mantissa 52, rounder 6_755_399_441_055_744.0, limit 708.0, odds 353.5 [2.998_476_5e-154, 3.335_027e153],
    gentle [(1.2e-3, 3), (0.059, 7)],
    ln_2 [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10],
    half_pi [1.570_796_326_734_125_6, 6.077_100_506_506_192e-11],
    exp [0.500_000_000_000_000_1, 0.166_666_666_666_666_68, 0.041_666_666_666_624_13, 0.008_333_333_333_330_062,
        0.001_388_888_891_721_371_7, 0.000_198_412_698_630_536_17, 0.000_024_801_521_295_954_375,
        2.755_726_845_999_706_5e-6, 2.762_008_844_540_974_8e-7, 2.510_038_549_551_032e-8],
    sixteenth [0.043_321_698_784_996_61, 0.000_938_384_792_808_987_3, 1.355_080_777_749_982_1e-5,
        1.467_610_032_183_767e-7, 1.271_608_503_077_615e-9, 9.181_334_961_138_03e-12],
    table look_up_u64,
    sin [-0.166_666_666_666_666_65, 0.008_333_333_333_330_946, -0.000_198_412_698_367_549_7,
        2.755_731_610_068_303e-6, -2.505_113_145_542_794_7e-8, 1.591_810_123_027_412e-10],
    cos [0.041_666_666_666_666_664, -0.001_388_888_888_888_739_6, 0.000_024_801_587_298_763_343,
        -2.755_731_727_056_032_4e-7, 2.087_614_602_468_974_7e-9, -1.138_261_486_855_632_3e-11]);
