//! The source of a batch's kernel, put together for its function and its shape, and how much memory a run takes in it.

use crate::descent::{Optimizer, Settings, Squash};
use crate::device::{Source, THREADS};
use crate::error::Error;
use crate::experiment::Dimensions;
use crate::experiment::batch::Batch;
use crate::graph::cuda::CudaSource;
use crate::objective::{Lowest, Problem};
use crate::rule::{LearningRate, Plateau, Rule, Schedule};
use crate::simd::Real;
use std::fmt::Write;

/// The first and the last part of the source; `prelude.cu` explains the macros.
const PRELUDE: &str = include_str!("prelude.cu");
const DESCENT: &str = include_str!("descent.cu");

impl Source {
    /// The kernel of a batch, in scalars `R`, where a block has `shared` bytes of shared memory.
    ///
    /// # Errors
    /// If the settings have not been written for a GPU.
    pub(super) fn new<R: Real>(batch: &Batch<'_>, function: &CudaSource, shared: usize) -> Result<Self, Error> {
        ensure(batch.dimensions, batch.optimizer, batch.settings)?;
        let words = words(batch.dimensions, batch.optimizer, function)?;
        let bytes = words * size_of::<R>();
        let global = bytes > shared;
        let Dimensions { n, k, widths, d } = batch.dimensions;
        let mut text = String::new();
        for (name, value) in [
            ("N", n),
            ("K", k),
            // Of no account where there is no network.
            ("H", widths.uniform().unwrap_or(1)),
            ("L", widths.layers()),
            ("D", d),
            // What every seed draws, or nothing: then all share what there is.
            ("DATA", batch.problem.device_scalars(d) as usize),
            ("BLOCK_WORDS", words),
            ("MOST_THREADS", THREADS as usize),
        ] {
            // Writing to a string does not fail.
            let _ = writeln!(text, "#define {name} {value}");
        }
        for (name, defined) in [
            ("SINGLE", R::NAME == "f32"),
            ("DEEP", batch.optimizer == Optimizer::Deep),
            ("CLAMP", batch.settings.squash == Squash::Clamp),
            ("BOUNDED", batch.problem.lowest() == Lowest::Rounded),
            ("GLOBAL_MEMORY", global),
        ] {
            if defined {
                let _ = writeln!(text, "#define {name}");
            }
        }
        for part in [PRELUDE, &function.text, DESCENT] {
            text.push_str(part);
        }
        Ok(Self { text, bytes, global })
    }
}

/// # Errors
/// If runs with these settings have not been written for a GPU.
pub(in crate::experiment::batch) fn ensure(
    dimensions: Dimensions,
    optimizer: Optimizer,
    settings: &Settings,
) -> Result<(), Error> {
    let &Settings { rule, activation, residual, frozen_embeddings, .. } = settings;
    let plain =
        (activation, residual, frozen_embeddings) == Default::default() && dimensions.widths.uniform().is_some();
    if rule != Rule::GradientDescent || (optimizer == Optimizer::Deep && !plain) {
        return Err(Error::Backend {
            problem: "only gradient descent on the coordinates or on a ReLU network whose hidden layers have one width has been written for it".to_owned(),
            remedy: "use the device cpu",
        });
    }
    if settings.target.is_some() || settings.tolerance.is_some() {
        return Err(Error::Backend {
            problem: "a target or a tolerance, by which a run ends before its budget, has not been written for it"
                .to_owned(),
            remedy: "use the device cpu",
        });
    }
    plateau(settings.learning_rate).map(|_| ())
}

/// The schedule, which is written for a GPU where it is a plateau's with an absolute threshold and no cooldown; a step size that does not
/// change is one whose factor is 1.
pub(super) fn plateau(rate: LearningRate) -> Result<Plateau, Error> {
    match rate.schedule {
        Schedule::Constant => Ok(Plateau { factor: 1.0, ..Plateau::PAPER }),
        Schedule::Plateau(plateau) if !plateau.relative && plateau.cooldown == 0 => Ok(plateau),
        other => Err(Error::Backend {
            problem: format!("the schedule {other} has not been written for it"),
            remedy: "use the schedule paper or constant, or the device cpu",
        }),
    }
}

/// The source of an objective.
///
/// # Errors
/// If it is not defined in so many dimensions, or cannot be computed on a GPU.
pub(super) fn objective(problem: &Problem, dimension: usize) -> Result<CudaSource, Error> {
    problem.cuda(dimension)?.ok_or_else(|| Error::Backend {
        problem: format!("{problem} has too many operations for a kernel in {dimension} dimensions"),
        remedy: "use the device cpu",
    })
}

/// The scalars that a run moves and works on: what WORDS says in `descent.cu`, which checks it.
///
/// # Errors
/// If they are more than a kernel can count.
pub(super) fn words(dimensions: Dimensions, optimizer: Optimizer, function: &CudaSource) -> Result<usize, Error> {
    let Dimensions { n, k, widths, d } = dimensions;
    let flow = if optimizer == Optimizer::Deep { (widths.layers() + 1) * n * k.max(widths.widest()) } else { 0 };
    let words = dimensions.parameters(optimizer) + flow + 2 * n * d + n + n.saturating_mul(function.work);
    if words > i32::MAX as usize || function.data.len() > i32::MAX as usize {
        return Err(Error::Backend {
            problem: format!("a run of it with {dimensions} works on more than 2^31 numbers"),
            remedy: "take a smaller shape, or use the device cpu",
        });
    }
    Ok(words)
}
