//! A symmetric tensor of third order times vectors: what the Hamiltonian needs where its couplings leave the caches.

use crate::simd::cache::prefetch;
use crate::simd::{Lanes, Real, Simd, WithSimd};
use crate::team;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Rows j that a pass over k serves at once.
const ROWS: usize = 4;

/// Numbers j of a tile: its entries stay in the first-level cache while all points are worked on.
const TILE_J: usize = 32;

/// Numbers k of a tile: the vectors and slopes that it meets stay in the first-level cache, a few registers of points at a time.
const TILE_K: usize = 64;

/// Numbers i per part, on average: adding up what the parts found then takes no time beside finding it.
const PER_PART: usize = 25;

/// The most parts.
const MOST_PARTS: usize = 32;

/// Numbers i whose entries are arranged between two looks at whether to stop.
const TOGETHER: usize = 32;

/// T_ijk of the triples i ≤ j ≤ k of numbers below d, each once, and E(b) = Σ T_ijk b_i b_j b_k.
pub(super) struct Triples<R> {
    /// Tile after tile, in each the [`groups`] of rows, of these column by column; 0 where k < j.
    values: Vec<R>,
    dimension: usize,
    /// The numbers i of every part, and where its tiles end.
    parts: Vec<(Range<usize>, usize)>,
}

/// The number of parts: it depends on the dimension alone, and so do the sums.
pub(super) fn parts(dimension: usize) -> usize {
    (dimension / PER_PART).clamp(1, MOST_PARTS)
}

/// The first j and the first k of the tiles of i.
fn tiles(i: usize, d: usize) -> impl Iterator<Item = (usize, usize)> {
    (i..d).step_by(TILE_J).flat_map(move |j| (j..d).step_by(TILE_K).map(move |k| (j, k)))
}

/// The groups of rows of a tile: the first j, their number, and the numbers k.
#[inline(always)]
fn groups((j, k): (usize, usize), d: usize) -> impl Iterator<Item = (usize, usize, Range<usize>)> {
    let (end, last) = ((j + TILE_J).min(d), (k + TILE_K).min(d));
    let whole = end - (end - j) % ROWS;
    let rows = (j..whole).step_by(ROWS).map(|j| (j, ROWS)).chain((whole..end).map(|j| (j, 1)));
    rows.map(move |(j, count)| (j, count, k.max(j)..last))
}

/// Writes the entries of `i`, given in the order of j ≤ k, to `slab` tile after tile.
fn arrange<R: Real>(i: usize, d: usize, entries: &[f64], slab: &mut [R]) {
    // Where the entries of j begin, less j.
    let row = |j: usize| (j - i) * (2 * d - i - j + 1) / 2;
    let mut places = slab.iter_mut();
    for (j, rows, columns) in tiles(i, d).flat_map(|tile| groups(tile, d)) {
        for k in columns {
            for (j, place) in (j..j + rows).zip(&mut places) {
                *place = if k < j { R::ZERO } else { R::of(entries[row(j) + k - j]) };
            }
        }
    }
}

impl<R: Real> Triples<R> {
    /// Takes T_ijk of one i, in the order of j ≤ k, from `of`, for several i at a time; nothing as soon as `stop` says so.
    pub(super) fn new<'s>(
        dimension: usize,
        of: &(dyn Fn(usize) -> Cow<'s, [f64]> + Sync),
        stop: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let of_all = |d: usize| d * (d + 1) * (d + 2) / 6;
        let (count, mut parts, mut lengths) = (parts(dimension), Vec::new(), Vec::with_capacity(dimension));
        let (mut first, mut end) = (0, 0);
        for i in 0..dimension {
            let groups = tiles(i, dimension).flat_map(|tile| groups(tile, dimension));
            lengths.push(groups.map(|(_, rows, columns)| rows * columns.len()).sum());
            end += lengths[i];
            let done = of_all(dimension) - of_all(dimension - i - 1);
            if done * count >= of_all(dimension) * (parts.len() + 1) {
                parts.push((first..i + 1, end));
                first = i + 1;
            }
        }
        let mut values = vec![R::ZERO; end];
        let mut left = &mut *values;
        let mut slabs = Vec::with_capacity(dimension);
        for (i, &length) in lengths.iter().enumerate() {
            let (slab, after) = std::mem::take(&mut left).split_at_mut(length);
            left = after;
            slabs.push((i, slab));
        }
        for slabs in slabs.chunks_mut(TOGETHER) {
            if stop() {
                return None;
            }
            slabs.par_iter_mut().for_each(|(i, slab)| arrange(*i, dimension, &of(*i), slab));
        }
        Some(Self { values, dimension, parts })
    }

    /// Writes ∂E/∂b of the first `points` vectors b to the first d rows of `slopes`, which has d rows for every one of
    /// [`parts`]. `vectors` has d rows of `stride` scalars, in row i those of number i of all points.
    #[inline(always)]
    pub(super) fn gradient<S: Simd>(&self, simd: S, points: usize, stride: usize, vectors: &[R], slopes: &mut [R]) {
        let d = self.dimension;
        let starts = std::iter::once(0).chain(self.parts.iter().map(|&(_, end)| end));
        let tasks = self.parts.iter().zip(starts).zip(slopes.chunks_mut(d * stride));
        team::each(tasks, |((&(ref numbers, end), start), slopes)| {
            slopes.fill(R::ZERO);
            let mut left = &self.values[start..end];
            for (i, tile) in numbers.clone().flat_map(|i| tiles(i, d).map(move |tile| (i, tile))) {
                let (values, after) = left.split_at(groups(tile, d).map(|(_, rows, k)| rows * k.len()).sum());
                left = after;
                let ahead = &after[..values.len().min(after.len())];
                strips(simd, points, stride, &mut Tile { values, ahead, i, tile, d, stride, vectors, slopes });
            }
        });
        let (sums, others) = slopes.split_at_mut(d * stride);
        for other in others.chunks(d * stride) {
            simd.vectorize(Plus { sums: &mut *sums, other });
        }
    }
}

/// Adds `other` to `sums`.
struct Plus<'a, R> {
    sums: &'a mut [R],
    other: &'a [R],
}

impl<R: Real> WithSimd for Plus<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (sum, &other) in R::registers_mut::<S>(self.sums).iter_mut().zip(R::registers::<S>(self.other)) {
            *sum = (Lanes::<S, R>::new(simd, *sum) + Lanes::new(simd, other)).register();
        }
    }
}

/// The entries of one i, some j and some k, and what they meet.
struct Tile<'a, R> {
    values: &'a [R],
    /// As many entries of the next tile, which are brought into the caches meanwhile.
    ahead: &'a [R],
    i: usize,
    tile: (usize, usize),
    d: usize,
    stride: usize,
    vectors: &'a [R],
    slopes: &'a mut [R],
}

/// Works a tile off for all points, up to three registers of them at a time: more would not leave registers for the sums.
#[inline(always)]
fn strips<S: Simd, R: Real>(simd: S, points: usize, stride: usize, tile: &mut Tile<'_, R>) {
    let width = points.div_ceil(Lanes::<S, R>::COUNT).min(stride / Lanes::<S, R>::COUNT);
    let mut column = 0;
    while column < width {
        column += match (width - column, S::REGISTER_COUNT < 32) {
            (1, _) | (_, true) => strip::<S, R, 1>(simd, tile, column),
            (2 | 4, _) => strip::<S, R, 2>(simd, tile, column),
            _ => strip::<S, R, 3>(simd, tile, column),
        };
    }
}

/// `COLUMNS` registers of points from register `column` on. Gives `COLUMNS`. A function of its own: see the strips of a product.
#[inline(never)]
fn strip<S: Simd, R: Real, const COLUMNS: usize>(simd: S, tile: &mut Tile<'_, R>, column: usize) -> usize {
    simd.vectorize(Strip::<R, COLUMNS> { tile, column });
    COLUMNS
}

struct Strip<'s, 'a, R, const COLUMNS: usize> {
    tile: &'s mut Tile<'a, R>,
    column: usize,
}

/// `COLUMNS` registers of points.
type Points<S, R, const COLUMNS: usize> = [Lanes<S, R>; COLUMNS];

impl<R: Real, const COLUMNS: usize> WithSimd for Strip<'_, '_, R, COLUMNS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let &mut Tile { mut values, mut ahead, i, tile, d, stride, vectors, ref mut slopes } = self.tile;
        let width = stride / Lanes::<S, R>::COUNT;
        let vectors = &R::registers::<S>(vectors)[self.column..];
        let slopes = &mut R::registers_mut::<S>(slopes)[self.column..];
        let Some(leading) = vectors[i * width..].first_chunk::<COLUMNS>() else { return };
        let leading = leading.map(|register| Lanes::new(simd, register));
        let mut along = [Lanes::splat(simd, R::ZERO); COLUMNS];
        for (j, rows, columns) in groups(tile, d) {
            let (now, after) = values.split_at(rows * columns.len());
            values = after;
            let (next, after) = ahead.split_at(now.len().min(ahead.len()));
            ahead = after;
            // A share of them in every strip.
            let from = next.len() * self.column / width;
            prefetch(next, from, next.len() * (self.column + COLUMNS) / width - from);
            let k = columns.start;
            if rows == ROWS {
                group::<S, R, ROWS, COLUMNS>(now, leading, &mut along, (j, k), width, vectors, slopes);
            } else {
                group::<S, R, 1, COLUMNS>(now, leading, &mut along, (j, k), width, vectors, slopes);
            }
        }
        let Some(slope) = slopes[i * width..].first_chunk_mut::<COLUMNS>() else { return };
        for (slope, along) in slope.iter_mut().zip(along) {
            *slope = (Lanes::new(simd, *slope) + along).register();
        }
    }
}

/// `COUNT` rows from `j` on, columns from `k` on. With w_j = Σ_k T_ijk b_k: adds T_ijk b_i b_j to the slope in b_k, b_i w_j to that in
/// b_j, and b_j w_j to `along`, that in b_i.
#[inline(always)]
fn group<S: Simd, R: Real, const COUNT: usize, const COLUMNS: usize>(
    values: &[R],
    leading: Points<S, R, COLUMNS>,
    along: &mut Points<S, R, COLUMNS>,
    (j, k): (usize, usize),
    width: usize,
    vectors: &[R::Register<S>],
    slopes: &mut [R::Register<S>],
) {
    let simd = leading[0].simd();
    let lanes = |register| Lanes::<S, R>::new(simd, register);
    let mut sums = [[Lanes::splat(simd, R::ZERO); COLUMNS]; COUNT];
    let mut pairs = sums;
    let own = || vectors[j * width..].chunks(width).map_while(|row| row.first_chunk::<COLUMNS>());
    for (pair, vector) in pairs.iter_mut().zip(own()) {
        for ((pair, &b), leading) in pair.iter_mut().zip(vector).zip(leading) {
            *pair = leading * lanes(b);
        }
    }
    let rows = vectors[k * width..].chunks(width).zip(slopes[k * width..].chunks_mut(width));
    for (entries, (vector, slope)) in values.as_chunks::<COUNT>().0.iter().zip(rows) {
        // No check that can panic: the sums would be written to memory for it.
        let (Some(vector), Some(slope)) = (vector.first_chunk::<COLUMNS>(), slope.first_chunk_mut::<COLUMNS>()) else {
            break;
        };
        let (vector, mut slopes) = (vector.map(lanes), slope.map(lanes));
        for row in 0..COUNT {
            let entry = Lanes::splat(simd, entries[row]);
            for column in 0..COLUMNS {
                sums[row][column] = entry.mul_add(vector[column], sums[row][column]);
                slopes[column] = entry.mul_add(pairs[row][column], slopes[column]);
            }
        }
        *slope = slopes.map(Lanes::register);
    }
    let slopes = slopes[j * width..].chunks_mut(width).map_while(|row| row.first_chunk_mut::<COLUMNS>());
    for ((sums, vector), slopes) in sums.iter().zip(own()).zip(slopes) {
        for column in 0..COLUMNS {
            along[column] = sums[column].mul_add(lanes(vector[column]), along[column]);
            slopes[column] = sums[column].mul_add(leading[column], lanes(slopes[column])).register();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::everywhere;
    use crate::simd::{Panels, Rows};

    struct Gradient<'a, R: Real> {
        triples: &'a Triples<R>,
        points: usize,
        vectors: &'a Rows<R>,
    }

    impl<R: Real> WithSimd for Gradient<'_, R> {
        type Output = Rows<R>;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Rows<R> {
            let (stride, d) = (self.vectors.stride(), self.triples.dimension);
            let mut slopes = Rows::zeros(parts(d) * d, stride);
            slopes.fill(R::of(7.0));
            self.triples.gradient(simd, self.points, stride, self.vectors, &mut slopes);
            slopes
        }
    }

    /// Triples whose entries are `of` the numbers.
    fn triples<R: Real>(d: usize, of: impl Fn([usize; 3]) -> f64 + Sync) -> Triples<R> {
        let slab = |i| Cow::Owned((i..d).flat_map(|j| (j..d).map(move |k| [i, j, k])).map(&of).collect());
        Triples::new(d, &slab, &|| false).unwrap()
    }

    fn irregular(i: usize) -> f64 {
        2.0 * (i as f64 * 0.618_033_988_749_894_9).fract() - 1.0
    }

    fn agrees<R: Real>(epsilon: f64) {
        for (d, points) in [(1, 1), (2, 9), (5, 50), (33, 17), (64, 8), (70, 50), (101, 40), (133, 64)] {
            let of = |[i, j, k]: [usize; 3]| irregular(7 * i + 31 * j + 101 * k);
            let triples = triples::<R>(d, of);
            let mut vectors = Rows::<R>::zeros(d, Panels::<R>::stride(points));
            let stride = vectors.stride();
            vectors.iter_mut().enumerate().for_each(|(i, scalar)| *scalar = R::of(irregular(i)));
            for (set, found) in everywhere(|| Gradient { triples: &triples, points, vectors: &vectors }) {
                for point in [0, points / 2, points - 1] {
                    let b: Vec<f64> = (0..d).map(|i| vectors[i * stride + point].wide()).collect();
                    let mut expected = vec![0.0; d];
                    for (i, j) in (0..d).flat_map(|i| (i..d).map(move |j| (i, j))) {
                        for k in j..d {
                            let entry = R::of(of([i, j, k])).wide();
                            expected[i] += entry * b[j] * b[k];
                            expected[j] += entry * b[i] * b[k];
                            expected[k] += entry * b[i] * b[j];
                        }
                    }
                    for (i, &expected) in expected.iter().enumerate() {
                        let found = found[i * stride + point].wide();
                        let allowed = epsilon * (d * d) as f64;
                        assert!((found - expected).abs() <= allowed, "{i} of {d}, {set}: {found}, not {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn gradients_agree_with_three_loops() {
        agrees::<f32>(2f64.powi(-23));
        agrees::<f64>(2f64.powi(-52));
    }

    #[test]
    fn bits_are_the_same_on_any_number_of_threads() {
        let d = 133;
        let triples = triples::<f64>(d, |[i, j, k]| irregular(7 * i + 31 * j + 101 * k));
        let mut vectors = Rows::<f64>::zeros(d, 56);
        vectors.iter_mut().enumerate().for_each(|(i, scalar)| *scalar = irregular(i));
        let found = [1, 2, 3, 4, 7].map(|threads| {
            let kernel = || crate::simd::dispatch(Gradient { triples: &triples, points: 50, vectors: &vectors });
            let slopes = team::Team::new(threads).unwrap().run(kernel);
            slopes[..d * 56].iter().map(|slope| slope.to_bits()).collect::<Vec<_>>()
        });
        assert!(found.iter().all(|bits| *bits == found[0]));
    }

    #[test]
    fn parts_are_whole_and_even() {
        for d in [1, 24, 25, 80, 100, 200, 333] {
            let triples = triples::<f32>(d, |_| 1.0);
            assert_eq!(triples.parts.len(), parts(d), "{d}");
            assert_eq!(triples.parts.last().map(|(numbers, end)| (numbers.end, *end)), Some((d, triples.values.len())));
            let ones = triples.values.iter().filter(|&&value| value == 1.0).count();
            assert_eq!(ones, d * (d + 1) * (d + 2) / 6, "{d}");
            assert!(triples.values.len() <= ones + d * (d + ROWS), "{d}");
        }
    }
}
