//! The graph of an array expression: nodes in the order in which they can be computed.
//!
//! Every node is a flat list of numbers; rows and columns are known to the [recording](crate::array) alone. A node that is there
//! already is not made again, what depends on constants alone is computed at once, and constant factors move outwards, where they meet.

pub(crate) mod cuda;
pub(crate) mod gradient;
pub(crate) mod interval;
pub(crate) mod operation;
pub(crate) mod tape;

use operation::{Binary, Reduction, Unary};
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(pub u32);

impl Id {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Numbers that are known, compared bit by bit.
#[derive(Clone, Debug)]
pub(crate) struct Data(pub Arc<[f64]>);

impl Data {
    /// The transpose of a matrix of `rows` × `columns`.
    fn transposed(&self, rows: usize, columns: usize) -> Self {
        Self((0..rows * columns).map(|k| self.0[k % rows * columns + k / rows]).collect())
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self.0.len() == other.0.len() && self.0.iter().zip(&*other.0).all(|(a, b)| a.to_bits() == b.to_bits())
    }
}

impl Eq for Data {}

impl Hash for Data {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
        for value in &*self.0 {
            value.to_bits().hash(state);
        }
    }
}

/// The places of an array that another one is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Indices {
    /// `start`, `start + step`, …
    Slice { start: usize, step: isize },
    /// Each place so many times in a row.
    Repeat { each: usize },
    /// All of so many places, again and again.
    Tile { period: usize },
    /// In this order.
    List(Arc<[u32]>),
}

impl Indices {
    /// The place of element `k`.
    pub(crate) fn at(&self, k: usize) -> usize {
        match self {
            Self::Slice { start, step } => start.wrapping_add_signed(step * k as isize),
            Self::Repeat { each } => k / each,
            Self::Tile { period } => k % period,
            Self::List(list) => list[k] as usize,
        }
    }
}

/// The operation of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// The coordinates: u in the box, or x in the unit cube where the box has bounds for each.
    Input,
    /// A number, by its bits.
    Scalar(u64),
    /// A constant vector.
    Data(Data),
    Unary(Unary, Id),
    /// Either operand may be a single number.
    Binary(Binary, Id, Id),
    /// The third where the first is less than the second, else the fourth; each may be a single number.
    SelectLess([Id; 4]),
    /// One number of all.
    Reduce(Reduction, Id),
    /// The sum of each `columns` numbers.
    SumRows {
        of: Id,
        columns: usize,
    },
    /// The sum of every `columns`-th number.
    SumColumns {
        of: Id,
        columns: usize,
    },
    Gather(Id, Indices),
    /// `base`, or zeros, with the elements of each part added at its places.
    Scatter {
        base: Option<Id>,
        parts: Vec<(Id, Indices)>,
    },
    Concat(Vec<Id>),
    /// Cumulative sums, from the end where `reverse`.
    Cumulate {
        of: Id,
        reverse: bool,
    },
    /// The product of all other numbers, for each.
    Others(Id),
    /// A constant matrix of `rows` × `columns` times each `columns` numbers.
    Product {
        matrix: Data,
        rows: usize,
        columns: usize,
        of: Id,
    },
    /// The same, taken for a constant where slopes are concerned.
    Detach(Id),
}

impl Op {
    /// The operands.
    pub(crate) fn operands(&self) -> Vec<Id> {
        match self {
            Self::Input | Self::Scalar(_) | Self::Data(_) => vec![],
            Self::Unary(_, a) | Self::Reduce(_, a) | Self::Gather(a, _) | Self::Others(a) | Self::Detach(a) => vec![*a],
            Self::SumRows { of, .. }
            | Self::SumColumns { of, .. }
            | Self::Cumulate { of, .. }
            | Self::Product { of, .. } => vec![*of],
            Self::Binary(_, a, b) => vec![*a, *b],
            Self::SelectLess(operands) => operands.to_vec(),
            Self::Scatter { base, parts } => base.iter().copied().chain(parts.iter().map(|part| part.0)).collect(),
            Self::Concat(parts) => parts.clone(),
        }
    }
}

/// A node: what it does, and how many numbers it holds.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub op: Op,
    pub len: usize,
}

/// An expression recorded for a number of coordinates.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub graph: Graph,
    /// The value.
    pub value: Id,
    pub dimension: usize,
    /// The bounds of the coordinates that are the input.
    pub domain: [f64; 2],
}

/// Nodes, each after those that it is computed from.
#[derive(Clone, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    found: HashMap<(Op, usize), Id>,
    /// The nodes of the gradient are being added: what is there already is used rather than made anew with another factor.
    pub differentiated: bool,
}

/// The nodes, by which expressions are compared.
impl fmt::Debug for Graph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.nodes).finish()
    }
}

impl Graph {
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn op(&self, id: Id) -> &Op {
        &self.nodes[id.index()].op
    }

    pub(crate) fn len(&self, id: Id) -> usize {
        self.nodes[id.index()].len
    }

    /// The node that does this, if it is there.
    fn find(&self, op: Op, len: usize) -> Option<Id> {
        self.found.get(&(op, len)).copied()
    }

    /// The node that does this, made if it is not there.
    fn node(&mut self, op: Op, len: usize) -> Id {
        let key = (op, len);
        if let Some(&id) = self.found.get(&key) {
            return id;
        }
        let id = Id(self.nodes.len() as u32);
        let op = key.0.clone();
        self.found.insert(key, id);
        self.nodes.push(Node { op, len });
        id
    }

    /// For each node whether one of `roots` is computed from it, or is it.
    fn needed(&self, roots: &[Id]) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        roots.iter().for_each(|root| needed[root.index()] = true);
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if needed[index] {
                node.op.operands().iter().for_each(|operand| needed[operand.index()] = true);
            }
        }
        needed
    }

    /// Makes the nodes anew that `roots` of another graph are computed from, with `input` in place of its coordinates and products by
    /// `multiply`, and gives what the roots are here.
    pub(crate) fn take_in<const ROOTS: usize>(
        &mut self,
        from: &Graph,
        roots: [Id; ROOTS],
        input: Id,
        multiply: impl Fn(&mut Graph, Id, Id) -> Id,
    ) -> [Id; ROOTS] {
        let mut made = vec![input; from.nodes.len()];
        let needed = from.needed(&roots);
        for (index, node) in from.nodes.iter().enumerate().filter(|&(index, _)| needed[index]) {
            let new = |id: Id| made[id.index()];
            made[index] = match node.op.clone() {
                Op::Input => input,
                Op::Scalar(bits) => self.scalar(f64::from_bits(bits)),
                Op::Data(data) => self.data(data.0),
                Op::Unary(operation, a) => self.unary(operation, new(a)),
                Op::Binary(Binary::Multiply, a, b) => multiply(self, new(a), new(b)),
                Op::Binary(operation, a, b) => self.binary(operation, new(a), new(b)),
                Op::SelectLess(operands) => self.select_less(operands.map(new)),
                Op::Reduce(reduction, a) => self.reduce(reduction, new(a)),
                Op::SumRows { of, columns } => self.sum_rows(new(of), columns),
                Op::SumColumns { of, columns } => self.sum_columns(new(of), columns),
                Op::Gather(a, indices) => self.gather(new(a), indices, node.len),
                Op::Scatter { base, parts } => {
                    let parts = parts.into_iter().map(|(part, indices)| (new(part), indices)).collect();
                    self.scatter(base.map(new), parts, node.len)
                }
                Op::Concat(parts) => self.concat(parts.into_iter().map(new).collect()),
                Op::Cumulate { of, reverse } => self.cumulate(new(of), reverse),
                Op::Others(of) => self.others(new(of)),
                Op::Product { matrix, rows, columns, of } => self.product(matrix, rows, columns, new(of)),
                Op::Detach(a) => self.detach(new(a)),
            };
        }
        roots.map(|root| made[root.index()])
    }

    /// The coordinates.
    pub(crate) fn input(&mut self, dimension: usize) -> Id {
        self.node(Op::Input, dimension)
    }

    pub(crate) fn scalar(&mut self, value: f64) -> Id {
        self.node(Op::Scalar(value.to_bits()), 1)
    }

    /// A constant vector; one whose elements are all the same is a number where that broadcasts.
    pub(crate) fn data(&mut self, values: Arc<[f64]>) -> Id {
        if let [value] = *values {
            return self.scalar(value);
        }
        let len = values.len();
        self.node(Op::Data(Data(values)), len)
    }

    /// The number that a node is, if it is a constant one.
    pub(crate) fn constant(&self, id: Id) -> Option<f64> {
        match self.op(id) {
            Op::Scalar(bits) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }

    /// The numbers of a constant node.
    pub(crate) fn known(&self, id: Id) -> Option<Vec<f64>> {
        match self.op(id) {
            Op::Scalar(bits) => Some(vec![f64::from_bits(*bits)]),
            Op::Data(data) => Some(data.0.to_vec()),
            _ => None,
        }
    }

    fn is_known(&self, id: Id) -> bool {
        matches!(self.op(id), Op::Scalar(_) | Op::Data(_))
    }

    /// The numbers of several constant nodes.
    fn all_known(&self, ids: &[Id]) -> Option<Vec<Vec<f64>>> {
        if ids.iter().all(|&id| self.is_known(id)) { ids.iter().map(|&id| self.known(id)).collect() } else { None }
    }

    /// The other factor and the constant, if the node is a product with a constant number.
    pub(crate) fn factor(&self, id: Id) -> Option<(Id, f64)> {
        match *self.op(id) {
            Op::Binary(Binary::Multiply, a, b) => self.constant(b).map(|factor| (a, factor)),
            _ => None,
        }
    }

    pub(crate) fn unary(&mut self, operation: Unary, a: Id) -> Id {
        if let Some(values) = self.known(a) {
            return self.data(values.into_iter().map(|x| operation.of(x)).collect());
        }
        match (operation, self.op(a)) {
            (Unary::Abs, Op::Unary(Unary::Abs | Unary::Sqrt | Unary::Exp, _)) => return a,
            (Unary::Reciprocal, Op::Unary(Unary::Reciprocal, b)) => return *b,
            // Even functions, and odd ones.
            (Unary::Abs | Unary::Cos | Unary::Cosh, _) => {
                if let Some((b, -1.0)) = self.factor(a) {
                    return self.unary(operation, b);
                }
            }
            _ => {}
        }
        let len = self.len(a);
        self.node(Op::Unary(operation, a), len)
    }

    /// The length of what is made of operands of these lengths, of which single numbers broadcast.
    fn broadcast(&self, ids: &[Id]) -> usize {
        ids.iter().map(|&id| self.len(id)).find(|&len| len != 1).unwrap_or(1)
    }

    pub(crate) fn binary(&mut self, operation: Binary, a: Id, b: Id) -> Id {
        let len = self.broadcast(&[a, b]);
        if let Some(known) = self.all_known(&[a, b]) {
            let at = |values: &[f64], i: usize| if values.len() == 1 { values[0] } else { values[i] };
            return self.data((0..len).map(|i| operation.of(at(&known[0], i), at(&known[1], i))).collect());
        }
        let (ca, cb) = (self.constant(a), self.constant(b));
        match operation {
            Binary::Add => {
                if a == b {
                    return self.scale(a, 2.0);
                }
                if ca.is_some() && cb.is_none() {
                    return self.binary(operation, b, a);
                }
                if let Some(b) = cb {
                    if b == 0.0 {
                        return a;
                    }
                    // (c + k) + b
                    if let Op::Binary(Binary::Add, c, k) = *self.op(a)
                        && let Some(k) = self.constant(k)
                        && self.len(c) == len
                    {
                        let k = self.scalar(k + b);
                        return self.binary(Binary::Add, c, k);
                    }
                }
                // a + (-c)
                if let Some((c, -1.0)) = self.factor(b) {
                    return self.binary(Binary::Subtract, a, c);
                }
                if let Some((c, -1.0)) = self.factor(a) {
                    return self.binary(Binary::Subtract, b, c);
                }
            }
            Binary::Subtract => {
                if let Some(b) = cb {
                    let b = self.scalar(-b);
                    return self.binary(Binary::Add, a, b);
                }
                if ca == Some(0.0) {
                    return self.scale(b, -1.0);
                }
                if let Some((c, -1.0)) = self.factor(b) {
                    return self.binary(Binary::Add, a, c);
                }
            }
            Binary::Multiply => {
                if ca.is_some() {
                    return self.binary(operation, b, a);
                }
                if let Some(factor) = cb {
                    return self.scale(a, factor);
                }
                // Constant factors come last.
                if let Some((c, factor)) = self.factor(a) {
                    let product = self.binary(operation, c, b);
                    return self.scale(product, factor);
                }
                if let Some((c, factor)) = self.factor(b) {
                    let product = self.binary(operation, a, c);
                    return self.scale(product, factor);
                }
            }
            Binary::Divide => {
                if let Some(b) = cb
                    && b.recip().is_finite()
                {
                    return self.scale(a, 1.0 / b);
                }
                if let Some(values) = self.known(b)
                    && values.iter().all(|value| value.recip().is_finite())
                {
                    let reciprocals = self.unary(Unary::Reciprocal, b);
                    return self.binary(Binary::Multiply, a, reciprocals);
                }
                if ca == Some(1.0) {
                    return self.unary(Unary::Reciprocal, b);
                }
                if let Some(factor) = ca {
                    let reciprocal = self.unary(Unary::Reciprocal, b);
                    return self.scale(reciprocal, factor);
                }
                if let Some((c, factor)) = self.factor(a) {
                    let quotient = self.binary(operation, c, b);
                    return self.scale(quotient, factor);
                }
            }
            Binary::Power => {
                if let Some(exponent) = cb {
                    // Odd multiples of ½ are powers of the root.
                    if exponent.fract().abs() == 0.5 && exponent.abs() <= 16.0 {
                        let root = self.unary(Unary::Sqrt, a);
                        return self.power(root, (2.0 * exponent) as i32);
                    }
                    if exponent.fract() == 0.0 && exponent.abs() <= 1024.0 {
                        return self.power(a, exponent as i32);
                    }
                }
            }
            Binary::Min | Binary::Max => {
                if a == b {
                    return a;
                }
            }
        }
        let (a, b) = if operation.commutes() && a > b && cb.is_none() && !matches!(operation, Binary::Min | Binary::Max)
        {
            (b, a)
        } else {
            (a, b)
        };
        self.node(Op::Binary(operation, a, b), len)
    }

    /// The product of node `a` and a number.
    pub(crate) fn scale(&mut self, a: Id, factor: f64) -> Id {
        if factor == 1.0 {
            return a;
        }
        if let Some(values) = self.known(a) {
            return self.data(values.into_iter().map(|x| x * factor).collect());
        }
        if let Some((b, before)) = self.factor(a) {
            return self.scale(b, before * factor);
        }
        // The factor of a constant vector is part of it.
        if let (false, &Op::Binary(Binary::Multiply, b, c)) = (self.differentiated, self.op(a)) {
            let (known, other) = if self.is_known(b) { (b, c) } else { (c, b) };
            if self.is_known(known) {
                let scaled = self.scale(known, factor);
                return self.binary(Binary::Multiply, other, scaled);
            }
        }
        let (factor, len) = (self.scalar(factor), self.len(a));
        self.node(Op::Binary(Binary::Multiply, a, factor), len)
    }

    /// The whole power of node `a`, by squaring. Powers of one node share their squares.
    pub(crate) fn power(&mut self, a: Id, exponent: i32) -> Id {
        let base = if exponent < 0 { self.unary(Unary::Reciprocal, a) } else { a };
        let exponent = exponent.unsigned_abs();
        if exponent == 0 {
            let one = self.scalar(1.0);
            return self.fill(one, self.len(a));
        }
        let mut power = base;
        // The bits after the highest, from above.
        for bit in (0..exponent.ilog2()).rev() {
            power = self.binary(Binary::Multiply, power, power);
            if exponent >> bit & 1 == 1 {
                power = self.binary(Binary::Multiply, power, base);
            }
        }
        power
    }

    /// A single number as an array of `len`.
    pub(crate) fn fill(&mut self, a: Id, len: usize) -> Id {
        if self.len(a) == len {
            return a;
        }
        self.gather(a, Indices::Repeat { each: len }, len)
    }

    pub(crate) fn select_less(&mut self, operands: [Id; 4]) -> Id {
        let [a, b, then, otherwise] = operands;
        let len = self.broadcast(&operands);
        if then == otherwise {
            return self.fill(then, len);
        }
        if let (Some(a), Some(b)) = (self.constant(a), self.constant(b)) {
            return self.fill(if a < b { then } else { otherwise }, len);
        }
        if let Some(known) = self.all_known(&operands) {
            let at = |operand: usize, i: usize| {
                if known[operand].len() == 1 { known[operand][0] } else { known[operand][i] }
            };
            return self.data((0..len).map(|i| if at(0, i) < at(1, i) { at(2, i) } else { at(3, i) }).collect());
        }
        self.node(Op::SelectLess(operands), len)
    }

    /// `then` where `condition` is not 0, else `otherwise`.
    pub(crate) fn select(&mut self, condition: Id, then: Id, otherwise: Id) -> Id {
        // A comparison is seen through.
        if let Op::SelectLess([a, b, yes, no]) = *self.op(condition) {
            match (self.constant(yes), self.constant(no)) {
                (Some(1.0), Some(0.0)) => return self.select_less([a, b, then, otherwise]),
                (Some(0.0), Some(1.0)) => return self.select_less([a, b, otherwise, then]),
                _ => {}
            }
        }
        let (zero, distance) = (self.scalar(0.0), self.unary(Unary::Abs, condition));
        self.select_less([zero, distance, then, otherwise])
    }

    pub(crate) fn reduce(&mut self, reduction: Reduction, a: Id) -> Id {
        if self.len(a) == 1 {
            return a;
        }
        if let Some(values) = self.known(a) {
            let value = values.into_iter().fold(reduction.start(), |so_far, x| reduction.step().of(so_far, x));
            return self.scalar(value);
        }
        if let (Reduction::Sum, Some((b, factor))) = (reduction, self.factor(a))
            && self.len(b) == self.len(a)
        {
            let sum = self.reduce(reduction, b);
            return self.scale(sum, factor);
        }
        // Of what is never below 0, two sums are as accurate as one, and squares are added up as they are made.
        if let (Reduction::Sum, &Op::Binary(Binary::Add, b, c)) = (reduction, self.op(a))
            && self.len(b) == self.len(c)
            && self.is_square(b)
            && self.is_square(c)
        {
            let (b, c) = (self.reduce(reduction, b), self.reduce(reduction, c));
            return self.binary(Binary::Add, b, c);
        }
        if let Op::Gather(b, Indices::Repeat { .. }) = *self.op(a)
            && self.len(b) == 1
        {
            let times = self.len(a) as f64;
            match reduction {
                Reduction::Sum => return self.scale(b, times),
                Reduction::Min | Reduction::Max => return b,
                Reduction::Product => {}
            }
        }
        self.node(Op::Reduce(reduction, a), 1)
    }

    /// A square, times a positive number.
    fn is_square(&self, id: Id) -> bool {
        match *self.op(id) {
            Op::Binary(Binary::Multiply, a, b) if a == b => true,
            Op::Binary(Binary::Multiply, a, b) => self.constant(b).is_some_and(|b| b > 0.0) && self.is_square(a),
            _ => false,
        }
    }

    /// The sums of each `columns` numbers.
    pub(crate) fn sum_rows(&mut self, of: Id, columns: usize) -> Id {
        let rows = self.len(of) / columns;
        match (rows, columns) {
            (_, 1) => return of,
            (1, _) => return self.reduce(Reduction::Sum, of),
            _ => {}
        }
        if let Some(values) = self.known(of) {
            return self.data(values.chunks(columns).map(|row| row.iter().sum()).collect());
        }
        self.node(Op::SumRows { of, columns }, rows)
    }

    /// The sums of every `columns`-th number.
    pub(crate) fn sum_columns(&mut self, of: Id, columns: usize) -> Id {
        match (self.len(of) / columns, columns) {
            (1, _) => return of,
            (_, 1) => return self.reduce(Reduction::Sum, of),
            _ => {}
        }
        if let Some(values) = self.known(of) {
            return self.data((0..columns).map(|j| values[j..].iter().step_by(columns).sum()).collect());
        }
        self.node(Op::SumColumns { of, columns }, columns)
    }

    /// `len` elements of `a` at these places, which are all there.
    pub(crate) fn gather(&mut self, a: Id, indices: Indices, len: usize) -> Id {
        let whole = self.len(a);
        if let Indices::List(list) = &indices
            && let Some(simple) = simplified(list, whole)
        {
            return self.gather(a, simple, len);
        }
        let unchanged = match indices {
            Indices::Slice { start: 0, step: 1 } => whole == len,
            Indices::Repeat { each: 1 } => true,
            Indices::Tile { period } => period == len,
            _ => false,
        };
        if unchanged {
            return a;
        }
        if let Some(values) = self.known(a) {
            return self.data((0..len).map(|k| values[indices.at(k)]).collect());
        }
        if let Op::Gather(b, before) = self.op(a) {
            let (b, before) = (*b, before.clone());
            let joined = match (&before, &indices) {
                (Indices::Slice { start, step }, Indices::Slice { start: then, step: by }) => {
                    Indices::Slice { start: start.wrapping_add_signed(step * *then as isize), step: step * by }
                }
                _ => Indices::List((0..len).map(|k| before.at(indices.at(k)) as u32).collect()),
            };
            return self.gather(b, joined, len);
        }
        // Some elements of what is a step from others are a step from some of these.
        if let (Indices::Slice { .. }, &Op::Binary(operation, b, c)) = (&indices, self.op(a))
            && [b, c].iter().any(|&operand| self.is_known(operand))
        {
            let [b, c] = [b, c].map(|operand| match self.len(operand) {
                1 => operand,
                _ => self.gather(operand, indices.clone(), len),
            });
            return self.binary(operation, b, c);
        }
        // A single element has no step.
        let indices = match indices {
            Indices::Slice { start, .. } if len == 1 => Indices::Slice { start, step: 1 },
            indices => indices,
        };
        self.node(Op::Gather(a, indices), len)
    }

    /// `base`, or `len` zeros, with the elements of `parts` added at their places.
    pub(crate) fn scatter(&mut self, base: Option<Id>, parts: Vec<(Id, Indices)>, len: usize) -> Id {
        if parts.is_empty() {
            return match base {
                Some(base) => self.fill(base, len),
                None => {
                    let zero = self.scalar(0.0);
                    self.fill(zero, len)
                }
            };
        }
        self.node(Op::Scatter { base, parts }, len)
    }

    pub(crate) fn concat(&mut self, parts: Vec<Id>) -> Id {
        if let [part] = *parts {
            return part;
        }
        if let Some(known) = self.all_known(&parts) {
            return self.data(known.concat().into());
        }
        let len = parts.iter().map(|&part| self.len(part)).sum();
        self.node(Op::Concat(parts), len)
    }

    pub(crate) fn cumulate(&mut self, of: Id, reverse: bool) -> Id {
        if let Some(mut values) = self.known(of) {
            let mut sum = 0.0;
            let add = |value: &mut f64| {
                sum += *value;
                *value = sum;
            };
            if reverse {
                values.iter_mut().rev().for_each(add)
            } else {
                values.iter_mut().for_each(add)
            }
            return self.data(values.into());
        }
        let len = self.len(of);
        if len == 1 { of } else { self.node(Op::Cumulate { of, reverse }, len) }
    }

    pub(crate) fn others(&mut self, of: Id) -> Id {
        let len = self.len(of);
        self.node(Op::Others(of), len)
    }

    /// A constant matrix of `rows` × `columns` times each `columns` numbers.
    pub(crate) fn product(&mut self, matrix: Data, rows: usize, columns: usize, of: Id) -> Id {
        let blocks = self.len(of) / columns;
        if let Some(values) = self.known(of) {
            let dot = |row: &[f64], block: &[f64]| row.iter().zip(block).map(|(a, b)| a * b).sum::<f64>();
            let products =
                values.chunks(columns).flat_map(|block| matrix.0.chunks(columns).map(move |row| dot(row, block)));
            return self.data(products.collect());
        }
        self.node(Op::Product { matrix, rows, columns, of }, rows * blocks)
    }

    /// The transpose of a matrix of `rows` × `columns`.
    pub(crate) fn transpose(&mut self, a: Id, rows: usize, columns: usize) -> Id {
        if rows == 1 || columns == 1 {
            return a;
        }
        let list = (0..columns).flat_map(|j| (0..rows).map(move |i| (i * columns + j) as u32)).collect();
        self.gather(a, Indices::List(list), rows * columns)
    }

    /// The product of a matrix of `rows` × `inner` and one of `inner` × `columns`.
    pub(crate) fn matmul(&mut self, a: Id, b: Id, [rows, inner, columns]: [usize; 3]) -> Id {
        if let Some(matrix) = self.known(a) {
            // The columns of b are multiplied one by one.
            let vectors = self.transpose(b, inner, columns);
            let products = self.product(Data(matrix.into()), rows, inner, vectors);
            return self.transpose(products, columns, rows);
        }
        if let Some(matrix) = self.known(b) {
            return self.product(Data(matrix.into()).transposed(inner, columns), columns, inner, a);
        }
        // Every product of the sums, side by side.
        let terms = || (0..rows).flat_map(|i| (0..columns).flat_map(move |j| (0..inner).map(move |k| (i, j, k))));
        let left = terms().map(|(i, _, k)| (i * inner + k) as u32).collect();
        let right = terms().map(|(_, j, k)| (k * columns + j) as u32).collect();
        let left = self.gather(a, Indices::List(left), rows * inner * columns);
        let right = self.gather(b, Indices::List(right), rows * inner * columns);
        let products = self.binary(Binary::Multiply, left, right);
        self.sum_rows(products, inner)
    }

    pub(crate) fn detach(&mut self, a: Id) -> Id {
        let len = self.len(a);
        match self.op(a) {
            Op::Scalar(_) | Op::Data(_) | Op::Detach(_) => a,
            _ => self.node(Op::Detach(a), len),
        }
    }
}

/// The places of a list as a slice, a repetition or a tiling, where they are that; `whole` is the length of what they are taken from.
fn simplified(list: &[u32], whole: usize) -> Option<Indices> {
    let fits = |indices: Indices| list.iter().enumerate().all(|(k, &i)| indices.at(k) == i as usize).then_some(indices);
    let &[first, ref rest @ ..] = list else { return None };
    let step = rest.first().map_or(1, |&second| i64::from(second) - i64::from(first));
    let slice = || {
        let last = i64::from(first) + step * (list.len() as i64 - 1);
        (0..whole as i64).contains(&last).then_some(Indices::Slice { start: first as usize, step: step as isize })
    };
    let each = list.len() / whole;
    slice()
        .filter(|_| step != 0)
        .and_then(fits)
        .or_else(|| (each > 1 && list.len() == each * whole).then_some(Indices::Repeat { each }).and_then(fits))
        .or_else(|| (each > 1).then_some(Indices::Tile { period: whole }).and_then(fits))
}
