//! Shapes as numbers, chosen at run time.

use super::Widths;
use crate::descent::Optimizer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dimensions {
    /// Embeddings, that is points optimized at once.
    pub n: usize,
    /// Dimensions of an embedding.
    pub k: usize,
    /// Neurons of the hidden layers.
    pub widths: Widths,
    /// Dimensions of the objective.
    pub d: usize,
}

impl Dimensions {
    /// The paper's shape: 50 embeddings of 10 dimensions, one layer of 10 neurons, 50 dimensions.
    pub const PAPER: Self = Self { n: 50, k: 10, widths: Widths::of(&[10]), d: 50 };

    /// The shape of the authors' published program: 50 embeddings of 50 dimensions, one layer of 50 neurons, 50 dimensions.
    pub const DEEP_CONVEXITY: Self = Self { n: 50, k: 50, widths: Widths::of(&[50]), d: 50 };

    /// The number of variables that the optimizer moves: n d, or n k plus the network's weights and biases.
    pub fn parameters(self, optimizer: Optimizer) -> usize {
        let Self { n, k, d, .. } = self;
        match optimizer {
            Optimizer::Shallow => n * d,
            Optimizer::Deep => n * k + self.layers().map(|(inputs, outputs)| (inputs + 1) * outputs).sum::<usize>(),
        }
    }
}

impl fmt::Display for Dimensions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, k, widths, d } = self;
        write!(formatter, "n={n} k={k} widths={widths} d={d}")
    }
}
