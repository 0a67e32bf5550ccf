//! Instructions for the nodes of a pass.

use super::Code;
use super::draft::{Draft, DraftPass, Value};
use super::schedule::{Kind, NEAR, Planner};
use crate::graph::operation::{Binary, Reduction, Unary, half_turns};
use crate::graph::{Data, Graph, Id, Indices, Op};
use std::collections::HashMap;

impl Planner<'_> {
    /// The passes, with their instructions.
    pub(super) fn draft(&mut self) -> Vec<DraftPass> {
        // The pass of each stage and length whose nodes are computed together.
        let mut groups: HashMap<(usize, usize), usize> = HashMap::new();
        // Stage, length, whether its node is computed as a whole, and nodes.
        let mut passes: Vec<(usize, usize, bool, Vec<Id>)> = Vec::new();
        for index in 0..self.kinds.len() {
            let id = Id(index as u32);
            let Some(kind) = self.kinds[index] else { continue };
            let whole = match kind {
                Kind::Elementwise | Kind::Gather(_) | Kind::Reduce => false,
                Kind::Whole => true,
                Kind::Constants if self.is_output(id) => true,
                // An output, and an operand of anything but elementwise nodes, is written out as a vector.
                Kind::Broadcast(_) => {
                    if self.users[index].iter().all(|&user| self.kind(user) == Kind::Elementwise) && !self.is_output(id)
                    {
                        continue;
                    }
                    true
                }
                _ => continue,
            };
            if self.absorbed[index] {
                continue;
            }
            let (stage, len) = (self.stages[index], self.space(id));
            if whole {
                passes.push((stage, len, true, vec![id]));
                continue;
            }
            let place = *groups.entry((stage, len)).or_insert_with(|| {
                passes.push((stage, len, false, Vec::new()));
                passes.len() - 1
            });
            passes[place].3.push(id);
        }
        passes.sort_by_key(|&(stage, ..)| stage);
        let mut drafted = Vec::with_capacity(passes.len());
        for (stage, len, whole, nodes) in passes {
            let mut writer = Writer { planner: self, stage, len, drafts: Vec::new(), found: HashMap::new(), next: 0 };
            for id in nodes {
                if whole { writer.whole(id) } else { writer.node(id) }
            }
            drafted.push(DraftPass { len, whole, drafts: writer.drafts });
        }
        drafted
    }
}

/// Writes the instructions of a pass.
pub(super) struct Writer<'w, 'a> {
    pub planner: &'w mut Planner<'a>,
    pub stage: usize,
    pub len: usize,
    pub drafts: Vec<Draft>,
    /// Values computed earlier in this pass.
    pub found: HashMap<Id, Value>,
    pub next: usize,
}

impl Writer<'_, '_> {
    fn graph(&self) -> &Graph {
        self.planner.graph
    }

    fn chunk(&mut self) -> Value {
        self.next += 1;
        Value::Chunk(self.next - 1)
    }

    fn push(&mut self, code: Code, result: Value, operands: Vec<Value>) {
        self.drafts.push(Draft { code, result, second: None, operands, extra: 0, count: 0 });
    }

    /// `value` as a register for each element, where it may be a single one for all of them.
    fn filled(&mut self, value: Value) -> Value {
        if value.is_vector() || self.len == 1 {
            return value;
        }
        let filled = self.chunk();
        self.push(Code::Fill, filled, vec![value]);
        filled
    }

    /// Someone reads this node from memory.
    fn stays(&self, id: Id) -> bool {
        let planner = &*self.planner;
        let reads = |&user: &Id| {
            let absorbed_by_rows = planner.absorbed[user.index()]
                && planner.users[user.index()].iter().any(|&user| planner.kind(user) == Kind::Whole);
            if !planner.fuses(id, user) || absorbed_by_rows {
                return true;
            }
            planner.stages[user.index()] != planner.stages[id.index()] && !planner.is_cheap(id)
        };
        planner.is_output(id) || planner.users[id.index()].iter().any(reads)
    }

    /// The destination of an elementwise node's value.
    fn result(&mut self, id: Id) -> Value {
        let value = if let Some(&(node, start)) = self.planner.within.get(&id) {
            Value::Memory { node, start, one: false }
        } else if self.planner.stages[id.index()] == self.stage && self.stays(id) {
            Value::Memory { node: id, start: 0, one: false }
        } else {
            self.chunk()
        };
        self.found.insert(id, value);
        value
    }

    /// The operand by which an instruction of this pass reads a node.
    fn operand(&mut self, id: Id) -> Value {
        let id = self.planner.itself(id);
        if let Some(&value) = self.found.get(&id) {
            return value;
        }
        let one = self.planner.len(id) == 1 && self.len > 1;
        match self.planner.kind(id) {
            Kind::Scalar => {
                let number = self.graph().constant(id).unwrap_or(f64::NAN);
                Value::Scalar(self.planner.scalar(number))
            }
            Kind::Constants => {
                let result = self.chunk();
                self.constants(id, result);
                self.found.insert(id, result);
                result
            }
            Kind::Broadcast(source) => {
                let (node, start) = self.planner.source(source);
                Value::Memory { node, start, one: true }
            }
            Kind::View(node, start) => Value::Memory { node, start, one },
            Kind::Elementwise if self.planner.len(id) == self.len && self.planner.is_cheap(id) => {
                self.elementwise(id);
                self.found[&id]
            }
            _ => Value::Memory { node: id, start: 0, one },
        }
    }

    fn constants(&mut self, id: Id, result: Value) {
        let planner = &mut *self.planner;
        let Op::Data(Data(values)) = planner.graph.op(id) else { return };
        let start = *planner.constant_places.entry(id).or_insert_with(|| {
            planner.constants.extend_from_slice(values);
            planner.constants.len() - values.len()
        });
        let count = if matches!(result, Value::Memory { .. }) { values.len() } else { 0 };
        let draft = Draft { code: Code::Constants, result, second: None, operands: vec![], extra: start as u32, count };
        self.drafts.push(draft);
    }

    /// Writes what computes a node of the pass.
    pub(super) fn node(&mut self, id: Id) {
        if self.found.contains_key(&id) {
            return;
        }
        match self.graph().op(id).clone() {
            Op::Reduce(reduction, a) => self.reduce(id, reduction, self.planner.itself(a)),
            Op::Gather(a, indices) => {
                let extra = self.planner.list(&indices, self.len);
                let (node, start) = self.planner.source(self.planner.itself(a));
                let operand = Value::Memory { node, start, one: true };
                let result = self.result(id);
                let draft =
                    Draft { code: Code::Gather, result, second: None, operands: vec![operand], extra, count: 0 };
                self.drafts.push(draft);
            }
            _ => self.elementwise(id),
        }
    }

    fn reduce(&mut self, id: Id, reduction: Reduction, a: Id) {
        let result = Value::Memory { node: id, start: 0, one: true };
        if self.planner.absorbed[a.index()]
            && let Op::Binary(operation, b, c) = *self.graph().op(a)
        {
            if operation == Binary::Add {
                let (b, c) = (self.planner.itself(b), self.planner.itself(c));
                let (product, other) = if self.planner.absorbed[b.index()] { (b, c) } else { (c, b) };
                let Some([x, y]) = self.factors(product) else { return };
                let other = self.operand(other);
                let vectors = [y, other].map(Value::is_vector);
                return self.push(Code::SumMulAdd(vectors), result, vec![x, y, other]);
            }
            let operands = [b, c].map(|factor| self.operand(factor)).map(|factor| self.filled(factor));
            return self.push(Code::SumMul, result, operands.to_vec());
        }
        let operand = self.operand(a);
        let operand = self.filled(operand);
        self.push(Code::Reduce(reduction), result, vec![operand]);
    }

    fn elementwise(&mut self, id: Id) {
        match *self.graph().op(id) {
            Op::Unary(operation @ (Unary::Sin | Unary::Cos), a) => self.wave(id, operation, a),
            Op::Unary(operation, a) => {
                let operand = self.operand(a);
                let operand = self.filled(operand);
                let result = self.result(id);
                self.push(Code::Unary(operation), result, vec![operand]);
            }
            Op::Binary(operation, a, b) => self.binary(id, operation, self.planner.itself(a), self.planner.itself(b)),
            Op::SelectLess(operands) => {
                let operands = operands.map(|operand| self.operand(operand));
                let result = self.result(id);
                self.push(Code::SelectLess(operands.map(Value::is_vector)), result, operands.to_vec());
            }
            _ => {}
        }
    }

    /// The sine and the cosine of the same operand come together.
    fn wave(&mut self, id: Id, operation: Unary, a: Id) {
        let a = self.planner.itself(a);
        let (code, mut operands) = match *self.graph().op(a) {
            Op::Binary(Binary::Multiply, b, k) if self.planner.absorbed[a.index()] => {
                let turns = self.graph().constant(k).and_then(half_turns).unwrap_or(f64::NAN);
                let turns = Value::Scalar(self.planner.scalar(turns));
                (Code::SinCosPi, vec![self.operand(b), turns])
            }
            _ if self.planner.magnitudes[a.index()] <= NEAR => (Code::SinCosNear, vec![self.operand(a)]),
            _ => (Code::SinCos, vec![self.operand(a)]),
        };
        let [operand, ..] = operands[..] else { return };
        operands[0] = self.filled(operand);
        let partner = self.planner.partner(id).filter(|partner| {
            self.planner.stages[partner.index()] == self.stage && self.planner.kinds[partner.index()].is_some()
        });
        let own = self.result(id);
        let other = partner.map(|partner| self.result(partner));
        let (result, second) = match operation {
            Unary::Sin => (own, other),
            _ => (other.unwrap_or_else(|| self.chunk()), Some(own)),
        };
        self.drafts.push(Draft { code, result, second, operands, extra: 0, count: 0 });
    }

    /// The factors of a product that the instruction of its user takes in.
    fn factors(&mut self, id: Id) -> Option<[Value; 2]> {
        if !self.planner.absorbed[id.index()] {
            return None;
        }
        let Op::Binary(_, a, b) = *self.graph().op(id) else { return None };
        let (a, b) = (self.operand(a), self.operand(b));
        let [a, b] = if a.is_vector() { [a, b] } else { [b, a] };
        Some([self.filled(a), b])
    }

    fn binary(&mut self, id: Id, operation: Binary, a: Id, b: Id) {
        use Code::*;
        let fused = match operation {
            Binary::Add => match self.factors(a) {
                Some(factors) => Some((factors, b, [MulAddVVV, MulAddVVS, MulAddVSV, MulAddVSS])),
                None => self.factors(b).map(|factors| (factors, a, [MulAddVVV, MulAddVVS, MulAddVSV, MulAddVSS])),
            },
            Binary::Subtract => match self.factors(a) {
                Some(factors) => Some((factors, b, [MulSubVVV, MulSubVVS, MulSubVSV, MulSubVSS])),
                None => self.factors(b).map(|factors| (factors, a, [SubMulVVV, SubMulVVS, SubMulVSV, SubMulVSS])),
            },
            Binary::Multiply => {
                self.factors(a).map(|factors| (factors, b, [MulMulVVS, MulMulVVS, MulMulVSS, MulMulVSS]))
            }
            _ => None,
        };
        if let Some(([a, b], c, codes)) = fused {
            let c = self.operand(c);
            let code = codes[2 * usize::from(!b.is_vector()) + usize::from(!c.is_vector())];
            let result = self.result(id);
            return self.push(code, result, vec![a, b, c]);
        }
        let (mut a, b) = (self.operand(a), self.operand(b));
        if !b.is_vector() {
            a = self.filled(a);
        }
        let kinds = [a.is_vector(), b.is_vector()];
        let (code, operands) = match (operation, kinds) {
            (Binary::Power, kinds) => (Power(kinds), [a, b]),
            (Binary::Add, [true, true]) => (AddVV, [a, b]),
            (Binary::Add, [true, false]) => (AddVS, [a, b]),
            (Binary::Add, [false, _]) => (AddVS, [b, a]),
            (Binary::Subtract, [true, true]) => (SubVV, [a, b]),
            (Binary::Subtract, [true, false]) => (SubVS, [a, b]),
            (Binary::Subtract, [false, _]) => (SubSV, [a, b]),
            (Binary::Multiply, [true, true]) => (MulVV, [a, b]),
            (Binary::Multiply, [true, false]) => (MulVS, [a, b]),
            (Binary::Multiply, [false, _]) => (MulVS, [b, a]),
            (Binary::Divide, [true, true]) => (DivVV, [a, b]),
            (Binary::Divide, [true, false]) => (DivVS, [a, b]),
            (Binary::Divide, [false, _]) => (DivSV, [a, b]),
            (Binary::Min, [true, true]) => (MinVV, [a, b]),
            (Binary::Min, [true, false]) => (MinVS, [a, b]),
            (Binary::Min, [false, _]) => (MinVS, [b, a]),
            (Binary::Max, [true, true]) => (MaxVV, [a, b]),
            (Binary::Max, [true, false]) => (MaxVS, [a, b]),
            (Binary::Max, [false, _]) => (MaxVS, [b, a]),
        };
        let result = self.result(id);
        self.push(code, result, operands.to_vec());
    }

    /// The operand by which a node is read as a whole, in memory.
    fn whole_operand(&mut self, id: Id) -> Value {
        let id = self.planner.itself(id);
        match self.planner.kind(id) {
            Kind::Scalar => {
                let number = self.graph().constant(id).unwrap_or(f64::NAN);
                Value::Scalar(self.planner.scalar(number))
            }
            Kind::Constants => {
                let place = Value::Memory { node: id, start: 0, one: false };
                if self.found.insert(id, place).is_none() {
                    self.constants(id, place);
                }
                place
            }
            _ => {
                let (node, start) = self.planner.source(id);
                Value::Memory { node, start, one: false }
            }
        }
    }

    /// The same, apart from a constant factor.
    fn scaled_operand(&mut self, id: Id) -> [Value; 2] {
        let id = self.planner.itself(id);
        match *self.graph().op(id) {
            Op::Binary(_, a, factor) if self.planner.absorbed[id.index()] => {
                [a, factor].map(|of| self.whole_operand(of))
            }
            _ => [self.whole_operand(id), Value::Scalar(self.planner.scalar(1.0))],
        }
    }

    /// Writes what computes a whole vector.
    pub(super) fn whole(&mut self, id: Id) {
        let len = self.planner.len(id);
        let place = |start: usize| Value::Memory { node: id, start, one: false };
        let push = |writer: &mut Self, code, start, operands: Vec<Value>, extra: usize, count: usize| {
            writer.drafts.push(Draft {
                code,
                result: place(start),
                second: None,
                operands,
                extra: extra as u32,
                count,
            });
        };
        match self.graph().op(id).clone() {
            Op::Data(_) => self.constants(id, place(0)),
            Op::Gather(a, _) => {
                let a = self.whole_operand(a);
                push(self, Code::Fill, 0, vec![a], 0, len);
            }
            Op::Scatter { base, parts } => {
                let settled = |writer: &Self, part: Id| writer.planner.within.contains_key(&part);
                match base {
                    Some(base) if settled(self, base) => {}
                    Some(base) => {
                        let base = self.whole_operand(base);
                        push(self, Code::Copy, 0, vec![base], 0, len);
                    }
                    None => {
                        // What is there already, and zeros before and after.
                        let there = parts.iter().find_map(|(part, _)| {
                            let &(_, start) = self.planner.within.get(part)?;
                            Some(start..start + self.planner.len(*part))
                        });
                        let there = there.unwrap_or(0..0);
                        for (start, end) in [(0, there.start), (there.end, len)] {
                            if start < end {
                                push(self, Code::Zero, start, vec![], 0, end - start);
                            }
                        }
                    }
                }
                for (part, indices) in parts {
                    if settled(self, part) {
                        continue;
                    }
                    let (count, [operand, factor]) = (self.planner.len(part), self.scaled_operand(part));
                    let operands = vec![operand, factor];
                    match indices {
                        Indices::Slice { start, step: 1 } => push(self, Code::AddOnto, start, operands, 0, count),
                        indices => {
                            let list = self.planner.sources(&indices, count, len);
                            push(self, Code::Scatter, 0, operands, list, len);
                        }
                    }
                }
            }
            Op::Concat(parts) => {
                let mut start = 0;
                for part in parts {
                    let count = self.planner.len(part);
                    if self.planner.within.get(&part) != Some(&(id, start)) {
                        let operand = self.whole_operand(part);
                        push(self, Code::Copy, start, vec![operand], 0, count);
                    }
                    start += count;
                }
            }
            Op::Cumulate { of, reverse } => {
                let of = self.whole_operand(of);
                push(self, if reverse { Code::CumulateReverse } else { Code::Cumulate }, 0, vec![of], 0, len);
            }
            Op::Others(of) => {
                let of = self.whole_operand(of);
                push(self, Code::Others, 0, vec![of], 0, len);
            }
            Op::SumRows { of, columns } => {
                let of = self.planner.itself(of);
                match *self.graph().op(of) {
                    Op::Binary(_, a, b) if self.planner.absorbed[of.index()] => {
                        let operands = vec![self.whole_operand(a), self.whole_operand(b)];
                        push(self, Code::SumRowsMul, 0, operands, columns, len);
                    }
                    _ => {
                        let of = self.whole_operand(of);
                        push(self, Code::SumRows, 0, vec![of], columns, len);
                    }
                }
            }
            Op::SumColumns { of, columns } => {
                let rows = self.planner.len(of) / columns;
                let of = self.whole_operand(of);
                push(self, Code::SumColumns, 0, vec![of], columns, rows);
            }
            Op::Product { matrix, rows, columns, of } => {
                let blocks = self.planner.len(of) / columns;
                let of = self.whole_operand(of);
                let number = self.planner.matrices.len();
                let known = self.planner.matrices.iter().position(|known| *known == (matrix.clone(), rows, columns));
                if known.is_none() {
                    self.planner.matrices.push((matrix, rows, columns));
                }
                push(self, Code::Product, 0, vec![of], known.unwrap_or(number), blocks);
            }
            Op::Input
            | Op::Scalar(_)
            | Op::Unary(..)
            | Op::Binary(..)
            | Op::SelectLess(_)
            | Op::Reduce(..)
            | Op::Detach(_) => {}
        }
    }
}
