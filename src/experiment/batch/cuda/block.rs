//! The block of threads that makes a run: how many threads, how many blocks at once, and in which memory.

use crate::device::{Block, Limits};

/// The threads that a multiprocessor is to have: three eighths of what it can have, which leaves each 80 registers.
const THREADS: usize = 768;

/// The threads of a warp, which go together.
pub(super) const WARP: usize = 32;

/// The fewest and the most threads of a block. Fewer than the first leave a wide phase to few; more than the second have nothing to do in a
/// narrow one.
const FEWEST: usize = 2 * WARP;
const MOST: usize = 16 * WARP;

/// The block of a run that works on `bytes`.
pub(super) fn plan(bytes: usize, limits: Limits) -> Block {
    let global = bytes > limits.block;
    // In global memory registers alone are the limit.
    let fit = if global { THREADS / MOST } else { limits.processor / (bytes + limits.reserved) };
    let resident = fit.clamp(1, THREADS / FEWEST);
    let threads = (THREADS / resident / WARP * WARP).clamp(FEWEST, MOST);
    Block { threads, resident, bytes, global }
}

/// An H100: 227 KiB per block, 228 KiB per multiprocessor.
#[cfg(test)]
pub(super) const H100: Limits = Limits { block: 226 << 10, processor: 228 << 10, reserved: 2 << 10 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_fill_a_multiprocessor() {
        for (bytes, threads, resident, global) in [
            (30_000, 96, 7, false),
            (60_000, 256, 3, false),
            (200 << 10, 512, 1, false),
            (1_000, 64, 12, false),
            (300 << 10, 512, 1, true),
        ] {
            let block = plan(bytes, H100);
            assert_eq!(block, Block { threads, resident, bytes, global });
            assert!(block.threads * block.resident <= THREADS);
            assert!(global || (bytes + H100.reserved) * resident <= H100.processor);
        }
    }
}
