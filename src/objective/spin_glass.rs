//! The Hamiltonian of the 3-spin spherical glass, as energy per spin.
//!
//! With σ = √d u/‖u‖ on the sphere of radius √d and J_ijk independent standard normals, H(σ) = d⁻¹ Σ J_ijk σ_i σ_j σ_k, and
//! the function here is H/d. Only the symmetric part S of J matters: Y_i = Σ_jk S_ijk σ_j σ_k gives the value Σ σ_i Y_i and
//! the gradient 3 Y at once. S being symmetric in all three, it is enough to go over the d (d + 1)(d + 2)/6 triples i ≤ j ≤ k once,
//! twice two operations each: a third less than the product of the d (d + 1)/2 pairs j ≤ k with all i.

use super::{CudaSource, Definition, Extremes, Link, Points, Taped, TapedValues, kernel};
use crate::simd::matrix::{ByColumns, ByRows, Target, Tile, product};
use crate::simd::{Lanes, Real, Simd};
use dfdx::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// The energy per spin below which, for d → ∞, the Hamiltonian's critical points are mostly minima, and where gradient descent
/// gets stuck: E_inf = 2 √((p - 1)/p) for p = 3 (Auffinger, Ben Arous, Cerny 2013). The threshold itself is -E_inf.
pub const THRESHOLD_ENERGY: f64 = 1.632_993_161_855_452;

/// The ground state's energy per spin for d → ∞ is minus this: E_0 for p = 3 (Auffinger, Ben Arous, Cerny 2013).
pub const GROUND_STATE_ENERGY: f64 = 1.657;

/// The stream of the seed's generator that couplings are drawn from; stream 0 draws the start of a run.
const COUPLINGS_STREAM: u64 = 1;

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
    /// The largest d that programs which learn it when they run accept: 134 million couplings.
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

/// How many triples i ≤ j' ≤ k of numbers below d have j' < j.
fn triples_before(j: usize, d: usize) -> usize {
    // Σ (m + 1)(d - m) over m < j.
    (0..j).map(|m| (m + 1) * (d - m)).sum()
}

/// For every triple i ≤ j ≤ k the sum of the couplings of its permutations: j slowest, then i, then k. For each j that is a
/// (j + 1) × (d - j) matrix, and all of them together say all that matters of J, in a sixth of its memory.
fn sums_over_permutations(seed: u64, d: usize) -> Vec<f64> {
    let blocks: Vec<usize> = (0..d).map(|j| triples_before(j, d)).collect();
    let mut sums = vec![0.0; triples_before(d, d)];
    let mut couplings = Couplings::draw(seed, d);
    for i in 0..d {
        for j in 0..d {
            for (k, coupling) in couplings.by_ref().take(d).enumerate() {
                let mut triple = [i, j, k];
                triple.sort_unstable();
                let [a, b, c] = triple;
                sums[blocks[b] + a * (d - b) + c - b] += coupling;
            }
        }
    }
    sums
}

/// S_ijk, the mean over the permutations, for all i, j and k in row-major order.
fn symmetrized(seed: u64, d: usize) -> Vec<f64> {
    let mut symmetric = vec![0.0; d * d * d];
    let mut sums = sums_over_permutations(seed, d).into_iter();
    for (j, i, k) in (0..d).flat_map(|j| (0..=j).flat_map(move |i| (j..d).map(move |k| (j, i, k)))) {
        let permutations = match (i == j, j == k) {
            (true, true) => 1.0,
            (false, false) => 6.0,
            _ => 3.0,
        };
        let mean = sums.next().expect("a sum for each triple") / permutations;
        for [a, b, c] in [[i, j, k], [i, k, j], [j, i, k], [j, k, i], [k, i, j], [k, j, i]] {
            symmetric[(a * d + b) * d + c] = mean;
        }
    }
    symmetric
}

/// The couplings for a product over pairs: a row a pair j ≤ k, j slowest, doubled where j < k; column i of d holds S_ijk.
pub(crate) fn pairs<R: Real>(d: usize, seed: u64) -> Vec<R> {
    let symmetric = symmetrized(seed, d);
    let mut pairs = Vec::with_capacity(d * (d + 1) / 2 * d);
    for (j, k) in (0..d).flat_map(|j| (j..d).map(move |k| (j, k))) {
        let twice = if j < k { 2.0 } else { 1.0 };
        pairs.extend((0..d).map(|i| R::of(twice * symmetric[(j * d + k) * d + i])));
    }
    pairs
}

pub(crate) struct SpinGlass<R: Real = f64> {
    /// As [`sums_over_permutations`] orders them.
    couplings: Vec<R>,
}

impl<R: Real> Definition<R> for SpinGlass<R> {
    const TITLE: &'static str = "3-spin spherical glass";
    const SOURCE: &'static str =
        "Auffinger, Ben Arous & Cerny (2013), Random matrices and complexity of spin glasses, CPAM 66(2), 165-201";
    const DOMAIN: [f64; 2] = [-1.0, 1.0];
    const TOGETHER: bool = true;
    const CUDA: Option<CudaSource> =
        Some(CudaSource { parts: &[include_str!("spin_glass.cu")], work: |n, d| n * d + n * CudaSource::PARTS + n });

    fn new(dimension: usize, seed: u64) -> Self {
        Self { couplings: sums_over_permutations(seed, dimension).into_iter().map(R::of).collect() }
    }

    fn extremes(_: usize) -> Extremes {
        Extremes { minimum: -GROUND_STATE_ENERGY, maximum: GROUND_STATE_ENERGY, minimizer: None }
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, mut points: Points<'_, S, R, L>) {
        let (simd, d, width) = (points.simd, points.dimension, points.width);
        let stride = width * Lanes::<S, R>::COUNT;
        let (spins, rest) = std::mem::take(&mut points.scratch).split_at_mut(d * stride);
        let (slopes, norms) = rest.split_at_mut(d * stride);
        for column in 0..width {
            let mut square = Lanes::splat(simd, R::ZERO);
            let spins = &mut R::registers_mut::<S>(spins)[column..];
            for (i, j) in kernel::pairs(d) {
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
        slopes.fill(R::ZERO);
        let mut left = &*self.couplings;
        for j in 0..d {
            let (block, after) = left.split_at((j + 1) * (d - j));
            left = after;
            // The part of the energy with this j in the middle is σ_j (a · T b), where a are the spins up to j and b those from j on: its
            // slopes are σ_j T b in a, σ_j Tᵀ a in b, and a · T b in σ_j.
            let (spins, middle) = (&*spins, R::registers::<S>(&spins[j * stride..]));
            let outer = Outer { spins: R::registers::<S>(spins), middle, width, j, slopes: R::registers_mut::<S>(slopes) };
            product(simd, ByRows { data: block, stride: d - j }, j + 1, &spins[j * stride..], stride, outer);
            let inner = Inner { middle, width, slopes: &mut R::registers_mut::<S>(slopes)[j * width..] };
            product(simd, ByColumns { data: block, stride: d - j }, d - j, &spins[..(j + 1) * stride], stride, inner);
        }
        // With G = 3 Y what the loop left: the value is σ·G/(3 d²), and dE/du = d^(-3/2)/‖u‖ (G - σ (σ·G)/d), the part along the
        // sphere.
        let (spins, slopes) = (R::registers::<S>(spins), R::registers::<S>(slopes));
        for column in 0..width {
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
        2 * dimension + 1
    }

    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        seed: u64,
    ) -> TapedValues<N, R, Dev> {
        let device = u.device().clone();
        let couplings = symmetrized(seed, D).into_iter().map(R::of).collect();
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
        // Two multiplications and two additions a triple i ≤ j ≤ k, three of each a pair.
        4 * (d * (d + 1) * (d + 2) / 6) + 6 * (d * (d + 1) / 2) + 8 * d
    }
}

/// Takes T b: adds σ_j T b to the slopes in a, and a · T b to that in σ_j.
struct Outer<'a, S: Simd, R: Real> {
    spins: &'a [R::Register<S>],
    /// σ_j.
    middle: &'a [R::Register<S>],
    width: usize,
    j: usize,
    slopes: &'a mut [R::Register<S>],
}

impl<S: Simd, R: Real> Target<S, R> for Outer<'_, S, R> {
    #[inline(always)]
    fn finish<const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    ) {
        let simd = tile[0][0].simd();
        let nothing = [Lanes::splat(simd, R::ZERO); COLUMNS];
        let middle = self.middle[column..].first_chunk::<COLUMNS>().expect("a register for each column");
        let mut along = nothing;
        for (row, sums) in tile.iter().enumerate() {
            let at = (first + row) * self.width + column;
            let (spins, slopes) = (&self.spins[at..][..COLUMNS], &mut self.slopes[at..][..COLUMNS]);
            for place in 0..COLUMNS {
                let sum = sums[place];
                along[place] = sum.mul_add(Lanes::new(simd, spins[place]), along[place]);
                slopes[place] = sum.mul_add(Lanes::new(simd, middle[place]), Lanes::new(simd, slopes[place])).register();
            }
            // Five rows at a time, whatever the height of the tile: what a point is worth must not depend on where it lies.
            if row % 5 == 4 || row + 1 == ROWS {
                let of_middle = &mut self.slopes[self.j * self.width + column..][..COLUMNS];
                for place in 0..COLUMNS {
                    of_middle[place] = (along[place] + Lanes::new(simd, of_middle[place])).register();
                }
                along = nothing;
            }
        }
    }
}

/// Takes Tᵀ a: adds σ_j Tᵀ a to the slopes in b.
struct Inner<'a, S: Simd, R: Real> {
    /// σ_j.
    middle: &'a [R::Register<S>],
    width: usize,
    slopes: &'a mut [R::Register<S>],
}

impl<S: Simd, R: Real> Target<S, R> for Inner<'_, S, R> {
    #[inline(always)]
    fn finish<const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        first: usize,
        column: usize,
        tile: Tile<S, R, ROWS, COLUMNS>,
    ) {
        for (row, sums) in (first..).zip(&tile) {
            let at = row * self.width + column;
            let middle = &self.middle[column..][..COLUMNS];
            for ((sum, slope), &middle) in sums.iter().zip(&mut self.slopes[at..][..COLUMNS]).zip(middle) {
                let simd = sum.simd();
                *slope = sum.mul_add(Lanes::new(simd, middle), Lanes::new(simd, *slope)).register();
            }
        }
    }
}
