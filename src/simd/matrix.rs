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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::everywhere;
    use crate::simd::{Rows, WithSimd};

    const ROWS: [usize; 8] = [1, 2, 4, 5, 6, 9, 10, 12];
    const INNER: [usize; 7] = [1, 2, 3, 8, 10, 50, 70];
    const COLUMNS: [usize; 14] = [1, 2, 7, 8, 9, 16, 17, 31, 32, 50, 64, 65, 100, 130];

    /// Numbers of both signs between -1 and 1 without a pattern.
    fn irregular<R: Real>(count: usize, salt: usize) -> Vec<R> {
        (0..count).map(|i| R::of(2.0 * ((i * 7 + salt) as f64 * 0.618_033_988_749_894_9).fract() - 1.0)).collect()
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Start {
        Zero,
        Row,
        Result,
    }

    struct Product<'a, R: Real> {
        left: Left<'a, R>,
        right: &'a Rows<R>,
        row: &'a Rows<R>,
        start: Start,
        result: Rows<R>,
        inner: usize,
    }

    impl<R: Real> WithSimd for Product<'_, R> {
        type Output = Rows<R>;
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> Rows<R> {
            let onto = match self.start {
                Start::Zero => Onto::Zero,
                Start::Row => Onto::Row(self.row),
                Start::Result => Onto::Result,
            };
            let stride = self.result.stride();
            product::<S, R>(self.left, self.right, onto, &mut self.result, stride, self.inner);
            self.result
        }
    }

    fn agrees_with_three_loops<R: Real>(epsilon: f64) {
        for (rows, inner, columns) in
            ROWS.iter().flat_map(|&m| INNER.iter().flat_map(move |&k| COLUMNS.map(|n| (m, k, n))))
        {
            let a: Vec<R> = irregular(rows * inner, 1);
            let transposed: Vec<R> = (0..inner * rows).map(|i| a[i % rows * inner + i / rows]).collect();
            let (b, row, old) =
                (irregular(inner * columns, 2), irregular(columns, 3), irregular::<R>(rows * columns, 4));
            let [right, bias] = [&b, &row].map(|values| Rows::<R>::from_packed(values, columns));
            let plain = Left { data: &a, row_stride: inner, column_stride: 1 };
            let turned = Left { data: &transposed, row_stride: 1, column_stride: rows };
            for start in [Start::Zero, Start::Row, Start::Result] {
                let expected: Vec<f64> = (0..rows * columns)
                    .map(|place| {
                        let (i, j) = (place / columns, place % columns);
                        let first = match start {
                            Start::Zero => 0.0,
                            Start::Row => row[j].wide(),
                            Start::Result => old[place].wide(),
                        };
                        (0..inner).fold(first, |sum, k| sum + a[i * inner + k].wide() * b[k * columns + j].wide())
                    })
                    .collect();
                for (factor, left) in [("plain", plain), ("transposed", turned)] {
                    let result = || Rows::from_packed(&old, columns);
                    let product = || Product { left, right: &right, row: &bias, start, result: result(), inner };
                    for (set, found) in everywhere(product) {
                        let context = || format!("{rows}x{inner}x{columns} {start:?}, {factor}, {} on {set}", R::NAME);
                        // Each of the `inner` additions rounds a sum below inner + 1.
                        let allowed = epsilon * (inner * (inner + 1)) as f64;
                        for (found, expected) in found.packed(columns).into_iter().zip(&expected) {
                            let error = (found.wide() - expected).abs();
                            assert!(error <= allowed, "{}: {found} is not {expected}", context());
                        }
                        let mut padding = found.chunks_exact(found.stride()).flat_map(|row| &row[columns..]);
                        assert!(padding.all(|&zero| zero == R::ZERO), "{}: padding", context());
                    }
                }
            }
        }
    }

    #[test]
    fn products_agree_with_three_loops() {
        agrees_with_three_loops::<f32>(2f64.powi(-24));
        agrees_with_three_loops::<f64>(2f64.powi(-52));
    }
}
