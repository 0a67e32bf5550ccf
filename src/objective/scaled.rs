//! The built-in functions as objectives of the optimizers.

use super::{Best, Function, Kernel, Kernels, Lowest, Objective, Taped, TapedValues, source::Source};
use crate::error::Error;
use crate::objective::kernel::{Job, Update};
use crate::simd::{Panels, Real};
use crate::squash::Map;
use dfdx::prelude::*;
use std::fmt;
use std::sync::Arc;

/// A function in `D` dimensions, scaled to [0, 1] on the unit cube: F(x) = (f(u) - f_min) / (f_max - f_min).
///
/// Cloning shares the couplings of the spin glass.
#[derive(Clone)]
pub struct Scaled<const D: usize, R: Real> {
    function: Function,
    seed: u64,
    kernel: Arc<dyn Kernel<R>>,
}

/// The result of [`Scaled::evaluate`], point by point.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation<R> {
    /// The scaled objective F.
    pub scaled: Vec<R>,
    /// The raw function f, for the spin glass the energy per spin.
    pub raw: Vec<R>,
    /// The gradient of F in x, row-major like the points.
    pub gradient: Vec<R>,
}

impl<const D: usize, R: Kernels> Scaled<D, R> {
    pub(super) fn new(function: Function, seed: u64) -> Self {
        const { assert!(D > 0, "an objective needs at least one dimension") };
        let kernel = R::kernel(&function, D, seed, &|| false).expect("nothing stops it");
        Self { function, seed, kernel }
    }

    /// The function.
    pub fn function(&self) -> Function {
        self.function
    }

    /// The seed of the couplings.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// F, f and the gradient of F at the points `x` (n×D, row-major, in [0, 1]).
    ///
    /// # Errors
    /// If D is below [`Function::smallest_dimension`], or the length of `x` is not a multiple of D.
    pub fn evaluate(&self, x: &[R]) -> Result<Evaluation<R>, Error> {
        evaluate(&*self.kernel, x, D)
    }

    /// The function as a chain of ordinary dfdx operations, for any device: the reference that the kernel is tested
    /// against.
    pub fn composed(&self) -> Composed {
        let domain = self.function.describe(D).domain;
        Composed { function: self.function, seed: self.seed, domain, range: self.kernel.range() }
    }
}

/// Offset and width of a raw function with these extremes.
fn scale([minimum, maximum]: [f64; 2]) -> [f64; 2] {
    [minimum, maximum - minimum]
}

/// F, f and the gradient of F at the rows of `x`.
pub(super) fn evaluate<R: Real>(kernel: &dyn Kernel<R>, x: &[R], dimension: usize) -> Result<Evaluation<R>, Error> {
    kernel.check()?;
    if !x.len().is_multiple_of(dimension) {
        return Err(Error::Points { expected: dimension, given: x.len() });
    }
    Ok(evaluate_rows(kernel, x, dimension))
}

/// [`evaluate`] for whole rows, without a check.
fn evaluate_rows<R: Real>(kernel: &dyn Kernel<R>, x: &[R], dimension: usize) -> Evaluation<R> {
    let points = x.len() / dimension;
    let mut panels = Panels::from_packed(x, dimension);
    let mut scaled = vec![R::ZERO; points];
    let (mut best, mut workspace) = (Best::none(dimension), kernel.workspace(points));
    for y in panels.iter_mut() {
        kernel.apply(Job {
            values: &mut scaled[y.first..][..y.points],
            y,
            map: Map::Identity,
            update: Update::Gradient { factor: 1.0 },
            best: &mut best,
            workspace: &mut workspace,
        });
    }
    let [minimum, maximum] = kernel.range();
    let raw = scaled.iter().map(|&value| R::of(minimum + (maximum - minimum) * value.wide())).collect();
    Evaluation { scaled, raw, gradient: panels.packed() }
}

impl<const D: usize, R: Real> fmt::Debug for Scaled<D, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in {D} dimensions, {}, seed {}", self.function, R::NAME, self.seed)
    }
}

impl<const N: usize, const D: usize, R: Kernels> Objective<N, D, R> for Scaled<D, R>
where
    Cpu: Device<R>,
{
    /// One operation on the tape: value and gradient are computed in one pass, and the backward pass only multiplies.
    fn values(&self, x: Taped<N, D, R>) -> TapedValues<N, R> {
        let device = x.device().clone();
        let (x, mut tape) = x.split_tape();
        let mut found = evaluate_rows(&*self.kernel, &x.as_vec(), D);
        let values = device.tensor_from_vec(std::mem::take(&mut found.scaled), (Const::<N>,));
        let (x, output) = (x.ghost(), values.ghost());
        tape.add_backward_op(move |gradients| {
            let upstream = R::slice(gradients.get_or_alloc_mut(&output)?).to_vec();
            let into = R::slice(gradients.get_or_alloc_mut(&x)?);
            let rows = into.chunks_exact_mut(D).zip(found.gradient.chunks_exact(D));
            for ((into, slopes), upstream) in rows.zip(upstream) {
                for (into, &slope) in into.iter_mut().zip(slopes) {
                    *into += upstream * slope;
                }
            }
            Ok(())
        });
        values.put_tape(tape)
    }

    fn name(&self) -> String {
        self.function.name().to_owned()
    }

    fn scale(&self) -> [f64; 2] {
        scale(self.kernel.range())
    }

    fn kernel(&self) -> Option<Arc<dyn Kernel<R>>> {
        Some(self.kernel.clone())
    }
}

/// On a GPU a chain of ordinary operations.
#[cfg(feature = "cuda")]
impl<const N: usize, const D: usize, R: Kernels> Objective<N, D, R, Cuda> for Scaled<D, R>
where
    Cuda: Device<R>,
{
    fn values(&self, x: Taped<N, D, R, Cuda>) -> TapedValues<N, R, Cuda> {
        self.composed().values(x)
    }

    fn name(&self) -> String {
        self.function.name().to_owned()
    }

    fn scale(&self) -> [f64; 2] {
        scale(self.kernel.range())
    }
}

/// A function as a chain of ordinary dfdx operations, for any device; made by [`Scaled::composed`].
#[derive(Clone, Debug)]
pub struct Composed {
    function: Function,
    seed: u64,
    domain: [f64; 2],
    range: [f64; 2],
}

impl<const N: usize, const D: usize, R: Real, Dev: Device<R>> Objective<N, D, R, Dev> for Composed {
    fn values(&self, x: Taped<N, D, R, Dev>) -> TapedValues<N, R, Dev> {
        let [lo, hi] = self.domain;
        let lowest = self.function.lowest();
        let [minimum, maximum] = lowest.ends(self.range);
        // From the middle of the box: near there u is as accurate as x - 1/2, which is exact.
        let u = (x - R::of(0.5)) * R::of(hi - lo) + R::of(0.5 * (lo + hi));
        let value = (self.function.compose(u, self.seed) + R::of(-minimum)) * R::of(1.0 / (maximum - minimum));
        match lowest {
            // The larger of the value and 0; unlike a ReLU it keeps NaN.
            Lowest::Rounded => (value.with_empty_tape().abs() + value) * R::of(0.5),
            Lowest::Zero | Lowest::Unknown => value,
        }
    }

    fn name(&self) -> String {
        self.function.name().to_owned()
    }

    fn scale(&self) -> [f64; 2] {
        scale(self.range)
    }
}
