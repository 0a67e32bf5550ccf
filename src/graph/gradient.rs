//! The gradient of a graph, as further nodes of it: differentiation in reverse mode, from the value back to the coordinates.

use super::operation::{Binary, Reduction, Unary};
use super::{Graph, Id, Indices, Op};
use std::f64::consts::FRAC_2_SQRT_PI;

/// The dependence of the value on a node.
enum Part {
    /// For each element of the node, or one number for all.
    Plain(Id),
    /// For the elements at these places.
    At(Id, Indices),
}

struct Reverse<'a> {
    graph: &'a mut Graph,
    /// The derivative found so far, for each node of the recording.
    parts: Vec<Vec<Part>>,
    /// True for each node of the recording that depends on the coordinates.
    varies: Vec<bool>,
}

/// The gradient of `value` in the coordinates: a node as long as the point, or of one number, the same for all. Nothing where the value does not
/// depend on them.
pub(crate) fn gradient(graph: &mut Graph, value: Id) -> Option<Id> {
    let mut varies: Vec<bool> = Vec::with_capacity(value.index() + 1);
    for node in &graph.nodes()[..=value.index()] {
        let varied = match &node.op {
            Op::Input => true,
            Op::Detach(_) => false,
            op => op.operands().iter().any(|operand| varies[operand.index()]),
        };
        varies.push(varied);
    }
    graph.differentiated = true;
    let one = graph.scalar(1.0);
    let mut parts: Vec<Vec<Part>> = (0..=value.index()).map(|_| Vec::new()).collect();
    parts[value.index()].push(Part::Plain(one));
    let mut reverse = Reverse { graph, parts, varies };
    for index in (0..=value.index()).rev() {
        let id = Id(index as u32);
        if !reverse.varies[index] {
            continue;
        }
        let Some(slope) = reverse.collect(id) else { continue };
        if *reverse.graph.op(id) == Op::Input {
            return Some(slope);
        }
        reverse.spread(id, slope);
    }
    None
}

impl Reverse<'_> {
    /// The slope of the value in node `id`: the sum of all parts.
    fn collect(&mut self, id: Id) -> Option<Id> {
        let mut plain: Option<Id> = None;
        let mut at = Vec::new();
        for part in std::mem::take(&mut self.parts[id.index()]) {
            match part {
                Part::Plain(part) => {
                    plain = Some(match plain {
                        Some(before) => self.graph.binary(Binary::Add, before, part),
                        None => part,
                    });
                }
                Part::At(part, indices) => at.push((part, indices)),
            }
        }
        if at.is_empty() {
            return plain;
        }
        let len = self.graph.len(id);
        let base = plain.map(|plain| self.graph.fill(plain, len));
        Some(self.graph.scatter(base, at, len))
    }

    fn add(&mut self, to: Id, part: Part) {
        if self.varies[to.index()] {
            self.parts[to.index()].push(part);
        }
    }

    /// Adds a slope of each element of `from`, or one number for all of them, to an operand of it, which may be a single number.
    fn pass(&mut self, from: Id, to: Id, slope: Id) {
        if !self.varies[to.index()] || self.graph.constant(slope) == Some(0.0) {
            return;
        }
        let (len, alone) = (self.graph.len(from), self.graph.len(to) == 1);
        let slope = match (alone && len > 1, self.graph.len(slope)) {
            (true, 1) => self.graph.scale(slope, len as f64),
            (true, _) => self.graph.reduce(Reduction::Sum, slope),
            (false, _) => slope,
        };
        self.add(to, Part::Plain(slope));
    }

    fn times(&mut self, a: Id, b: Id) -> Id {
        self.graph.binary(Binary::Multiply, a, b)
    }

    fn plus(&mut self, a: Id, b: f64) -> Id {
        let b = self.graph.scalar(b);
        self.graph.binary(Binary::Add, a, b)
    }

    /// Hands the slope of node `id` on to its operands.
    fn spread(&mut self, id: Id, slope: Id) {
        let len = self.graph.len(id);
        match self.graph.op(id).clone() {
            Op::Input | Op::Scalar(_) | Op::Data(_) | Op::Detach(_) => {}
            Op::Unary(operation, a) => {
                if let Some(local) = self.derivative(operation, a, id) {
                    let slope = self.times(slope, local);
                    self.pass(id, a, slope);
                }
            }
            Op::Binary(operation, a, b) => self.spread_binary(operation, [a, b], id, slope),
            Op::SelectLess([a, b, then, otherwise]) => {
                let zero = self.graph.scalar(0.0);
                let to_then = self.graph.select_less([a, b, slope, zero]);
                let to_otherwise = self.graph.select_less([a, b, zero, slope]);
                self.pass(id, then, to_then);
                self.pass(id, otherwise, to_otherwise);
            }
            Op::Reduce(Reduction::Sum, a) => self.pass(a, a, slope),
            Op::Reduce(Reduction::Product, a) => {
                let others = self.graph.others(a);
                let slope = self.times(slope, others);
                self.pass(a, a, slope);
            }
            Op::Reduce(extreme @ (Reduction::Min | Reduction::Max), a) => {
                // 1 where an element is the extreme one, and the slope shared among those.
                let [one, zero] = [1.0, 0.0].map(|value| self.graph.scalar(value));
                let ends = if extreme == Reduction::Min { [id, a] } else { [a, id] };
                let taken = self.graph.select_less([ends[0], ends[1], zero, one]);
                let count = self.graph.reduce(Reduction::Sum, taken);
                let share = self.graph.binary(Binary::Divide, slope, count);
                let slope = self.times(taken, share);
                self.pass(a, a, slope);
            }
            Op::SumRows { of, columns } => {
                let slope = self.stretched(slope, Indices::Repeat { each: columns }, of);
                self.pass(of, of, slope);
            }
            Op::SumColumns { of, columns } => {
                let slope = self.stretched(slope, Indices::Tile { period: columns }, of);
                self.pass(of, of, slope);
            }
            Op::Gather(a, indices) => {
                if self.graph.len(a) == 1 {
                    return self.pass(id, a, slope);
                }
                let slope = self.graph.fill(slope, len);
                match indices {
                    Indices::Repeat { each } => {
                        let slope = self.graph.sum_rows(slope, each);
                        self.pass(a, a, slope);
                    }
                    Indices::Tile { period } => {
                        let slope = self.graph.sum_columns(slope, period);
                        self.pass(a, a, slope);
                    }
                    indices => self.add(a, Part::At(slope, indices)),
                }
            }
            Op::Concat(parts) => {
                let slope = self.graph.fill(slope, len);
                let mut start = 0;
                for part in parts {
                    let len = self.graph.len(part);
                    let slope = self.graph.gather(slope, Indices::Slice { start, step: 1 }, len);
                    self.pass(part, part, slope);
                    start += len;
                }
            }
            Op::Cumulate { of, reverse } => {
                let slope = self.graph.fill(slope, len);
                let slope = self.graph.cumulate(slope, !reverse);
                self.pass(of, of, slope);
            }
            // These are made by the gradient alone.
            Op::Scatter { .. } | Op::Others(_) => {}
            Op::Product { matrix, rows, columns, of } => {
                let slope = self.graph.fill(slope, len);
                let slope = self.graph.product(matrix.transposed(rows, columns), columns, rows, slope);
                self.pass(of, of, slope);
            }
        }
    }

    /// A slope, or one number for all, at the places that each of its elements was the sum of.
    fn stretched(&mut self, slope: Id, indices: Indices, of: Id) -> Id {
        if self.graph.len(slope) == 1 { slope } else { self.graph.gather(slope, indices, self.graph.len(of)) }
    }

    fn spread_binary(&mut self, operation: Binary, [a, b]: [Id; 2], id: Id, slope: Id) {
        let (to_a, to_b) = (self.varies[a.index()], self.varies[b.index()]);
        match operation {
            Binary::Add => {
                self.pass(id, a, slope);
                self.pass(id, b, slope);
            }
            Binary::Subtract => {
                self.pass(id, a, slope);
                let negative = self.graph.scale(slope, -1.0);
                self.pass(id, b, negative);
            }
            Binary::Multiply if a == b => {
                let slope = self.times(slope, a);
                let slope = self.graph.scale(slope, 2.0);
                self.pass(id, a, slope);
            }
            Binary::Multiply => {
                if to_a {
                    let slope = self.times(slope, b);
                    self.pass(id, a, slope);
                }
                if to_b {
                    let slope = self.times(slope, a);
                    self.pass(id, b, slope);
                }
            }
            Binary::Divide => {
                let slope = self.graph.binary(Binary::Divide, slope, b);
                self.pass(id, a, slope);
                if to_b {
                    let slope = self.times(slope, id);
                    let slope = self.graph.scale(slope, -1.0);
                    self.pass(id, b, slope);
                }
            }
            Binary::Power => {
                if to_a {
                    // Where a known exponent is 0 the slope is 0: with the power 0 it is, at a = 0 too.
                    let less = match self.graph.known(b) {
                        Some(values) if values.contains(&0.0) => {
                            let less = values.iter().map(|b| if *b == 0.0 { 0.0 } else { b - 1.0 }).collect();
                            self.graph.data(less)
                        }
                        _ => self.plus(b, -1.0),
                    };
                    let power = self.graph.binary(Binary::Power, a, less);
                    let local = self.times(power, b);
                    let slope = self.times(slope, local);
                    self.pass(id, a, slope);
                }
                if to_b {
                    // At a = 0 the power is 0 for every exponent above 0, and so is its slope; ln 0 would make it NaN.
                    let base = if self.graph.known(a).is_some() {
                        a
                    } else {
                        let [zero, one] = [0.0, 1.0].map(|value| self.graph.scalar(value));
                        let base = self.graph.select_less([zero, a, a, one]);
                        self.graph.select_less([a, zero, a, base])
                    };
                    let logarithm = self.graph.unary(Unary::Ln, base);
                    let local = self.times(id, logarithm);
                    let slope = self.times(slope, local);
                    self.pass(id, b, slope);
                }
            }
            Binary::Min | Binary::Max => {
                let zero = self.graph.scalar(0.0);
                // Where the first is less than the second, b is the result.
                let ends = if operation == Binary::Min { [b, a] } else { [a, b] };
                if to_a {
                    let slope = self.graph.select_less([ends[0], ends[1], zero, slope]);
                    self.pass(id, a, slope);
                }
                if to_b {
                    let slope = self.graph.select_less([ends[0], ends[1], slope, zero]);
                    self.pass(id, b, slope);
                }
            }
        }
    }

    /// The derivative of `operation` at `a`, where its value is `y`; nothing where it is 0 everywhere.
    fn derivative(&mut self, operation: Unary, a: Id, y: Id) -> Option<Id> {
        Some(match operation {
            Unary::Reciprocal => {
                let square = self.times(y, y);
                self.graph.scale(square, -1.0)
            }
            Unary::Sqrt => self.graph.unary(Unary::RootSlope, y),
            Unary::Exp => y,
            Unary::ExpM1 => self.plus(y, 1.0),
            Unary::Ln => self.graph.unary(Unary::Reciprocal, a),
            Unary::Ln1p => {
                let sum = self.plus(a, 1.0);
                self.graph.unary(Unary::Reciprocal, sum)
            }
            Unary::Sin => self.graph.unary(Unary::Cos, a),
            Unary::Cos => {
                let sin = self.graph.unary(Unary::Sin, a);
                self.graph.scale(sin, -1.0)
            }
            Unary::Tan => {
                let square = self.times(y, y);
                self.plus(square, 1.0)
            }
            Unary::Asin | Unary::Acos => {
                // (1 - a)(1 + a): nothing cancels near the ends.
                let one = self.graph.scalar(1.0);
                let (less, more) = (self.graph.binary(Binary::Subtract, one, a), self.plus(a, 1.0));
                let product = self.times(less, more);
                let root = self.graph.unary(Unary::Sqrt, product);
                let steepness = self.graph.unary(Unary::Reciprocal, root);
                if operation == Unary::Asin { steepness } else { self.graph.scale(steepness, -1.0) }
            }
            Unary::Atan => {
                let square = self.times(a, a);
                let sum = self.plus(square, 1.0);
                self.graph.unary(Unary::Reciprocal, sum)
            }
            Unary::Sinh => self.graph.unary(Unary::Cosh, a),
            Unary::Cosh => self.graph.unary(Unary::Sinh, a),
            Unary::Tanh => {
                let (one, square) = (self.graph.scalar(1.0), self.times(y, y));
                self.graph.binary(Binary::Subtract, one, square)
            }
            Unary::Abs => self.graph.unary(Unary::Sign, a),
            // The last is made by the gradient alone.
            Unary::Sign | Unary::Floor | Unary::RootSlope => return None,
            Unary::Softplus => self.graph.unary(Unary::Sigmoid, a),
            Unary::Sigmoid => {
                let one = self.graph.scalar(1.0);
                let rest = self.graph.binary(Binary::Subtract, one, y);
                self.times(y, rest)
            }
            Unary::Erf => {
                let square = self.times(a, a);
                let negative = self.graph.scale(square, -1.0);
                let bell = self.graph.unary(Unary::Exp, negative);
                self.graph.scale(bell, FRAC_2_SQRT_PI)
            }
        })
    }
}
