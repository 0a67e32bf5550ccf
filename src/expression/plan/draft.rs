//! Passes and their instructions, before places are given out.

use super::Code;
use super::schedule::Planner;
use crate::graph::{Id, Indices};

/// An operand or a result before places are assigned.
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
    /// The number of elements, if it differs from that of the pass.
    pub count: usize,
}

/// A pass before places are given out.
pub(super) struct DraftPass {
    pub len: usize,
    pub whole: bool,
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

    /// The place of these indices in the lists.
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

    /// The place of the inverse of these indices in the lists: for each of `len` places the first of its elements, and the end of the last ones;
    /// then the elements.
    pub(super) fn sources(&mut self, indices: &Indices, count: usize, len: usize) -> usize {
        let place = self.lists.len();
        let mut elements: Vec<(usize, usize)> = (0..count).map(|k| (indices.at(k), k)).collect();
        elements.sort_unstable();
        let begin = |place: usize| elements.partition_point(|&(of, _)| of < place) as u32;
        self.lists.extend((0..=len).map(begin));
        self.lists.extend(elements.iter().map(|&(_, k)| k as u32));
        place
    }
}
