//! What a core does at best: multiplications and additions that wait for nothing, and nothing else.

use super::{Real, Simd, WithSimd, dispatch, lanes, mul_add};
use std::hint::black_box;
use std::time::Instant;

/// Multiplies and adds `rounds` times into many independent sums; gives the operations done.
struct Fused<R> {
    rounds: usize,
    factor: R,
}

impl<R: Real> Fused<R> {
    /// `SUMS` vectors of 64 bytes, few enough to stay in registers and enough to hide the latency of an operation.
    #[inline(always)]
    fn run<S: Simd, const SUMS: usize>(self) -> usize {
        let Self { rounds, factor } = self;
        let mut sums: [R::Vector; SUMS] = std::array::from_fn(|sum| lanes::<R>(|lane| R::of((sum + lane) as f64)));
        for _ in 0..rounds {
            for sum in &mut sums {
                let before = *sum;
                *sum = lanes::<R>(|lane| mul_add::<S, R>(before.as_ref()[lane], factor, R::ONE));
            }
        }
        black_box(sums);
        2 * SUMS * R::LANES * rounds
    }
}

impl<R: Real> WithSimd for Fused<R> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        match S::F64_LANES {
            8 => self.run::<S, 12>(),
            4 => self.run::<S, 6>(),
            _ => self.run::<S, 2>(),
        }
    }
}

/// Billions of multiplications and additions that one core does in a second at best: the best of `repeats`.
pub(crate) fn gflop_per_s<R: Real>(repeats: usize) -> f64 {
    const ROUNDS: usize = 200_000;
    let once = || {
        let clock = Instant::now();
        let operations = dispatch(Fused { rounds: ROUNDS, factor: black_box(R::of(0.5)) });
        operations as f64 / clock.elapsed().as_secs_f64() * 1e-9
    };
    (0..repeats).map(|_| once()).fold(0.0, f64::max)
}

/// Billions of bytes that one core reads and writes in a second when it copies `bytes` of them: the best of `repeats`.
pub(crate) fn copy_gb_per_s(bytes: usize, repeats: usize) -> f64 {
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
