//! Matrix products of the sizes that small networks have.
//!
//! A general library pays for packing and for choosing a blocking, which at 50 × 10 × 50 is most of the time. Here the right
//! factor already lies in rows of whole registers, so a product is a walk over tiles of the result that stay in registers.

use super::{Lanes, Real, Simd};

/// The left factor.
pub(crate) trait Left<R: Real>: Copy {
    /// This factor from row `first` on, and `inner` columns of it.
    fn part<'a, const ROWS: usize>(self, first: usize, inner: usize) -> [&'a [R]; ROWS]
    where
        Self: 'a;

    /// Column `column` of a [part](Left::part), if there is one.
    fn column<const ROWS: usize>(self, part: &[&[R]; ROWS], column: usize) -> Option<[R; ROWS]>;
}

/// A left factor whose element (row, column) is at `row * stride + column`.
#[derive(Clone, Copy)]
pub(crate) struct ByRows<'a, R> {
    pub data: &'a [R],
    pub stride: usize,
}

impl<R: Real> Left<R> for ByRows<'_, R> {
    #[inline(always)]
    fn part<'a, const ROWS: usize>(self, first: usize, inner: usize) -> [&'a [R]; ROWS]
    where
        Self: 'a,
    {
        let mut rows: [&[R]; ROWS] = [&[]; ROWS];
        for (row, place) in (first..).zip(&mut rows) {
            *place = &self.data[row * self.stride..][..inner];
        }
        rows
    }

    #[inline(always)]
    fn column<const ROWS: usize>(self, part: &[&[R]; ROWS], column: usize) -> Option<[R; ROWS]> {
        let mut elements = [R::ZERO; ROWS];
        for (element, row) in elements.iter_mut().zip(part) {
            *element = *row.get(column)?;
        }
        Some(elements)
    }
}

/// A left factor whose element (row, column) is at `column * stride + row`: the transpose of what lies there.
#[derive(Clone, Copy)]
pub(crate) struct ByColumns<'a, R> {
    pub data: &'a [R],
    pub stride: usize,
}

impl<R: Real> Left<R> for ByColumns<'_, R> {
    #[inline(always)]
    fn part<'a, const ROWS: usize>(self, first: usize, _: usize) -> [&'a [R]; ROWS]
    where
        Self: 'a,
    {
        [&self.data[first..]; ROWS]
    }

    #[inline(always)]
    fn column<const ROWS: usize>(self, part: &[&[R]; ROWS], column: usize) -> Option<[R; ROWS]> {
        part[0].get(column * self.stride..)?.first_chunk().copied()
    }
}

/// Where a product goes, in tiles of `ROWS` rows and `COLUMNS` registers, the first of them at row `first` and register
/// `column`.
pub(crate) trait Target<S: Simd, R: Real> {
    /// What a tile starts from: zeros, unless said otherwise.
    #[inline(always)]
    fn start<const ROWS: usize, const COLUMNS: usize>(
        &self,
        simd: S,
        _first: usize,
        _column: usize,
    ) -> Tile<S, R, ROWS, COLUMNS> {
        [[Lanes::splat(simd, R::ZERO); COLUMNS]; ROWS]
    }

    /// Takes a tile when it is done.
    fn finish<const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    );
}

/// Sums that stay in registers while a product adds to them.
pub(crate) type Tile<S, R, const ROWS: usize, const COLUMNS: usize> = [[Lanes<S, R>; COLUMNS]; ROWS];

/// What a product is added to.
#[derive(Clone, Copy)]
pub(crate) enum Onto<'a, R> {
    Zero,
    /// Row r of the result starts from element `r * stride`, in every column.
    Splat {
        data: &'a [R],
        stride: usize,
    },
    /// What the result holds already.
    Result,
}

/// A matrix in rows of `stride` scalars.
pub(crate) struct Into<'a, R> {
    pub onto: Onto<'a, R>,
    pub result: &'a mut [R],
    pub stride: usize,
}

impl<S: Simd, R: Real> Target<S, R> for Into<'_, R> {
    #[inline(always)]
    fn start<const ROWS: usize, const COLUMNS: usize>(
        &self,
        simd: S,
        first: usize,
        column: usize,
    ) -> Tile<S, R, ROWS, COLUMNS> {
        let mut tile = [[Lanes::splat(simd, R::ZERO); COLUMNS]; ROWS];
        let width = self.stride / Lanes::<S, R>::COUNT;
        for (row, sums) in (first..).zip(&mut tile) {
            match self.onto {
                Onto::Zero => {}
                Onto::Splat { data, stride } => *sums = [Lanes::splat(simd, data[row * stride]); COLUMNS],
                Onto::Result => {
                    let held = &R::registers::<S>(self.result)[row * width + column..][..COLUMNS];
                    for (sum, &held) in sums.iter_mut().zip(held) {
                        *sum = Lanes::new(simd, held);
                    }
                }
            }
        }
        tile
    }

    #[inline(always)]
    fn finish<const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    ) {
        let width = self.stride / Lanes::<S, R>::COUNT;
        for (row, sums) in (first..).zip(tile) {
            let places = &mut R::registers_mut::<S>(self.result)[row * width + column..][..COLUMNS];
            for (place, sum) in places.iter_mut().zip(sums) {
                *place = sum.register();
            }
        }
    }
}

/// `left` (`rows` × inner) · `right` (inner × stride), where `stride` is a whole number of [`Real::Block`]s.
#[inline(always)]
pub(crate) fn product<S: Simd, R: Real>(
    simd: S,
    left: impl Left<R>,
    rows: usize,
    right: &[R],
    stride: usize,
    mut target: impl Target<S, R>,
) {
    let right = R::registers::<S>(right);
    let width = stride / Lanes::<S, R>::COUNT;
    let target = &mut target;
    let mut column = 0;
    while column < width {
        let left_over = width - column;
        // As many sums as hide an addition's latency, and registers left for the factors.
        column += if S::REGISTER_COUNT < 32 {
            match left_over {
                1 => columns::<S, R, 10, 1>(simd, left, rows, right, width, column, target),
                _ => columns::<S, R, 5, 2>(simd, left, rows, right, width, column, target),
            }
        } else {
            match left_over {
                1 => columns::<S, R, 10, 1>(simd, left, rows, right, width, column, target),
                2 | 5 => columns::<S, R, 10, 2>(simd, left, rows, right, width, column, target),
                3 | 6 => columns::<S, R, 5, 3>(simd, left, rows, right, width, column, target),
                _ => columns::<S, R, 5, 4>(simd, left, rows, right, width, column, target),
            }
        };
    }
}

/// The tiles of all rows, `COLUMNS` registers wide, from `column` on. Gives `COLUMNS`.
#[inline(always)]
fn columns<S: Simd, R: Real, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    left: impl Left<R>,
    rows: usize,
    right: &[R::Register<S>],
    width: usize,
    column: usize,
    target: &mut impl Target<S, R>,
) -> usize {
    let mut first = 0;
    while rows - first >= ROWS {
        tile::<S, R, ROWS, COLUMNS>(simd, left, first, right, width, column, target);
        first += ROWS;
    }
    if rows - first >= 5 {
        tile::<S, R, 5, COLUMNS>(simd, left, first, right, width, column, target);
        first += 5;
    }
    match rows - first {
        4 => tile::<S, R, 4, COLUMNS>(simd, left, first, right, width, column, target),
        3 => tile::<S, R, 3, COLUMNS>(simd, left, first, right, width, column, target),
        2 => tile::<S, R, 2, COLUMNS>(simd, left, first, right, width, column, target),
        1 => tile::<S, R, 1, COLUMNS>(simd, left, first, right, width, column, target),
        _ => {}
    }
    COLUMNS
}

/// One tile.
#[inline(always)]
fn tile<S: Simd, R: Real, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    left: impl Left<R>,
    first: usize,
    right: &[R::Register<S>],
    width: usize,
    column: usize,
    target: &mut impl Target<S, R>,
) {
    let mut tile = target.start::<ROWS, COLUMNS>(simd, first, column);
    let inner = right.len() / width;
    let part = left.part::<ROWS>(first, inner);
    // All `inner` of them are there; but a check that can panic would have the sums written to memory in every round.
    for k in 0..inner {
        let right = right.get(k * width + column..).and_then(|right| right.first_chunk::<COLUMNS>());
        let (Some(factors), Some(right)) = (left.column(&part, k), right) else { break };
        for (sums, factor) in tile.iter_mut().zip(factors) {
            let factor = Lanes::splat(simd, factor);
            for (sum, &right) in sums.iter_mut().zip(right) {
                *sum = factor.mul_add(Lanes::new(simd, right), *sum);
            }
        }
    }
    target.finish(first, column, tile);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::everywhere;
    use crate::simd::{Rows, WithSimd};

    const ROWS: [usize; 10] = [1, 2, 3, 4, 5, 6, 9, 10, 12, 18];
    const INNER: [usize; 7] = [1, 2, 3, 8, 10, 50, 70];
    const COLUMNS: [usize; 14] = [1, 2, 7, 8, 9, 16, 17, 31, 32, 50, 64, 65, 100, 130];

    /// Numbers of both signs between -1 and 1 without a pattern.
    fn irregular<R: Real>(count: usize, salt: usize) -> Vec<R> {
        (0..count).map(|i| R::of(2.0 * ((i * 7 + salt) as f64 * 0.618_033_988_749_894_9).fract() - 1.0)).collect()
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Start {
        Zero,
        Splat,
        Result,
    }

    struct Product<'a, L, R: Real> {
        left: L,
        right: &'a Rows<R>,
        bias: &'a [R],
        start: Start,
        result: Rows<R>,
    }

    impl<L: Left<R>, R: Real> WithSimd for Product<'_, L, R> {
        type Output = Rows<R>;
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, simd: S) -> Rows<R> {
            let onto = match self.start {
                Start::Zero => Onto::Zero,
                Start::Splat => Onto::Splat { data: self.bias, stride: 2 },
                Start::Result => Onto::Result,
            };
            let stride = self.result.stride();
            let rows = self.result.len() / stride;
            product(simd, self.left, rows, self.right, stride, Into { onto, result: &mut self.result, stride });
            self.result
        }
    }

    fn padded<R: Real>(values: &[R], columns: usize) -> Rows<R> {
        let mut rows = Rows::zeros(values.len() / columns, columns);
        for (row, values) in rows.rows_mut().zip(values.chunks_exact(columns)) {
            row[..columns].copy_from_slice(values);
        }
        rows
    }

    fn agrees<L: Left<R>, R: Real>(
        left: L,
        right: &Rows<R>,
        bias: &[R],
        old: &[R],
        expected: [&[f64]; 3],
        allowed: f64,
        columns: usize,
    ) {
        for (start, expected) in [Start::Zero, Start::Splat, Start::Result].into_iter().zip(expected) {
            let product = || Product { left, right, bias, start, result: padded(old, columns) };
            for (set, found) in everywhere(product) {
                let context =
                    || format!("{} rows, {columns} columns, {start:?}, {} on {set}", old.len() / columns, R::NAME);
                let rows = found.rows().flat_map(|row| &row[..columns]);
                for (found, expected) in rows.zip(expected) {
                    let error = (found.wide() - expected).abs();
                    assert!(error <= allowed, "{}: {found} is not {expected}", context());
                }
                if start != Start::Splat {
                    let mut padding = found.rows().flat_map(|row| &row[columns..]);
                    assert!(padding.all(|&zero| zero == R::ZERO), "{}: padding", context());
                }
            }
        }
    }

    fn agrees_with_three_loops<R: Real>(epsilon: f64) {
        for (rows, inner, columns) in
            ROWS.iter().flat_map(|&m| INNER.iter().flat_map(move |&k| COLUMNS.map(|n| (m, k, n))))
        {
            let a: Vec<R> = irregular(rows * inner, 1);
            let transposed: Vec<R> = (0..inner * rows).map(|i| a[i % rows * inner + i / rows]).collect();
            let (b, bias, old) =
                (irregular::<R>(inner * columns, 2), irregular::<R>(2 * rows, 3), irregular::<R>(rows * columns, 4));
            let right = padded(&b, columns);
            let from = |start: &dyn Fn(usize, usize) -> R| -> Vec<f64> {
                let places = (0..rows * columns).map(|place| (place / columns, place % columns));
                let sum = |(i, j): (usize, usize)| {
                    (0..inner)
                        .fold(start(i, j).wide(), |sum, k| sum + a[i * inner + k].wide() * b[k * columns + j].wide())
                };
                places.map(sum).collect()
            };
            let expected = [from(&|_, _| R::ZERO), from(&|i, _| bias[2 * i]), from(&|i, j| old[i * columns + j])];
            let expected = [&*expected[0], &*expected[1], &*expected[2]];
            // Each of the `inner` additions rounds a sum below inner + 1.
            let allowed = epsilon * (inner * (inner + 1)) as f64;
            agrees(ByRows { data: &a, stride: inner }, &right, &bias, &old, expected, allowed, columns);
            agrees(ByColumns { data: &transposed, stride: rows }, &right, &bias, &old, expected, allowed, columns);
        }
    }

    #[test]
    fn products_agree_with_three_loops() {
        agrees_with_three_loops::<f32>(2f64.powi(-24));
        agrees_with_three_loops::<f64>(2f64.powi(-52));
    }
}
