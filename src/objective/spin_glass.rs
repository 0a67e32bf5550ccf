//! The Hamiltonian of the 3-spin spherical glass, as energy per spin.
//!
//! With σ = √d u/‖u‖ on the sphere of radius √d and J_ijk independent standard normals, H(σ) = d⁻¹ Σ J_ijk σ_i σ_j σ_k, and
//! the function here is H/d. Only the symmetric part S of J matters: Y_i = Σ_jk S_ijk σ_j σ_k gives the value Σ σ_i Y_i and
//! the gradient 3 Y at once. S is symmetric in (j, k) too, so Y is a product over the d (d + 1)/2 pairs j ≤ k.

use super::{CudaSource, Definition, Extremes, Points, Taped, TapedValues};
use crate::simd::matrix::{Left, Onto, product};
use crate::simd::{Real, Rows, Simd, dot, flat, flat_mut, lanes, mul_add};
use bytemuck::Zeroable;
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

/// How many pairs the product takes at once: their products stay in the first-level cache.
const PAIRS: usize = 64;

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

/// The place of i ≤ j ≤ k among all such triples, with k slowest.
fn place(i: usize, j: usize, k: usize) -> usize {
    k * (k + 1) * (k + 2) / 6 + j * (j + 1) / 2 + i
}

fn sorted(mut triple: [usize; 3]) -> [usize; 3] {
    triple.sort_unstable();
    triple
}

/// The symmetric part S of the couplings, by [`place`].
fn symmetrized(seed: u64, d: usize) -> Vec<f64> {
    let mut sums = vec![0.0; d * (d + 1) * (d + 2) / 6];
    let mut couplings = Couplings::draw(seed, d);
    for i in 0..d {
        for j in 0..d {
            for (k, coupling) in couplings.by_ref().take(d).enumerate() {
                let [a, b, c] = sorted([i, j, k]);
                sums[place(a, b, c)] += coupling;
            }
        }
    }
    for c in 0..d {
        for b in 0..=c {
            for a in 0..=b {
                let permutations = match (a == b, b == c) {
                    (true, true) => 1.0,
                    (false, false) => 6.0,
                    _ => 3.0,
                };
                sums[place(a, b, c)] /= permutations;
            }
        }
    }
    sums
}

/// The couplings as the products take them: a row a pair j ≤ k, j slowest, doubled where j < k; column i of d holds S_ijk.
pub(crate) fn pairs<R: Real>(d: usize, seed: u64) -> Vec<R> {
    let symmetric = symmetrized(seed, d);
    let mut pairs = Vec::with_capacity(d * (d + 1) / 2 * d);
    for (j, k) in (0..d).flat_map(|j| (j..d).map(move |k| (j, k))) {
        let twice = if j < k { 2.0 } else { 1.0 };
        pairs.extend((0..d).map(|i| {
            let [a, b, c] = sorted([i, j, k]);
            R::of(twice * symmetric[place(a, b, c)])
        }));
    }
    pairs
}

pub(crate) struct SpinGlass<R: Real = f64> {
    /// See [`pairs`].
    pairs: Rows<R>,
}

impl<R: Real> Definition<R> for SpinGlass<R> {
    const TITLE: &'static str = "3-spin spherical glass";
    const SOURCE: &'static str =
        "Auffinger, Ben Arous & Cerny (2013), Random matrices and complexity of spin glasses, CPAM 66(2), 165-201";
    const DOMAIN: [f64; 2] = [-1.0, 1.0];
    const BATCH: usize = usize::MAX;
    const CUDA: Option<CudaSource> =
        Some(CudaSource { parts: &[include_str!("spin_glass.cu")], work: |n, d| n * d + n * CudaSource::PARTS + n });

    fn new(dimension: usize, seed: u64) -> Self {
        let pairs = Rows::from_packed(&pairs(dimension, seed), dimension);
        Self { pairs }
    }

    fn extremes(_: usize) -> Extremes {
        Extremes { minimum: -GROUND_STATE_ENERGY, maximum: GROUND_STATE_ENERGY, minimizer: None }
    }

    #[inline(always)]
    fn evaluate<S: Simd>(&self, points: Points<'_, R>) {
        let Points { dimension: d, u, gradient, values, scratch } = points;
        let width = u.len() / values.len();
        let stride = width * R::LANES;
        // Y accumulates in the gradient; products holds the pairs' σ_j σ_k, a row a pair and a column a point.
        let (spins, scratch) = scratch.split_at_mut(u.len());
        let columns_width = values.len().div_ceil(R::LANES);
        let (columns, products) = scratch.split_at_mut(d * columns_width);
        for (row, (u, spins)) in u.chunks_exact(width).zip(spins.chunks_exact_mut(width)).enumerate() {
            let scale = R::of((d as f64).sqrt()) * reciprocal(dot::<S, R>(u, u).root());
            for (u, spins) in u.iter().zip(&mut *spins) {
                *spins = lanes::<R>(|lane| scale * u.as_ref()[lane]);
            }
            let columns = flat_mut::<R>(columns);
            let spins = flat::<R>(spins);
            for (column, &spin) in columns.chunks_exact_mut(columns_width * R::LANES).zip(&spins[..d]) {
                column[row] = spin;
            }
        }
        gradient.fill(Zeroable::zeroed());
        let mut pairs = (0..d).flat_map(|j| (j..d).map(move |k| (j, k)));
        for block in self.pairs.chunks(PAIRS * stride) {
            let count = block.len() / stride;
            for ((j, k), product) in pairs.by_ref().take(count).zip(products.chunks_exact_mut(columns_width)) {
                let (left, right) = (&columns[j * columns_width..], &columns[k * columns_width..]);
                for ((product, left), right) in product.iter_mut().zip(left).zip(right) {
                    *product = lanes::<R>(|lane| left.as_ref()[lane] * right.as_ref()[lane]);
                }
            }
            let left = Left { data: flat::<R>(products), row_stride: 1, column_stride: columns_width * R::LANES };
            product::<S, R>(left, block, Onto::Result, flat_mut::<R>(gradient), stride, count);
        }
        // dE/du = 3 d⁻² (√d/‖u‖) (Y - σ (σ·Y)/d): the part of Y along the sphere.
        let per_spin = R::of(1.0 / d as f64);
        let rows = u.chunks_exact(width).zip(spins.chunks_exact(width)).zip(gradient.chunks_exact_mut(width));
        for (((u, spins), y), value) in rows.zip(values) {
            let along = dot::<S, R>(spins, y) * per_spin;
            *value = along * per_spin;
            let scale = R::of(3.0 * (d as f64).powf(-1.5)) * reciprocal(dot::<S, R>(u, u).root());
            for (y, spins) in y.iter_mut().zip(spins) {
                let across = *y;
                *y = lanes::<R>(|lane| scale * mul_add::<S, R>(-along, spins.as_ref()[lane], across.as_ref()[lane]));
            }
        }
    }

    fn scratch(points: usize, width: usize) -> usize {
        points * width + (width * R::LANES + PAIRS) * points.div_ceil(R::LANES)
    }

    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        seed: u64,
    ) -> TapedValues<N, R, Dev> {
        let device = u.device().clone();
        let symmetric = symmetrized(seed, D);
        let mut couplings = Vec::with_capacity(D * D * D);
        for (i, j, k) in (0..D).flat_map(|i| (0..D).flat_map(move |j| (0..D).map(move |k| (i, j, k)))) {
            let [a, b, c] = sorted([i, j, k]);
            couplings.push(R::of(symmetric[place(a, b, c)]));
        }
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
        // One multiplication a pair, and a multiplication and an addition a pair and output.
        d * (d + 1) / 2 * (1 + 2 * d) + 12 * d
    }
}

/// 1/norm, and 0 for a norm of 0: the origin has no direction, and 0 is the mean over all of them.
#[inline(always)]
fn reciprocal<R: Real>(norm: R) -> R {
    if norm > R::ZERO { R::ONE / norm } else { R::ZERO }
}
