//! Matrix products of the sizes that small networks have.
//!
//! A general library pays for packing and for choosing a blocking, which at 50 × 10 × 50 is most of the time. Here the right
//! factor already lies in rows of whole registers, so a product is a walk over tiles of the result that stay in registers.

use super::cache::prefetch_block;
use super::columns::split;
use super::real::{Half, half, lower};
use super::{Lanes, Real, Simd, WithSimd};
use crate::team;
use std::ops::Range;
use std::slice::ChunksExact;

/// The left factor.
pub(crate) trait Left<R: Real>: Copy {
    /// True if this factor or the result comes from memory rather than from a cache: see [`Streamed`].
    const STREAMED: bool = false;

    /// This factor from row `first` on, and `inner` columns of it.
    fn part<'a, const ROWS: usize>(self, first: usize, inner: usize) -> [&'a [R]; ROWS]
    where
        Self: 'a;

    /// The element in row `row` and column `column` of a [part](Left::part), if it is there.
    fn element<const ROWS: usize>(self, part: &[&[R]; ROWS], row: usize, column: usize) -> Option<R>;

    /// Prefetches a share of these rows, `inner` columns of them; nothing by default.
    #[inline(always)]
    fn prefetch(self, _rows: Range<usize>, _inner: usize, _share: Share) {}
}

/// Parts `first` to `end` of `count` equal ones.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    first: usize,
    end: usize,
    count: usize,
}

impl Share {
    /// These parts of `0..total`.
    #[inline(always)]
    fn of(self, total: usize) -> Range<usize> {
        total * self.first / self.count..total * self.end / self.count
    }
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

    #[inline(always)]
    fn prefetch(self, rows: Range<usize>, inner: usize, share: Share) {
        prefetch_block(self.data, self.stride, rows, share.of(inner));
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

    #[inline(always)]
    fn prefetch(self, rows: Range<usize>, inner: usize, share: Share) {
        prefetch_block(self.data, self.stride, share.of(inner), rows);
    }
}

/// The number of rows of a tile, or half of it. Those from a multiple of this number on are in one tile, however wide it is: sums over
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
            return part[row].as_chunks::<ROWS>().0.get(column).map(|group| group[row]);
        }
        part[row].as_chunks::<GROUP>().0.get(column).map(|group| group[row % GROUP])
    }
}

/// The destination of a product, in tiles of `ROWS` rows and `COLUMNS` registers, the first of them at row `first` and register
/// `column`.
pub(crate) trait Target<R: Real> {
    /// The numbers that a tile starts from: zeros by default.
    #[inline(always)]
    fn start<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &self,
        simd: S,
        _first: usize,
        _column: usize,
    ) -> Tile<S, R, ROWS, COLUMNS> {
        zeros(simd)
    }

    /// Prefetches the part of the target that a tile of `ROWS` rows and these columns meets; nothing by default.
    #[inline(always)]
    fn prefetch<const ROWS: usize>(&self, _first: usize, _columns: Range<usize>) {}

    /// Takes a tile when it is done.
    fn finish<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    );
}

/// Sums that stay in registers while a product adds to them.
pub(crate) type Tile<S, R, const ROWS: usize, const COLUMNS: usize> = [[Lanes<S, R>; COLUMNS]; ROWS];

/// The tile of a sum that has not begun.
#[inline(always)]
pub(crate) fn zeros<S: Simd, R: Real, const ROWS: usize, const COLUMNS: usize>(simd: S) -> Tile<S, R, ROWS, COLUMNS> {
    [[Lanes::splat(simd, R::ZERO); COLUMNS]; ROWS]
}

/// The place of a [`Target`]'s tile in `matrix`, which is in rows of `stride` scalars: from row `first` on, registers from `column` on.
#[inline(always)]
pub(crate) fn places<S: Simd, R: Real, const COLUMNS: usize>(
    matrix: &[R],
    stride: usize,
    first: usize,
    column: usize,
) -> impl Iterator<Item = &[R::Register<S>; COLUMNS]> {
    let count = Lanes::<S, R>::COUNT;
    // No check that can panic: the sums would be written to memory for it.
    let from = R::registers::<S>(matrix.get(first * stride + column * count..).unwrap_or_default());
    from.chunks(stride / count).map_while(|row| row.first_chunk())
}

/// [`places`], to write to.
#[inline(always)]
pub(crate) fn places_mut<S: Simd, R: Real, const COLUMNS: usize>(
    matrix: &mut [R],
    stride: usize,
    first: usize,
    column: usize,
) -> impl Iterator<Item = &mut [R::Register<S>; COLUMNS]> {
    let count = Lanes::<S, R>::COUNT;
    let from = R::registers_mut::<S>(matrix.get_mut(first * stride + column * count..).unwrap_or_default());
    from.chunks_mut(stride / count).map_while(|row| row.first_chunk_mut())
}

/// The numbers of `matrix` at the [places] of a tile.
#[inline(always)]
pub(crate) fn held<S: Simd, R: Real, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    matrix: &[R],
    stride: usize,
    first: usize,
    column: usize,
) -> Tile<S, R, ROWS, COLUMNS> {
    let mut tile = zeros(simd);
    for (sums, places) in tile.iter_mut().zip(places::<S, R, COLUMNS>(matrix, stride, first, column)) {
        *sums = places.map(|register| Lanes::new(simd, register));
    }
    tile
}

/// The numbers that a product is added to.
#[derive(Clone, Copy)]
pub(crate) enum Onto<'a, R> {
    Zero,
    /// Row r of the result starts from element `r * stride`, in every column.
    Splat {
        data: &'a [R],
        stride: usize,
    },
    /// The contents of the result.
    Result,
}

/// A matrix in rows of `stride` scalars.
pub(crate) struct Into<'a, R> {
    pub onto: Onto<'a, R>,
    pub result: &'a mut [R],
    pub stride: usize,
}

impl<R: Real> Target<R> for Into<'_, R> {
    #[inline(always)]
    fn start<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &self,
        simd: S,
        first: usize,
        column: usize,
    ) -> Tile<S, R, ROWS, COLUMNS> {
        match self.onto {
            Onto::Zero => zeros(simd),
            Onto::Splat { data, stride } => {
                let mut tile = zeros(simd);
                for (row, sums) in (first..).zip(&mut tile) {
                    *sums = [Lanes::splat(simd, data[row * stride]); COLUMNS];
                }
                tile
            }
            Onto::Result => held(simd, self.result, self.stride, first, column),
        }
    }

    #[inline(always)]
    fn prefetch<const ROWS: usize>(&self, first: usize, columns: Range<usize>) {
        prefetch_block(self.result, self.stride, first..first + ROWS, columns);
    }

    #[inline(always)]
    fn finish<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    ) {
        for (sums, places) in tile.into_iter().zip(places_mut::<S, R, COLUMNS>(self.result, self.stride, first, column))
        {
            *places = sums.map(Lanes::register);
        }
    }
}

/// The first `columns` columns of `left` (`rows` × inner) · `right` (inner × stride), where `stride` is a whole number of
/// [`Real::Block`]s. What shares a register with them may be worked out as well, or may not.
#[inline(always)]
pub(crate) fn product<S: Simd, R: Real, L: Left<R>, T: Target<R>>(
    simd: S,
    left: L,
    rows: usize,
    right: &[R],
    stride: usize,
    columns: usize,
    mut target: T,
) {
    let (whole, half) = split::<S, R>(simd, columns);
    let (inner, block) = (right.len() / stride, if L::STREAMED { BLOCK } else { rows });
    let mut strips = Strips { simd, left, rows: 0..0, ahead: 0..0, inner, right, stride, target: &mut target };
    while strips.rows.end < rows {
        strips.rows = strips.rows.end..(strips.rows.end + block).min(rows);
        strips.ahead = strips.rows.end..(strips.rows.end + block).min(rows);
        strips.all(whole, half.is_some());
    }
}

/// Bytes of a factor or a result from which on it comes from memory rather than from a cache.
const STREAMED_FROM: usize = 24 << 20;

/// True if a factor or a result of so many scalars comes from memory.
#[inline(always)]
pub(crate) fn streamed<R>(scalars: usize) -> bool {
    scalars * size_of::<R>() >= STREAMED_FROM
}

/// Rows whose part of a large left factor stays in the first-level cache while all columns are worked out.
const BLOCK: usize = 4 * GROUP;

/// A left factor of a product that is gone through once, [`BLOCK`] rows at a time, while the next ones are prefetched.
#[derive(Clone, Copy)]
pub(crate) struct Streamed<L>(pub L);

impl<R: Real, L: Left<R>> Left<R> for Streamed<L> {
    const STREAMED: bool = true;

    #[inline(always)]
    fn part<'a, const ROWS: usize>(self, first: usize, inner: usize) -> [&'a [R]; ROWS]
    where
        Self: 'a,
    {
        self.0.part(first, inner)
    }

    #[inline(always)]
    fn element<const ROWS: usize>(self, part: &[&[R]; ROWS], row: usize, column: usize) -> Option<R> {
        self.0.element(part, row, column)
    }

    #[inline(always)]
    fn prefetch(self, rows: Range<usize>, inner: usize, share: Share) {
        self.0.prefetch(rows, inner, share);
    }
}

/// A factor or a result that is cut between two rows for several threads.
pub(crate) trait Split: Sized {
    /// The first `rows` rows, and those that follow.
    fn split(self, rows: usize) -> (Self, Self);
}

impl<R: Real> Split for ByRows<'_, R> {
    fn split(self, rows: usize) -> (Self, Self) {
        (self, Self { data: &self.data[rows * self.stride..], ..self })
    }
}

impl<R: Real> Split for ByColumns<'_, R> {
    fn split(self, rows: usize) -> (Self, Self) {
        (self, Self { data: &self.data[rows..], ..self })
    }
}

impl<L: Split> Split for Streamed<L> {
    fn split(self, rows: usize) -> (Self, Self) {
        let (upper, lower) = self.0.split(rows);
        (Self(upper), Self(lower))
    }
}

impl<R: Real> Split for Into<'_, R> {
    fn split(self, rows: usize) -> (Self, Self) {
        let Self { onto, result, stride } = self;
        let (upper, lower) = result.split_at_mut(rows * stride);
        let below = match onto {
            Onto::Splat { data, stride } => Onto::Splat { data: &data[rows * stride..], stride },
            other => other,
        };
        (Self { onto, result: upper, stride }, Self { onto: below, result: lower, stride })
    }
}

/// Products of at least so many multiplications are shared by the threads of a run: fewer take one thread less time than calling for
/// the others.
const SHARED_FROM: usize = 2_000_000;

/// Tasks per thread: where one is held up, the others take over.
const TASKS: usize = 2;

/// [`product`] on all threads of the run, where it is large enough. Every element is a sum that one of them makes, so it is the same
/// bits for any number of threads.
#[inline(always)]
pub(crate) fn shared<S: Simd, R: Real, L: Left<R> + Split + Send, T: Target<R> + Split + Send>(
    simd: S,
    left: L,
    rows: usize,
    right: &[R],
    stride: usize,
    columns: usize,
    target: T,
) {
    // No division, which would take a small product longer than a row of it.
    if rows * columns * right.len() < SHARED_FROM * stride || team::threads() == 1 {
        return product(simd, left, rows, right, stride, columns, target);
    }
    in_tasks(simd, left, rows, right, stride, columns, target);
}

/// A product in tasks of several rows.
#[inline(never)]
fn in_tasks<S: Simd, R: Real, L: Left<R> + Split + Send, T: Target<R> + Split + Send>(
    simd: S,
    mut left: L,
    mut rows: usize,
    right: &[R],
    stride: usize,
    columns: usize,
    mut target: T,
) {
    let per_task = rows.div_ceil(TASKS * team::threads()).next_multiple_of(2 * GROUP);
    let mut tasks = Vec::with_capacity(rows / per_task + 1);
    while rows > per_task {
        let ((upper, lower), (first, rest)) = (left.split(per_task), target.split(per_task));
        tasks.push((upper, per_task, first));
        (left, target) = (lower, rest);
        rows -= per_task;
    }
    tasks.push((left, rows, target));
    team::each(tasks.into_iter(), |(left, rows, target)| {
        product(simd, left, rows, right, stride, columns, target);
    });
}

/// A product in strips of columns.
struct Strips<'a, S, R, L, T> {
    simd: S,
    left: L,
    /// The rows that are worked out.
    rows: Range<usize>,
    /// The rows after these, which are brought into the caches meanwhile.
    ahead: Range<usize>,
    inner: usize,
    right: &'a [R],
    stride: usize,
    target: &'a mut T,
}

impl<S: Simd, R: Real, L: Left<R>, T: Target<R>> Strips<'_, S, R, L, T> {
    /// All columns of the rows: `whole` registers, and half of one more with `half`.
    #[inline(always)]
    fn all(&mut self, whole: usize, half: bool) {
        let mut column = 0;
        // As many sums as hide an addition's latency, and registers left for the factors.
        while column < whole {
            let last = half && whole - column <= 3;
            column += match (whole - column, S::REGISTER_COUNT < 32) {
                (1, _) if last => self.strip::<GROUP, 1, 1>(column),
                (1, _) => self.strip::<{ 2 * GROUP }, 1, 0>(column),
                (2, _) if last => self.strip::<GROUP, 2, 1>(column),
                (2 | 4, _) | (_, true) => self.strip::<GROUP, 2, 0>(column),
                (_, false) if last => self.strip::<GROUP, 3, 1>(column),
                (_, false) => self.strip::<GROUP, 3, 0>(column),
            };
        }
    }

    /// The strip from `column` on. Gives `COLUMNS`.
    ///
    /// A function of its own: inlined into a caller that has other strips, its loop would share registers with theirs, and what
    /// the loop needs would be read from memory in each of its rounds.
    #[inline(never)]
    fn strip<const ROWS: usize, const COLUMNS: usize, const HALF: usize>(&mut self, column: usize) -> usize {
        self.simd.vectorize(Strip::<_, _, _, _, ROWS, COLUMNS, HALF> { of: self, column });
        COLUMNS
    }
}

/// Tiles of all rows, `COLUMNS` registers and `HALF` of half the width wide, from register `column` on.
struct Strip<'s, 'a, S, R, L, T, const ROWS: usize, const COLUMNS: usize, const HALF: usize> {
    of: &'s mut Strips<'a, S, R, L, T>,
    column: usize,
}

impl<K: Simd, R: Real, L: Left<R>, T: Target<R>, const ROWS: usize, const COLUMNS: usize, const HALF: usize> WithSimd
    for Strip<'_, '_, K, R, L, T, ROWS, COLUMNS, HALF>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        const { assert!(ROWS == GROUP || ROWS == 2 * GROUP, "what is left of the rows is less than two groups") };
        let Range { start: mut first, end: rows } = self.of.rows;
        // Cut once: it takes a division.
        let right = self.of.right.chunks_exact(self.of.stride);
        while rows - first >= ROWS {
            self.tile::<S, ROWS>(simd, right.clone(), first);
            first += ROWS;
        }
        if ROWS > GROUP && rows - first >= GROUP {
            self.tile::<S, GROUP>(simd, right.clone(), first);
            first += GROUP;
        }
        const { assert!(GROUP == 5, "and in the end less than one") };
        match rows - first {
            4 => self.tile::<S, 4>(simd, right, first),
            3 => self.tile::<S, 3>(simd, right, first),
            2 => self.tile::<S, 2>(simd, right, first),
            1 => self.tile::<S, 1>(simd, right, first),
            _ => {}
        }
    }
}

impl<K: Simd, R: Real, L: Left<R>, T: Target<R>, const ROWS: usize, const COLUMNS: usize, const HALF: usize>
    Strip<'_, '_, K, R, L, T, ROWS, COLUMNS, HALF>
{
    /// The tile of `TALL` rows from `first` on.
    #[inline(always)]
    fn tile<S: Simd, const TALL: usize>(&mut self, simd: S, right: ChunksExact<'_, R>, first: usize) {
        if L::STREAMED {
            self.prefetch::<S, TALL>(first);
        }
        let &mut Self { of: &mut Strips { left, inner, ref mut target, .. }, column } = self;
        let half_column = 2 * (column + COLUMNS);
        let mut tile = target.start::<S, TALL, COLUMNS>(simd, first, column);
        let mut narrow = half(simd)
            .filter(|_| HALF > 0)
            .map(|half| (half, target.start::<Half, TALL, HALF>(half, first, half_column)));
        let part = left.part::<TALL>(first, inner);
        let from = column * Lanes::<S, R>::COUNT;
        // All `inner` of them are there; but a check that can panic would have the sums written to memory in every round.
        'inner: for (k, right) in right.enumerate() {
            let Some(right) = right.get(from..) else { break };
            let Some(whole) = R::registers::<S>(right).first_chunk::<COLUMNS>() else { break };
            let halves = R::registers::<Half>(right).get(2 * COLUMNS..).and_then(|rest| rest.first_chunk::<HALF>());
            for (row, sums) in tile.iter_mut().enumerate() {
                let Some(factor) = left.element(&part, row, k) else { break 'inner };
                let factor = Lanes::splat(simd, factor);
                for (sum, &right) in sums.iter_mut().zip(whole) {
                    *sum = factor.mul_add(Lanes::new(simd, right), *sum);
                }
                if let (Some((half, narrow)), Some(halves)) = (&mut narrow, halves) {
                    let factor = Lanes::new(*half, lower::<S, R>(simd, factor.register()));
                    for (sum, &right) in narrow[row].iter_mut().zip(halves) {
                        *sum = factor.mul_add(Lanes::new(*half, right), *sum);
                    }
                }
            }
        }
        target.finish(first, column, tile);
        if let Some((_, narrow)) = narrow {
            target.finish(first, half_column, narrow);
        }
    }

    /// Prefetches this tile's share of the rows that the next block meets, and the part of the target that the tile beside this one meets.
    #[inline(always)]
    fn prefetch<S: Simd, const TALL: usize>(&self, first: usize) {
        let Strips { left, rows, ahead, inner, stride, target, .. } = &*self.of;
        let count = Lanes::<S, R>::COUNT;
        let (tiles, tile) = (BLOCK / GROUP, (first - rows.start) / GROUP);
        let begin = self.column * tiles + COLUMNS * tile;
        let share = Share { first: begin, end: begin + COLUMNS * TALL.div_ceil(GROUP), count: stride / count * tiles };
        left.prefetch(ahead.clone(), *inner, share);
        let beside = (self.column + COLUMNS) * count;
        target.prefetch::<TALL>(first, beside..beside + COLUMNS * count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Rows;
    use crate::simd::tests::everywhere;

    const ROWS: [usize; 13] = [1, 2, 3, 4, 5, 6, 9, 10, 12, 15, 18, 29, 47];
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
            // In blocks of rows, which do not change a sum.
            let streamed = Streamed(ByRows { data: &a, stride: inner });
            agrees(streamed, &right, &bias, &old, expected, allowed, columns);
            let streamed = Streamed(ByColumns { data: &transposed, stride: rows });
            agrees(streamed, &right, &bias, &old, expected, allowed, columns);
            agrees(Grouped { data: &grouped }, &right, &bias, &old, expected, allowed, columns);
        }
    }

    #[test]
    fn products_agree_with_three_loops() {
        agrees_with_three_loops::<f32>(2f64.powi(-24));
        agrees_with_three_loops::<f64>(2f64.powi(-52));
    }
}
