//! A program on the coordinates, as operations on arrays.

use super::function::{Function, Meaning};
use super::program::{Operation, Operator, Piece, Program, Subscript};
use super::{Data, Mistake};
use crate::array::{Array, LONGEST, Shape, pairs, take_mistake};
use std::ops::Range;

/// The value of a part of the text.
#[derive(Clone)]
enum Value {
    Array(Array),
    /// Arrays that a list holds.
    List(Vec<Array>),
    /// The two places of each pair.
    Pairs([Array; 2]),
}

/// An evaluation under way.
struct Evaluation<'a> {
    program: &'a Program,
    values: Vec<Value>,
    u: Array,
    x: Array,
    data: &'a [Data],
}

/// The result of `program` for the coordinates u and x.
pub(super) fn evaluate(program: &Program, u: Array, x: Array, data: &[Data]) -> Result<Array, Mistake> {
    let mut evaluation = Evaluation { program, values: Vec::with_capacity(program.nodes.len()), u, x, data };
    for node in &program.nodes {
        let value = evaluation.value(&node.operation, &node.place)?;
        evaluation.values.push(value);
    }
    let result = evaluation.array(&program.result)?;
    match result.len() {
        1 => Ok(result),
        _ => Err(Mistake::new(
            program.result.span.clone(),
            format!("expected a single number as the result, found {}: sum(…) makes one", result.shape()),
        )),
    }
}

/// `array`, unless an operation did not fit.
fn checked(array: Array, place: &Range<usize>) -> Result<Array, Mistake> {
    if !array.is_undefined() {
        return Ok(array);
    }
    let text = take_mistake().map_or_else(|| "this cannot be computed".to_owned(), |problem| problem.text);
    Err(Mistake::new(place.clone(), text))
}

impl Evaluation<'_> {
    fn value(&self, operation: &Operation, place: &Range<usize>) -> Result<Value, Mistake> {
        let array = match operation {
            Operation::Number(value) => Array::scalar(*value),
            Operation::U => self.u,
            Operation::X => self.x,
            Operation::D => Array::scalar(self.u.len() as f64),
            Operation::I => self.u.index(),
            Operation::Data(number) => self.data[*number].array(),
            Operation::Negate(piece) => -self.array(piece)?,
            Operation::Binary(operator, [a, b]) => self.binary(*operator, a, b)?,
            Operation::List(pieces) => {
                let parts = pieces.iter().map(|piece| self.array(piece));
                return Ok(Value::List(parts.collect::<Result<_, _>>()?));
            }
            Operation::Transpose(piece) => self.array(piece)?.transpose(),
            Operation::Call { function, arguments, axis } => {
                if matches!(function.meaning, Meaning::Pairs) {
                    return self.pairs(&arguments[0], place);
                }
                self.call(function, arguments, axis.as_ref(), place)?
            }
            Operation::Part(of, subscripts) => {
                if let Value::Pairs(both) = &self.values[of.node] {
                    let places = match &subscripts[..] {
                        [Subscript::At(at)] => usize::try_from(self.whole(at, "0 or 1")?).ok(),
                        _ => None,
                    };
                    return match places.and_then(|place| both.get(place)) {
                        Some(array) => Ok(Value::Array(*array)),
                        None => Err(Mistake::new(
                            place.clone(),
                            "expected [0] or [1]: the first or the second of each pair",
                        )),
                    };
                }
                self.part(self.array(of)?, subscripts)?
            }
        };
        Ok(Value::Array(checked(array, place)?))
    }

    /// The array that a piece is; of a list of numbers a vector.
    fn array(&self, piece: &Piece) -> Result<Array, Mistake> {
        match &self.values[piece.node] {
            Value::Array(array) => Ok(*array),
            Value::List(parts) => match parts.iter().find(|part| part.shape() != Shape::Scalar) {
                None => checked(Array::concatenate(parts), &piece.span),
                Some(other) => Err(Mistake::new(
                    piece.span.clone(),
                    format!("expected a list of numbers, found {} in it: concatenate([…]) joins arrays", other.shape()),
                )),
            },
            Value::Pairs(_) => {
                Err(Mistake::new(piece.span.clone(), "expected pairs(…)[0] or pairs(…)[1], found both at once"))
            }
        }
    }

    fn binary(&self, operator: Operator, a: &Piece, b: &Piece) -> Result<Array, Mistake> {
        let (a, b) = (self.array(a)?, self.array(b)?);
        Ok(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide => a / b,
            Operator::MatrixMultiply => a.matmul(b),
            Operator::Power => a.powf(b),
            Operator::Less => a.less(b),
            Operator::LessEqual => a.less_equal(b),
            Operator::Greater => a.greater(b),
            Operator::GreaterEqual => a.greater_equal(b),
            Operator::Equal => a.equal(b),
            Operator::NotEqual => a.not_equal(b),
        })
    }

    fn call(
        &self,
        function: &Function,
        arguments: &[Piece],
        axis: Option<&Piece>,
        place: &Range<usize>,
    ) -> Result<Array, Mistake> {
        Ok(match (&function.meaning, arguments) {
            (Meaning::One(function), [v]) => function(self.array(v)?),
            (Meaning::Two(function), [a, b]) => function(self.array(a)?, self.array(b)?),
            (Meaning::Three(function), [a, b, c]) => function(self.array(a)?, self.array(b)?, self.array(c)?),
            (Meaning::Along((of_all, along_axis)), [v]) => match (along_axis, axis) {
                (Some(along), Some(axis)) => along(self.array(v)?, self.axis(axis, v)?),
                _ => of_all(self.array(v)?),
            },
            (Meaning::Concatenate, [parts]) => match &self.values[parts.node] {
                Value::List(parts) => Array::concatenate(parts),
                _ => return Err(Mistake::new(parts.span.clone(), "expected a list of arrays, such as [u[1:], u[:1]]")),
            },
            (Meaning::Reshape, [v, shape @ ..]) => self.reshaped(v, shape, place)?,
            (Meaning::Take, [v, places]) => self.taken(self.array(v)?, places)?,
            (Meaning::Arange, numbers) => self.range(numbers, place)?,
            // The parser has counted the arguments.
            _ => return Err(Mistake::new(place.clone(), format!("expected {}", function.form))),
        })
    }

    /// An axis, counted from the last one where it is below 0.
    fn axis(&self, axis: &Piece, of: &Piece) -> Result<usize, Mistake> {
        let axes = match self.array(of)?.shape() {
            Shape::Scalar => 0,
            Shape::Vector(_) => 1,
            Shape::Matrix(..) => 2,
        };
        let number = self.whole(axis, "the number of an axis")?;
        let counted = if number < 0 { number.saturating_add(axes) } else { number };
        match usize::try_from(counted) {
            Ok(found) if counted < axes => Ok(found),
            _ => {
                let shape = self.array(of)?.shape();
                Err(Mistake::new(axis.span.clone(), format!("expected an axis of {shape}, found {number}")))
            }
        }
    }

    /// The numbers of a piece in which no coordinate takes part.
    fn known(&self, piece: &Piece, expected: &str) -> Result<Vec<f64>, Mistake> {
        self.array(piece)?.known().ok_or_else(|| {
            let found = "what depends on the coordinates";
            Mistake::new(piece.span.clone(), format!("expected {expected}, found {found}"))
        })
    }

    /// A whole number.
    fn whole(&self, piece: &Piece, expected: &str) -> Result<isize, Mistake> {
        let array = self.array(piece)?;
        if array.shape() != Shape::Scalar {
            let text = format!("expected {expected}, found {}", array.shape());
            return Err(Mistake::new(piece.span.clone(), text));
        }
        let number = self.known(piece, expected)?[0];
        as_whole(number).ok_or_else(|| Mistake::new(piece.span.clone(), format!("expected {expected}, found {number}")))
    }

    /// Places in `array`, which count from the end where they are below 0.
    fn places(&self, array: Array, piece: &Piece) -> Result<Vec<usize>, Mistake> {
        let extent = match array.shape() {
            Shape::Vector(extent) | Shape::Matrix(extent, _) => extent as isize,
            Shape::Scalar => {
                return Err(Mistake::new(
                    piece.span.clone(),
                    "expected a vector or a matrix to take from, found a scalar",
                ));
            }
        };
        let numbers = self.known(piece, "places such as [0, 2]")?;
        let place = |number: f64| {
            let place = as_whole(number)?;
            usize::try_from(if place < 0 { place + extent } else { place })
                .ok()
                .filter(|place| *place < extent as usize)
        };
        numbers
            .iter()
            .map(|&number| {
                let expected = format!("expected whole numbers from {} to {} as places", -extent, extent - 1);
                place(number).ok_or_else(|| Mistake::new(piece.span.clone(), format!("{expected}, found {number}")))
            })
            .collect()
    }

    fn taken(&self, array: Array, piece: &Piece) -> Result<Array, Mistake> {
        let places = self.places(array, piece)?;
        Ok(match self.array(piece)?.shape() {
            Shape::Scalar => array.at(places[0] as isize),
            _ => array.gather(&places),
        })
    }

    fn part(&self, array: Array, subscripts: &[Subscript]) -> Result<Array, Mistake> {
        let [first, rest @ ..] = subscripts else { return Ok(array) };
        let rows = self.subscripted(array, first)?;
        let [second] = rest else { return Ok(rows) };
        match (array.shape(), first) {
            (Shape::Matrix(..), Subscript::At(at)) if self.array(at)?.shape() == Shape::Scalar => {
                self.subscripted(rows, second)
            }
            (Shape::Matrix(..), Subscript::At(_)) if matches!(second, Subscript::At(at) if self.array(at)?.shape() != Shape::Scalar) =>
            {
                let text = "expected a list of places for rows or for columns, found two: numpy pairs them; take rows, then columns";
                Err(Mistake::new(self.span(second), text.to_owned()))
            }
            (Shape::Matrix(..), _) => {
                let columns = self.subscripted(checked(rows, &self.span(first))?.transpose(), second)?;
                Ok(columns.transpose())
            }
            (shape, _) => {
                Err(Mistake::new(self.span(second), format!("expected one subscript for {shape}, found two")))
            }
        }
    }

    fn span(&self, subscript: &Subscript) -> Range<usize> {
        match subscript {
            Subscript::At(at) => at.span.clone(),
            Subscript::Slice(ends) => {
                let mut given = ends.iter().flatten();
                let first = given.next().map_or(self.program.result.span.clone(), |piece| piece.span.clone());
                given.next_back().map_or(first.clone(), |last| first.start..last.span.end)
            }
        }
    }

    fn subscripted(&self, array: Array, subscript: &Subscript) -> Result<Array, Mistake> {
        match subscript {
            Subscript::At(at) => checked(self.taken(array, at)?, &at.span),
            Subscript::Slice(ends) => {
                let end = |piece: &Option<Piece>| {
                    piece.as_ref().map(|piece| self.whole(piece, "a whole number as an end of a slice")).transpose()
                };
                let [start, stop, step] = ends;
                Ok(array.slice_between(end(start)?, end(stop)?, end(step)?.unwrap_or(1)))
            }
        }
    }

    /// numpy's reshape, in which one extent may be -1, or both be in parentheses.
    fn reshaped(&self, v: &Piece, shape: &[Piece], place: &Range<usize>) -> Result<Array, Mistake> {
        let array = self.array(v)?;
        let mut extents = Vec::new();
        for piece in shape {
            let expected = "a whole number of rows or columns, at least 1, or -1 for what is left";
            for number in self.known(piece, expected)? {
                match as_whole(number) {
                    Some(extent) if extent >= 1 || extent == -1 => extents.push(extent),
                    _ => return Err(Mistake::new(piece.span.clone(), format!("expected {expected}, found {number}"))),
                }
            }
        }
        if extents.iter().filter(|extent| **extent < 0).count() > 1 {
            return Err(Mistake::new(place.clone(), "expected at most one -1 among the extents".to_owned()));
        }
        let len = array.len();
        let known = extents.iter().filter(|extent| **extent > 0);
        let filled = known.fold(1usize, |product, &extent| product.saturating_mul(extent as usize));
        let left = len / filled.max(1);
        let extents: Vec<usize> = extents.iter().map(|&extent| usize::try_from(extent).unwrap_or(left)).collect();
        match extents[..] {
            [rows, columns] if rows.checked_mul(columns) == Some(len) => Ok(array.reshape(rows, columns)),
            [all] if all == len => Ok(array.flatten()),
            [_] | [_, _] => {
                let shape = extents.iter().map(|extent| extent.to_string()).collect::<Vec<_>>().join(" × ");
                let elements = if len == 1 { "1 element".to_owned() } else { format!("{len} elements") };
                Err(Mistake::new(
                    place.clone(),
                    format!("{} has {elements}, which does not fill {shape}", array.shape()),
                ))
            }
            _ => {
                Err(Mistake::new(place.clone(), format!("expected rows and columns, found {} numbers", extents.len())))
            }
        }
    }

    /// numpy's arange: up to a number, from one to another, or in steps.
    fn range(&self, numbers: &[Piece], place: &Range<usize>) -> Result<Array, Mistake> {
        let numbers = numbers.iter().map(|number| self.whole(number, "a whole number"));
        let (start, stop, step) = match numbers.collect::<Result<Vec<_>, _>>()?[..] {
            [stop] => (0, stop, 1),
            [start, stop] => (start, stop, 1),
            [start, stop, step, ..] => (start, stop, step),
            [] => (0, 0, 1),
        };
        let span = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
        let count = if step == 0 { 0 } else { span.max(0).unsigned_abs().div_ceil(step.unsigned_abs()) };
        if count == 0 || count > LONGEST {
            let text = format!("expected from 1 to {LONGEST} numbers in arange(…), found {count}");
            return Err(Mistake::new(place.clone(), text));
        }
        let values: Vec<f64> = (0..count).map(|k| (start as f64) + (step as f64) * k as f64).collect();
        Ok(Array::vector(&values))
    }

    fn pairs(&self, count: &Piece, place: &Range<usize>) -> Result<Value, Mistake> {
        let expected = "a whole number, at least 2, of what is to be paired";
        let number = self.whole(count, expected)?;
        let number = match usize::try_from(number) {
            Ok(number) if number >= 2 => number,
            _ => return Err(Mistake::new(count.span.clone(), format!("expected {expected}, found {number}"))),
        };
        let found = (number as u128) * (number as u128 - 1) / 2;
        if found > LONGEST as u128 {
            let text = format!("expected at most {LONGEST} pairs, found {found}");
            return Err(Mistake::new(count.span.clone(), text));
        }
        let [first, second] = pairs(number).map(|places| {
            let places: Vec<f64> = places.into_iter().map(|place| place as f64).collect();
            Array::vector(&places)
        });
        Ok(Value::Pairs([checked(first, place)?, checked(second, place)?]))
    }
}

/// The whole number that `number` is.
fn as_whole(number: f64) -> Option<isize> {
    (number.fract() == 0.0 && number.abs() <= (1_u64 << 53) as f64).then_some(number as isize)
}
