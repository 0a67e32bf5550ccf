//! Arrays that record what is done to them.

mod elementwise;
mod parts;
mod reductions;

pub use parts::pairs;

use crate::graph::{Graph, Id};
use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most numbers that an array may hold.
pub(crate) const LONGEST: usize = 1 << 24;

/// The most numbers that all constants of an expression may hold.
const MOST_CONSTANTS: usize = 1 << 26;

/// The most operations that an expression may have.
const MOST_OPERATIONS: usize = 1 << 22;

/// The shape of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// A scalar, a vector or a matrix of an [`Expression`](crate::Expression), recorded as operations: the closure of an
/// expression runs once.
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
pub(crate) struct Mistake {
    pub text: String,
    pub place: &'static Location<'static>,
}

/// A recording under way.
struct Recorder {
    id: u32,
    graph: Graph,
    mistake: Option<Mistake>,
    /// The numbers of all constants so far.
    constants: usize,
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

/// The graph of what `closure` does to vectors of `dimension` coordinates, whose nodes `coordinates` makes, and the node of its result; or the
/// first error: the closure's own or that of an operation. An error of the result is one at `place`.
pub(crate) fn record<E, const VECTORS: usize>(
    dimension: usize,
    place: &'static Location<'static>,
    coordinates: impl FnOnce(&mut Graph) -> [Id; VECTORS],
    closure: impl FnOnce([Array; VECTORS]) -> Result<Array, E>,
) -> Result<Result<(Graph, Id), Mistake>, E> {
    let id = RECORDINGS.fetch_add(1, Ordering::Relaxed);
    let mut graph = Graph::default();
    let shape = Shape::Vector(dimension);
    let vectors = coordinates(&mut graph).map(|node| Array { recording: id, node, shape });
    RECORDERS.with_borrow_mut(|recorders| recorders.push(Recorder { id, graph, mistake: None, constants: 0 }));
    let guard = Guard(id);
    let result = closure(vectors)?;
    if !result.is_undefined() && result.len() != 1 {
        report(id, format!("the result must be a scalar, not {}: .sum() makes one", result.shape), place);
    }
    let recorder = RECORDERS.with_borrow_mut(|recorders| {
        let position = recorders.iter().position(|recorder| recorder.id == id)?;
        Some(recorders.remove(position))
    });
    drop(guard);
    let Some(Recorder { graph, mistake, .. }) = recorder else {
        return Ok(Err(Mistake { text: "its recording was ended by another".to_owned(), place }));
    };
    Ok(match mistake {
        Some(mistake) => Err(mistake),
        None if result.recording != id => {
            let text = "the closure must give an array of its own recording, not one kept from another".to_owned();
            Err(Mistake { text, place })
        }
        None if result.is_undefined() => {
            let text =
                "the closure must not use an array that an error of an earlier recording left undefined".to_owned();
            Err(Mistake { text, place })
        }
        None => Ok((graph, result.node)),
    })
}

/// Takes the first error of the recording under way on this thread, if there was one, so that it can be reported with a place in
/// something other than Rust source.
pub(crate) fn take_mistake() -> Option<Mistake> {
    RECORDERS.with_borrow_mut(|recorders| recorders.last_mut()?.mistake.take())
}

/// Notes an error in recording `id`, or where that has ended in the one under way. The first one counts.
fn report(id: u32, text: String, place: &'static Location<'static>) {
    RECORDERS.with_borrow_mut(|recorders| {
        let position = recorders.iter().position(|recorder| recorder.id == id).or(recorders.len().checked_sub(1));
        if let Some(recorder) = position.and_then(|position| recorders.get_mut(position)) {
            recorder.mistake.get_or_insert(Mistake { text, place });
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
                recorder.mistake.get_or_insert(Mistake { text, place });
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
        if values.len() > LONGEST {
            return itself.wrong(format!("a constant must have at most {LONGEST} numbers, not {}", values.len()));
        }
        if values.len() != shape.len() || values.is_empty() {
            return itself.wrong(format!("{shape} takes {} numbers, not {}", shape.len(), values.len()));
        }
        if let (Some(place), true) = (values.iter().position(|value| !value.is_finite()), values.len() > 1) {
            return itself.wrong(format!("constants must be finite numbers, not {} as element {place}", values[place]));
        }
        let any = Self { recording, node: Id(0), shape };
        let held = RECORDERS.with_borrow_mut(|recorders| {
            recorders.last_mut().map_or(0, |recorder| {
                recorder.constants = recorder.constants.saturating_add(values.len());
                recorder.constants
            })
        });
        if held > MOST_CONSTANTS {
            return itself
                .wrong(format!("the constants of an expression must be at most {MOST_CONSTANTS} numbers, not more"));
        }
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
            let values = recorder.graph.known(self.node)?;
            Some(if let [value] = values[..] { vec![value; len] } else { values })
        })
    }
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
