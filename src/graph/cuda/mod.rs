//! The CUDA source of an expression, for the batches on a GPU, in the common subset of C and CUDA C++.
//!
//! All threads of a block work on all points of a run, in phases. What follows from a point's numbers element by element is computed where
//! it is needed, in registers; a phase ends where something needs numbers that other threads have found, such as a sum. What a later phase
//! needs and is not quickly computed again lies in the block's memory.

mod plan;
mod write;

use super::operation::Binary;
use super::{Graph, Id, Op, Recorded};
use std::borrow::Cow;

/// The source of an objective for a GPU, as `prelude.cu` of the batches explains it.
#[derive(Clone, Debug)]
pub(crate) struct CudaSource {
    /// The text that defines `evaluate`.
    pub text: Cow<'static, str>,
    /// Scalars of memory that it works on, for each point.
    pub work: usize,
    /// The numbers that it reads, the same for all runs.
    pub data: Vec<f64>,
}

/// The number of threads that share a point where its coordinates are summed up.
pub(crate) const PARTS: usize = 4;

/// The most nodes of a source: a compiler takes minutes over more.
const MOST_NODES: usize = 20_000;

impl CudaSource {
    /// The source of value and gradient of the recorded program; nothing where it has too many operations for a kernel.
    pub(crate) fn new(recorded: &Recorded) -> Option<Self> {
        let (graph, roots) = prepared(recorded);
        (graph.nodes().len() <= MOST_NODES)
            .then(|| write::source(plan::Planner::new(&graph, roots, recorded.dimension)))
    }
}

/// The graph of value and gradient, without nodes that neither needs, and the nodes of both. In products of vectors and numbers the vectors come
/// together: the numbers tend to be known only in a later phase.
fn prepared(recorded: &Recorded) -> (Graph, [Id; 2]) {
    let mut from = recorded.graph.clone();
    let slope = super::gradient::gradient(&mut from, recorded.value).unwrap_or_else(|| from.scalar(0.0));
    let mut graph = Graph { differentiated: true, ..Graph::default() };
    let input = graph.input(recorded.dimension);
    let roots = graph.take_in(&from, [recorded.value, slope], input, times);
    (graph, roots)
}

/// The product; (number × vector) × vector is number × (vector × vector).
fn times(graph: &mut Graph, a: Id, b: Id) -> Id {
    for (product, vector) in [(a, b), (b, a)] {
        let &Op::Binary(Binary::Multiply, c, d) = graph.op(product) else { continue };
        for (number, other) in [(c, d), (d, c)] {
            if graph.len(number) == 1 && graph.len(other) > 1 && graph.len(vector) > 1 && !graph.is_known(number) {
                let vectors = graph.binary(Binary::Multiply, other, vector);
                return graph.binary(Binary::Multiply, number, vectors);
            }
        }
    }
    graph.binary(Binary::Multiply, a, b)
}
