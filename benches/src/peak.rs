//! The peak of a core: multiplications and additions that wait for nothing, and nothing else.

use overparam::internals::dispatch;
use overparam::internals::pulp::{Simd, WithSimd};
use std::hint::black_box;
use std::time::Instant;

/// Sums that are built side by side: enough to hide the latency of an operation, few enough to stay in registers.
const SUMS: usize = 12;

/// The number of additions to each sum in a measurement.
const ROUNDS: usize = 200_000;

macro_rules! fused {
    ($name:ident, $lanes:ident, $splat:ident, $mul_add:ident, $doc:literal, $measure:ident) => {
        /// Multiplies and adds into independent sums; gives the operations done.
        ///
        /// Written over pulp's own registers: only the multiply-add is to be measured.
        struct $name;

        impl WithSimd for $name {
            type Output = usize;

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) -> usize {
                let (factor, one) = (simd.$splat(black_box(0.5)), simd.$splat(black_box(1.0)));
                let mut sums = [one; SUMS];
                for _ in 0..ROUNDS {
                    for sum in &mut sums {
                        *sum = simd.$mul_add(*sum, factor, one);
                    }
                }
                black_box(sums);
                2 * SUMS * S::$lanes * ROUNDS
            }
        }

        #[doc = $doc]
        pub fn $measure(repeats: usize) -> f64 {
            let once = || {
                let clock = Instant::now();
                let operations = dispatch($name);
                operations as f64 / clock.elapsed().as_secs_f64() * 1e-9
            };
            (0..repeats).map(|_| once()).fold(0.0, f64::max)
        }
    };
}

fused!(
    FusedSingle,
    F32_LANES,
    splat_f32s,
    mul_add_e_f32s,
    "Billions of single-precision operations that one core does in a second: the best of `repeats`.",
    f32_gflop_per_s
);
fused!(
    FusedDouble,
    F64_LANES,
    splat_f64s,
    mul_add_e_f64s,
    "Billions of double-precision operations that one core does in a second: the best of `repeats`.",
    f64_gflop_per_s
);

/// Billions of bytes that one core reads and writes in a second when it copies `bytes` of them: the best of `repeats`.
pub fn copy_gb_per_s(bytes: usize, repeats: usize) -> f64 {
    let from = vec![1u8; bytes];
    let mut into = vec![0u8; bytes];
    let mut once = || {
        let clock = Instant::now();
        into.copy_from_slice(black_box(&from));
        black_box(&into);
        2.0 * bytes as f64 / clock.elapsed().as_secs_f64() * 1e-9
    };
    (0..repeats).map(|_| once()).fold(0.0, f64::max)
}
