//! From parameters to values and gradients in one pass: squash, box, function, scale and chain rule, fused.

use super::{Definition, Points};
use crate::simd::math::sigmoid;
use crate::simd::{Real, Rows, Simd, WithSimd, dispatch, flat, flat_mut, keep_first, mul_add};
use std::sync::Arc;

/// How a parameter y becomes a coordinate x of the unit cube.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    /// The logistic sigmoid of `gain` times y.
    Logistic { gain: f64 },
    /// y itself, clamped to [0, 1]; the gradient passes unchanged (projected descent).
    Clamp,
    /// y itself.
    Identity,
}

/// What [`Kernel::apply`] leaves in place of the parameters y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// The gradient of F in y times this factor.
    Gradient { factor: f64 },
    /// y minus this step times the gradient of F in y.
    Step { step: f64 },
}

/// The best point so far.
#[derive(Clone, Debug)]
pub struct Best<R> {
    /// The smallest objective seen, infinite before there is one.
    pub value: R,
    /// Where it was seen, in the unit cube.
    pub x: Vec<R>,
}

impl<R: Real> Best<R> {
    pub(crate) fn none(dimension: usize) -> Self {
        Self { value: R::INFINITY, x: vec![R::ZERO; dimension] }
    }
}

/// The buffers that [`Kernel::apply`] works in, allocated once a run.
pub struct Workspace<R: Real> {
    x: Rows<R>,
    u: Rows<R>,
    gradient: Rows<R>,
    scratch: Rows<R>,
}

/// A scaled objective as one operation over a batch of points, whatever the function.
pub trait Kernel<R: Real>: Send + Sync {
    /// Buffers for `points` points.
    fn workspace(&self, points: usize) -> Workspace<R>;

    /// Evaluates the scaled objective F at x = map(y) for every row of `y`, writes `values`, replaces y as `update` says, and
    /// keeps the smallest value and its x in `best`.
    fn apply(&self, job: Job<'_, R>);

    /// Floating-point operations of one point, counting an elementary function as one.
    fn operations(&self) -> usize;

    /// The smallest and the largest raw value: F = (f - min) / (max - min).
    fn range(&self) -> [f64; 2];
}

/// The arguments of [`Kernel::apply`].
pub struct Job<'a, R: Real> {
    pub(crate) y: &'a mut Rows<R>,
    pub(crate) values: &'a mut [R],
    pub(crate) map: Map,
    pub(crate) update: Update,
    pub(crate) best: &'a mut Best<R>,
    pub(crate) workspace: &'a mut Workspace<R>,
}

/// A function with its box and its scale.
struct Fused<F> {
    function: F,
    dimension: usize,
    range: [f64; 2],
}

/// The kernel of the function `F`.
pub(super) fn build<R: Real, F: Definition<R>>(dimension: usize, seed: u64) -> Arc<dyn Kernel<R>> {
    let extremes = F::extremes(dimension);
    let range = [extremes.minimum, extremes.maximum];
    Arc::new(Fused { function: F::new(dimension, seed), dimension, range })
}

impl<R: Real, F: Definition<R>> Kernel<R> for Fused<F> {
    fn workspace(&self, points: usize) -> Workspace<R> {
        let batch = points.min(F::BATCH);
        let rows = || Rows::zeros(batch, self.dimension);
        let scratch = F::scratch(batch, self.dimension.div_ceil(R::LANES));
        Workspace { x: rows(), u: rows(), gradient: rows(), scratch: Rows::zeros(scratch, R::LANES) }
    }

    fn apply(&self, job: Job<'_, R>) {
        dispatch(Apply { fused: self, job });
    }

    fn operations(&self) -> usize {
        // Squash and box 6, chain rule and step 5 a coordinate.
        F::operations(self.dimension) + 11 * self.dimension
    }

    fn range(&self) -> [f64; 2] {
        self.range
    }
}

struct Apply<'a, F, R: Real> {
    fused: &'a Fused<F>,
    job: Job<'a, R>,
}

impl<R: Real, F: Definition<R>> WithSimd for Apply<'_, F, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { fused: &Fused { ref function, dimension, range: [minimum, maximum] }, job } = self;
        let Job { y, values, map, update, best, workspace } = job;
        let width = y.stride() / R::LANES;
        let batch = workspace.x.vectors().len();
        let [lo, hi] = F::DOMAIN;
        let scale = 1.0 / (maximum - minimum);
        let last = dimension - (width - 1) * R::LANES;
        for (y, values) in y.vectors_mut().chunks_mut(batch).zip(values.chunks_mut(batch / width)) {
            let x = &mut workspace.x.vectors_mut()[..y.len()];
            let u = &mut workspace.u.vectors_mut()[..y.len()];
            let gradient = &mut workspace.gradient.vectors_mut()[..y.len()];
            match map {
                Map::Logistic { gain } => {
                    to_box::<R>(y, x, u, F::DOMAIN, |y| sigmoid::<S, R>(R::of(gain) * y), mul_add::<S, R>)
                }
                Map::Clamp => to_box::<R>(y, x, u, F::DOMAIN, clamp, mul_add::<S, R>),
                Map::Identity => to_box::<R>(y, x, u, F::DOMAIN, |y| y, mul_add::<S, R>),
            }
            for u in u.chunks_exact_mut(width) {
                u[width - 1] = keep_first::<R>(u[width - 1], last);
            }
            let scratch = workspace.scratch.vectors_mut();
            function.evaluate::<S>(Points { dimension, u, gradient, values, scratch });
            let rows = x.chunks_exact(width).zip(gradient.chunks_exact_mut(width));
            for ((x, gradient), value) in rows.zip(values) {
                *value = (*value - R::of(minimum)) * R::of(scale);
                if *value < best.value {
                    best.value = *value;
                    best.x.copy_from_slice(&flat::<R>(x)[..dimension]);
                }
                gradient[width - 1] = keep_first::<R>(gradient[width - 1], last);
            }
            finish::<S, R>(flat_mut::<R>(y), flat::<R>(x), flat::<R>(gradient), map, update, scale * (hi - lo));
        }
    }
}

/// x = map(y) and u = lo + (hi - lo) x.
#[inline(always)]
fn to_box<R: Real>(
    y: &[R::Vector],
    x: &mut [R::Vector],
    u: &mut [R::Vector],
    [lo, hi]: [f64; 2],
    map: impl Fn(R) -> R,
    mul_add: impl Fn(R, R, R) -> R,
) {
    let (lo, width) = (R::of(lo), R::of(hi - lo));
    for ((&y, x), u) in flat::<R>(y).iter().zip(flat_mut::<R>(x)).zip(flat_mut::<R>(u)) {
        *x = map(y);
        *u = mul_add(width, *x, lo);
    }
}

/// y in [0, 1]; NaN stays NaN.
#[inline(always)]
fn clamp<R: Real>(y: R) -> R {
    let y = if y < R::ZERO { R::ZERO } else { y };
    if y > R::ONE { R::ONE } else { y }
}

/// The chain rule from u back to y, and the update. `slope` is dF/df · du/dx.
#[inline(always)]
fn finish<S: Simd, R: Real>(y: &mut [R], x: &[R], gradient: &[R], map: Map, update: Update, slope: f64) {
    let rows = y.iter_mut().zip(x).zip(gradient);
    match (map, update) {
        (Map::Logistic { gain }, Update::Step { step }) => {
            let factor = R::of(-step * slope * gain);
            rows.for_each(|((y, &x), &g)| *y = mul_add::<S, R>(factor * g, mul_add::<S, R>(-x, x, x), *y));
        }
        (Map::Logistic { gain }, Update::Gradient { factor }) => {
            let factor = R::of(factor * slope * gain);
            rows.for_each(|((y, &x), &g)| *y = factor * g * mul_add::<S, R>(-x, x, x));
        }
        // Projected descent steps from the clamped point.
        (Map::Clamp | Map::Identity, Update::Step { step }) => {
            let factor = R::of(-step * slope);
            rows.for_each(|((y, &x), &g)| *y = mul_add::<S, R>(factor, g, x));
        }
        (Map::Clamp | Map::Identity, Update::Gradient { factor }) => {
            let factor = R::of(factor * slope);
            rows.for_each(|((y, _), &g)| *y = factor * g);
        }
    }
}

/// Replaces `y` by map(y).
pub(crate) fn squash<R: Real>(y: &mut Rows<R>, map: Map) -> &mut Rows<R> {
    struct Squash<'a, R: Real>(&'a mut Rows<R>, Map);
    impl<R: Real> WithSimd for Squash<'_, R> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for y in self.0.iter_mut() {
                *y = match self.1 {
                    Map::Logistic { gain } => sigmoid::<S, R>(R::of(gain) * *y),
                    Map::Clamp => clamp(*y),
                    Map::Identity => *y,
                };
            }
        }
    }
    dispatch(Squash(&mut *y, map));
    y
}

/// Replaces `x`, the result of [`squash`], by the gradient in y that belongs to the gradient `upstream` in x (row-major,
/// `columns` columns).
pub(crate) fn squash_slope<R: Real>(x: &mut Rows<R>, upstream: &[R], columns: usize, map: Map) {
    let stride = x.stride();
    for (row, upstream) in x.chunks_exact_mut(stride).zip(upstream.chunks_exact(columns)) {
        row[columns..].fill(R::ZERO);
        for (x, &slope) in row.iter_mut().zip(upstream) {
            *x = match map {
                Map::Logistic { gain } => R::of(gain) * slope * *x * (R::ONE - *x),
                Map::Clamp | Map::Identity => slope,
            };
        }
    }
}
