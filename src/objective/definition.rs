//! What one function says of itself.

use super::{Description, Taped, TapedValues};
use crate::simd::{Real, Simd, flat, flat_mut, mul_add, sum_first};
use dfdx::prelude::Device;

/// The smallest and the largest raw value in the box, and a point where the smallest is taken.
pub(crate) struct Extremes {
    pub minimum: f64,
    pub maximum: f64,
    /// A minimizer u, if one is known.
    pub minimizer: Option<Vec<f64>>,
}

/// A function, in raw coordinates u on its box. One file a function implements this.
pub(crate) trait Definition<R: Real>: Sized + Send + Sync + 'static {
    /// The name in prose.
    const TITLE: &'static str;
    /// Where the definition comes from.
    const SOURCE: &'static str;
    /// The bounds [lo, hi] of every coordinate.
    const DOMAIN: [f64; 2];
    /// At most how many points [`Definition::evaluate`] is given at once: enough that a loop over their coordinates is worth
    /// entering, few enough that they stay in the first-level cache.
    const BATCH: usize = 10;

    /// The same for a GPU, if it has been written.
    const CUDA: Option<CudaSource> = None;

    /// The function in `dimension` dimensions, with what it needs to draw drawn from `seed`.
    fn new(dimension: usize, seed: u64) -> Self;

    /// The range in `dimension` dimensions.
    fn extremes(dimension: usize) -> Extremes;

    /// Value and gradient at every point.
    fn evaluate<S: Simd>(&self, points: Points<'_, R>);

    /// How many vectors of scratch [`Definition::evaluate`] needs for `points` points of `width` vectors.
    fn scratch(points: usize, width: usize) -> usize {
        points * width
    }

    /// The same as a chain of dfdx operations on `u` (N×D, in the box).
    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        seed: u64,
    ) -> TapedValues<N, R, Dev>;

    /// Floating-point operations that one point costs by the formula, value and gradient, counting an elementary function as
    /// one.
    fn operations(dimension: usize) -> usize;
}

/// A function in the common subset of C and CUDA C++, as `prelude.cu` of the batches explains it.
#[derive(Clone, Copy)]
pub(crate) struct CudaSource {
    /// What defines `evaluate`.
    pub parts: &'static [&'static str],
    /// Scalars that it works on, for n points of d dimensions.
    pub work: fn(n: usize, d: usize) -> usize,
}

impl CudaSource {
    /// How many threads share a point where its coordinates are summed up.
    pub(crate) const PARTS: usize = 4;

    /// A function whose source defines the `term` that it is the sum of.
    pub(crate) const fn separable(parts: &'static [&'static str; 2]) -> Self {
        Self { parts, work: |n, _| n * Self::PARTS }
    }
}

/// The sum over the terms, to go with [`CudaSource::separable`].
pub(crate) const SUM_OF_TERMS: &str = include_str!("../batch/cuda/separable.cu");

/// At most [`Definition::BATCH`] points, and where what is found there goes. A row is a whole number of vectors.
pub(crate) struct Points<'a, R: Real> {
    pub dimension: usize,
    /// The raw coordinates, row by row; zero in the padding.
    pub u: &'a [R::Vector],
    /// The gradient in u, row by row; what is left in the padding is of no concern.
    pub gradient: &'a mut [R::Vector],
    /// The raw value of each row.
    pub values: &'a mut [R],
    pub scratch: &'a mut [R::Vector],
}

impl<R: Real> Points<'_, R> {
    /// Evaluates functions that are sums over coordinates; `term` gives the summand and its derivative.
    #[inline(always)]
    pub(crate) fn add_up(self, term: impl Fn(R) -> (R, R)) {
        let Self { dimension, u, gradient, values, scratch } = self;
        let terms = &mut scratch[..u.len()];
        for ((&u, slope), value) in flat::<R>(u).iter().zip(flat_mut::<R>(gradient)).zip(flat_mut::<R>(terms)) {
            (*value, *slope) = term(u);
        }
        let width = u.len() / values.len();
        for (value, terms) in values.iter_mut().zip(terms.chunks_exact(width)) {
            *value = sum_first::<R>(terms, dimension);
        }
    }
}

/// The [`Description`] of a function.
pub(crate) fn describe<F: Definition<f64>>(dimension: usize) -> Description {
    let Extremes { minimum, maximum, minimizer } = F::extremes(dimension);
    Description { title: F::TITLE, source: F::SOURCE, domain: F::DOMAIN, minimum, maximum, minimizer }
}

/// `a b + c` for constants given in double precision.
#[inline(always)]
pub(crate) fn affine<S: Simd, R: Real>(factor: f64, x: R, offset: f64) -> R {
    mul_add::<S, R>(R::of(factor), x, R::of(offset))
}
