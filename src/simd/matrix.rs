//! Matrix products of the sizes that small networks have.
//!
//! A general library pays for packing and for choosing a blocking, which at 50 × 10 × 50 is most of the time. Here the right
//! factor already lies in rows of whole registers, so a product is a walk over tiles of the result that stay in registers.

use super::columns::split;
use super::real::{Half, lower};
use super::{Lanes, Real, Simd};

/// The left factor.
pub(crate) trait Left<R: Real>: Copy {
    /// This factor from row `first` on, and `inner` columns of it.
    fn part<'a, const ROWS: usize>(self, first: usize, inner: usize) -> [&'a [R]; ROWS]
    where
        Self: 'a;

    /// The element in row `row` and column `column` of a [part](Left::part), if it is there.
    fn element<const ROWS: usize>(self, part: &[&[R]; ROWS], row: usize, column: usize) -> Option<R>;
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
    fn element<const ROWS: usize>(self, part: &[&[R]; ROWS], row: usize, column: usize) -> Option<R> {
        part[row].get(column).copied()
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
    fn element<const ROWS: usize>(self, part: &[&[R]; ROWS], row: usize, column: usize) -> Option<R> {
        part[0].get(column * self.stride..)?.first_chunk::<ROWS>().map(|elements| elements[row])
    }
}

/// How many rows a tile has, or half of them. Those from a multiple of this number on are in one tile, however wide it is: sums over
/// rows that are made of sums over such groups do not depend on the width.
pub(crate) const GROUP: usize = 5;

/// A left factor laid out as it is gone through: [`GROUP`] rows at a time, of these column by column; at the end what rows are left.
#[derive(Clone, Copy)]
pub(crate) struct Grouped<'a, R> {
    pub data: &'a [R],
}

/// Row and column of every element of a matrix, in the order in which [`Grouped`] has them.
pub(crate) fn grouped(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).step_by(GROUP).flat_map(move |first| {
        let group = first..(first + GROUP).min(rows);
        (0..columns).flat_map(move |column| group.clone().map(move |row| (row, column)))
    })
}

impl<R: Real> Left<R> for Grouped<'_, R> {
    #[inline(always)]
    fn part<'a, const ROWS: usize>(self, first: usize, inner: usize) -> [&'a [R]; ROWS]
    where
        Self: 'a,
    {
        let mut rows: [&[R]; ROWS] = [&[]; ROWS];
        for (row, place) in rows.iter_mut().enumerate() {
            // A tile has whole groups, or what is left.
            let group = row - row % GROUP;
            *place = &self.data[(first + group) * inner..][..inner * GROUP.min(ROWS)];
        }
        rows
    }

    #[inline(always)]
    fn element<const ROWS: usize>(self, part: &[&[R]; ROWS], row: usize, column: usize) -> Option<R> {
        if ROWS < GROUP {
            return part[row].get(column * ROWS + row).copied();
        }
        part[row].get(column * GROUP..)?.first_chunk::<GROUP>().map(|group| group[row % GROUP])
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

/// What `matrix`, in rows of `stride` scalars, has where a [`Target`]'s tile goes.
#[inline(always)]
pub(crate) fn held<S: Simd, R: Real, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    matrix: &[R],
    stride: usize,
    first: usize,
    column: usize,
) -> Tile<S, R, ROWS, COLUMNS> {
    let width = stride / Lanes::<S, R>::COUNT;
    let mut tile = [[Lanes::splat(simd, R::ZERO); COLUMNS]; ROWS];
    for (row, sums) in (first..).zip(&mut tile) {
        let registers = &R::registers::<S>(matrix)[row * width + column..][..COLUMNS];
        for (sum, &register) in sums.iter_mut().zip(registers) {
            *sum = Lanes::new(simd, register);
        }
    }
    tile
}

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
        match self.onto {
            Onto::Zero => {}
            Onto::Splat { data, stride } => {
                for (row, sums) in (first..).zip(&mut tile) {
                    *sums = [Lanes::splat(simd, data[row * stride]); COLUMNS];
                }
            }
            Onto::Result => tile = held(simd, self.result, self.stride, first, column),
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

/// The first `columns` columns of `left` (`rows` × inner) · `right` (inner × stride), where `stride` is a whole number of
/// [`Real::Block`]s. What shares a register with them may be worked out as well, or may not.
#[inline(always)]
pub(crate) fn product<S: Simd, R: Real, L: Left<R>, T: Target<S, R> + Target<Half, R>>(
    simd: S,
    left: L,
    rows: usize,
    right: &[R],
    stride: usize,
    columns: usize,
    mut target: T,
) {
    let (whole, half) = split::<S, R>(simd, columns);
    let width = stride / Lanes::<S, R>::COUNT;
    let mut strips = Strips { simd, half, left, rows, right, width, target: &mut target };
    let mut column = 0;
    // As many sums as hide an addition's latency, and registers left for the factors.
    while column < whole {
        let last = half.is_some() && whole - column <= 3;
        column += match (whole - column, S::REGISTER_COUNT < 32) {
            (1, _) if last => strips.strip::<GROUP, 1, 1>(column),
            (1, _) => strips.strip::<{ 2 * GROUP }, 1, 0>(column),
            (2, _) if last => strips.strip::<GROUP, 2, 1>(column),
            (2 | 4, _) | (_, true) => strips.strip::<GROUP, 2, 0>(column),
            (_, false) if last => strips.strip::<GROUP, 3, 1>(column),
            (_, false) => strips.strip::<GROUP, 3, 0>(column),
        };
    }
}

/// A product in strips of columns.
struct Strips<'a, S, R, L, T> {
    simd: S,
    half: Option<Half>,
    left: L,
    rows: usize,
    right: &'a [R],
    /// Registers in a row of the right factor.
    width: usize,
    target: &'a mut T,
}

impl<S: Simd, R: Real, L: Left<R>, T: Target<S, R> + Target<Half, R>> Strips<'_, S, R, L, T> {
    /// The tiles of all rows, `COLUMNS` registers and `HALF` of half the width wide, from `column` on. Gives `COLUMNS`.
    #[inline(always)]
    fn strip<const ROWS: usize, const COLUMNS: usize, const HALF: usize>(&mut self, column: usize) -> usize {
        const { assert!(ROWS == GROUP || ROWS == 2 * GROUP, "what is left of the rows is less than two groups") };
        let mut first = 0;
        while self.rows - first >= ROWS {
            self.tile::<ROWS, COLUMNS, HALF>(first, column);
            first += ROWS;
        }
        if ROWS > GROUP && self.rows - first >= GROUP {
            self.tile::<GROUP, COLUMNS, HALF>(first, column);
            first += GROUP;
        }
        const { assert!(GROUP == 5, "and in the end less than one") };
        match self.rows - first {
            4 => self.tile::<4, COLUMNS, HALF>(first, column),
            3 => self.tile::<3, COLUMNS, HALF>(first, column),
            2 => self.tile::<2, COLUMNS, HALF>(first, column),
            1 => self.tile::<1, COLUMNS, HALF>(first, column),
            _ => {}
        }
        COLUMNS
    }

    /// One tile.
    #[inline(always)]
    fn tile<const ROWS: usize, const COLUMNS: usize, const HALF: usize>(&mut self, first: usize, column: usize) {
        let &mut Self { simd, half, left, right, width, ref mut target, .. } = self;
        let (whole, halves) = (R::registers::<S>(right), R::registers::<Half>(right));
        let half = half.filter(|_| HALF > 0);
        let half_column = 2 * (column + COLUMNS);
        let mut tile = Target::<S, R>::start::<ROWS, COLUMNS>(*target, simd, first, column);
        let mut narrow = half.map(|half| Target::<Half, R>::start::<ROWS, HALF>(*target, half, first, half_column));
        let inner = whole.len() / width;
        let part = left.part::<ROWS>(first, inner);
        // All `inner` of them are there; but a check that can panic would have the sums written to memory in every round.
        'inner: for k in 0..inner {
            let right = whole.get(k * width + column..).and_then(|right| right.first_chunk::<COLUMNS>());
            let Some(right) = right else { break };
            let right_half = halves.get(2 * k * width + half_column..).and_then(|right| right.first_chunk::<HALF>());
            for (row, sums) in tile.iter_mut().enumerate() {
                let Some(factor) = left.element(&part, row, k) else { break 'inner };
                let factor = Lanes::splat(simd, factor);
                for (sum, &right) in sums.iter_mut().zip(right) {
                    *sum = factor.mul_add(Lanes::new(simd, right), *sum);
                }
                if let (Some(half), Some(narrow), Some(right)) = (half, &mut narrow, right_half) {
                    let factor = Lanes::new(half, lower::<S, R>(simd, factor.register()));
                    for (sum, &right) in narrow[row].iter_mut().zip(right) {
                        *sum = factor.mul_add(Lanes::new(half, right), *sum);
                    }
                }
            }
        }
        Target::<S, R>::finish(*target, first, column, tile);
        if let Some(narrow) = narrow {
            Target::<Half, R>::finish(*target, first, half_column, narrow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::everywhere;
    use crate::simd::{Rows, WithSimd};

    const ROWS: [usize; 12] = [1, 2, 3, 4, 5, 6, 9, 10, 12, 15, 18, 29];
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
        columns: usize,
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
            let into = Into { onto, result: &mut self.result, stride };
            product(simd, self.left, rows, self.right, stride, self.columns, into);
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
            let product = || Product { left, right, bias, start, result: padded(old, columns), columns };
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
            let grouped: Vec<R> = super::grouped(rows, inner).map(|(row, column)| a[row * inner + column]).collect();
            agrees(Grouped { data: &grouped }, &right, &bias, &old, expected, allowed, columns);
        }
    }

    #[test]
    fn products_agree_with_three_loops() {
        agrees_with_three_loops::<f32>(2f64.powi(-24));
        agrees_with_three_loops::<f64>(2f64.powi(-52));
    }
}
