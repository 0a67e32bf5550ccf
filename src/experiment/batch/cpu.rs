//! Batches on the cores: the same steps as in single runs, each run one task.

use super::{Batch, Engine, Trial};
use crate::descent::{Found, Progress, Step};
use crate::element::Element;
use crate::error::Error;
use crate::experiment::{Start, step, stride};
use crate::simd::Real;
use rayon::prelude::*;

/// Iterations that a run takes at a time: enough that loading its parameters into the cache pays.
const STRIDE: u64 = 256;

/// Iterations that a run takes at a time under a budget of time, which all runs of the batch share.
const TIMED_STRIDE: u64 = 1;

/// The runs of a batch, each with its parameters.
pub(super) struct Cores<R: Real> {
    runs: Vec<(Progress<R>, Box<dyn Step<R> + Send>)>,
    stride: u64,
    /// Iterations that all runs have behind them, but for those that have ended.
    iterations: u64,
}

impl<R: Element> Cores<R> {
    pub(super) fn new(batch: &Batch<'_>) -> Result<Self, Error> {
        let (problem, dimensions) = (&batch.problem, batch.dimensions);
        let kernels = problem.kernels::<R>(dimensions.d)?;
        let draw = |&seed: &u64| {
            let kernel = kernels(seed)?;
            let start: Start<R> = dimensions.draw(seed, batch.settings.initialization);
            Ok((start, kernel))
        };
        let (seeds, index_of) = batch.seeds();
        let drawn = seeds.par_iter().map(draw).collect::<Result<Vec<_>, Error>>()?;
        let run = |(&trial, index): (&Trial, usize)| {
            let (drawn, kernel) = &drawn[index];
            let &Batch { optimizer, settings, .. } = batch;
            let stride = stride(dimensions, &**kernel, optimizer);
            let network = dimensions.network(&drawn.embeddings, &drawn.layers, settings.activation, stride);
            let stepper = step(dimensions, network, kernel.clone(), optimizer, trial.seed, settings)?;
            Ok((Progress::new(dimensions.n, dimensions.d, &batch.settings(trial)), stepper))
        };
        let runs = batch.trials.par_iter().zip(index_of).map(run).collect::<Result<_, Error>>()?;
        let stride = if batch.settings.budget.limits().1.is_finite() { TIMED_STRIDE } else { STRIDE };
        Ok(Self { runs, stride, iterations: 0 })
    }
}

impl<R: Real> Engine<R> for Cores<R> {
    fn advance(&mut self) -> Result<Option<u64>, Error> {
        self.iterations += self.stride;
        let until = self.iterations;
        let going = self.runs.par_iter_mut().filter(|(progress, _)| !progress.ended());
        going.for_each(|(progress, stepper)| progress.advance(&mut **stepper, until));
        Ok(self.runs.iter().any(|(progress, _)| !progress.ended()).then_some(self.iterations))
    }

    fn finish(self: Box<Self>) -> Result<Vec<Found<R>>, Error> {
        Ok(self.runs.into_iter().map(|(progress, _)| progress.finish()).collect())
    }
}
