//! Objectives of one's own: array expressions, recorded once and evaluated at the speed of the built-in functions.
//!
//! The closure of an [`Expression`] runs once, when the number of coordinates is known, on [`Array`]s that record what is done to
//! them. From the graph that it leaves come the value and the gradient, in reverse mode: as a program for all points of a panel at the width
//! of the processor's registers, and as CUDA source for batches on a GPU.
//!
//! ```
//! use overparam::prelude::*;
//!
//! // Source: Jamil & Yang (2013), A literature survey of benchmark functions, number 6.
//! let alpine = Expression::new("alpine", [-10.0, 10.0], |u| (u * u.sin() + 0.1 * u).abs().sum());
//! alpine.check(50)?;
//! # Ok::<(), overparam::Error>(())
//! ```
//!
//! Where a function has a kink, the gradient takes these slopes: 0 for `abs`, `sign`, `norm` and `sqrt` at 0, and for `floor` everywhere; for
//! `minimum` and `maximum` of two equal numbers the slope goes to the first, and for `min` and `max` the elements that share the extreme
//! share the slope.

mod data;
mod execute;
mod kernel;
mod parse;
mod plan;
mod problem;
#[cfg(test)]
pub(crate) mod tests;
mod transform;

pub use crate::array::{Array, Shape, pairs};
pub use data::Data;
pub use problem::Cost;
pub use transform::{conditioning, rotation};

use crate::array::{self, Mistake};
use crate::error::Error;
use crate::graph::operation::Binary;
use crate::graph::{Graph, Id, Recorded};
pub use crate::objective::Bounds;
use problem::Sizes;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex};

/// Records an expression of so many coordinates in a box that was made at a place in the source.
type Recording =
    dyn Fn(usize, &Bounds, &'static Location<'static>) -> Result<Result<(Graph, Id), Mistake>, Error> + Send + Sync;

/// An objective written as an array expression of the coordinates u in a box.
///
/// With a [range](Expression::range), the objective that is minimized is F = (f - lo) / (hi - lo), as the built-in functions have it;
/// without one, it is f itself. Clones share the closure.
///
/// ```
/// use overparam::prelude::*;
/// use std::f64::consts::TAU;
///
/// let rastrigin = Expression::new("rastrigin", [-5.12, 5.12], |u| (u.square() - 10.0 * (TAU * u).cos() + 10.0).sum());
/// rastrigin.check(50)?;
///
/// // A mistake is an error that says where it is.
/// let wrong = Expression::new("wrong", [-1.0, 1.0], |u| (u.slice(1..) - u).sum());
/// assert!(wrong.check(5).unwrap_err().to_string().contains("a vector of 4 and a vector of 5"));
/// # Ok::<(), overparam::Error>(())
/// ```
#[derive(Clone)]
pub struct Expression {
    name: String,
    bounds: Bounds,
    range: Option<[f64; 2]>,
    minimum: Option<f64>,
    recording: Arc<Recording>,
    /// The place in the source where it was made.
    place: &'static Location<'static>,
    /// The sizes of its program, once they are known in some number of dimensions.
    sizes: Arc<Mutex<Option<Sizes>>>,
}

/// The coordinates u in the box and x in the unit cube: one of them the input, and the other made of it. From the middle of the box,
/// where u is as accurate as x - 1/2, which is exact.
fn coordinates(graph: &mut Graph, dimension: usize, bounds: &Bounds) -> [Id; 2] {
    let input = graph.input(dimension);
    let middle = |[lo, hi]: [f64; 2]| 0.5 * (lo + hi);
    match bounds {
        Bounds::All(bounds @ [lo, hi]) => {
            let middle = graph.scalar(-middle(*bounds));
            let centered = graph.binary(Binary::Add, input, middle);
            let (scaled, half) = (graph.scale(centered, 1.0 / (hi - lo)), graph.scalar(0.5));
            [input, graph.binary(Binary::Add, scaled, half)]
        }
        Bounds::Each(bounds) => {
            let half = graph.scalar(-0.5);
            let centered = graph.binary(Binary::Add, input, half);
            let widths = graph.data(bounds.iter().map(|[lo, hi]| hi - lo).collect());
            let middles = graph.data(bounds.iter().map(|&bounds| middle(bounds)).collect());
            let scaled = graph.binary(Binary::Multiply, centered, widths);
            [graph.binary(Binary::Add, scaled, middles), input]
        }
    }
}

impl Expression {
    /// The expression that `closure` records of the coordinates u, a vector of as many as the objective is used with. `bounds` is the
    /// box: `[lo, hi]` for all coordinates, or a vector of one pair for each.
    ///
    /// The closure may be called again for another number of coordinates. Data that it needs it takes along (`move`).
    #[track_caller]
    pub fn new(
        name: impl Into<String>,
        bounds: impl Into<Bounds>,
        closure: impl Fn(Array) -> Array + Send + Sync + 'static,
    ) -> Self {
        Self::with_cube(name, bounds, move |u, _| Ok(closure(u)))
    }

    /// The same of the coordinates u in the box and x in the unit cube, for a closure that can fail.
    #[track_caller]
    pub fn with_cube(
        name: impl Into<String>,
        bounds: impl Into<Bounds>,
        closure: impl Fn(Array, Array) -> Result<Array, Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            bounds: bounds.into(),
            range: None,
            minimum: None,
            // The recording begins where the closure was compiled: in a notebook every cell has thread-local data of its own.
            recording: Arc::new(move |dimension, bounds, place| {
                array::record(dimension, place, |graph| coordinates(graph, dimension, bounds), |[u, x]| closure(u, x))
            }),
            place: Location::caller(),
            sizes: Arc::default(),
        }
    }

    /// This expression with the values of f for which F is 0 and 1.
    pub fn range(mut self, lo: f64, hi: f64) -> Self {
        self.range = Some([lo, hi]);
        self
    }

    /// This expression with its smallest value f in the box, where it is known.
    pub fn minimum(mut self, value: f64) -> Self {
        self.minimum = Some(value);
        self
    }

    /// This expression under another name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The box.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The values of f for which F is 0 and 1, if they are given.
    pub fn given_range(&self) -> Option<[f64; 2]> {
        self.range
    }

    /// The smallest value f in the box, if it is known.
    pub fn known_minimum(&self) -> Option<f64> {
        self.minimum
    }

    /// The values of f for which F is 0 and 1: those given, or 0 and 1.
    pub(crate) fn ends(&self) -> [f64; 2] {
        self.range.unwrap_or([0.0, 1.0])
    }

    /// Checks that the expression can be evaluated for points of `dimension` coordinates.
    ///
    /// # Errors
    /// If an operation does not fit, the result is not a scalar, or the box or the range is none. The message is one line: the operation,
    /// the shapes, and the place in the source.
    pub fn check(&self, dimension: usize) -> Result<(), Error> {
        self.sizes(dimension).map(|_| ())
    }

    /// Runs the closure.
    pub(crate) fn record(&self, dimension: usize) -> Result<Recorded, Error> {
        self.check_numbers(dimension)?;
        let recorded = (self.recording)(dimension, &self.bounds, self.place)?;
        let (graph, value) = recorded.map_err(|Mistake { text, place }| self.error(format!("{text} (at {place})")))?;
        let domain = match self.bounds {
            Bounds::All(bounds) => bounds,
            Bounds::Each(_) => [0.0, 1.0],
        };
        Ok(Recorded { graph, value, dimension, domain })
    }

    fn error(&self, problem: String) -> Error {
        Error::Expression { name: self.name.clone(), problem }
    }

    /// Checks the box, the range and the number of coordinates.
    fn check_numbers(&self, dimension: usize) -> Result<(), Error> {
        if dimension == 0 {
            return Err(self.error("it needs at least one coordinate, not 0".to_owned()));
        }
        if let Bounds::Each(bounds) = &self.bounds
            && bounds.len() != dimension
        {
            let given = bounds.len();
            return Err(
                self.error(format!("its box has {given} pairs of bounds, for points of {dimension} coordinates"))
            );
        }
        let ordered = |&[lo, hi]: &[f64; 2]| lo < hi && (hi - lo).is_finite();
        if let Some([lo, hi]) = (0..dimension).map_while(|i| self.bounds.of(i)).find(|bounds| !ordered(bounds)) {
            return Err(self.error(format!("its box must have finite bounds lo < hi, not {lo} and {hi}")));
        }
        match self.range {
            Some(range @ [lo, hi]) if !ordered(&range) => {
                Err(self.error(format!("its range must have finite ends lo < hi, not {lo} and {hi}")))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, bounds, range, minimum, .. } = self;
        write!(formatter, "expression '{name}' in {bounds:?}, range {range:?}, minimum {minimum:?}")
    }
}
