//! Columns of registers, the last of which may be half as wide.

use super::real::{self, Half};
use super::{Lanes, Real, Simd};
use std::ops::Range;

/// Work that is done column by column: on some registers of every row, whatever their width.
pub(crate) trait Columns {
    /// Does the work on the registers `columns` of every row.
    fn work<S: Simd>(&mut self, simd: S, columns: Range<usize>);
}

/// Has the first `scalars` of every row worked on: in whole registers, and where half a register is enough for what is left of
/// them, in half a one. What shares a register with them may be worked on as well, or may not.
///
/// 50 points are 6¼ registers of 8: where a wide operation takes the time of two narrow ones, half a register saves half of the
/// seventh. Each scalar sees the same arithmetic at either width.
#[inline(always)]
pub(crate) fn across<S: Simd, R: Real>(simd: S, scalars: usize, work: &mut impl Columns) {
    let (whole, half) = split::<S, R>(simd, scalars);
    // Once at each width: what is called from a single place is inlined, and has to be.
    work.work(simd, 0..whole);
    if let Some(half) = half {
        work.work(half, 2 * whole..2 * whole + 1);
    }
}

/// The number of whole registers of a row that hold its first `scalars`, at least one; and true if half a register is added to them.
#[inline(always)]
pub(super) fn split<S: Simd, R: Real>(simd: S, scalars: usize) -> (usize, Option<Half>) {
    let lanes = Lanes::<S, R>::COUNT;
    let enough = scalars > lanes && (1..=lanes / 2).contains(&(scalars % lanes));
    match real::half(simd).filter(|_| enough) {
        Some(half) => (scalars / lanes, Some(half)),
        None => (scalars.div_ceil(lanes), None),
    }
}
