//! Passes and their instructions, before places are given out.

use super::Code;
use super::schedule::{Kind, Planner};
use super::write::Writer;
use crate::expression::graph::{Id, Indices};
use std::collections::HashMap;

/// What an instruction works on before places are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Value {
    /// The single register of a number.
    Scalar(usize),
    /// Elements of a node that lies in memory, from this one on; a single register where `one`.
    Memory { node: Id, start: usize, one: bool },
    /// A chunk of the pass.
    Chunk(usize),
}

impl Value {
    pub(super) fn is_vector(self) -> bool {
        match self {
            Self::Scalar(_) => false,
            Self::Memory { one, .. } => !one,
            Self::Chunk(_) => true,
        }
    }
}

/// An instruction before places are given out.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub code: Code,
    pub result: Value,
    pub second: Option<Value>,
    pub operands: Vec<Value>,
    pub extra: u32,
    /// How many elements, where that is not the pass's number.
    pub count: usize,
}

/// A pass before places are given out.
pub(super) struct DraftPass {
    pub len: usize,
    pub whole: bool,
    pub nodes: Vec<Id>,
    pub drafts: Vec<Draft>,
}

impl Planner<'_> {
    pub(super) fn scalar(&mut self, value: f64) -> usize {
        let next = self.scalars.len();
        let place = *self.scalar_places.entry(value.to_bits()).or_insert(next);
        if place == next {
            self.scalars.push(value);
        }
        place
    }

    /// Where these places are listed.
    pub(super) fn list(&mut self, indices: &Indices, len: usize) -> u32 {
        let known = self.list_places.entry(indices.clone()).or_default();
        if let Some(&(_, place)) = known.iter().find(|&&(of, _)| of >= len) {
            return place as u32;
        }
        let place = self.lists.len();
        known.push((len, place));
        self.lists.extend((0..len).map(|k| indices.at(k) as u32));
        place as u32
    }

    /// Where the inverse of these places is listed: for each of `len` places where its elements begin, and where the last ones end; then the
    /// elements.
    pub(super) fn sources(&mut self, indices: &Indices, count: usize, len: usize) -> usize {
        let place = self.lists.len();
        let mut elements: Vec<(usize, usize)> = (0..count).map(|k| (indices.at(k), k)).collect();
        elements.sort_unstable();
        let begin = |place: usize| elements.partition_point(|&(of, _)| of < place) as u32;
        self.lists.extend((0..=len).map(begin));
        self.lists.extend(elements.iter().map(|&(_, k)| k as u32));
        place
    }

    /// The passes, with their instructions.
    pub(super) fn draft(&mut self) -> Vec<DraftPass> {
        // Of each stage and length the nodes that are computed together.
        let mut groups: HashMap<(usize, usize, bool), usize> = HashMap::new();
        let mut passes: Vec<(usize, DraftPass)> = Vec::new();
        for index in 0..self.kinds.len() {
            let id = Id(index as u32);
            let Some(kind) = self.kinds[index] else { continue };
            let whole = match kind {
                Kind::Elementwise | Kind::Gather(_) | Kind::Reduce => false,
                Kind::Whole => true,
                Kind::Constants if self.is_output(id) => true,
                // What is asked for as a vector is made one.
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
            let pass = DraftPass { len, whole, nodes: Vec::new(), drafts: Vec::new() };
            if whole {
                passes.push((stage, DraftPass { nodes: vec![id], ..pass }));
                continue;
            }
            let place = *groups.entry((stage, len, whole)).or_insert_with(|| {
                passes.push((stage, pass));
                passes.len() - 1
            });
            passes[place].1.nodes.push(id);
        }
        passes.sort_by_key(|&(stage, _)| stage);
        let mut drafted = Vec::with_capacity(passes.len());
        for (stage, mut pass) in passes {
            let nodes = std::mem::take(&mut pass.nodes);
            let mut writer =
                Writer { planner: self, stage, len: pass.len, drafts: Vec::new(), found: HashMap::new(), next: 0 };
            for &id in &nodes {
                if pass.whole { writer.whole(id) } else { writer.node(id) }
            }
            pass.drafts = writer.drafts;
            pass.nodes = nodes;
            drafted.push(pass);
        }
        drafted
    }
}
