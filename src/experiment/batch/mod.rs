//! Sweeps whose runs advance together.
//!
//! One run of the paper is far too small for a GPU; all rates with all seeds are not. The runs of a batch share their
//! function, their shape and their optimizer, and differ in their learning rate and their seed: each has its own step size,
//! its own schedule and its own start, and the runs of a seed share its couplings. They go the same number of iterations at a
//! time; one that has diverged stands still from then on while the others go on.

mod cpu;
mod cuda;
mod demand;
mod plan;

pub(crate) use plan::PART;
pub use plan::Plan;

use crate::descent::{Found, Optimizer, Settings};
use crate::device::{Backend, Profile};
use crate::element::Element;
use crate::error::Error;
use crate::experiment::keeper::Watching;
use crate::experiment::{Dimensions, Keeper, Look, Origin, Run, Stage, Sweep};
use crate::interrupt;
use crate::objective::Problem;
use crate::simd::Real;

/// The settings in which the runs of a batch differ.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Trial {
    rate: f64,
    seed: u64,
}

/// Runs that advance together. Those of a seed are neighbors.
struct Batch<'a> {
    problem: Problem,
    dimensions: Dimensions,
    optimizer: Optimizer,
    settings: &'a Settings,
    trials: &'a [Trial],
}

impl Batch<'_> {
    /// The settings of a run.
    fn settings(&self, trial: Trial) -> Settings {
        self.settings.learning_rate(trial.rate)
    }

    /// The seeds, each once, and for every trial the index of its own.
    fn seeds(&self) -> (Vec<u64>, Vec<usize>) {
        let mut seeds: Vec<u64> = self.trials.iter().map(|trial| trial.seed).collect();
        seeds.dedup();
        let mut index = 0;
        let index_of = |trial: &Trial| {
            index += usize::from(seeds[index] != trial.seed);
            index
        };
        let indices = self.trials.iter().map(index_of).collect();
        (seeds, indices)
    }
}

/// The device that a batch runs on.
trait Engine<R: Real> {
    /// Takes every run that has not ended some iterations further, and returns how many iterations all of them have behind
    /// them, or nothing once all have ended.
    fn advance(&mut self) -> Result<Option<u64>, Error>;

    /// The results of the runs, in the order of the trials.
    fn finish(self: Box<Self>) -> Result<Vec<Found<R>>, Error>;
}

impl Sweep {
    /// Makes the runs of [`Sweep::run`], in the same order, but advances them together on `backend`: each gives what it gives alone, on
    /// the CPU bit for bit, on a GPU to rounding.
    ///
    /// A run's `seconds` are those since the start of its batch, which has the cores or the GPU to itself. `progressed` is
    /// called now and then with the share of the whole sweep that is done. Batches that are not begun when an interrupt is
    /// requested are left out.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// let mut protocol = Protocol::paper().quick();
    /// protocol.rates = vec![1.0, 0.1];
    /// let sweep = protocol.sweep(Function::Sphere);
    /// let runs = sweep.run_batched::<f64>(Backend::Cpu, &|_| {})?;
    /// assert_eq!(runs.len(), sweep.len());
    /// # Ok::<(), overparam::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a setting is outside its range, the backend cannot be used, or a single run does not fit into its memory.
    pub fn run_batched<R: Element>(&self, backend: Backend, progressed: &dyn Fn(f64)) -> Result<Vec<Run>, Error> {
        self.run_batched_kept::<R>(backend, progressed, &Watching(&|_, _| {}))
    }

    /// [`Sweep::run_batched`], in the batches of `plan`.
    ///
    /// # Errors
    /// As [`Sweep::run_batched`].
    ///
    /// # Panics
    /// If the plan is one of other runs.
    #[doc(hidden)]
    pub fn run_planned<R: Element>(&self, plan: &Plan, progressed: &dyn Fn(f64)) -> Result<Vec<Run>, Error> {
        let runs = self.rates.len() * self.seeds.len();
        let planned: Vec<usize> = plan.batches.iter().map(|batches| batches.iter().sum()).collect();
        assert_eq!(planned, vec![runs; self.optimizers.len()], "a plan of other runs");
        self.run_planned_kept::<R>(plan, progressed, &Watching(&|_, _| {}))
    }

    /// [`Sweep::run_batched`] as `keeper` has it: it is told of the runs of a batch when the batch is done.
    pub(crate) fn run_batched_kept<R: Element>(
        &self,
        backend: Backend,
        progressed: &dyn Fn(f64),
        keeper: &dyn Keeper,
    ) -> Result<Vec<Run>, Error> {
        self.run_planned_kept::<R>(&self.plan::<R>(backend)?, progressed, keeper)
    }

    fn run_planned_kept<R: Element>(
        &self,
        plan: &Plan,
        progressed: &dyn Fn(f64),
        keeper: &dyn Keeper,
    ) -> Result<Vec<Run>, Error> {
        let backend = plan.backend;
        let [minimum, maximum] = self.problem.range(self.dimensions.d)?;
        let limit = self.settings.budget.limits().0 as f64;
        let trials: Vec<Trial> =
            self.seeds.iter().flat_map(|&seed| self.rates.iter().map(move |&rate| Trial { rate, seed })).collect();
        let (mut runs, mut done) = (Vec::with_capacity(self.len()), 0);
        for (&optimizer, batches) in self.optimizers.iter().zip(&plan.batches) {
            let mut rest = &trials[..];
            let mut found: Vec<Option<Run>> = Vec::with_capacity(trials.len());
            for &size in batches {
                let (all, later) = rest.split_at(size);
                rest = later;
                if interrupt::requested() {
                    break;
                }
                let look = |trial: &Trial| {
                    keeper.look(Stage::Sweep, optimizer, trial.seed, &self.settings.learning_rate(trial.rate))
                };
                let looks: Vec<Look> = all.iter().map(look).collect();
                let wanted = |(trial, look): (&Trial, &Look)| matches!(look, Look::Make).then_some(*trial);
                let trials: Vec<Trial> = all.iter().zip(&looks).filter_map(wanted).collect();
                let (trials, size) = (&trials[..], trials.len());
                let mut made = Vec::new();
                let (problem, dimensions, settings) = (self.problem.clone(), self.dimensions, &self.settings);
                let batch = Batch { problem, dimensions, optimizer, settings, trials };
                if size > 0 {
                    let mut engine = match engine::<R>(backend, &batch) {
                        Err(Error::Interrupted) => break,
                        engine => engine?,
                    };
                    while let Some(iterations) = engine.advance()? {
                        progressed((done as f64 + size as f64 * (iterations as f64 / limit)) / self.len() as f64);
                    }
                    made.extend(engine.finish()?.into_iter().zip(trials).map(|(found, &trial)| {
                        let scale = [minimum, maximum - minimum];
                        let of = Origin { backend, dimensions, optimizer, seed: trial.seed, scale };
                        of.run(batch.problem.name().to_owned(), &batch.settings(trial), found)
                    }));
                }
                done += all.len();
                progressed(done as f64 / self.len() as f64);
                made.iter().for_each(|run| keeper.keep(Stage::Sweep, run));
                if !keeper.returns() {
                    made.clear();
                }
                let mut made = made.into_iter();
                found.extend(looks.into_iter().map(|look| match look {
                    Look::Known(run) => Some(*run),
                    Look::Make => made.next(),
                    Look::Leave => None,
                }));
            }
            // From seeds and rates to rates and seeds.
            let rates = self.rates.len();
            for rate in 0..rates {
                runs.extend(found.iter_mut().skip(rate).step_by(rates).filter_map(Option::take));
            }
        }
        Ok(runs)
    }
}

impl Sweep {
    /// What the driver of the first GPU says of the kernel of this sweep's first optimizer, and the floating-point operations of an iteration of
    /// a run, by formula.
    ///
    /// # Errors
    /// If there is no GPU, or the kernel cannot be compiled or loaded.
    #[doc(hidden)]
    pub fn profile<R: Element>(&self) -> Result<(Profile, u64), Error> {
        let (problem, dimensions, settings) = (self.problem.clone(), self.dimensions, &self.settings);
        let optimizer = self.optimizers.first().copied().unwrap_or(Optimizer::Shallow);
        let operations = dimensions.operations(optimizer, problem.kernel::<R>(dimensions.d, 0)?.operations());
        let profile = cuda::profile::<R>(&Batch { problem, dimensions, optimizer, settings, trials: &[] })?;
        Ok((profile, operations as u64))
    }
}

fn engine<R: Element>(backend: Backend, batch: &Batch<'_>) -> Result<Box<dyn Engine<R>>, Error> {
    match backend {
        Backend::Cpu => Ok(Box::new(cpu::Cores::new(batch)?)),
        Backend::Cuda => cuda::engine(batch),
    }
}
