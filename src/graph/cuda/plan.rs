//! The phases of a source, and the nodes that lie in memory.

use super::PARTS;
use crate::graph::operation::{Binary, Unary};
use crate::graph::{Graph, Id, Indices, Op};
use std::collections::{HashMap, HashSet};

/// The cost, in additions, up to which a node is computed again rather than kept.
const CHEAP: usize = 24;

/// The way in which a node uses an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Element by element.
    Same,
    /// A single number for all elements.
    Number,
    /// Elements of another index, each of them once where `once`.
    Elsewhere { once: bool },
}

/// The place of a node in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// So many scalars per point after the start.
    Work(usize),
    /// The array that takes the gradient in the end.
    Gradient,
}

/// Something that a phase computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Root {
    /// A node that is kept.
    Kept(Id),
    /// The value of the objective.
    Value,
    /// Its gradient.
    Gradient,
}

/// The state of planning.
pub(super) struct Planner<'a> {
    pub graph: &'a Graph,
    pub value: Id,
    pub slope: Id,
    pub dimension: usize,
    /// The nodes that are kept, and where.
    pub places: HashMap<Id, Place>,
    /// Scalars of memory for each point.
    pub work: usize,
    /// The phase that each node belongs to.
    phases: Vec<usize>,
    kept: Vec<bool>,
    costs: Vec<usize>,
}

/// True for operations that take all elements of their operand, or many: their results are always kept.
pub(super) fn is_whole(op: &Op) -> bool {
    matches!(
        op,
        Op::Reduce(..)
            | Op::SumRows { .. }
            | Op::SumColumns { .. }
            | Op::Cumulate { .. }
            | Op::Others(_)
            | Op::Product { .. }
    )
}

impl<'a> Planner<'a> {
    pub(super) fn new(graph: &'a Graph, [value, slope]: [Id; 2], dimension: usize) -> Self {
        let count = graph.nodes().len();
        let mut planner = Self {
            graph,
            value,
            slope,
            dimension,
            phases: vec![0; count],
            places: HashMap::new(),
            work: 0,
            kept: vec![false; count],
            costs: vec![0; count],
        };
        planner.schedule();
        planner.keep_across_phases();
        planner.place();
        planner
    }

    /// The nodes that value and gradient are computed from.
    fn nodes(&self) -> impl Iterator<Item = Id> + use<> {
        let needed = self.graph.needed(&[self.value, self.slope]);
        (0..needed.len()).filter(move |&index| needed[index]).map(|index| Id(index as u32))
    }

    fn accesses(&self, id: Id) -> Vec<(Id, Access)> {
        let len = self.graph.len(id);
        let same = |operand: Id| {
            let number = self.graph.len(operand) == 1 && len > 1;
            (operand, if number { Access::Number } else { Access::Same })
        };
        let once = |operand: Id, once: bool| (operand, Access::Elsewhere { once });
        match self.graph.op(id) {
            Op::Gather(a, _) if self.graph.len(*a) == 1 => vec![same(*a)],
            Op::Gather(a, _) => vec![once(*a, false)],
            Op::Scatter { base, parts } => {
                base.iter().map(|&base| same(base)).chain(parts.iter().map(|&(part, _)| once(part, true))).collect()
            }
            Op::Concat(parts) => parts.iter().map(|&part| once(part, true)).collect(),
            Op::SumRows { of, .. } | Op::SumColumns { of, .. } | Op::Cumulate { of, .. } => vec![once(*of, true)],
            Op::Others(of) => vec![once(*of, false)],
            Op::Product { of, rows, .. } => vec![once(*of, *rows == 1)],
            Op::Reduce(_, of) => vec![(*of, Access::Same)],
            op => op.operands().into_iter().map(same).collect(),
        }
    }

    /// Operands that are used element by element, and numbers.
    pub(super) fn operands_here(&self, id: Id) -> impl Iterator<Item = Id> {
        let accesses = self.accesses(id).into_iter();
        accesses.filter(|(_, access)| !matches!(access, Access::Elsewhere { .. })).map(|(operand, _)| operand)
    }

    /// Assigns phases, and decides what is kept because elements are needed at other places than where they are computed.
    fn schedule(&mut self) {
        let mut uses = vec![0usize; self.phases.len()];
        for id in self.nodes() {
            self.accesses(id).iter().for_each(|(operand, _)| uses[operand.index()] += 1);
        }
        for id in self.nodes() {
            self.costs[id.index()] = self.cost(id);
            let mut phase = 0;
            for (operand, access) in self.accesses(id) {
                let index = operand.index();
                let is_dear = self.costs[index] > CHEAP;
                let is_kept = match access {
                    _ if is_whole(self.graph.op(operand)) => true,
                    Access::Same => false,
                    Access::Number => is_dear,
                    Access::Elsewhere { once } => is_dear && !(once && uses[index] == 1),
                };
                self.kept[index] |= is_kept;
                phase = phase.max(self.phases[index] + usize::from(is_kept));
            }
            self.phases[id.index()] = phase;
            self.kept[id.index()] |= is_whole(self.graph.op(id));
        }
        // A gradient that is the same for all coordinates.
        let slope = self.slope.index();
        if self.graph.len(self.slope) == 1 && self.dimension > 1 && self.costs[slope] > CHEAP {
            self.kept[slope] = true;
        }
    }

    /// Decides which other nodes are kept: those that cost more than their place, where a later phase needs them.
    fn keep_across_phases(&mut self) {
        let mut is_crossing = vec![false; self.phases.len()];
        for id in self.nodes() {
            for (operand, _) in self.accesses(id) {
                is_crossing[operand.index()] |= self.phases[operand.index()] < self.phases[id.index()];
            }
        }
        for id in self.nodes() {
            let index = id.index();
            self.costs[index] = self.cost(id);
            self.kept[index] |= is_crossing[index] && self.costs[index] > CHEAP;
        }
    }

    /// The cost of an element, computed from inputs and kept nodes.
    fn cost(&self, id: Id) -> usize {
        let own = match self.graph.op(id) {
            Op::Scalar(_) => return 0,
            Op::Data(_) => return 1,
            Op::Input => return 2,
            op if is_whole(op) => return PARTS,
            Op::Unary(Unary::Abs | Unary::Sign | Unary::Floor, _) | Op::SelectLess(_) => 2,
            Op::Unary(Unary::Reciprocal | Unary::Sqrt | Unary::RootSlope, _) | Op::Binary(Binary::Divide, ..) => 8,
            Op::Unary(..) => 30,
            Op::Binary(Binary::Power, ..) => 60,
            Op::Gather(_, Indices::List(_)) => 3,
            Op::Gather(..) => 2,
            Op::Scatter { parts, .. } => 4 * parts.len(),
            Op::Concat(parts) => 4 * parts.len(),
            _ => 1,
        };
        let of = |operand: Id| if self.kept[operand.index()] { 1 } else { self.costs[operand.index()] };
        self.graph.op(id).operands().into_iter().fold(own, |sum, operand| sum.saturating_add(of(operand)))
    }

    /// True if the node lies in memory when `phase` begins.
    pub(super) fn is_there(&self, id: Id, phase: usize) -> bool {
        self.kept[id.index()] && self.phases[id.index()] < phase
    }

    /// The nodes that each phase computes.
    pub(super) fn roots(&self) -> Vec<Vec<Root>> {
        let after = |id: Id| self.phases[id.index()] + usize::from(is_whole(self.graph.op(id)));
        let slope = if self.graph.len(self.slope) < self.dimension && self.kept[self.slope.index()] {
            self.phases[self.slope.index()] + 1
        } else {
            after(self.slope)
        };
        let mut roots: Vec<(usize, Root)> = self
            .nodes()
            .filter(|id| self.kept[id.index()])
            .map(|id| (self.phases[id.index()], Root::Kept(id)))
            .collect();
        roots.push((after(self.value), Root::Value));
        roots.push((slope, Root::Gradient));
        let last = roots.iter().map(|&(phase, _)| phase).max().unwrap_or(0);
        let mut phases = vec![Vec::new(); last + 1];
        roots.into_iter().for_each(|(phase, root)| phases[phase].push(root));
        phases
    }

    /// The nodes in memory that a root reads, each with whether it is read at the root's own element alone.
    fn reads(&self, root: Root, phase: usize) -> HashMap<Id, bool> {
        let mut found = HashMap::new();
        let (mut open, mut seen) = (Vec::new(), HashSet::new());
        match root {
            // A kept node is computed from its operands, though it may be in memory later.
            Root::Kept(id) => {
                open.extend(self.accesses(id).into_iter().map(|(operand, access)| (operand, access == Access::Same)))
            }
            Root::Value => open.push((self.value, true)),
            Root::Gradient => open.push((self.slope, self.graph.len(self.slope) > 1)),
        }
        while let Some((id, same)) = open.pop() {
            if !seen.insert((id, same)) {
                continue;
            }
            if self.is_there(id, phase) {
                *found.entry(id).or_insert(true) &= same;
                continue;
            }
            let operands = self.accesses(id).into_iter();
            open.extend(operands.map(|(operand, access)| (operand, same && access == Access::Same)));
        }
        found
    }

    /// Gives out places in memory; those that are not read any more are given out again.
    fn place(&mut self) {
        let phases = self.roots();
        let gradient = phases.iter().position(|roots| roots.contains(&Root::Gradient)).unwrap_or(0);
        // Where each node is read last, and those whose place the gradient may not take.
        let (mut last, mut apart): (HashMap<Id, usize>, HashSet<Id>) = (HashMap::new(), HashSet::new());
        for (phase, roots) in phases.iter().enumerate() {
            for &root in roots {
                for (id, same) in self.reads(root, phase) {
                    last.insert(id, phase);
                    if phase > gradient || phase == gradient && !(root == Root::Gradient && same) {
                        apart.insert(id);
                    }
                }
            }
        }
        let mut taken: Vec<(usize, usize, usize)> = Vec::new();
        let mut gradient_until = None;
        for (phase, roots) in phases.iter().enumerate() {
            for &root in roots {
                let Root::Kept(id) = root else { continue };
                let op = self.graph.op(id);
                let end = last.get(&id).copied().unwrap_or(phase);
                let is_partial = matches!(op, Op::Reduce(..));
                let len = if is_partial { PARTS } else { self.graph.len(id) };
                let fits = !is_partial && len == self.dimension && phase < gradient && !apart.contains(&id);
                if fits && gradient_until.is_none_or(|until| until < phase) {
                    gradient_until = Some(end);
                    self.places.insert(id, Place::Gradient);
                    continue;
                }
                taken.retain(|&(_, _, until)| until >= phase);
                taken.sort_unstable();
                let mut start = 0;
                for &(begin, end, _) in &taken {
                    if start + len <= begin {
                        break;
                    }
                    start = start.max(end);
                }
                taken.push((start, start + len, end));
                self.work = self.work.max(start + len);
                self.places.insert(id, Place::Work(start));
            }
        }
    }
}
