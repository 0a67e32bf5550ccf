//! What is brought into the caches before it is needed.

use prefetch_index::prefetch_index;

/// Bytes that a processor brings into its caches at a time.
const LINE: usize = 64;

/// Has the `count` scalars from place `from` on brought into the caches, as far as they are there.
#[inline(always)]
pub(crate) fn prefetch<R>(data: &[R], from: usize, count: usize) {
    for place in (from..from + count).step_by(LINE / size_of::<R>()) {
        prefetch_index(data, place);
    }
}
