//! The assignment of nodes to passes.

use super::Program;
use crate::graph::operation::{Binary, Reduction, Unary, half_turns};
use crate::graph::{Data, Graph, Id, Indices, Op};
use crate::simd::Real;
use std::collections::HashMap;

/// Up to which argument sines and cosines need no care.
pub(super) const NEAR: f64 = 1e4;

/// The way in which a node is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Constants,
    Input,
    /// Some elements in a row of another node that lies in memory, from this one on.
    View(Id, usize),
    /// A single number in place of many.
    Broadcast(Id),
    /// Element by element.
    Elementwise,
    /// Elements of another node that lies in memory.
    Gather(Id),
    Reduce,
    /// A whole vector at once.
    Whole,
}

/// The state of planning.
pub(super) struct Planner<'a> {
    pub(super) graph: &'a Graph,
    pub(super) value: Id,
    pub(super) slope: Id,
    pub(super) dimension: usize,
    /// Bounds of the nodes.
    pub(super) magnitudes: Vec<f64>,
    pub(super) kinds: Vec<Option<Kind>>,
    /// Nodes that are computed from a node.
    pub(super) users: Vec<Vec<Id>>,
    pub(super) stages: Vec<usize>,
    /// Nodes that are part of the instruction of their only user.
    pub(super) absorbed: Vec<bool>,
    /// For a node written straight into its only user: that user, and the first element there.
    pub(super) within: HashMap<Id, (Id, usize)>,
    pub(super) scalars: Vec<f64>,
    pub(super) scalar_places: HashMap<u64, usize>,
    pub(super) constants: Vec<f64>,
    pub(super) constant_places: HashMap<Id, usize>,
    pub(super) lists: Vec<u32>,
    pub(super) list_places: HashMap<Indices, Vec<(usize, usize)>>,
    pub(super) matrices: Vec<(Data, usize, usize)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(graph: &'a Graph, [value, slope]: [Id; 2], dimension: usize, magnitudes: Vec<f64>) -> Self {
        let count = graph.nodes().len();
        Self {
            graph,
            value,
            slope,
            dimension,
            magnitudes,
            kinds: vec![None; count],
            users: vec![Vec::new(); count],
            stages: vec![0; count],
            absorbed: vec![false; count],
            within: HashMap::new(),
            scalars: Vec::new(),
            scalar_places: HashMap::new(),
            constants: Vec::new(),
            constant_places: HashMap::new(),
            lists: Vec::new(),
            list_places: HashMap::new(),
            matrices: Vec::new(),
        }
    }

    pub(super) fn plan<R: Real>(mut self, domain: [f64; 2]) -> Option<Program<R>> {
        self.look();
        self.stage();
        self.settle();
        self.absorb();
        self.absorb_more();
        let passes = self.draft();
        self.place(passes, domain)
    }

    pub(super) fn len(&self, id: Id) -> usize {
        self.graph.len(id)
    }

    /// The representative of a node: the node with the same values.
    pub(super) fn itself(&self, mut id: Id) -> Id {
        while let Op::Detach(a) = self.graph.op(id) {
            id = *a;
        }
        id
    }

    pub(super) fn kind(&self, id: Id) -> Kind {
        self.kinds[id.index()].unwrap_or(Kind::Whole)
    }

    pub(super) fn is_broadcast(&self, id: Id) -> bool {
        matches!(self.kind(id), Kind::Broadcast(_))
    }

    pub(super) fn is_output(&self, id: Id) -> bool {
        id == self.itself(self.value) || id == self.itself(self.slope)
    }

    /// The operands of a node, given the way in which it is computed.
    pub(super) fn operands(&self, id: Id) -> Vec<Id> {
        self.graph.op(id).operands().into_iter().map(|operand| self.itself(operand)).collect()
    }

    /// Finds the nodes that are needed, the way each is computed, and its users.
    pub(super) fn look(&mut self) {
        let mut pending = vec![self.itself(self.value), self.itself(self.slope)];
        while let Some(id) = pending.pop() {
            if self.kinds[id.index()].is_some() {
                continue;
            }
            let kind = match self.graph.op(id) {
                Op::Input => Kind::Input,
                Op::Scalar(_) => Kind::Scalar,
                Op::Data(_) => Kind::Constants,
                Op::Unary(..) | Op::Binary(..) | Op::SelectLess(_) => Kind::Elementwise,
                Op::Gather(a, _) if self.len(*a) == 1 => Kind::Broadcast(self.itself(*a)),
                Op::Gather(a, Indices::Slice { start, step: 1 }) => Kind::View(self.itself(*a), *start),
                Op::Gather(a, _) => Kind::Gather(self.itself(*a)),
                Op::Reduce(..) => Kind::Reduce,
                _ => Kind::Whole,
            };
            self.kinds[id.index()] = Some(kind);
            for operand in self.operands(id) {
                let users = &mut self.users[operand.index()];
                if users.last() != Some(&id) {
                    users.push(id);
                }
                pending.push(operand);
            }
        }
    }

    /// The elements that a node is computed for: those of a sum are the summands'.
    pub(super) fn space(&self, id: Id) -> usize {
        match self.graph.op(id) {
            Op::Reduce(_, a) => self.len(*a),
            _ => self.len(id),
        }
    }

    /// `user`, element by element, can be computed together with `operand`.
    pub(super) fn fuses(&self, operand: Id, user: Id) -> bool {
        matches!(self.kind(operand), Kind::Elementwise | Kind::Gather(_))
            && matches!(self.kind(user), Kind::Elementwise | Kind::Reduce)
            && self.len(operand) == self.space(user)
    }

    /// The first stage in which what an operand stands for can be used by `user`.
    pub(super) fn available(&self, operand: Id, user: Id) -> usize {
        match self.kind(operand) {
            Kind::Scalar | Kind::Constants | Kind::Input => 0,
            Kind::View(source, _) | Kind::Broadcast(source) => self.after(source),
            Kind::Elementwise | Kind::Gather(_) if self.fuses(operand, user) => self.stages[operand.index()],
            _ => self.stages[operand.index()] + 1,
        }
    }

    /// The first stage in which a node lies in memory.
    pub(super) fn after(&self, id: Id) -> usize {
        match self.kind(id) {
            Kind::Scalar | Kind::Constants | Kind::Input => 0,
            Kind::View(source, _) | Kind::Broadcast(source) => self.after(source),
            _ => self.stages[id.index()] + 1,
        }
    }

    /// The same operand has both its sine and its cosine taken.
    pub(super) fn is_paired(&self, id: Id) -> bool {
        self.partner(id).is_some()
    }

    pub(super) fn partner(&self, id: Id) -> Option<Id> {
        let (wanted, a) = match self.graph.op(id) {
            Op::Unary(Unary::Sin, a) => (Unary::Cos, *a),
            Op::Unary(Unary::Cos, a) => (Unary::Sin, *a),
            _ => return None,
        };
        let users = &self.users[self.itself(a).index()];
        users.iter().copied().find(|&user| matches!(self.graph.op(user), Op::Unary(found, _) if *found == wanted))
    }

    /// Gives every node its stage: as early as can be, but what is made of the coordinates and constants alone only where it is needed.
    pub(super) fn stage(&mut self) {
        let live: Vec<Id> = (0..self.kinds.len()).filter(|&i| self.kinds[i].is_some()).map(|i| Id(i as u32)).collect();
        let mut movable = vec![false; self.kinds.len()];
        for &id in &live {
            let operands = self.operands(id);
            let stage = match self.kind(id) {
                Kind::Gather(source) => self.after(source),
                _ => operands.iter().map(|&operand| self.available(operand, id)).max().unwrap_or(0),
            };
            self.stages[id.index()] = stage;
            let free = |&operand: &Id| match self.kind(operand) {
                Kind::Scalar | Kind::Constants | Kind::Input | Kind::Broadcast(_) => true,
                Kind::View(source, _) => self.kind(source) == Kind::Input,
                _ if self.fuses(operand, id) => movable[operand.index()] && self.users[operand.index()].len() == 1,
                _ => self.len(operand) == 1 && self.len(id) > 1,
            };
            movable[id.index()] = match self.kind(id) {
                Kind::Elementwise => operands.iter().all(free) && !self.is_paired(id) && !self.is_output(id),
                Kind::Gather(source) => self.kind(source) == Kind::Input && !self.is_output(id),
                _ => false,
            };
        }
        for &id in live.iter().rev().filter(|id| movable[id.index()]) {
            let before = |&user: &Id| match self.kind(user) {
                _ if self.fuses(id, user) => self.stages[user.index()],
                // Of what lies in memory, where it is read does not show here.
                Kind::View(..) | Kind::Broadcast(_) => self.stages[id.index()],
                _ => self.stages[user.index()].saturating_sub(1),
            };
            let latest = self.users[id.index()].iter().map(before).min().unwrap_or(0);
            self.stages[id.index()] = self.stages[id.index()].max(latest);
        }
    }

    /// Marks the products that their only user takes in: it multiplies and adds at once.
    pub(super) fn absorb(&mut self) {
        for index in 0..self.kinds.len() {
            let id = Id(index as u32);
            let &Op::Binary(Binary::Multiply, a, b) = self.graph.op(id) else { continue };
            if self.kinds[index].is_none() || self.is_output(id) || self.within.contains_key(&id) {
                continue;
            }
            // Multiples of half a turn are known to the sine and the cosine.
            let is_wave = |&user: &Id| {
                matches!(self.graph.op(user), Op::Unary(Unary::Sin | Unary::Cos, _))
                    && self.stages[user.index()] == self.stages[index]
            };
            let near = self.magnitudes[index] <= NEAR;
            if near && self.graph.constant(b).and_then(half_turns).is_some() && self.users[index].iter().all(is_wave) {
                self.absorbed[index] = true;
                continue;
            }
            let &[user] = &*self.users[index] else { continue };
            let (a, b) = (self.itself(a), self.itself(b));
            self.absorbed[index] = match *self.graph.op(user) {
                Op::Binary(Binary::Add | Binary::Subtract, c, d) => {
                    let (c, d) = (self.itself(c), self.itself(d));
                    let other = if c == id { d } else { c };
                    // Of two products one stays.
                    c != d
                        && !self.absorbed[other.index()]
                        && self.fuses(id, user)
                        && self.stages[index] == self.stages[user.index()]
                }
                Op::Reduce(Reduction::Sum, _) => {
                    self.len(a) == self.len(b) && self.stages[index] == self.stages[user.index()]
                }
                Op::SumRows { .. } => self.len(a) == self.len(b) && ![a, b].iter().any(|&of| self.is_broadcast(of)),
                // A constant factor.
                Op::Scatter { base, .. } => {
                    base.is_none_or(|base| self.itself(base) != id)
                        && self.kind(b) == Kind::Scalar
                        && !self.is_broadcast(a)
                }
                _ => false,
            };
        }
    }

    /// Marks, after [`Planner::absorb`], the products whose only user multiplies by a constant, and the sums of a product that are added
    /// up.
    pub(super) fn absorb_more(&mut self) {
        for index in 0..self.kinds.len() {
            let id = Id(index as u32);
            let (Some(Kind::Elementwise), &[user]) = (self.kinds[index], &*self.users[index]) else { continue };
            let together = self.fuses(id, user) && self.stages[index] == self.stages[user.index()];
            if !together || self.absorbed[index] || self.is_output(id) || self.within.contains_key(&id) {
                continue;
            }
            let absorbed = |of: Id| self.absorbed[self.itself(of).index()];
            self.absorbed[index] = match (self.graph.op(id), self.graph.op(user)) {
                (&Op::Binary(Binary::Multiply, a, b), &Op::Binary(Binary::Multiply, c, d)) => {
                    self.itself(c) == id
                        && self.kind(d) == Kind::Scalar
                        && !self.absorbed[user.index()]
                        && !absorbed(a)
                        && !absorbed(b)
                }
                (&Op::Binary(Binary::Add, a, b), Op::Reduce(Reduction::Sum, _)) => absorbed(a) || absorbed(b),
                _ => false,
            };
        }
    }

    /// Finds what can be written where its only user has it: the parts of a concatenation, and one of the parts that are added up.
    pub(super) fn settle(&mut self) {
        for index in 0..self.kinds.len() {
            let (id, mut start) = (Id(index as u32), 0);
            if self.kinds[index] != Some(Kind::Whole) {
                continue;
            }
            let graph = self.graph;
            match graph.op(id) {
                Op::Concat(parts) => {
                    let mut counts: HashMap<Id, usize> = HashMap::new();
                    parts.iter().for_each(|&part| *counts.entry(part).or_default() += 1);
                    for &part in parts {
                        // A part that is there twice is copied to both places.
                        if counts[&part] == 1 && self.settles(part, id) {
                            self.within.insert(part, (id, start));
                        }
                        start += self.len(part);
                    }
                }
                Op::Scatter { base: Some(base), parts }
                    if self.settles(*base, id) && parts.iter().all(|(part, _)| part != base) =>
                {
                    self.within.insert(*base, (id, 0));
                }
                Op::Scatter { base: None, parts } => {
                    let mut times: HashMap<Id, usize> = HashMap::new();
                    parts.iter().for_each(|(part, _)| *times.entry(*part).or_default() += 1);
                    let longest = parts
                        .iter()
                        .filter(|(part, indices)| {
                            matches!(indices, Indices::Slice { step: 1, .. })
                                && self.settles(*part, id)
                                && times[part] == 1
                        })
                        .max_by_key(|(part, _)| self.len(*part));
                    if let Some((part, Indices::Slice { start, .. })) = longest {
                        self.within.insert(*part, (id, *start));
                    }
                }
                _ => {}
            }
        }
    }

    /// `part` is computed element by element, for `user` alone.
    pub(super) fn settles(&self, part: Id, user: Id) -> bool {
        self.kinds[part.index()] == Some(Kind::Elementwise)
            && self.users[part.index()] == [user]
            && !self.is_output(part)
            && self.itself(part) == part
    }

    /// Cheaper to compute once more than to keep: one operation on what lies in memory anyway.
    pub(super) fn is_cheap(&self, id: Id) -> bool {
        let from_memory = |operand: Id| match self.kind(self.itself(operand)) {
            Kind::Scalar | Kind::Input => true,
            Kind::View(source, _) => self.kind(source) == Kind::Input,
            _ => false,
        };
        match self.graph.op(id) {
            Op::Binary(Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Min | Binary::Max, a, b) => {
                self.kind(id) == Kind::Elementwise && from_memory(*a) && from_memory(*b)
            }
            Op::Unary(Unary::Abs, a) => from_memory(*a),
            _ => false,
        }
    }

    /// The node that lies in memory where this one is found, and from which element on.
    pub(super) fn source(&self, id: Id) -> (Id, usize) {
        match self.kind(id) {
            Kind::View(source, start) => (source, start),
            _ => (id, 0),
        }
    }
}
