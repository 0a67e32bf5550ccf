//! Arrays that record what is done to them.

use super::Bounds;
use super::graph::{Graph, Id, Indices, Op};
use super::operation::{Binary, Reduction, Unary};
use std::cell::RefCell;
use std::fmt;
use std::ops::{Add, Bound, Div, Mul, Neg, RangeBounds, Sub};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most numbers that an array may hold.
const LONGEST: usize = 1 << 24;

/// The most operations that an expression may have.
const MOST_OPERATIONS: usize = 1 << 22;

/// The shape of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A single number.
    Scalar,
    /// A vector of this length.
    Vector(usize),
    /// Rows and columns; the elements of a row lie side by side.
    Matrix(usize, usize),
}

impl Shape {
    /// The number of elements.
    pub fn len(self) -> usize {
        match self {
            Self::Scalar => 1,
            Self::Vector(len) => len,
            Self::Matrix(rows, columns) => rows * columns,
        }
    }

    /// Always false: an array has at least one element.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar => write!(formatter, "a scalar"),
            Self::Vector(len) => write!(formatter, "a vector of {len}"),
            Self::Matrix(rows, columns) => write!(formatter, "a matrix of {rows} × {columns}"),
        }
    }
}

/// A scalar, a vector or a matrix of an [`Expression`](super::Expression), known by how it is computed: the closure of an expression runs
/// once, and its operations are recorded.
///
/// An array is a small handle that is copied freely. Operations follow numpy: they act element by element, a single number combines
/// with any array, a vector combines with every row of a matrix that has as many columns, and other combinations of different shapes
/// are errors. No operation panics: the first error, with the operation, the shapes and the place in the source, is kept and reported when the
/// closure has ended. There are no values to look at before the expression is evaluated, so an array cannot be compared in an `if`:
/// see [`Array::select`].
///
/// ```
/// use overparam::prelude::*;
///
/// // Neighbors differ by one.
/// let chain = Expression::new("chain", [-5.0, 5.0], |u| (u.slice(1..) - u.slice(..-1) - 1.0).square().sum());
/// assert!(chain.check(3).is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "an operation on arrays changes nothing; it gives an array"]
pub struct Array {
    recording: u32,
    node: Id,
    shape: Shape,
}

/// The node of an array that an error left undefined.
const UNDEFINED: Id = Id(u32::MAX);

/// An error of a recording.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub text: String,
    pub place: &'static Location<'static>,
}

/// A recording under way.
struct Recorder {
    id: u32,
    graph: Graph,
    problem: Option<Problem>,
}

thread_local! {
    /// The recordings of this thread, the innermost last.
    static RECORDERS: RefCell<Vec<Recorder>> = const { RefCell::new(Vec::new()) };
}

static RECORDINGS: AtomicU32 = AtomicU32::new(1);

/// Ends a recording, however it is left.
struct Guard(u32);

impl Drop for Guard {
    fn drop(&mut self) {
        RECORDERS.with_borrow_mut(|recorders| recorders.retain(|recorder| recorder.id != self.0));
    }
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

/// The graph of what `closure` does to (u, x) of `dimension` coordinates and the node of its result, or the first error: the closure's own
/// or that of an operation. An error of the result is one at `place`.
pub(super) fn record<E>(
    dimension: usize,
    bounds: &Bounds,
    place: &'static Location<'static>,
    closure: impl FnOnce(Array, Array) -> Result<Array, E>,
) -> Result<Result<(Graph, Id), Problem>, E> {
    let id = RECORDINGS.fetch_add(1, Ordering::Relaxed);
    let mut graph = Graph::default();
    let shape = Shape::Vector(dimension);
    let nodes = coordinates(&mut graph, dimension, bounds);
    let [u, x] = nodes.map(|node| Array { recording: id, node, shape });
    RECORDERS.with_borrow_mut(|recorders| recorders.push(Recorder { id, graph, problem: None }));
    let guard = Guard(id);
    let result = closure(u, x)?;
    if !result.is_undefined() && result.len() != 1 {
        report(id, format!("the result must be a scalar, not {}: .sum() makes one", result.shape), place);
    }
    let recorder = RECORDERS.with_borrow_mut(|recorders| {
        let position = recorders.iter().position(|recorder| recorder.id == id)?;
        Some(recorders.remove(position))
    });
    drop(guard);
    let Some(Recorder { graph, problem, .. }) = recorder else {
        return Ok(Err(Problem { text: "its recording was ended by another".to_owned(), place }));
    };
    Ok(match problem {
        Some(problem) => Err(problem),
        None if result.recording != id => {
            let text = "the closure must give an array of its own recording, not one kept from another".to_owned();
            Err(Problem { text, place })
        }
        None => Ok((graph, result.node)),
    })
}

/// Takes the first error of the recording under way on this thread, if there was one, so that it can be reported with a place in
/// something other than Rust source.
pub(crate) fn take_problem() -> Option<Problem> {
    RECORDERS.with_borrow_mut(|recorders| recorders.last_mut()?.problem.take())
}

/// Notes an error in recording `id`, or where that has ended in the one under way. The first one counts.
fn report(id: u32, text: String, place: &'static Location<'static>) {
    RECORDERS.with_borrow_mut(|recorders| {
        let position = recorders.iter().position(|recorder| recorder.id == id).or(recorders.len().checked_sub(1));
        if let Some(recorder) = position.and_then(|position| recorders.get_mut(position)) {
            recorder.problem.get_or_insert(Problem { text, place });
        }
    });
}

/// The result of an operation that went wrong.
fn undefined(recording: u32) -> Array {
    Array { recording, node: UNDEFINED, shape: Shape::Scalar }
}

impl Array {
    /// Notes what is wrong with this operation.
    #[track_caller]
    pub(crate) fn wrong(self, text: impl Into<String>) -> Self {
        report(self.recording, text.into(), Location::caller());
        undefined(self.recording)
    }

    /// An operation's result was an error; what follows from it is no further one.
    pub(crate) fn is_undefined(self) -> bool {
        self.node == UNDEFINED
    }

    /// The result of an operation on `operands`, with the nodes in the recorder's graph.
    #[track_caller]
    fn record(operands: &[Self], shape: Result<Shape, String>, operation: impl FnOnce(&mut Graph) -> Id) -> Self {
        let recording = operands.first().map_or(0, |first| first.recording);
        let place = Location::caller();
        if operands.iter().any(|operand| operand.is_undefined()) {
            let known = operands.iter().find(|operand| operand.recording != 0);
            return undefined(known.map_or(recording, |operand| operand.recording));
        }
        if operands.iter().any(|operand| operand.recording != recording) {
            let text =
                "arrays of two recordings do not combine: use only what this closure is given and makes".to_owned();
            report(recording, text, place);
            return undefined(recording);
        }
        let shape = match shape {
            Ok(shape) => shape,
            Err(text) => {
                report(recording, text, place);
                return undefined(recording);
            }
        };
        let len = shape.len();
        if len == 0 || len > LONGEST {
            report(recording, format!("an array must have 1 to {LONGEST} elements, not {len}"), place);
            return undefined(recording);
        }
        let node = RECORDERS.with_borrow_mut(|recorders| {
            let recorder = recorders.iter_mut().find(|recorder| recorder.id == recording)?;
            if recorder.graph.nodes().len() >= MOST_OPERATIONS {
                let text = format!("an expression must have at most {MOST_OPERATIONS} operations, not more");
                recorder.problem.get_or_insert(Problem { text, place });
                return Some(UNDEFINED);
            }
            Some(operation(&mut recorder.graph))
        });
        match node {
            Some(node) => Self { recording, node, shape },
            None => {
                let text = "an array was used outside of its recording: use only what this closure is given and makes";
                report(recording, text.to_owned(), place);
                undefined(recording)
            }
        }
    }

    /// The shape; a scalar where an error left the array undefined.
    pub fn shape(self) -> Shape {
        self.shape
    }

    /// The number of elements.
    #[expect(clippy::len_without_is_empty, reason = "an array has at least one element")]
    pub fn len(self) -> usize {
        self.shape.len()
    }

    /// A constant in the recording under way on this thread.
    #[track_caller]
    fn constant(values: Arc<[f64]>, shape: Shape) -> Self {
        let recording = RECORDERS.with_borrow(|recorders| recorders.last().map_or(0, |recorder| recorder.id));
        let itself = undefined(recording);
        if values.len() != shape.len() || values.is_empty() || values.len() > LONGEST {
            return itself.wrong(format!("{shape} takes {} numbers, not {}", shape.len(), values.len()));
        }
        if let (Some(place), true) = (values.iter().position(|value| !value.is_finite()), values.len() > 1) {
            return itself.wrong(format!("constants must be finite numbers, not {} as element {place}", values[place]));
        }
        let any = Self { recording, node: Id(0), shape };
        Self::record(&[any], Ok(shape), |graph| graph.data(values))
    }

    /// A constant number.
    #[track_caller]
    pub fn scalar(value: f64) -> Self {
        Self::constant([value].into(), Shape::Scalar)
    }

    /// A constant vector of finite numbers.
    #[track_caller]
    pub fn vector(values: &[f64]) -> Self {
        Self::constant(values.into(), Shape::Vector(values.len()))
    }

    /// A constant matrix of `rows` × `columns` finite numbers, row by row.
    #[track_caller]
    pub fn matrix(rows: usize, columns: usize, values: &[f64]) -> Self {
        match rows.checked_mul(columns) {
            Some(_) => Self::constant(values.into(), Shape::Matrix(rows, columns)),
            None => undefined(0).wrong(format!("a matrix of {rows} × {columns} is too large")),
        }
    }

    /// The vector 0, 1, …, as long as this array.
    #[track_caller]
    pub fn index(self) -> Self {
        let len = self.len();
        Self::record(&[self], Ok(Shape::Vector(len)), |graph| graph.data((0..len).map(|i| i as f64).collect()))
    }

    /// The numbers of an array that depends on no coordinate.
    pub(crate) fn known(self) -> Option<Vec<f64>> {
        if self.is_undefined() {
            return None;
        }
        let len = self.shape.len();
        RECORDERS.with_borrow(|recorders| {
            let recorder = recorders.iter().find(|recorder| recorder.id == self.recording)?;
            match recorder.graph.op(self.node) {
                Op::Scalar(bits) => Some(vec![f64::from_bits(*bits); len]),
                Op::Data(values) => Some(values.0.to_vec()),
                _ => None,
            }
        })
    }

    // --- Element by element.

    #[track_caller]
    fn unary(self, operation: Unary) -> Self {
        Self::record(&[self], Ok(self.shape), |graph| graph.unary(operation, self.node))
    }

    #[track_caller]
    fn binary(self, name: &str, operation: Binary, other: Self) -> Self {
        let Ok((shape, [a, b])) = Self::together(name, [self, other]) else { return self.undefined_with(other) };
        Self::record(&[a, b], Ok(shape), |graph| graph.binary(operation, a.node, b.node))
    }

    fn undefined_with(self, other: Self) -> Self {
        undefined(self.recording.max(other.recording))
    }

    /// The shape of what these arrays make element by element, and the arrays in a form that the graph broadcasts.
    #[track_caller]
    fn together<const N: usize>(name: &str, arrays: [Self; N]) -> Result<(Shape, [Self; N]), ()> {
        if arrays.iter().any(|array| array.is_undefined()) {
            return Err(());
        }
        let mut shape = Shape::Scalar;
        for array in &arrays {
            shape = match (shape, array.shape) {
                (Shape::Scalar, other) | (other, Shape::Scalar) => other,
                (a, b) if a == b || b.len() == 1 => a,
                (a, b) if a.len() == 1 => b,
                (Shape::Matrix(rows, columns), Shape::Vector(len))
                | (Shape::Vector(len), Shape::Matrix(rows, columns))
                    if len == columns =>
                {
                    Shape::Matrix(rows, columns)
                }
                (a, b) => {
                    let _ = array.wrong(format!("{name} of {a} and {b}: the shapes must be the same, or one a scalar"));
                    return Err(());
                }
            };
        }
        let spread = arrays.map(|array| match (shape, array.shape) {
            (Shape::Matrix(..), Shape::Vector(period)) => Self::record(&[array], Ok(shape), |graph| {
                graph.gather(array.node, Indices::Tile { period }, shape.len())
            }),
            _ => array,
        });
        Ok((shape, spread))
    }

    /// A whole power, negative ones included; 0⁰ is 1.
    #[track_caller]
    pub fn powi(self, exponent: i32) -> Self {
        Self::record(&[self], Ok(self.shape), |graph| graph.power(self.node, exponent))
    }

    /// A power. Where the exponent is a constant whole number, the base may be negative.
    #[track_caller]
    pub fn powf(self, exponent: impl Into<Self>) -> Self {
        self.binary("a power", Binary::Power, exponent.into())
    }

    /// The square.
    #[track_caller]
    pub fn square(self) -> Self {
        self.powi(2)
    }

    /// 1 / self.
    #[track_caller]
    pub fn recip(self) -> Self {
        self.unary(Unary::Reciprocal)
    }

    /// The square root; its slope at 0 is taken for 0.
    #[track_caller]
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// e to this power.
    #[track_caller]
    pub fn exp(self) -> Self {
        self.unary(Unary::Exp)
    }

    /// e to this power, less 1, accurate near 0.
    #[track_caller]
    pub fn exp_m1(self) -> Self {
        self.unary(Unary::ExpM1)
    }

    /// The natural logarithm.
    #[track_caller]
    pub fn ln(self) -> Self {
        self.unary(Unary::Ln)
    }

    /// The natural logarithm of 1 + self, accurate near 0.
    #[track_caller]
    pub fn ln_1p(self) -> Self {
        self.unary(Unary::Ln1p)
    }

    /// The sine.
    #[track_caller]
    pub fn sin(self) -> Self {
        self.unary(Unary::Sin)
    }

    /// The cosine.
    #[track_caller]
    pub fn cos(self) -> Self {
        self.unary(Unary::Cos)
    }

    /// The tangent.
    #[track_caller]
    pub fn tan(self) -> Self {
        self.unary(Unary::Tan)
    }

    /// The inverse sine.
    #[track_caller]
    pub fn asin(self) -> Self {
        self.unary(Unary::Asin)
    }

    /// The inverse cosine.
    #[track_caller]
    pub fn acos(self) -> Self {
        self.unary(Unary::Acos)
    }

    /// The inverse tangent.
    #[track_caller]
    pub fn atan(self) -> Self {
        self.unary(Unary::Atan)
    }

    /// The hyperbolic sine.
    #[track_caller]
    pub fn sinh(self) -> Self {
        self.unary(Unary::Sinh)
    }

    /// The hyperbolic cosine.
    #[track_caller]
    pub fn cosh(self) -> Self {
        self.unary(Unary::Cosh)
    }

    /// The hyperbolic tangent.
    #[track_caller]
    pub fn tanh(self) -> Self {
        self.unary(Unary::Tanh)
    }

    /// The absolute value; its slope at 0 is 0.
    #[track_caller]
    pub fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }

    /// -1, 0 or 1; its slope is 0 everywhere.
    #[track_caller]
    pub fn sign(self) -> Self {
        self.unary(Unary::Sign)
    }

    /// The largest whole number that is not above; its slope is 0 everywhere.
    #[track_caller]
    pub fn floor(self) -> Self {
        self.unary(Unary::Floor)
    }

    /// The larger of self and 0; its slope at 0 is 0.
    #[track_caller]
    pub fn relu(self) -> Self {
        Self::record(&[self], Ok(self.shape), |graph| {
            let zero = graph.scalar(0.0);
            graph.binary(Binary::Max, zero, self.node)
        })
    }

    /// ln(1 + e^self).
    #[track_caller]
    pub fn softplus(self) -> Self {
        self.unary(Unary::Softplus)
    }

    /// The logistic sigmoid 1 / (1 + e^-self).
    #[track_caller]
    pub fn sigmoid(self) -> Self {
        self.unary(Unary::Sigmoid)
    }

    /// The error function.
    #[track_caller]
    pub fn erf(self) -> Self {
        self.unary(Unary::Erf)
    }

    /// Element by element the smaller one. Where both are the same, the slope is that of `self`; where `self` or `other` is constant, 0.
    #[track_caller]
    pub fn minimum(self, other: impl Into<Self>) -> Self {
        self.binary("the minimum", Binary::Min, other.into())
    }

    /// Element by element the larger one. Where both are the same, the slope is as [`Array::minimum`] has it.
    #[track_caller]
    pub fn maximum(self, other: impl Into<Self>) -> Self {
        self.binary("the maximum", Binary::Max, other.into())
    }

    /// self held between `low` and `high`; the slope outside is 0.
    #[track_caller]
    pub fn clamp(self, low: impl Into<Self>, high: impl Into<Self>) -> Self {
        self.minimum(high).maximum(low)
    }

    #[track_caller]
    fn comparison(name: &str, a: Self, b: Self, [then, otherwise]: [f64; 2]) -> Self {
        let Ok((shape, [a, b])) = Self::together(name, [a, b]) else { return a.undefined_with(b) };
        Self::record(&[a, b], Ok(shape), |graph| {
            let [then, otherwise] = [then, otherwise].map(|value| graph.scalar(value));
            graph.select_less([a.node, b.node, then, otherwise])
        })
    }

    /// 1 where self < `other`, else 0: a condition of [`Array::select`].
    #[track_caller]
    pub fn less(self, other: impl Into<Self>) -> Self {
        Self::comparison("a comparison", self, other.into(), [1.0, 0.0])
    }

    /// 1 where self > `other`, else 0.
    #[track_caller]
    pub fn greater(self, other: impl Into<Self>) -> Self {
        Self::comparison("a comparison", other.into(), self, [1.0, 0.0])
    }

    /// 1 where self ≤ `other`, else 0.
    #[track_caller]
    pub fn less_equal(self, other: impl Into<Self>) -> Self {
        Self::comparison("a comparison", other.into(), self, [0.0, 1.0])
    }

    /// 1 where self ≥ `other`, else 0.
    #[track_caller]
    pub fn greater_equal(self, other: impl Into<Self>) -> Self {
        Self::comparison("a comparison", self, other.into(), [0.0, 1.0])
    }

    /// 1 where self = `other`, else 0.
    #[track_caller]
    pub fn equal(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        self.less_equal(other) * self.greater_equal(other)
    }

    /// 1 where self ≠ `other`, else 0.
    #[track_caller]
    pub fn not_equal(self, other: impl Into<Self>) -> Self {
        1.0 - self.equal(other)
    }

    /// `then` where this condition is not 0, else `otherwise`; numpy's `where`. Both are evaluated everywhere; slopes are those of the
    /// one taken.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// let huber = |u: Array| u.abs().less(1.0).select(0.5 * u.square(), u.abs() - 0.5).sum();
    /// assert!(Expression::new("huber", [-3.0, 3.0], huber).check(5).is_ok());
    /// ```
    #[track_caller]
    pub fn select(self, then: impl Into<Self>, otherwise: impl Into<Self>) -> Self {
        let (then, otherwise) = (then.into(), otherwise.into());
        let Ok((shape, [condition, then, otherwise])) = Self::together("a selection", [self, then, otherwise]) else {
            return self.undefined_with(then).undefined_with(otherwise);
        };
        Self::record(&[condition, then, otherwise], Ok(shape), |graph| {
            graph.select(condition.node, then.node, otherwise.node)
        })
    }

    // --- Of all elements.

    #[track_caller]
    fn reduce(self, reduction: Reduction) -> Self {
        Self::record(&[self], Ok(Shape::Scalar), |graph| graph.reduce(reduction, self.node))
    }

    /// The sum of all elements.
    #[track_caller]
    pub fn sum(self) -> Self {
        self.reduce(Reduction::Sum)
    }

    /// The mean of all elements.
    #[track_caller]
    pub fn mean(self) -> Self {
        self.sum() * (1.0 / self.len() as f64)
    }

    /// The product of all elements.
    #[track_caller]
    pub fn product(self) -> Self {
        self.reduce(Reduction::Product)
    }

    /// The smallest element; elements that share it share its slope.
    #[track_caller]
    pub fn min(self) -> Self {
        self.reduce(Reduction::Min)
    }

    /// The largest element; elements that share it share its slope.
    #[track_caller]
    pub fn max(self) -> Self {
        self.reduce(Reduction::Max)
    }

    /// The Euclidean norm; its slope at 0 is taken for 0.
    #[track_caller]
    pub fn norm(self) -> Self {
        self.square().sum().sqrt()
    }

    /// ln Σ e^element, without overflow.
    #[track_caller]
    pub fn log_sum_exp(self) -> Self {
        let largest = self.max();
        let largest = Self::record(&[largest], Ok(Shape::Scalar), |graph| graph.detach(largest.node));
        (self - largest).exp().sum().ln() + largest
    }

    /// The sum of the products of two arrays of the same shape.
    #[track_caller]
    pub fn dot(self, other: impl Into<Self>) -> Self {
        (self * other.into()).sum()
    }

    /// The sums of the columns of a matrix (`axis` 0) or of its rows (`axis` 1).
    #[track_caller]
    pub fn sum_axis(self, axis: usize) -> Self {
        let shape = match (self.shape, axis) {
            (Shape::Matrix(_, columns), 0) => Ok(Shape::Vector(columns)),
            (Shape::Matrix(rows, _), 1) => Ok(Shape::Vector(rows)),
            (Shape::Vector(_), 0) => return self.sum(),
            (shape, axis) => Err(format!("a sum over axis {axis} needs an array with that axis, not {shape}")),
        };
        Self::record(&[self], shape, |graph| match self.shape {
            Shape::Matrix(_, columns) if axis == 0 => graph.sum_columns(self.node, columns),
            Shape::Matrix(_, columns) => graph.sum_rows(self.node, columns),
            Shape::Scalar | Shape::Vector(_) => self.node,
        })
    }

    /// The means of the columns of a matrix (`axis` 0) or of its rows (`axis` 1).
    #[track_caller]
    pub fn mean_axis(self, axis: usize) -> Self {
        let sums = self.sum_axis(axis);
        sums * (sums.len() as f64 / self.len() as f64)
    }

    /// Cumulative sums, in the order of the elements: a vector.
    #[track_caller]
    pub fn cumulative_sum(self) -> Self {
        let shape = Shape::Vector(self.len());
        Self::record(&[self], Ok(shape), |graph| graph.cumulate(self.node, false))
    }

    // --- Parts and shapes.

    /// Elements of a vector or rows of a matrix at `indices`, `len` of them, of which `describe` gives the shape.
    #[track_caller]
    fn take(self, indices: Indices, count: usize) -> Self {
        match self.shape {
            Shape::Matrix(_, columns) => {
                let shape = Shape::Matrix(count, columns);
                let places = || (0..count).flat_map(|k| (0..columns).map(move |j| (k, j)));
                Self::record(&[self], Ok(shape), |graph| {
                    let list = places().map(|(k, j)| (indices.at(k) * columns + j) as u32).collect();
                    graph.gather(self.node, Indices::List(list), shape.len())
                })
            }
            _ => Self::record(&[self], Ok(Shape::Vector(count)), |graph| graph.gather(self.node, indices, count)),
        }
    }

    /// The number of elements of a vector or rows of a matrix.
    fn extent(self) -> Result<usize, String> {
        match self.shape {
            Shape::Vector(len) | Shape::Matrix(len, _) => Ok(len),
            Shape::Scalar => Err("a scalar has no parts to take".to_owned()),
        }
    }

    /// A part of a vector, or some rows of a matrix. Ends below 0 count from the end, as in numpy: `u.slice(1..)`, `u.slice(..-1)`.
    #[track_caller]
    pub fn slice(self, range: impl RangeBounds<isize>) -> Self {
        self.slice_step(range, 1)
    }

    /// Every `step`-th element of a part of a vector, or row of a matrix: `u.slice_step(.., 3)`. A step below 0 goes backwards, from a
    /// start that is then the larger end, as numpy has it.
    #[track_caller]
    pub fn slice_step(self, range: impl RangeBounds<isize>, step: isize) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => Some(start),
            Bound::Excluded(&start) => Some(start.saturating_add(1)),
            Bound::Unbounded => None,
        };
        let end = match range.end_bound() {
            // The end that counts from the end and includes the last has no number.
            Bound::Included(&-1) => None,
            Bound::Included(&end) => Some(end.saturating_add(1)),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => None,
        };
        self.slice_between(start, end, step)
    }

    /// numpy's `self[start:end:step]`.
    #[track_caller]
    pub(crate) fn slice_between(self, start: Option<isize>, end: Option<isize>, step: isize) -> Self {
        if self.is_undefined() {
            return self;
        }
        let len = match self.extent() {
            Ok(len) => len as isize,
            Err(text) => return self.wrong(text),
        };
        if step == 0 {
            return self.wrong("the step of a slice must be other than 0");
        }
        let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let place = |end: isize| if end < 0 { end.saturating_add(len) } else { end }.clamp(lowest, highest);
        let first = start.map_or(if step > 0 { lowest } else { highest }, place);
        let end = end.map_or(if step > 0 { highest } else { lowest }, place);
        let span = if step > 0 { end - first } else { first - end };
        if span <= 0 {
            return self.wrong(format!("the slice from {first} to {end} by {step} of {} holds nothing", self.shape));
        }
        let count = (span as usize).div_ceil(step.unsigned_abs());
        self.take(Indices::Slice { start: first as usize, step }, count)
    }

    /// The place of element or row `index`, which counts from the end where it is below 0.
    fn place(self, index: isize) -> Result<usize, String> {
        let len = self.extent()?;
        let place = if index < 0 { index.saturating_add(len as isize) } else { index };
        usize::try_from(place).ok().filter(|&place| place < len).ok_or_else(|| {
            let part = if matches!(self.shape, Shape::Matrix(..)) { "row" } else { "element" };
            format!("{} has no {part} {index}: they are counted from 0", self.shape)
        })
    }

    /// An element of a vector, a scalar, or a row of a matrix, a vector; the last one is `at(-1)`.
    #[track_caller]
    pub fn at(self, index: isize) -> Self {
        if self.is_undefined() {
            return self;
        }
        let place = match self.place(index) {
            Ok(place) => place,
            Err(text) => return self.wrong(text),
        };
        let (shape, start) = match self.shape {
            Shape::Matrix(_, columns) => (Shape::Vector(columns), place * columns),
            _ => (Shape::Scalar, place),
        };
        Self::record(&[self], Ok(shape), |graph| {
            graph.gather(self.node, Indices::Slice { start, step: 1 }, shape.len())
        })
    }

    /// A column of a matrix; the last one is `column(-1)`.
    #[track_caller]
    pub fn column(self, index: isize) -> Self {
        self.transpose().at(index)
    }

    /// Elements of a vector, or rows of a matrix, in the order of `indices`, which count from 0 and may repeat.
    #[track_caller]
    pub fn gather(self, indices: &[usize]) -> Self {
        if self.is_undefined() {
            return self;
        }
        let list: Result<Vec<u32>, String> =
            indices.iter().map(|&index| Ok(self.place(isize::try_from(index).unwrap_or(isize::MAX))? as u32)).collect();
        match list {
            Ok(list) if list.is_empty() => self.wrong("a gathering needs at least one index"),
            Ok(list) => self.take(Indices::List(list.into()), indices.len()),
            Err(text) => self.wrong(text),
        }
    }

    /// All pairs i < j of the elements of a vector or of the rows of a matrix: the i, and the j, in the order of [`pairs`].
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// // The energy of 13 atoms (Lennard-Jones), in units in which a pair is at -1 in the distance 1.
    /// let cluster = Expression::new("Lennard-Jones", [-2.0, 2.0], |u| {
    ///     let (a, b) = u.reshape(13, 3).pairs();
    ///     let r2 = (a - b).square().sum_axis(1);
    ///     (r2.powi(-6) - 2.0 * r2.powi(-3)).sum()
    /// });
    /// assert!(cluster.check(39).is_ok());
    /// ```
    #[track_caller]
    pub fn pairs(self) -> (Self, Self) {
        if self.is_undefined() {
            return (self, self);
        }
        match self.extent() {
            Ok(rows) if rows >= 2 => {
                let [first, second] = pairs(rows);
                (self.gather(&first), self.gather(&second))
            }
            Ok(_) => (self.wrong("pairs need at least two elements or rows, not 1"), self),
            Err(text) => (self.wrong(text), self),
        }
    }

    /// The elements as a matrix of `rows` × `columns`, row by row.
    #[track_caller]
    pub fn reshape(self, rows: usize, columns: usize) -> Self {
        let fits = rows.checked_mul(columns) == Some(self.len());
        let shape = if fits {
            Ok(Shape::Matrix(rows, columns))
        } else {
            Err(format!("{} with {} elements does not fill {rows} × {columns}", self.shape, self.len()))
        };
        Self::record(&[self], shape, |_| self.node)
    }

    /// The elements as a vector, row by row.
    #[track_caller]
    pub fn flatten(self) -> Self {
        Self::record(&[self], Ok(Shape::Vector(self.len())), |_| self.node)
    }

    /// The transposed matrix; a vector is its own.
    #[track_caller]
    pub fn transpose(self) -> Self {
        let Shape::Matrix(rows, columns) = self.shape else { return self };
        Self::record(&[self], Ok(Shape::Matrix(columns, rows)), |graph| graph.transpose(self.node, rows, columns))
    }

    /// Scalars and vectors one after the other, a vector; or matrices with as many columns one below the other.
    #[track_caller]
    pub fn concatenate(parts: &[Self]) -> Self {
        let Some(first) = parts.first() else {
            return Self::scalar(0.0).wrong("a concatenation needs at least one part");
        };
        if let Some(undefined) = parts.iter().find(|part| part.is_undefined()) {
            return *undefined;
        }
        let columns = |part: &Self| if let Shape::Matrix(_, columns) = part.shape { Some(columns) } else { None };
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let shape = match parts.iter().find(|part| columns(part) != columns(first)) {
            Some(other) => Err(format!("{} and {} do not fit one after the other", first.shape, other.shape)),
            None => Ok(columns(first).map_or(Shape::Vector(len), |columns| Shape::Matrix(len / columns, columns))),
        };
        Self::record(parts, shape, |graph| graph.concat(parts.iter().map(|part| part.node).collect()))
    }

    /// The matrix product, numpy's `@`: matrix × vector, vector × matrix, matrix × matrix, or of two vectors their scalar product. With a
    /// constant matrix it is computed by the crate's own matrix products.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// let data = vec![0.5; 20 * 6];
    /// let fit = Expression::new("least squares", [-1.0, 1.0], move |u| {
    ///     (Array::matrix(20, 6, &data).matmul(u) - 1.0).square().mean()
    /// });
    /// assert!(fit.check(6).is_ok());
    /// // A matrix of the wrong width is an error that says so.
    /// assert!(fit.check(7).is_err());
    /// ```
    #[track_caller]
    pub fn matmul(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        if self.is_undefined() || other.is_undefined() {
            return self.undefined_with(other);
        }
        // As matrices: a vector on the left is a row, on the right a column.
        let (rows, inner) = match self.shape {
            Shape::Matrix(rows, columns) => (rows, columns),
            shape => (1, shape.len()),
        };
        let (inner_too, columns) = match other.shape {
            Shape::Matrix(rows, columns) => (rows, columns),
            shape => (shape.len(), 1),
        };
        let shape = match (self.shape, other.shape) {
            (Shape::Scalar, _) | (_, Shape::Scalar) => {
                Err("a matrix product with a scalar is written with *".to_owned())
            }
            _ if inner != inner_too => Err(format!(
                "the product of {} and {}: the {inner} columns on the left must be as many as the {inner_too} rows on the right",
                self.shape, other.shape
            )),
            (Shape::Vector(_), Shape::Vector(_)) => return self.dot(other),
            (Shape::Vector(_), Shape::Matrix(..)) => Ok(Shape::Vector(columns)),
            (Shape::Matrix(..), Shape::Vector(_)) => Ok(Shape::Vector(rows)),
            (Shape::Matrix(..), Shape::Matrix(..)) => {
                match rows.checked_mul(columns).and_then(|n| n.checked_mul(inner)) {
                    Some(work) if work <= LONGEST => Ok(Shape::Matrix(rows, columns)),
                    _ => Err(format!("a product of {rows} × {inner} and {inner} × {columns} is too large")),
                }
            }
        };
        Self::record(&[self, other], shape, |graph| graph.matmul(self.node, other.node, [rows, inner, columns]))
    }
}

/// All pairs i < j of 0, 1, …, `count` - 1, row by row: the i, and the j.
pub fn pairs(count: usize) -> [Vec<usize>; 2] {
    let all = || (0..count).flat_map(|i| (i + 1..count).map(move |j| [i, j]));
    [all().map(|[i, _]| i).collect(), all().map(|[_, j]| j).collect()]
}

impl From<f64> for Array {
    #[track_caller]
    fn from(value: f64) -> Self {
        Self::scalar(value)
    }
}

impl From<&[f64]> for Array {
    #[track_caller]
    fn from(values: &[f64]) -> Self {
        Self::vector(values)
    }
}

impl From<&Vec<f64>> for Array {
    #[track_caller]
    fn from(values: &Vec<f64>) -> Self {
        Self::vector(values)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $operation:ident $name:literal),+) => {$(
        impl<T: Into<Array>> $trait<T> for Array {
            type Output = Array;

            #[track_caller]
            fn $method(self, other: T) -> Array {
                self.binary($name, Binary::$operation, other.into())
            }
        }

        impl $trait<Array> for f64 {
            type Output = Array;

            #[track_caller]
            fn $method(self, other: Array) -> Array {
                Array::scalar(self).binary($name, Binary::$operation, other)
            }
        }
    )+};
}

operators!(
    Add add Add "the sum",
    Sub sub Subtract "the difference",
    Mul mul Multiply "the product",
    Div div Divide "the quotient"
);

impl Neg for Array {
    type Output = Self;

    #[track_caller]
    fn neg(self) -> Self {
        Self::record(&[self], Ok(self.shape), |graph| graph.scale(self.node, -1.0))
    }
}
