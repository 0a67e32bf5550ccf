//! Bounds of every node over the box, by interval arithmetic.

use super::operation::{Binary, Reduction, Unary};
use super::{Graph, Id, Indices, Op};

/// The smallest and the largest number that may come.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval([f64; 2]);

const EVERYTHING: Interval = Interval([f64::NEG_INFINITY, f64::INFINITY]);

impl Interval {
    /// From the smallest to the largest of some numbers; everything if one of them is none.
    fn around(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut ends = [f64::INFINITY, f64::NEG_INFINITY];
        for number in numbers {
            if number.is_nan() {
                return EVERYTHING;
            }
            ends = [ends[0].min(number), ends[1].max(number)];
        }
        if ends[0] > ends[1] { EVERYTHING } else { Self(ends) }
    }

    fn join(self, other: Self) -> Self {
        Self::around(self.0.into_iter().chain(other.0))
    }

    /// The bounds of a monotonic function.
    fn monotone(self, of: impl Fn(f64) -> f64) -> Self {
        Self::around(self.0.map(of))
    }

    fn has(self, number: f64) -> bool {
        self.0[0] <= number && number <= self.0[1]
    }

    fn largest(self) -> f64 {
        self.0[0].abs().max(self.0[1].abs())
    }

    fn times(self, other: Self) -> Self {
        // 0 times an end that is infinite is 0: the end is never taken.
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        Self::around(self.0.into_iter().flat_map(|a| other.0.map(|b| product(a, b))))
    }

    fn unary(self, operation: Unary) -> Self {
        let of = |x: f64| operation.of(x);
        match operation {
            Unary::Reciprocal if self.has(0.0) => EVERYTHING,
            Unary::Sin | Unary::Cos => Self([-1.0, 1.0]),
            // It is used where the function is defined.
            Unary::Sqrt | Unary::Ln => Self(self.0.map(|end| end.max(0.0))).monotone(of),
            Unary::Ln1p => Self(self.0.map(|end| end.max(-1.0))).monotone(of),
            Unary::Asin | Unary::Acos => Self(self.0.map(|end| end.clamp(-1.0, 1.0))).monotone(of),
            Unary::Tan => EVERYTHING,
            Unary::RootSlope if self.0[0] <= 0.0 => Self([0.0, f64::INFINITY]),
            Unary::Abs | Unary::Cosh => {
                let ends = self.monotone(of);
                if self.has(0.0) { ends.join(Self([of(0.0); 2])) } else { ends }
            }
            _ => self.monotone(of),
        }
    }

    fn binary(self, operation: Binary, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        match operation {
            Binary::Add => Self::around([a + c, b + d]),
            Binary::Subtract => Self::around([a - d, b - c]),
            Binary::Multiply => self.times(other),
            Binary::Divide => self.times(other.unary(Unary::Reciprocal)),
            // It rises or falls all the way in each operand.
            Binary::Power if a > 0.0 => {
                Self::around([a, b].into_iter().flat_map(|base| [c, d].map(|exponent| base.powf(exponent))))
            }
            Binary::Power => EVERYTHING,
            Binary::Min => Self([a.min(c), b.min(d)]),
            Binary::Max => Self([a.max(c), b.max(d)]),
        }
    }

    /// The sum of `count` of them.
    fn sum(self, count: usize) -> Self {
        self.times(Self([count as f64; 2]))
    }
}

/// Bounds of the magnitudes of all nodes in the box `domain`, infinite where none are found.
pub(crate) fn magnitudes(graph: &Graph, domain: [f64; 2]) -> Vec<f64> {
    let mut found: Vec<Interval> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let of = |id: Id| found[id.index()];
        let interval = match &node.op {
            Op::Input => Interval(domain),
            Op::Scalar(bits) => Interval::around([f64::from_bits(*bits)]),
            Op::Data(data) => Interval::around(data.0.iter().copied()),
            Op::Unary(operation, a) => of(*a).unary(*operation),
            // A square is not below 0.
            Op::Binary(Binary::Multiply, a, b) if a == b => of(*a).unary(Unary::Abs).times(of(*b).unary(Unary::Abs)),
            Op::Binary(operation, a, b) => of(*a).binary(*operation, of(*b)),
            Op::SelectLess([.., then, otherwise]) => of(*then).join(of(*otherwise)),
            Op::Reduce(Reduction::Sum, a) => of(*a).sum(graph.len(*a)),
            Op::Reduce(Reduction::Min | Reduction::Max, a) => of(*a),
            Op::Reduce(Reduction::Product, a) => powers(of(*a), graph.len(*a)),
            Op::Others(a) => powers(of(*a), graph.len(*a) - 1),
            Op::SumRows { of: a, columns } => of(*a).sum(*columns),
            Op::SumColumns { of: a, columns } => of(*a).sum(graph.len(*a) / columns),
            Op::Gather(a, _) | Op::Detach(a) => of(*a),
            Op::Scatter { base, parts } => {
                // Of places that are all different, at most one is added to each.
                let mut sum = base.map_or(Interval([0.0; 2]), of);
                for (part, indices) in parts {
                    let times = match indices {
                        Indices::Slice { .. } => 1,
                        _ => graph.len(*part),
                    };
                    let part = of(*part).sum(times).join(Interval([0.0; 2]));
                    sum = sum.binary(Binary::Add, part);
                }
                sum
            }
            Op::Concat(parts) => parts.iter().map(|&part| of(part)).reduce(Interval::join).unwrap_or(EVERYTHING),
            Op::Cumulate { of: a, .. } => of(*a).sum(node.len).join(of(*a)),
            Op::Product { matrix, columns, of: a, .. } => {
                let rows = matrix.0.chunks(*columns).map(|row| row.iter().map(|x| x.abs()).sum::<f64>());
                let norm = rows.fold(0.0, f64::max) * of(*a).largest();
                Interval::around([-norm, norm])
            }
        };
        found.push(interval);
    }
    // Rounding is far below this.
    let bound = |interval: &Interval| interval.largest() * (1.0 + 1e-9);
    found.iter().map(|interval| if bound(interval).is_nan() { f64::INFINITY } else { bound(interval) }).collect()
}

/// The product of `count` numbers.
fn powers(of: Interval, count: usize) -> Interval {
    let largest = of.largest().powf(count as f64);
    if of.0[0] >= 0.0 {
        Interval::around([of.0[0].powf(count as f64), largest])
    } else {
        Interval::around([-largest, largest])
    }
}
