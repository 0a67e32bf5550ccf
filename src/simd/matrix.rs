//! Matrix products of the sizes that small networks have.
//!
//! A general library pays for packing and for choosing a blocking, which at 50 × 10 × 50 is most of the time. Here the right
//! factor already lies in padded rows, so a product is a walk over tiles of the result that stay in registers.

use super::{Real, Simd, mul_add};
use bytemuck::Zeroable;

/// The left factor: its element (row, column) is at `row * row_stride + column * column_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, R> {
    pub data: &'a [R],
    pub row_stride: usize,
    pub column_stride: usize,
}

/// What a product starts from.
#[derive(Clone, Copy)]
pub(crate) enum Onto<'a, R> {
    Zero,
    /// The same row under every row of the result.
    Row(&'a [R]),
    /// What the result holds already.
    Result,
}

/// Rows of the result that a tile covers: divides the paper's n = 50.
const TILE_ROWS: usize = 5;

/// `result` (m × stride) = `onto` + `left` (m × inner) · `right` (inner × stride), where `stride` is a whole number of vectors.
#[inline(always)]
pub(crate) fn product<S: Simd, R: Real>(
    left: Left<'_, R>,
    right: &[R],
    onto: Onto<'_, R>,
    result: &mut [R],
    stride: usize,
    inner: usize,
) {
    let right = &right[..inner * stride];
    let widest = if S::F64_LANES == 8 { 4 } else { 1 };
    let mut column = 0;
    while column < stride {
        let vectors = ((stride - column) / R::LANES).min(widest);
        match vectors {
            4 => columns::<S, R, 4>(left, right, onto, result, stride, inner, column),
            3 => columns::<S, R, 3>(left, right, onto, result, stride, inner, column),
            2 => columns::<S, R, 2>(left, right, onto, result, stride, inner, column),
            _ => columns::<S, R, 1>(left, right, onto, result, stride, inner, column),
        }
        column += vectors * R::LANES;
    }
}

/// The tiles of all rows, `VECTORS` vectors wide, from `column` on.
#[inline(always)]
fn columns<S: Simd, R: Real, const VECTORS: usize>(
    left: Left<'_, R>,
    right: &[R],
    onto: Onto<'_, R>,
    result: &mut [R],
    stride: usize,
    inner: usize,
    column: usize,
) {
    let mut first = 0;
    let mut tiles = result.chunks_exact_mut(TILE_ROWS * stride);
    for rows in &mut tiles {
        tile::<S, R, TILE_ROWS, VECTORS>(left, first, right, onto, rows, stride, inner, column);
        first += TILE_ROWS;
    }
    for row in tiles.into_remainder().chunks_exact_mut(stride) {
        tile::<S, R, 1, VECTORS>(left, first, right, onto, row, stride, inner, column);
        first += 1;
    }
}

/// One tile: `ROWS` rows from `first` on, accumulated in registers.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn tile<S: Simd, R: Real, const ROWS: usize, const VECTORS: usize>(
    left: Left<'_, R>,
    first: usize,
    right: &[R],
    onto: Onto<'_, R>,
    rows: &mut [R],
    stride: usize,
    inner: usize,
    column: usize,
) {
    let span = column..column + VECTORS * R::LANES;
    let mut tile = [[<R::Vector as Zeroable>::zeroed(); VECTORS]; ROWS];
    for (row, tile) in tile.iter_mut().enumerate() {
        let start = match onto {
            Onto::Zero => continue,
            Onto::Row(start) => &start[span.clone()],
            Onto::Result => &rows[row * stride..][span.clone()],
        };
        for (vector, start) in tile.iter_mut().zip(start.chunks_exact(R::LANES)) {
            vector.as_mut().copy_from_slice(start);
        }
    }
    for (k, right) in right.chunks_exact(stride).take(inner).enumerate() {
        let right = &right[span.clone()];
        for (row, tile) in tile.iter_mut().enumerate() {
            let factor = left.data[(first + row) * left.row_stride + k * left.column_stride];
            for (vector, right) in tile.iter_mut().zip(right.chunks_exact(R::LANES)) {
                for (lane, &right) in vector.as_mut().iter_mut().zip(right) {
                    *lane = mul_add::<S, R>(factor, right, *lane);
                }
            }
        }
    }
    for (row, tile) in tile.iter().enumerate() {
        let row = &mut rows[row * stride..][span.clone()];
        for (vector, row) in tile.iter().zip(row.chunks_exact_mut(R::LANES)) {
            row.copy_from_slice(vector.as_ref());
        }
    }
}
