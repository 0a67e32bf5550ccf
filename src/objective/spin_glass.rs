//! The Hamiltonian of the 3-spin spherical glass, as energy per spin.
//!
//! With σ = √d u/‖u‖ on the sphere of radius √d and J_ijk independent standard normals, H(σ) = d⁻¹ Σ J_ijk σ_i σ_j σ_k, and
//! the function here is H/d. Only the symmetric part S of J matters: Y_i = Σ_jk S_ijk σ_j σ_k gives the value Σ σ_i Y_i and
//! the gradient 3 Y at once. S being symmetric in all three, it is enough to go over the triples whose i is the smallest: for
//! each i a symmetric matrix M_i over j, k ≥ i, with H ∝ ½ Σ_i σ_i b·M_i b, where b are the spins from i on. One product a
//! matrix, d (d + 1)(2 d + 1)/6 multiplications in all, gives the part of the value and of all slopes that is due to it: a third less
//! than the product of the d (d + 1)/2 pairs j ≤ k with all i.

use super::triples::{self, Triples};
use super::{Definition, Extremes, Link, Lowest, Points, Taped, TapedValues};
use crate::graph::cuda::{CudaSource, PARTS};
use crate::simd::matrix::{GROUP, Grouped, Target, Tile, grouped, places, places_mut, product};
use crate::simd::{Lanes, Real, Simd};
use crate::squash;
use dfdx::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use std::borrow::Cow;

/// The energy per spin below which, for d → ∞, the Hamiltonian's critical points are mostly minima, and where gradient descent
/// gets stuck: E_inf = 2 √((p - 1)/p) for p = 3 (Auffinger, Ben Arous, Cerny 2013). The threshold itself is -E_inf.
pub const THRESHOLD_ENERGY: f64 = 1.632_993_161_855_452;

/// The ground state's energy per spin for d → ∞ is minus this: E_0 for p = 3 (Auffinger, Ben Arous, Cerny 2013).
pub const GROUND_STATE_ENERGY: f64 = 1.657;

/// The stream of the seed's generator that couplings are drawn from; stream 0 draws the start of a run.
const COUPLINGS_STREAM: u64 = 1;

/// The first of the streams that, in more than [`Couplings::LARGEST_DIMENSION`] dimensions, the sums over permutations are drawn from,
/// one for each i.
const SUMS_STREAM: u64 = 1 << 32;

/// Couplings in more dimensions are not even counted: their number would overflow.
const MOST_DIMENSIONS: usize = 100_000;

/// The couplings J of one seed, drawn one after the other in row-major order and never held at once.
///
/// ```
/// use overparam::Couplings;
///
/// let first: Vec<f64> = Couplings::draw(7, 3).take(2).collect();
/// assert_eq!(first, Couplings::draw(7, 3).take(2).collect::<Vec<_>>());
/// assert_eq!(Couplings::draw(7, 3).count(), 27);
/// ```
pub struct Couplings {
    generator: ChaCha8Rng,
    left: usize,
}

impl Couplings {
    /// The largest d whose couplings J are drawn one by one: 134 million. In more dimensions the glass has, for every triple, the sum
    /// over its permutations drawn at once, by several threads: as H depends on nothing else, it is distributed the same.
    pub const LARGEST_DIMENSION: usize = 512;

    /// The d³ standard normals J_ijk of `seed` for d = `dimension`, i slowest.
    pub fn draw(seed: u64, dimension: usize) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(COUPLINGS_STREAM);
        Self { generator, left: dimension.pow(3) }
    }
}

impl Iterator for Couplings {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.left = self.left.checked_sub(1)?;
        Some(StandardNormal.sample(&mut self.generator))
    }
}

/// The position of the sum of the couplings of the permutations of `triple`, the triples i ≤ j ≤ k of numbers below d being in order.
fn place_of_triple(mut triple: [usize; 3], d: usize) -> usize {
    triple.sort_unstable();
    let [i, j, k] = triple;
    // All triples, less those that begin with i or more; then those of i, less those that go on with j or more.
    let from = |i: usize| (d - i) * (d - i + 1) * (d - i + 2) / 6;
    let of_i_from = |j: usize| (d - j) * (d - j + 1) / 2;
    from(0) - from(i) + of_i_from(i) - of_i_from(j) + k - j
}

/// The sums over permutations of the triples of one i, in order, drawn at once: a sum of m standard normals is √m of one.
fn sums_of(seed: u64, d: usize, i: usize) -> Vec<f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(SUMS_STREAM + i as u64);
    let mut sum = |permutations: f64| {
        let normal: f64 = StandardNormal.sample(&mut generator);
        permutations.sqrt() * normal
    };
    (i..d).flat_map(|j| (j..d).map(move |k| [i, j, k])).map(|triple| sum(permutations(triple))).collect()
}

/// The number of different permutations of a triple i ≤ j ≤ k.
fn permutations([i, j, k]: [usize; 3]) -> f64 {
    match (i == j, j == k) {
        (true, true) => 1.0,
        (false, false) => 6.0,
        _ => 3.0,
    }
}

/// For every triple i ≤ j ≤ k the sum of the couplings of its permutations: all that matters of J, in a sixth of its memory. Nothing
/// as soon as `stop` says so.
fn sums_over_permutations(seed: u64, d: usize, stop: &dyn Fn() -> bool) -> Option<Vec<f64>> {
    let mut sums = Vec::with_capacity(d * (d + 1) * (d + 2) / 6);
    if d > Couplings::LARGEST_DIMENSION {
        for i in 0..d {
            if stop() {
                return None;
            }
            sums.extend(sums_of(seed, d, i));
        }
        return Some(sums);
    }
    sums.resize(sums.capacity(), 0.0);
    let mut couplings = Couplings::draw(seed, d);
    for (i, j) in (0..d).flat_map(|i| (0..d).map(move |j| (i, j))) {
        if stop() {
            return None;
        }
        for (k, coupling) in couplings.by_ref().take(d).enumerate() {
            sums[place_of_triple([i, j, k], d)] += coupling;
        }
    }
    Some(sums)
}

/// S_ijk, the mean over the permutations, for all i, j and k in row-major order. Nothing as soon as `stop` says so.
fn symmetrized(seed: u64, d: usize, stop: &dyn Fn() -> bool) -> Option<Vec<f64>> {
    let sums = sums_over_permutations(seed, d, stop)?;
    let mut symmetric = Vec::with_capacity(d * d * d);
    for (i, j) in (0..d).flat_map(|i| (0..d).map(move |j| (i, j))) {
        if stop() {
            return None;
        }
        symmetric.extend((0..d).map(|k| {
            let mut triple = [i, j, k];
            triple.sort_unstable();
            sums[place_of_triple(triple, d)] / permutations(triple)
        }));
    }
    Some(symmetric)
}

/// The number of entries of the matrices M_i in d dimensions.
fn entries(d: usize) -> usize {
    d * (d + 1) * (2 * d + 1) / 6
}

pub(crate) struct SpinGlass<R: Real = f64> {
    form: Form<R>,
}

/// The couplings, laid out for the processor.
enum Form<R> {
    /// Below [`TRIPLES_FROM`] dimensions, M_i, one after the other, each as [`Grouped`] has it: entry (j, k), both from i on, is the sum
    /// of the couplings of the permutations of (i, j, k), twice that where j = k. The caches hold them.
    Matrices(Vec<R>),
    /// The sums over permutations, each once: half the memory.
    Triples(Triples<R>),
}

/// From this dimension on every coupling is read once.
const TRIPLES_FROM: usize = 80;

/// Rows of the slopes that are worked out in d dimensions.
fn slope_rows(d: usize) -> usize {
    if d < TRIPLES_FROM { d } else { d * triples::parts(d) }
}

impl<R: Real> Definition<R> for SpinGlass<R> {
    const TITLE: &'static str = "3-spin spherical glass";
    const SOURCE: &'static str =
        "Auffinger, Ben Arous & Cerny (2013), Random matrices and complexity of spin glasses, CPAM 66(2), 165-201";
    const DOMAIN: [f64; 2] = [-1.0, 1.0];
    const LOWEST: Lowest = Lowest::Unknown;
    const TOGETHER: bool = true;
    const DRAWN: bool = true;

    fn new(dimension: usize, seed: u64) -> Self {
        Self::new_unless(dimension, seed, &|| false).expect("nothing stops it")
    }

    fn new_unless(dimension: usize, seed: u64, stop: &dyn Fn() -> bool) -> Option<Self> {
        if dimension > Couplings::LARGEST_DIMENSION {
            let of = |i| Cow::Owned(sums_of(seed, dimension, i));
            return Some(Self { form: Form::Triples(Triples::new(dimension, &of, stop)?) });
        }
        let sums = sums_over_permutations(seed, dimension, stop)?;
        if dimension >= TRIPLES_FROM {
            let from = |i| if i < dimension { place_of_triple([i; 3], dimension) } else { sums.len() };
            let of = |i| Cow::Borrowed(&sums[from(i)..from(i + 1)]);
            return Some(Self { form: Form::Triples(Triples::new(dimension, &of, stop)?) });
        }
        let mut matrices = Vec::with_capacity(entries(dimension));
        for i in 0..dimension {
            if stop() {
                return None;
            }
            matrices.extend(grouped(dimension - i, dimension - i).map(|(j, k)| {
                // What is off the diagonal is there twice.
                let twice = if j == k { 2.0 } else { 1.0 };
                R::of(twice * sums[place_of_triple([i, i + j, i + k], dimension)])
            }));
        }
        Some(Self { form: Form::Matrices(matrices) })
    }

    /// The program has the energy, not the energy per spin.
    fn published_factor(dimension: usize) -> f64 {
        dimension as f64
    }

    /// The sums over permutations in double precision, where they are held, and the couplings that are made of them.
    fn data_bytes(dimension: usize, scalar: usize) -> u64 {
        let d = dimension.min(MOST_DIMENSIONS) as u64;
        let bytes = |count: u64, scalar: usize| count.saturating_mul(scalar as u64);
        let triples = d * (d + 1) * (d + 2) / 6;
        let held = if dimension > Couplings::LARGEST_DIMENSION { 0 } else { triples };
        let form = if dimension < TRIPLES_FROM { entries(dimension) as u64 } else { triples + d * (d + 4) };
        bytes(held, size_of::<f64>()).saturating_add(bytes(form, scalar))
    }

    fn cuda(dimension: usize) -> Option<CudaSource> {
        Some(CudaSource { text: include_str!("spin_glass.cu").into(), work: dimension + PARTS + 1, data: Vec::new() })
    }

    fn device_scalars(dimension: usize) -> u64 {
        let d = dimension.min(MOST_DIMENSIONS) as u64;
        d * (d + 1) / 2 * d
    }

    /// The couplings for a product over pairs: one row per pair j ≤ k, j slowest, doubled where j < k; column i of d holds S_ijk.
    fn device_data(d: usize, seed: u64, stop: &dyn Fn() -> bool) -> Option<Vec<f64>> {
        let symmetric = symmetrized(seed, d, stop)?;
        let mut pairs = Vec::with_capacity(d * (d + 1) / 2 * d);
        for (j, k) in (0..d).flat_map(|j| (j..d).map(move |k| (j, k))) {
            let twice = if j < k { 2.0 } else { 1.0 };
            pairs.extend((0..d).map(|i| twice * symmetric[(j * d + k) * d + i]));
        }
        Some(pairs)
    }

    fn extremes(_: usize) -> Extremes {
        Extremes { minimum: -GROUND_STATE_ENERGY, maximum: GROUND_STATE_ENERGY, minimizer: None }
    }

    #[inline(always)]
    fn begin<S: Simd, L: Link<S, R>>(&self, mut points: Points<'_, S, R, L>) {
        let (simd, d, width) = (points.simd, points.dimension, points.width);
        let Scratch { spins, norms, .. } = Scratch::of(std::mem::take(&mut points.scratch), d);
        for column in points.columns.clone() {
            let mut square = Lanes::splat(simd, R::ZERO);
            let spins = &mut R::registers_mut::<S>(spins)[column..];
            for (i, j) in squash::pairs(d) {
                let [a, b] = points.coordinates((i, j), column);
                (spins[i * width], spins[j * width]) = (a.register(), b.register());
            }
            for i in 0..d {
                let u = Lanes::<S, R>::new(simd, spins[i * width]);
                square = u.mul_add(u, square);
            }
            // 1/‖u‖, and 0 at the origin: it has no direction, and 0 is the mean over all of them.
            let norm = square.sqrt();
            let reciprocal = Lanes::splat(simd, R::ZERO).less_than(norm, Lanes::splat(simd, R::of(1.0)) / norm, 0.0);
            R::registers_mut::<S>(norms)[column] = reciprocal.register();
            for i in 0..d {
                let u = Lanes::<S, R>::new(simd, spins[i * width]);
                spins[i * width] = (u * (reciprocal * (d as f64).sqrt())).register();
            }
        }
    }

    #[inline(always)]
    fn mix<S: Simd>(&self, simd: S, d: usize, points: usize, stride: usize, scratch: &mut [R]) {
        let Scratch { spins, slopes, .. } = Scratch::of(scratch, d);
        let mut left = match &self.form {
            Form::Matrices(matrices) => &**matrices,
            Form::Triples(triples) => return triples.gradient(simd, points, stride, spins, slopes),
        };
        slopes.fill(R::ZERO);
        for i in 0..d {
            let size = d - i;
            let (matrix, after) = left.split_at(size * size);
            left = after;
            // The part of the energy with this i is ½ σ_i b·M b: its slopes are σ_i M b in b, and ½ b·M b in σ_i.
            let (spins, slopes) = (&spins[i * stride..], &mut slopes[i * stride..]);
            product(simd, Grouped { data: matrix }, size, spins, stride, points, Slopes { spins, slopes, stride });
        }
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, mut points: Points<'_, S, R, L>) {
        let (simd, d, width) = (points.simd, points.dimension, points.width);
        let Scratch { spins, slopes, norms } = Scratch::of(std::mem::take(&mut points.scratch), d);
        // With G = 3 Y what was mixed: the value is σ·G/(3 d²), and dE/du = d^(-3/2)/‖u‖ (G - σ (σ·G)/d), the part along the sphere.
        let (spins, slopes) = (R::registers::<S>(spins), R::registers::<S>(slopes));
        for column in points.columns.clone() {
            let at = |registers: &[R::Register<S>], i: usize| Lanes::<S, R>::new(simd, registers[i * width + column]);
            let mut along = Lanes::splat(simd, R::ZERO);
            for i in 0..d {
                along = at(spins, i).mul_add(at(slopes, i), along);
            }
            let along = along * (1.0 / d as f64);
            let scale = Lanes::<S, R>::new(simd, R::registers::<S>(norms)[column]) * (d as f64).powf(-1.5);
            for i in 0..d {
                points.slope(i, column, scale * along.mul_sub_from(at(spins, i), at(slopes, i)));
            }
            points.value(column, along * (1.0 / (3 * d) as f64));
        }
    }

    fn scratch(dimension: usize) -> usize {
        dimension + slope_rows(dimension) + 1
    }

    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        seed: u64,
    ) -> TapedValues<N, R, Dev> {
        let device = u.device().clone();
        let couplings = symmetrized(seed, D, &|| false).expect("nothing stops it").into_iter().map(R::of).collect();
        let couplings = device.tensor_from_vec(couplings, (Const::<D>, D * D));
        // A tiny offset keeps the projection finite at u = 0.
        let squares = u.with_empty_tape().square().sum::<_, Axis<1>>() + R::of(1e-30);
        let shape = (Const::<N>, Const::<D>);
        let spins = u / squares.sqrt().broadcast_like::<_, Axis<1>>(&shape) * R::of((D as f64).sqrt());
        // (N, D) · (D, D²) contracts the first index, then the batch of (D, D) matrices the second.
        let forces = spins.with_empty_tape().matmul(couplings).reshape_like(&(Const::<N>, Const::<D>, Const::<D>));
        let columns = spins.with_empty_tape().reshape_like(&(Const::<N>, Const::<D>, Const::<1>));
        let forces = forces.matmul(columns).reshape_like(&shape);
        (forces * spins).sum::<_, Axis<1>>() * R::of((D as f64).powi(-2))
    }

    fn operations(d: usize) -> usize {
        // A multiplication and an addition an entry of a matrix, two of each an entry of a product, and the spins.
        2 * entries(d) + 4 * (d * (d + 1) / 2) + 8 * d
    }
}

/// The intermediate results of a panel, in rows of one scalar per point.
struct Scratch<'a, R> {
    /// σ, d rows.
    spins: &'a mut [R],
    /// G, d rows, and what its parts need.
    slopes: &'a mut [R],
    /// 1/‖u‖, a row.
    norms: &'a mut [R],
}

impl<'a, R> Scratch<'a, R> {
    /// The rows of `scratch`.
    fn of(scratch: &'a mut [R], dimension: usize) -> Self {
        let rows = slope_rows(dimension);
        let stride = scratch.len() / (dimension + rows + 1);
        let (spins, rest) = scratch.split_at_mut(dimension * stride);
        let (slopes, norms) = rest.split_at_mut(rows * stride);
        Self { spins, slopes, norms }
    }
}

/// Takes M b, where b are the spins and σ_i is the first of them: adds σ_i M b to the slopes, and ½ b·M b to the first.
struct Slopes<'a, R> {
    spins: &'a [R],
    slopes: &'a mut [R],
    stride: usize,
}

impl<R: Real> Target<R> for Slopes<'_, R> {
    #[inline(always)]
    fn finish<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    ) {
        let simd = tile[0][0].simd();
        let &mut Self { spins, ref mut slopes, stride } = self;
        let lanes = |register| Lanes::<S, R>::new(simd, register);
        let Some(leading) = places::<S, R, COLUMNS>(spins, stride, 0, column).next() else { return };
        for (row, group) in (first..).step_by(GROUP).zip(tile.chunks(GROUP)) {
            let mut along = [Lanes::splat(simd, R::ZERO); COLUMNS];
            let spins = places::<S, R, COLUMNS>(spins, stride, row, column);
            let slopes_of_group = places_mut::<S, R, COLUMNS>(slopes, stride, row, column);
            for ((sums, spins), slopes) in group.iter().zip(spins).zip(slopes_of_group) {
                for place in 0..COLUMNS {
                    let sum = sums[place];
                    along[place] = sum.mul_add(lanes(spins[place]), along[place]);
                    slopes[place] = sum.mul_add(lanes(leading[place]), lanes(slopes[place])).register();
                }
            }
            if let Some(slopes) = places_mut::<S, R, COLUMNS>(slopes, stride, 0, column).next() {
                for (slope, along) in slopes.iter_mut().zip(along) {
                    *slope = along.mul_add(0.5, lanes(*slope)).register();
                }
            }
        }
    }
}
