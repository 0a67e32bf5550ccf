//! What is timed, and by whom.

use crate::experiment::{Dimensions, Dtype};
use crate::objective::Function;
use crate::optimizer::Optimizer;
use std::fmt;

/// Who runs a descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    /// This crate, on one thread.
    Overparam,
    /// JAX: one compiled loop over all iterations.
    Jax,
    /// PyTorch, eager.
    Torch,
    /// PyTorch, objective and gradient compiled.
    TorchCompiled,
    /// PyTorch, eager, with the spin glass as d×d×d products.
    TorchNaive,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Overparam, Self::Jax, Self::Torch, Self::TorchCompiled, Self::TorchNaive];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overparam => "overparam",
            Self::Jax => "JAX",
            Self::Torch => "PyTorch eager",
            Self::TorchCompiled => "PyTorch compiled",
            Self::TorchNaive => "PyTorch naive",
        }
    }
}

/// A descent to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What is minimized.
    pub function: Function,
    /// By which optimizer.
    pub optimizer: Optimizer,
    /// In which shape.
    pub dimensions: Dimensions,
    /// In which scalar.
    pub dtype: Dtype,
}

impl Case {
    /// Every function in the paper's dimension, shallow and with a small and a larger network, and the spin glass in 200
    /// dimensions; both scalars. `quick` keeps three functions and the small network.
    pub fn all(quick: bool) -> Vec<Self> {
        let mut shapes = Vec::new();
        let (shallow, deep) = (Optimizer::Shallow, Optimizer::Deep);
        for function in Function::ALL {
            if quick && ![Function::Rastrigin, Function::Sphere, Function::SpinGlass].contains(&function) {
                continue;
            }
            shapes.push((function, shallow, Dimensions::PAPER));
            shapes.push((function, deep, Dimensions::PAPER));
            if !quick {
                shapes.push((function, deep, Dimensions::DEEP_CONVEXITY));
            }
        }
        if !quick {
            let large = Dimensions { d: 200, ..Dimensions::PAPER };
            shapes.extend([(Function::SpinGlass, shallow, large), (Function::SpinGlass, deep, large)]);
        }
        let both = |(function, optimizer, dimensions)| {
            [Dtype::F32, Dtype::F64].map(|dtype| Self { function, optimizer, dimensions, dtype })
        };
        shapes.into_iter().flat_map(both).collect()
    }

    /// The shape in words: `"shallow"`, `"deep 10x1"` for one layer of ten neurons; with the dimension where it is not 50.
    pub fn shape(&self) -> String {
        let Dimensions { hidden, layers, d, .. } = self.dimensions;
        let optimizer = match self.optimizer {
            Optimizer::Shallow => "shallow".to_owned(),
            Optimizer::Deep => format!("deep {hidden}x{layers}"),
        };
        if d == Dimensions::PAPER.d { optimizer } else { format!("{optimizer} d={d}") }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}, {}", self.function, self.shape(), self.dtype.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_three_shapes_and_the_spin_glass_five() {
        let cases = Case::all(false);
        assert_eq!(cases.len(), 2 * (9 * 3 + 2));
        let glasses = cases.iter().filter(|case| case.function == Function::SpinGlass);
        let shapes: Vec<String> = glasses.step_by(2).map(Case::shape).collect();
        assert_eq!(shapes, ["shallow", "deep 10x1", "deep 50x1", "shallow d=200", "deep 10x1 d=200"]);
        assert_eq!(Case::all(true).len(), 12);
        assert_eq!(cases[0].to_string(), "ackley, shallow, f32");
    }
}
