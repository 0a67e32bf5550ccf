//! Prefetching: bringing data into the caches before they are needed.

use prefetch_index::prefetch_index;
use std::ops::Range;

/// Bytes that a processor brings into its caches at a time.
const LINE: usize = 64;

/// Prefetches the `count` scalars from place `from` on, as far as they exist.
#[inline(always)]
pub(crate) fn prefetch<R>(data: &[R], from: usize, count: usize) {
    for place in (from..from + count).step_by(LINE / size_of::<R>()) {
        prefetch_index(data, place);
    }
}

/// Prefetches the `columns` of `rows` of a matrix in rows of `stride` scalars.
#[inline(always)]
pub(crate) fn prefetch_block<R>(matrix: &[R], stride: usize, rows: Range<usize>, columns: Range<usize>) {
    for row in rows {
        prefetch(matrix, row * stride + columns.start, columns.len());
    }
}
