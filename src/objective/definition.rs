//! The definition of one function.

use super::points::{Link, Points};
use super::{Description, Taped, TapedValues};
use crate::array::{self, Array};
use crate::error::Error;
use crate::graph::cuda::CudaSource;
use crate::graph::tape::chain;
use crate::graph::{Graph, Recorded};
use crate::simd::{Real, Simd};
use dfdx::prelude::Device;
use std::convert::Infallible;
use std::panic::Location;

/// The smallest and the largest raw value in the box, and where the smallest is taken.
pub(crate) struct Extremes {
    pub minimum: f64,
    pub maximum: f64,
    /// Every coordinate of a minimizer u, if one is known.
    pub minimizer: Option<f64>,
}

/// The value of [`Definition::evaluate`] at a minimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lowest {
    /// 0: it gives f - f_min, as a sum without a negative term, which no rounding takes below 0.
    Zero,
    /// f_min but for rounding: what rounding puts below f_min is set to f_min.
    Rounded,
    /// No known number: f_min is a limit, and values may lie below it.
    Unknown,
}

impl Lowest {
    /// The values of [`Definition::evaluate`] that F = 0 and F = 1 stand for, of the raw ones.
    pub fn ends(self, [minimum, maximum]: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Zero => [0.0, maximum - minimum],
            Self::Rounded | Self::Unknown => [minimum, maximum],
        }
    }
}

/// Refuses a number of dimensions that a function is not defined in.
pub(crate) fn check_dimension<R: Real, F: Definition<R>>(dimension: usize) -> Result<(), Error> {
    let (smallest, expected) = F::DIMENSIONS;
    if dimension < smallest {
        return Err(Error::Setting { name: "the dimension", expected, given: dimension.to_string() });
    }
    Ok(())
}

/// The scalars that the kernel of a function works on: x, scratch and values. Points that are evaluated together have rows of `stride`
/// scalars, others blocks of `block`.
pub(crate) fn workspace<R: Real, F: Definition<R>>(dimension: usize, stride: usize, block: usize) -> usize {
    let columns = if F::TOGETHER { stride } else { block };
    (dimension + F::scratch(dimension)) * columns + stride
}

/// A function of raw coordinates u on its box. Each function implements it in a file of its own.
pub(crate) trait Definition<R: Real>: Sized + Send + Sync + 'static {
    /// The name in prose.
    const TITLE: &'static str;
    /// The source of the definition.
    const SOURCE: &'static str;
    /// The bounds [lo, hi] of every coordinate.
    const DOMAIN: [f64; 2];
    /// The smallest number of dimensions, and the same in words for who gives a smaller one.
    const DIMENSIONS: (usize, &'static str) = (1, "1 or more");
    /// The value at a minimizer.
    const LOWEST: Lowest = Lowest::Zero;
    /// The divisors of a coordinate and of the value in [`Definition::begin`] and [`Definition::evaluate`]; everything else here is in
    /// plain numbers. A box about 0 divided by its width is [-½, ½], which takes less to get into and out of.
    const UNITS: [f64; 2] = [1.0, 1.0];
    /// True if the points of a panel are evaluated together, not a register of them after the other: then each register is
    /// [begun](Definition::begin), all of them are [mixed](Definition::mix), and only then evaluated.
    const TOGETHER: bool = false;

    /// True if the function is drawn from a seed.
    const DRAWN: bool = false;

    /// The function as an array expression of the coordinates in the box, in plain numbers; its value at a minimizer is [`Definition::LOWEST`].
    /// Without one, [`Definition::cuda`] and [`Definition::compose`] are written out.
    const EXPRESSION: Option<fn(Array) -> Array> = None;

    /// The source of the function for a GPU, if it can be computed there.
    fn cuda(dimension: usize) -> Option<CudaSource> {
        recorded::<R, Self>(dimension).and_then(|recorded| CudaSource::new(&recorded))
    }

    /// The function in `dimension` dimensions, with what it needs to draw drawn from `seed`.
    fn new(dimension: usize, seed: u64) -> Self;

    /// The same, or nothing as soon as `stop` says so: for a function whose drawing takes long.
    fn new_unless(dimension: usize, seed: u64, _stop: &dyn Fn() -> bool) -> Option<Self> {
        Some(Self::new(dimension, seed))
    }

    /// The range in `dimension` dimensions.
    fn extremes(dimension: usize) -> Extremes;

    /// The factor from the function here to that of the authors' published program.
    fn published_factor(_dimension: usize) -> f64 {
        1.0
    }

    /// The bytes of what is drawn, in scalars of `scalar` bytes, while it is drawn.
    fn data_bytes(_dimension: usize, _scalar: usize) -> u64 {
        0
    }

    /// The scalars that a GPU is given of what is drawn.
    fn device_scalars(_dimension: usize) -> u64 {
        0
    }

    /// Those scalars, or nothing as soon as `stop` says so.
    fn device_data(_dimension: usize, _seed: u64, _stop: &dyn Fn() -> bool) -> Option<Vec<f64>> {
        Some(Vec::new())
    }

    /// A bound of |∂f/∂u_i| over the box, best not far above the largest: as long as a step of the shallow optimizer is small by it,
    /// the step takes no exponential.
    fn steepest(_dimension: usize) -> f64 {
        f64::INFINITY
    }

    /// The first pass over a register of points, before they are mixed.
    fn begin<S: Simd, L: Link<S, R>>(&self, _points: Points<'_, S, R, L>) {}

    /// The second pass, over a panel of points at once: on the scratch alone, in rows of `stride` scalars.
    fn mix<S: Simd>(&self, _simd: S, _dimension: usize, _points: usize, _stride: usize, _scratch: &mut [R]) {}

    /// Value, from where [`Definition::LOWEST`] says, and gradient at every point, in the [units](Definition::UNITS).
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>);

    /// The rows of scratch that [`Definition::evaluate`] needs; a row holds a register, or where the points are evaluated
    /// [together](Definition::TOGETHER) a scalar of every point.
    fn scratch(_dimension: usize) -> usize {
        0
    }

    /// The value in plain numbers as a chain of dfdx operations on `u` (N×D, in the box).
    fn compose<const N: usize, const D: usize, Dev: Device<R>>(
        u: Taped<N, D, R, Dev>,
        _seed: u64,
    ) -> TapedValues<N, R, Dev> {
        let chain = recorded::<R, Self>(D).and_then(|recorded| chain(&recorded, u));
        chain.expect("a function is written in operations that dfdx has, or composes itself")
    }

    /// Floating-point operations that one point costs by the formula, value and gradient, counting an elementary function as
    /// one.
    fn operations(dimension: usize) -> usize;
}

/// The graph of a function that is written as an expression, in `dimension` dimensions.
fn recorded<R: Real, F: Definition<R>>(dimension: usize) -> Option<Recorded> {
    let expression = F::EXPRESSION?;
    let input = |graph: &mut Graph| [graph.input(dimension)];
    let Ok(recorded) = array::record(dimension, Location::caller(), input, |[u]| Ok::<_, Infallible>(expression(u)));
    let (graph, value) = recorded.ok()?;
    Some(Recorded { graph, value, dimension, domain: F::DOMAIN })
}

/// The [`Description`] of a function.
pub(crate) fn describe<F: Definition<f64>>(dimension: usize) -> Description {
    let Extremes { minimum, maximum, minimizer } = F::extremes(dimension);
    let minimizer = minimizer.map(|u| vec![u; dimension]);
    Description { title: F::TITLE, source: F::SOURCE, domain: F::DOMAIN, minimum, maximum, minimizer }
}
