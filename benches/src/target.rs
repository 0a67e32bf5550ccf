//! Targets for the speed beside other programs.

use crate::case::{Case, Program};
use crate::comparison::Measurement;
use crate::objective::{Objective, Own};
use overparam::prelude::{Dimensions, Dtype, Function, Optimizer, Rule};

/// A ratio of times, theirs by ours, that all of some cases are to reach.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The cases in words.
    pub cases: &'static str,
    /// Compared with whom.
    pub program: Program,
    /// The least ratio.
    pub ratio: f64,
    applies: fn(&Case) -> bool,
}

/// The outcome of a [`Target`].
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Cases that it applies to and that the program took part in.
    pub cases: usize,
    /// The cases below the ratio, with the ratio that they reach.
    pub missed: Vec<(Case, f64)>,
    /// The smallest ratio.
    pub least: f64,
}

fn is_glass(case: &Case) -> bool {
    case.function == Function::SpinGlass
}

/// True for the functions of the library but the spin glass.
fn is_test_function(case: &Case) -> bool {
    matches!(case.function, Objective::Function(_)) && !is_glass(case)
}

fn expression(case: &Case) -> Option<&'static Own> {
    match case.function {
        Objective::Expression(own) => Some(own),
        Objective::Function(_) => None,
    }
}

fn is_descent(case: &Case) -> bool {
    case.rule == Rule::GradientDescent
}

fn is_lbfgs(case: &Case) -> bool {
    matches!(case.rule, Rule::Lbfgs { .. })
}

fn is_small(case: &Case) -> bool {
    case.dimensions == Dimensions::PAPER
}

fn is_deep(case: &Case) -> bool {
    case.optimizer == Optimizer::Deep
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self {
            cases: "test functions, shallow",
            program: Program::Jax,
            ratio: 3.0,
            applies: |case| is_descent(case) && is_test_function(case) && !is_deep(case),
        },
        Self {
            cases: "test functions, deep 10x1, f32",
            program: Program::Jax,
            ratio: 2.5,
            applies: |case| {
                is_descent(case)
                    && is_test_function(case)
                    && is_deep(case)
                    && is_small(case)
                    && case.dtype == Dtype::F32
            },
        },
        Self {
            cases: "test functions, deep 10x1, f64",
            program: Program::Jax,
            ratio: 3.0,
            applies: |case| {
                is_descent(case)
                    && is_test_function(case)
                    && is_deep(case)
                    && is_small(case)
                    && case.dtype == Dtype::F64
            },
        },
        Self {
            cases: "test functions, deep 50x1",
            program: Program::Jax,
            ratio: 1.5,
            applies: |case| is_descent(case) && is_test_function(case) && is_deep(case) && !is_small(case),
        },
        Self {
            cases: "spin glass, d=50",
            program: Program::Jax,
            ratio: 2.0,
            applies: |case| is_descent(case) && is_glass(case) && case.dimensions.d == 50,
        },
        Self {
            cases: "spin glass, d=200",
            program: Program::Jax,
            ratio: 1.0,
            applies: |case| is_descent(case) && is_glass(case) && case.dimensions.d == 200,
        },
        Self {
            cases: "expressions, elementwise",
            program: Program::Jax,
            ratio: 3.0,
            applies: |case| is_descent(case) && expression(case).is_some_and(|own| own.is_elementwise()),
        },
        Self {
            cases: "expressions with pairs or a matrix",
            program: Program::Jax,
            ratio: 2.0,
            applies: |case| is_descent(case) && expression(case).is_some_and(|own| !own.is_elementwise()),
        },
        Self {
            cases: "test functions, shallow and deep 10x1",
            program: Program::Torch,
            ratio: 30.0,
            applies: |case| is_descent(case) && is_test_function(case) && is_small(case),
        },
        Self {
            cases: "test functions, deep 50x1",
            program: Program::Torch,
            ratio: 30.0,
            applies: |case| is_descent(case) && is_test_function(case) && !is_small(case),
        },
        Self {
            cases: "spin glass, d=50",
            program: Program::TorchNaive,
            ratio: 300.0,
            applies: |case| is_descent(case) && is_glass(case),
        },
        Self {
            cases: "other rules but L-BFGS",
            program: Program::Jax,
            ratio: 3.0,
            applies: |case| !is_descent(case) && !is_lbfgs(case),
        },
        Self { cases: "L-BFGS, per evaluation", program: Program::Jax, ratio: 3.0, applies: is_lbfgs },
    ];

    /// Judges by `ratios`: for a case and a program, its time by ours.
    pub fn judge(&self, ratios: &[(Case, Program, f64)]) -> Verdict {
        let mut verdict = Verdict { cases: 0, missed: Vec::new(), least: f64::INFINITY };
        for &(case, program, ratio) in ratios {
            if program == self.program && (self.applies)(&case) {
                verdict.cases += 1;
                verdict.least = verdict.least.min(ratio);
                if ratio < self.ratio {
                    verdict.missed.push((case, ratio));
                }
            }
        }
        verdict
    }
}

impl Measurement {
    /// For every measurement of another program, its time by this crate's: first by medians, then by the fastest repeats.
    pub fn ratios(measurements: &[Self]) -> [Vec<(Case, Program, f64)>; 2] {
        let ratios = |time: fn(&Self) -> f64| {
            let ours = |case: &Case| {
                measurements.iter().find(|ours| ours.case == *case && ours.program == Program::Overparam).map(time)
            };
            let others = measurements.iter().filter(|other| other.program != Program::Overparam);
            others.filter_map(|other| Some((other.case, other.program, time(other) / ours(&other.case)?))).collect()
        };
        [ratios(|measurement| measurement.times.median), ratios(|measurement| measurement.times.least)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_target() {
        for case in Case::all(false, &Rule::ALL) {
            let targets = Target::ALL.iter().filter(|target| target.program == Program::Jax && (target.applies)(&case));
            assert_eq!(targets.count(), 1, "{case}");
        }
    }

    #[test]
    fn every_target_has_a_case_in_its_words() {
        for target in Target::ALL {
            let cases: Vec<Case> = Case::all(false, &Rule::ALL).into_iter().filter(target.applies).collect();
            assert!(!cases.is_empty(), "{} has no case", target.cases);
            for case in cases.into_iter().filter(is_descent) {
                assert_eq!(target.cases.starts_with("spin glass"), case.function == Function::SpinGlass, "{case}");
                for dtype in [Dtype::F32, Dtype::F64] {
                    let other = target.cases.ends_with(dtype.name()) && case.dtype != dtype;
                    assert!(!other, "{}: {case}", target.cases);
                }
                let shape = case.shape();
                assert!(!is_test_function(&case) || target.cases.contains(&shape), "{}: {case}", target.cases);
            }
        }
    }

    #[test]
    fn a_target_is_missed_by_the_cases_below_it() {
        let cases = Case::all(true, &[Rule::GradientDescent]);
        let shallow = Target::ALL[0];
        let ratios = [(cases[0], Program::Jax, 3.5), (cases[1], Program::Jax, 2.0), (cases[2], Program::Jax, 1.0)];
        let verdict = shallow.judge(&ratios);
        assert_eq!((verdict.cases, verdict.least), (2, 2.0));
        assert_eq!(verdict.missed, [(cases[1], 2.0)]);
        assert_eq!(shallow.judge(&[]).cases, 0);
    }
}
