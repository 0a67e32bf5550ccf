//! Sweeps: every learning rate with every seed, over all cores.

use super::keeper::{Keeper, Look, Watching};
use super::{Descent, Dimensions, Run, Stage};
use crate::descent::{Optimizer, Outcome, Settings};
use crate::device::Backend;
use crate::element::Element;
use crate::error::Error;
use crate::objective::{Kernel, Problem};
use crate::{interrupt, team};
use rayon::prelude::*;
use std::sync::Arc;

/// Runs of one objective, over learning rates, seeds and optimizers.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The objective to minimize.
    pub problem: Problem,
    /// The shape of all runs.
    pub dimensions: Dimensions,
    /// The first step sizes to try.
    pub rates: Vec<f64>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The optimizers.
    pub optimizers: Vec<Optimizer>,
    /// Everything else. The rate in it is replaced.
    pub settings: Settings,
}

/// A learning rate and what its runs reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The first step size α₀.
    pub rate: f64,
    /// The lowest objective over the runs that did not diverge, by which rates are chosen; infinite if all diverged.
    pub minimum: f64,
    /// The lowest objective over all runs, of those that diverged before they did: the lowest `best` of the summary.
    pub best: f64,
    /// Runs that diverged.
    pub diverged: usize,
}

impl Sweep {
    /// The number of runs.
    pub fn len(&self) -> usize {
        self.rates.len() * self.seeds.len() * self.optimizers.len()
    }

    /// True if there is no run.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs everything on the threads of the current rayon pool, each run on its share of them, and returns the runs in the order of
    /// optimizers, rates, seeds, whatever the number of threads. The runs of a seed share its couplings. `finished` is called
    /// after each run. Runs not begun when an interrupt is requested are left out.
    ///
    /// # Errors
    /// If a setting is outside its range, or the runs do not fit into memory.
    pub fn run<R: Element>(&self, finished: &(dyn Fn(&Run) + Sync)) -> Result<Vec<Run>, Error> {
        self.ensure_room::<R>()?;
        self.run_kept::<R>(&Watching(&|_, run| finished(run)))
    }

    /// [`Sweep::run`] as `keeper` has it, whatever the memory that is free.
    pub(crate) fn run_kept<R: Element>(&self, keeper: &dyn Keeper) -> Result<Vec<Run>, Error> {
        let rates = self.optimizers.iter().flat_map(|&optimizer| self.rates.iter().map(move |&rate| (optimizer, rate)));
        let rates: Vec<(Optimizer, f64)> = rates.collect();
        let kernels = match self.problem.kernels::<R>(self.dimensions.d) {
            Err(Error::Interrupted) => return Ok(Vec::new()),
            kernels => kernels?,
        };
        // Seed by seed, so that no more couplings are held than there are threads.
        let one = |seed: u64| -> Result<Vec<Option<Box<Run>>>, Error> {
            let settings = |rate| self.settings.learning_rate(rate);
            let look =
                |&(optimizer, rate): &(Optimizer, f64)| keeper.look(Stage::Sweep, optimizer, seed, &settings(rate));
            let looks: Vec<Look> = rates.iter().map(look).collect();
            let wanted = looks.iter().any(|look| matches!(look, Look::Make)) && !interrupt::requested();
            let kernel = match wanted.then(|| kernels(seed)).transpose() {
                Err(Error::Interrupted) => None,
                kernel => kernel?,
            };
            let run = |(trial, looked): (&(Optimizer, f64), Look)| {
                let (optimizer, rate) = *trial;
                if let Look::Known(run) = looked {
                    return Ok(Some(run));
                }
                let wanted = matches!(looked, Look::Make) && !interrupt::requested();
                let Some(kernel) = kernel.clone().filter(|_| wanted) else { return Ok(None) };
                // Somebody else may have made it meanwhile.
                match look(trial) {
                    Look::Known(run) => return Ok(Some(run)),
                    Look::Leave => return Ok(None),
                    Look::Make => {}
                }
                let settings = settings(rate);
                let name = self.problem.name();
                let threads = team::size(self.len(), self.dimensions.operations(optimizer, kernel.operations()));
                let run =
                    Descent::new(self.dimensions, Backend::Cpu, name, kernel, optimizer, seed, &settings, threads)?;
                let run = run.run_without_end();
                keeper.keep(Stage::Sweep, &run);
                Ok(keeper.returns().then(|| Box::new(run)))
            };
            rates.par_iter().zip(looks).map(run).collect()
        };
        let mut seeds: Vec<Vec<Option<Box<Run>>>> =
            self.seeds.par_iter().map(|&seed| one(seed)).collect::<Result<_, Error>>()?;
        let mut runs = Vec::new();
        for index in 0..rates.len() {
            runs.extend(seeds.iter_mut().filter_map(|runs| runs[index].take()).map(|run| *run));
        }
        Ok(runs)
    }
}

impl Sweep {
    /// The only run of a sweep of one, with the kernel of its seed where it is computed on the CPU.
    pub(super) fn single<R: Element>(
        &self,
        backend: Backend,
        kernel: &dyn Fn() -> Result<Arc<dyn Kernel<R>>, Error>,
    ) -> Result<Run, Error> {
        if backend == Backend::Cpu {
            return self.start_single(kernel).map(Descent::run);
        }
        // One optimizer, one rate and one seed are one run, unless it is not begun.
        self.run_batched::<R>(backend, &|_| {})?.pop().ok_or(Error::Interrupted)
    }

    /// The only run of a sweep of one on the CPU, before its first iteration.
    pub(super) fn start_single<R: Element>(
        &self,
        kernel: &dyn Fn() -> Result<Arc<dyn Kernel<R>>, Error>,
    ) -> Result<Descent<'static>, Error> {
        self.ensure_room::<R>()?;
        let kernel = kernel()?;
        let (optimizer, seed) = (self.optimizers[0], self.seeds[0]);
        let threads = team::size(1, self.dimensions.operations(optimizer, kernel.operations()));
        let name = self.problem.name();
        Descent::new(self.dimensions, Backend::Cpu, name, kernel, optimizer, seed, &self.settings, threads)
    }
}

impl Candidate {
    /// One candidate per rate of the runs of `optimizer`, the best first: the lowest minimum over the seeds. Among equals the
    /// larger rate comes first, for it gets there sooner. A rate with a diverged run comes after all without one.
    pub fn rank<'a>(runs: impl IntoIterator<Item = &'a Run>, optimizer: Optimizer) -> Vec<Self> {
        let mut candidates: Vec<Self> = Vec::new();
        for run in runs.into_iter().filter(|run| run.optimizer == optimizer) {
            let rate = run.settings.learning_rate.initial;
            let index = candidates.iter().position(|candidate| candidate.rate == rate).unwrap_or_else(|| {
                candidates.push(Self { rate, minimum: f64::INFINITY, best: f64::INFINITY, diverged: 0 });
                candidates.len() - 1
            });
            // Zero has no sign here: -0 is not the lower one of two.
            candidates[index].best = candidates[index].best.min(run.best) + 0.0;
            match run.outcome {
                Outcome::Diverged => candidates[index].diverged += 1,
                Outcome::Finished | Outcome::Reached | Outcome::Converged | Outcome::Stopped => {
                    candidates[index].minimum = candidates[index].minimum.min(run.best) + 0.0;
                }
            }
        }
        candidates.sort_by(|a, b| {
            let diverged = (a.diverged > 0).cmp(&(b.diverged > 0));
            diverged
                .then(a.minimum.total_cmp(&b.minimum))
                .then(a.best.total_cmp(&b.best))
                .then(b.rate.total_cmp(&a.rate))
        });
        candidates
    }
}
