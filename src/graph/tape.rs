//! An expression as a chain of ordinary dfdx operations, for any device: gradients come off dfdx's tape.

use super::operation::{Binary, Reduction, Unary};
use super::{Graph, Id, Indices, Op, Recorded};
use crate::simd::Real;
use dfdx::prelude::*;

/// Vectors of the points, one per row.
type Rows<E, Dev, T = NoneTape> = Tensor<(usize, usize), E, Dev, T>;

/// The part of the tape recorded so far, and the points.
struct Chain<E: Real, Dev: Device<E>> {
    tape: OwnedTape<E, Dev>,
    device: Dev,
    points: usize,
}

/// The values of the recorded program at the rows of `input`, which are coordinates in [`Recorded::domain`]; nothing if one of the operations
/// has no counterpart in dfdx.
pub(crate) fn chain<const N: usize, const D: usize, E: Real, Dev: Device<E>>(
    recorded: &Recorded,
    input: Tensor<Rank2<N, D>, E, Dev, OwnedTape<E, Dev>>,
) -> Option<Tensor<Rank1<N>, E, Dev, OwnedTape<E, Dev>>> {
    let graph = &recorded.graph;
    let (input, tape) = input.split_tape();
    let device = input.device().clone();
    let input = input.try_realize::<(usize, usize)>().ok()?;
    let mut chain = Chain { tape, device, points: N };
    let mut found: Vec<Option<Rows<E, Dev>>> = Vec::with_capacity(recorded.value.index() + 1);
    let needed = graph.needed(&[recorded.value]);
    for (index, node) in graph.nodes()[..=recorded.value.index()].iter().enumerate() {
        let value = match (&node.op, needed[index]) {
            (_, false) => None,
            (Op::Input, true) => Some(input.clone()),
            (op, true) => Some(chain.node(graph, op, node.len, &found)?),
        };
        found.push(value);
    }
    let value = found.pop()??;
    Some(value.put_tape(chain.tape).reshape_like(&(Const::<N>,)))
}

impl<E: Real, Dev: Device<E>> Chain<E, Dev> {
    /// The result of an operation on `a` that is recorded. Other operands have no tape of their own: all operations are on this one.
    fn record<S: Shape>(
        &mut self,
        a: &Rows<E, Dev>,
        operation: impl FnOnce(Rows<E, Dev, OwnedTape<E, Dev>>) -> Tensor<S, E, Dev, OwnedTape<E, Dev>>,
    ) -> Tensor<S, E, Dev> {
        let tape = std::mem::take(&mut self.tape);
        let (result, tape) = operation(a.clone().put_tape(tape)).split_tape();
        self.tape = tape;
        result
    }

    /// The same numbers for each point.
    fn constant(&self, values: &[f64]) -> Rows<E, Dev> {
        let numbers = (0..self.points).flat_map(|_| values.iter().map(|&value| E::of(value))).collect();
        self.device.tensor_from_vec(numbers, (self.points, values.len()))
    }

    /// A vector of `len`, of which `a` may be the only number.
    fn stretched(&mut self, a: &Rows<E, Dev>, len: usize) -> Rows<E, Dev> {
        if a.shape().1 == len {
            return a.clone();
        }
        let points = self.points;
        self.record(a, |a| a.reshape_like(&(points,)).broadcast_like::<_, Axis<1>>(&(points, len)))
    }

    /// The same numbers as another tensor: dfdx takes no two operands that are one.
    fn copied(&mut self, a: &Rows<E, Dev>) -> Rows<E, Dev> {
        self.record(a, |a| a * E::ONE)
    }

    fn node(&mut self, graph: &Graph, op: &Op, len: usize, found: &[Option<Rows<E, Dev>>]) -> Option<Rows<E, Dev>> {
        let of = |id: Id| found[id.index()].as_ref();
        let points = self.points;
        Some(match op {
            Op::Scalar(bits) => self.constant(&[f64::from_bits(*bits)]),
            Op::Data(data) => self.constant(&data.0),
            Op::Unary(operation, a) => self.unary(*operation, of(*a)?)?,
            Op::Binary(operation, a, b) => match (operation, graph.constant(*b)) {
                (Binary::Add, Some(b)) if b.is_finite() => self.record(of(*a)?, |a| a + E::of(b)),
                (Binary::Multiply, Some(b)) if b.is_finite() => self.record(of(*a)?, |a| a * E::of(b)),
                (Binary::Power, Some(b)) if b.is_finite() => self.record(of(*a)?, |a| a.powf(b)),
                (Binary::Multiply, _) if a == b => self.record(of(*a)?, |a| a.square()),
                _ => {
                    let is_same = a == b;
                    let [a, mut b] = [self.stretched(of(*a)?, len), self.stretched(of(*b)?, len)];
                    if is_same {
                        b = self.copied(&b);
                    }
                    match operation {
                        Binary::Add => self.record(&a, |a| a + b),
                        Binary::Subtract => self.record(&a, |a| a - b),
                        Binary::Multiply => self.record(&a, |a| a * b),
                        Binary::Divide => self.record(&a, |a| a / b),
                        Binary::Power => {
                            let logarithm = self.record(&a, |a| a.ln());
                            self.record(&logarithm, |logarithm| (logarithm * b).exp())
                        }
                        Binary::Min => self.record(&a, |a| a.minimum(b)),
                        Binary::Max => self.record(&a, |a| a.maximum(b)),
                    }
                }
            },
            Op::SelectLess([a, b, then, otherwise]) => {
                let [a, b] = [self.stretched(of(*a)?, len), self.stretched(of(*b)?, len)];
                let [then, otherwise] = [self.stretched(of(*then)?, len), self.stretched(of(*otherwise)?, len)];
                let is_less = a.lt(&b);
                self.record(&then, |then| is_less.choose(then, otherwise))
            }
            Op::Reduce(reduction, a) => {
                let values = match reduction {
                    Reduction::Sum => self.record(of(*a)?, |a| a.sum::<(usize,), Axis<1>>()),
                    Reduction::Min => self.record(of(*a)?, |a| a.min::<(usize,), Axis<1>>()),
                    Reduction::Max => self.record(of(*a)?, |a| a.max::<(usize,), Axis<1>>()),
                    Reduction::Product => return None,
                };
                self.column(values)
            }
            Op::SumRows { of: a, columns } => {
                self.record(of(*a)?, |a| a.reshape_like(&(points, len, *columns)).sum::<(usize, usize), Axis<2>>())
            }
            Op::SumColumns { of: a, columns } => {
                let rows = graph.len(*a) / columns;
                self.record(of(*a)?, |a| a.reshape_like(&(points, rows, *columns)).sum::<(usize, usize), Axis<1>>())
            }
            Op::Gather(a, _) if graph.len(*a) == 1 => self.stretched(of(*a)?, len),
            Op::Gather(a, indices) => self.gathered(of(*a)?, indices, len),
            Op::Concat(parts) => {
                let (first, rest) = parts.split_first()?;
                let mut whole = of(*first)?.clone();
                for part in rest {
                    let is_same = part == first;
                    let mut part = of(*part)?.clone();
                    if is_same {
                        part = self.copied(&part);
                    }
                    whole = self.record(&whole, |whole| (whole, part).concat_along(Axis::<1>));
                }
                whole
            }
            Op::Cumulate { of: a, reverse } => {
                // Ones above the diagonal, or below it.
                let one = |i: usize, j: usize| if (i <= j) != *reverse || i == j { E::ONE } else { E::ZERO };
                let ones = (0..len * len).map(|k| one(k / len, k % len)).collect();
                let ones: Rows<E, Dev> = self.device.tensor_from_vec(ones, (len, len));
                self.record(of(*a)?, |a| a.matmul(ones))
            }
            Op::Product { matrix, rows, columns, of: a } => {
                let transposed = matrix.transposed(*rows, *columns).0.iter().map(|&x| E::of(x)).collect();
                let transposed: Rows<E, Dev> = self.device.tensor_from_vec(transposed, (*columns, *rows));
                let blocks = points * graph.len(*a) / columns;
                self.record(of(*a)?, |a| {
                    a.reshape_like(&(blocks, *columns)).matmul(transposed).reshape_like(&(points, len))
                })
            }
            // Another tensor, which nothing leads back from.
            Op::Detach(a) => of(*a)?.clone() * E::ONE,
            Op::Input | Op::Scatter { .. } | Op::Others(_) => return None,
        })
    }

    /// A number for each point as a vector of one.
    fn column(&mut self, values: Tensor<(usize,), E, Dev>) -> Rows<E, Dev> {
        let tape = std::mem::take(&mut self.tape);
        let (column, tape) = values.put_tape(tape).reshape_like(&(self.points, 1)).split_tape();
        self.tape = tape;
        column
    }

    fn gathered(&mut self, a: &Rows<E, Dev>, indices: &Indices, len: usize) -> Rows<E, Dev> {
        let places = (0..self.points).flat_map(|_| (0..len).map(|k| indices.at(k))).collect();
        let places: Tensor<(usize, usize), usize, Dev> = self.device.tensor_from_vec(places, (self.points, len));
        self.record(a, |a| a.gather::<(usize, usize), _>(places))
    }

    fn unary(&mut self, operation: Unary, a: &Rows<E, Dev>) -> Option<Rows<E, Dev>> {
        let constant = |value: f64| E::of(value);
        Some(match operation {
            Unary::Reciprocal => self.record(a, |a| a.recip()),
            Unary::Sqrt => {
                // At 0 the slope is 0: the root there is a constant.
                let is_positive = a.gt(E::ZERO);
                let (root, one) = (a.clone().sqrt(), a.clone() * E::ZERO + E::ONE);
                let positive = self.record(a, |a| is_positive.clone().choose(a, one));
                self.record(&positive, |positive| is_positive.choose(positive.sqrt(), root))
            }
            Unary::Exp => self.record(a, |a| a.exp()),
            Unary::ExpM1 => {
                // With t = tanh(a/2) it is 2 t/(1 - t), in which nothing cancels; from 1 on nothing does in e^a - 1.
                let (is_small, limit) = (a.lt(E::ONE), a.clone() * E::ZERO + E::ONE);
                let tanh = self.record(a, |a| (a.minimum(limit) * constant(0.5)).tanh());
                let rest = self.record(&tanh, |tanh| tanh.negate() + E::ONE);
                let small = self.record(&tanh, |tanh| tanh / rest * constant(2.0));
                let large = self.record(a, |a| a.exp() + constant(-1.0));
                self.record(&small, |small| is_small.choose(small, large))
            }
            Unary::Ln => self.record(a, |a| a.ln()),
            Unary::Ln1p => self.record(a, |a| (a + E::ONE).ln()),
            Unary::Sin => self.record(a, |a| a.sin()),
            Unary::Cos => self.record(a, |a| a.cos()),
            Unary::Tan => {
                let cos = self.record(a, |a| a.cos());
                let sin = self.record(a, |a| a.sin());
                self.record(&sin, |sin| sin / cos)
            }
            Unary::Sinh | Unary::Cosh => {
                let falling = self.record(a, |a| a.negate().exp());
                let rising = self.record(a, |a| a.exp());
                let both =
                    self.record(
                        &rising,
                        |rising| {
                            if operation == Unary::Sinh { rising - falling } else { rising + falling }
                        },
                    );
                self.record(&both, |both| both * constant(0.5))
            }
            Unary::Tanh => self.record(a, |a| a.tanh()),
            Unary::Abs => self.record(a, |a| a.abs()),
            Unary::Sigmoid => self.record(a, |a| a.sigmoid()),
            Unary::Softplus => {
                let rest = self.record(a, |a| (a.abs().negate().exp() + E::ONE).ln());
                self.record(a, |a| a.relu() + rest)
            }
            // Without a slope.
            Unary::Sign => {
                let zero = a.clone() * E::ZERO;
                let below = a.lt(E::ZERO).choose(zero.clone() - E::ONE, zero.clone());
                a.gt(E::ZERO).choose(zero + E::ONE, below)
            }
            Unary::RootSlope | Unary::Asin | Unary::Acos | Unary::Atan | Unary::Floor | Unary::Erf => return None,
        })
    }
}
