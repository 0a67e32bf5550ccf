//! Kernels: a scaled objective as one operation over a panel of points.

use crate::error::Error;
use crate::simd::{Lanes, Panel, Panels, Real, Rows, Simd};
use crate::squash::Map;

/// The numbers that [`Kernel::apply`] leaves in place of the parameters y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// The gradient of F in y times this factor.
    Gradient { factor: f64 },
    /// y minus this step times the gradient of F in y. Where the map is logistic, not y but the odds e^(-gain y) are what the panel
    /// holds, before and after: see [`to_odds`](crate::squash::to_odds).
    Step { step: f64 },
}

/// The best point so far.
#[derive(Clone, Debug)]
pub struct Best<R> {
    /// The smallest objective seen, infinite before there is one.
    pub value: R,
    /// Its point in the unit cube.
    pub x: Vec<R>,
}

impl<R: Real> Best<R> {
    pub(crate) fn none(dimension: usize) -> Self {
        Self { value: R::INFINITY, x: vec![R::ZERO; dimension] }
    }
}

/// The buffers that [`Kernel::apply`] works in, allocated once per run.
pub struct Workspace<R: Real> {
    pub(super) x: Rows<R>,
    pub(super) values: Rows<R>,
    pub(super) scratch: Rows<R>,
}

impl<R: Real> Workspace<R> {
    /// No buffers, for kernels that need none.
    pub(crate) fn none() -> Self {
        Self { x: Rows::zeros(0, 0), values: Rows::zeros(0, 0), scratch: Rows::zeros(0, 0) }
    }
}

/// A scaled objective as one operation over a panel of points, whatever the function.
pub trait Kernel<R: Real>: Send + Sync {
    /// Buffers for the panels of `points` points.
    fn workspace(&self, points: usize) -> Workspace<R>;

    /// Evaluates the scaled objective F at x = map(y) for every point of the panel `y` (or of what stands for it, see
    /// `Update::Step`), writes `values` (one per point), replaces y as `update` says, and keeps the smallest value and its x in `best`.
    fn apply(&self, job: Job<'_, R>);

    /// Checks that the function is defined in this number of dimensions.
    ///
    /// # Errors
    /// If it is not: there are too few.
    fn check(&self) -> Result<(), Error>;

    /// Floating-point operations of one point, counting an elementary function as one.
    fn operations(&self) -> usize;

    /// The smallest and the largest raw value: F = (f - min) / (max - min).
    fn range(&self) -> [f64; 2];

    /// True if [`Kernel::apply`] takes steps itself. Without, it is for gradients alone.
    fn steps(&self) -> bool {
        true
    }

    /// The length of the rows of the panels that hold `points` points.
    fn stride(&self, points: usize) -> usize {
        Panels::<R>::stride(points)
    }

    /// The same where the points are parameters and no network shares its weights among those of a panel: panels that are read from memory
    /// each time are as narrow as can be, so that each is read from end to end.
    fn stride_alone(&self, points: usize) -> usize {
        self.stride(points)
    }
}

/// The arguments of [`Kernel::apply`].
pub struct Job<'a, R: Real> {
    pub(crate) y: Panel<'a, R>,
    pub(crate) values: &'a mut [R],
    pub(crate) map: Map,
    pub(crate) update: Update,
    pub(crate) best: &'a mut Best<R>,
    pub(crate) workspace: &'a mut Workspace<R>,
}

impl<R: Real> Best<R> {
    /// Takes the point of the smallest of `values` if it is below the best so far; coordinate i of the points is register
    /// `i * stride` of `x`.
    #[inline(always)]
    pub(super) fn look<S: Simd>(&mut self, values: Lanes<S, R>, x: &[R::Register<S>], stride: usize) {
        if values.any_less_than(self.value) {
            self.take(values.scalars(), bytemuck::cast_slice(x), stride * Lanes::<S, R>::COUNT);
        }
    }

    /// The same without a register: coordinate i of the points begins at `i * stride` of `x`.
    #[inline(never)]
    pub(super) fn take(&mut self, values: &[R], x: &[R], stride: usize) {
        for (lane, &value) in values.iter().enumerate() {
            if value < self.value {
                self.value = value;
                for (best, x) in self.x.iter_mut().zip(x[lane..].iter().step_by(stride)) {
                    *best = *x;
                }
            }
        }
    }
}
