//! The cases that are timed, and the programs.

use overparam::prelude::{Dimensions, Dtype, Function, Optimizer, Rule};
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// The function to minimize.
    pub function: Function,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The update rule.
    pub rule: Rule,
    /// The shape.
    pub dimensions: Dimensions,
    /// The scalar.
    pub dtype: Dtype,
}

impl Case {
    /// Every function by each of `rules`, shallow and with the paper's network; by gradient descent also with a larger network, and the
    /// spin glass in 200 dimensions; both scalars. `quick` keeps three functions and the paper's shape.
    pub fn all(quick: bool, rules: &[Rule]) -> Vec<Self> {
        let mut shapes = Vec::new();
        let (shallow, deep) = (Optimizer::Shallow, Optimizer::Deep);
        for &rule in rules {
            let whole = !quick && rule == Rule::GradientDescent;
            for function in Function::ALL {
                if quick && ![Function::Rastrigin, Function::Sphere, Function::SpinGlass].contains(&function) {
                    continue;
                }
                shapes.push((function, shallow, rule, Dimensions::PAPER));
                shapes.push((function, deep, rule, Dimensions::PAPER));
                if whole {
                    shapes.push((function, deep, rule, Dimensions::DEEP_CONVEXITY));
                }
            }
            if whole {
                let large = Dimensions { d: 200, ..Dimensions::PAPER };
                shapes.extend([shallow, deep].map(|optimizer| (Function::SpinGlass, optimizer, rule, large)));
            }
        }
        let both = |(function, optimizer, rule, dimensions)| {
            [Dtype::F32, Dtype::F64].map(|dtype| Self { function, optimizer, rule, dimensions, dtype })
        };
        shapes.into_iter().flat_map(both).collect()
    }

    /// The shape in words: `"shallow"`, `"deep 10x1"` for one layer of ten neurons, `"deep 32,16"` where widths differ; with the dimension where it is not 50.
    pub fn shape(&self) -> String {
        let Dimensions { widths, d, .. } = self.dimensions;
        let optimizer = match self.optimizer {
            Optimizer::Shallow => "shallow".to_owned(),
            Optimizer::Deep => match widths.uniform() {
                Some(width) => format!("deep {width}x{}", widths.layers()),
                None => format!("deep {widths}"),
            },
        };
        if d == Dimensions::PAPER.d { optimizer } else { format!("{optimizer} d={d}") }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}, {}, {}", self.function, self.shape(), self.rule, self.dtype.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overparam::prelude::Widths;

    #[test]
    fn cases_cover_every_function_once_and_quick_ones_are_among_them() {
        let (cases, quick) = (Case::all(false, &Rule::ALL), Case::all(true, &Rule::ALL));
        for (function, rule) in Function::ALL.into_iter().flat_map(|of| Rule::ALL.map(|by| (of, by))) {
            let of = |dtype| {
                let with = move |case: &&Case| (case.function, case.rule, case.dtype) == (function, rule, dtype);
                cases.iter().filter(with)
            };
            let shapes: Vec<String> = of(Dtype::F64).map(Case::shape).collect();
            let expected = ["shallow", "deep 10x1", "deep 50x1"];
            let expected = if rule == Rule::GradientDescent { &expected[..] } else { &expected[..2] };
            assert!(
                shapes.starts_with(&expected.iter().map(|&shape| shape.to_owned()).collect::<Vec<_>>()),
                "{function}, {rule}"
            );
            assert_eq!(shapes, of(Dtype::F32).map(Case::shape).collect::<Vec<_>>(), "{function}");
        }
        for (index, case) in cases.iter().enumerate() {
            assert!(!cases[..index].contains(case), "{case} twice");
        }
        // Agreement is found with the first of two dtypes, and holds for both.
        for pair in cases.chunks(2).chain(quick.chunks(2)) {
            let [single, double] = pair else { panic!("{pair:?}") };
            assert_eq!((single.dtype, Case { dtype: Dtype::F64, ..*single }), (Dtype::F32, *double));
        }
        assert!(!quick.is_empty() && quick.len() < cases.len() / 2 && quick.iter().all(|case| cases.contains(case)));
    }

    #[test]
    fn a_shape_names_the_dimension_where_it_is_another() {
        let large = Dimensions { d: 200, ..Dimensions::DEEP_CONVEXITY };
        let case = Case {
            function: Function::SpinGlass,
            optimizer: Optimizer::Deep,
            rule: Rule::GradientDescent,
            dimensions: large,
            dtype: Dtype::F32,
        };
        assert_eq!(case.to_string(), "spin-glass, deep 50x1 d=200, gradient-descent, f32");
        let shallow = Case { optimizer: Optimizer::Shallow, dimensions: Dimensions::PAPER, ..case };
        assert_eq!(shallow.to_string(), "spin-glass, shallow, gradient-descent, f32");
        let widths = Widths::of(&[32, 16]);
        let other = Case { dimensions: Dimensions { widths, ..Dimensions::PAPER }, ..case };
        assert_eq!(other.to_string(), "spin-glass, deep 32,16, gradient-descent, f32");
    }
}
