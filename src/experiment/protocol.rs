//! The paper's protocol: choose the learning rate by a sweep, then time both optimizers alone.

use super::shape::{ensure_compiled, run_compiled};
use super::{Candidate, Dimensions, Run, Sweep};
use crate::backend::Backend;
use crate::element::Element;
use crate::error::Error;
use crate::interrupt;
use crate::network::Initialization;
use crate::objective::{Function, Kernel};
use crate::optimizer::{Budget, LearningRate, Optimizer, Settings, Squash};
use crate::trace;
use dfdx::prelude::{Cpu, Device};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;
use std::sync::Arc;

/// The scalar that runs are computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dtype {
    /// Single precision.
    F32,
    /// Double precision.
    #[default]
    F64,
}

/// More seeds than this are a slip of the keyboard.
const MOST_SEEDS: u64 = 100_000;

impl Dtype {
    /// `"f32"` or `"f64"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// How the two optimizers are compared on a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// `"paper"` or `"deep-convexity"`.
    pub name: String,
    /// The shape of all runs.
    pub dimensions: Dimensions,
    /// The scalar of all runs.
    pub dtype: Dtype,
    /// The learning rates α₀ to choose from.
    pub rates: Vec<f64>,
    /// When the step size shrinks.
    pub learning_rate: LearningRate,
    /// How x is kept in the unit cube.
    pub squash: Squash,
    /// How networks are drawn.
    pub initialization: Initialization,
    /// Whether the gradient is that of the raw function instead of the scaled one.
    pub raw_gradient: bool,
    /// Iterations of the shallow optimizer on a test function.
    pub iterations: u64,
    /// Seeds of a test function.
    pub seeds: u64,
    /// Iterations of the shallow optimizer on the Hamiltonian.
    pub glass_iterations: u64,
    /// Seeds of the Hamiltonian.
    pub glass_seeds: u64,
}

impl Protocol {
    /// What the paper's text says: see the [crate documentation](crate) for what it leaves open.
    pub fn paper() -> Self {
        Self {
            name: "paper".to_owned(),
            dimensions: Dimensions::PAPER,
            dtype: Dtype::F64,
            rates: (0..=10).map(|exponent| 10f64.powi(-exponent)).collect(),
            learning_rate: LearningRate::PAPER,
            squash: Squash::Sigmoid,
            initialization: Initialization::Gaussian,
            raw_gradient: false,
            iterations: 10_000,
            seeds: 10,
            glass_iterations: 1_000,
            glass_seeds: 3,
        }
    }

    /// What the authors' published program did instead: raw gradients, a scaled tanh, 20 rates from 10⁻⁶ to 10, another rule
    /// and a larger network. Results are in the same units as those of [`Protocol::paper`].
    pub fn deep_convexity() -> Self {
        Self {
            name: "deep-convexity".to_owned(),
            dimensions: Dimensions::DEEP_CONVEXITY,
            rates: (0..20).map(|step| 10f64.powf(-6.0 + 7.0 * f64::from(step) / 19.0)).collect(),
            learning_rate: LearningRate::DEEP_CONVEXITY,
            squash: Squash::ScaledTanh,
            raw_gradient: true,
            ..Self::paper()
        }
    }

    /// This protocol at a size for a first look: a tenth of the iterations, three seeds.
    pub fn quick(self) -> Self {
        Self {
            iterations: self.iterations / 10,
            glass_iterations: self.glass_iterations / 10,
            seeds: self.seeds.min(3),
            glass_seeds: self.glass_seeds.min(2),
            ..self
        }
    }

    /// Iterations of the shallow optimizer on `function`.
    pub fn iterations(&self, function: Function) -> u64 {
        if function == Function::SpinGlass { self.glass_iterations } else { self.iterations }
    }

    /// The seeds of `function`: 0, 1, …
    pub fn seeds(&self, function: Function) -> Vec<u64> {
        (0..if function == Function::SpinGlass { self.glass_seeds } else { self.seeds }).collect()
    }

    /// The runs that [`Protocol::compare`] makes of `function`.
    pub fn runs(&self, function: Function) -> usize {
        self.seeds(function).len() * Optimizer::ALL.len() * (self.rates.len() + 1)
    }

    /// What every run of `function` is told, with the shallow optimizer's budget.
    pub fn settings(&self, function: Function) -> Settings {
        let gradient_scale = if self.raw_gradient {
            let description = function.describe(self.dimensions.d);
            let d = self.dimensions.d as f64;
            // The published program takes means where the definitions here take sums, and energies instead of energies per spin.
            let convention = match function {
                Function::Levy | Function::Sphere => 1.0 / d,
                Function::SpinGlass => d,
                _ => 1.0,
            };
            convention * (description.maximum - description.minimum)
        } else {
            1.0
        };
        // The rule's threshold is in the units of what is descended on; the trace is in those of the scaled objective.
        let threshold = self.learning_rate.threshold / gradient_scale;
        Settings {
            learning_rate: LearningRate { threshold, ..self.learning_rate },
            budget: Budget::Iterations(self.iterations(function)),
            squash: self.squash,
            initialization: self.initialization,
            gradient_scale,
            thinned: true,
        }
    }

    /// # Errors
    /// If the shape is not compiled in, a number is outside its range, or there is nothing to run.
    pub fn validate(&self) -> Result<(), Error> {
        ensure_compiled(self.dimensions)?;
        let at_least_one = |name, count: u64| match count {
            0 => Err(Error::Setting { name, expected: "1 or more", given: "0".to_owned() }),
            _ => Ok(()),
        };
        at_least_one("the number of seeds", self.seeds.min(self.glass_seeds))?;
        let seeds = self.seeds.max(self.glass_seeds);
        if seeds > MOST_SEEDS {
            let expected = "at most 100000";
            return Err(Error::Setting { name: "the number of seeds", expected, given: seeds.to_string() });
        }
        at_least_one("the number of iterations", self.iterations.min(self.glass_iterations))?;
        at_least_one("the number of learning rates", self.rates.len() as u64)?;
        let settings = self.settings(Function::Sphere);
        self.rates.iter().try_for_each(|&rate| settings.learning_rate(rate).validate())
    }

    /// The sweep of `function` that chooses the learning rates.
    pub fn sweep(&self, function: Function) -> Sweep {
        Sweep {
            function,
            dimensions: self.dimensions,
            rates: self.rates.clone(),
            seeds: self.seeds(function),
            optimizers: Optimizer::ALL.to_vec(),
            settings: self.settings(function),
        }
    }

    /// One run in the shape and the dtype of this protocol.
    ///
    /// # Errors
    /// If a setting is outside its range, the shape is not compiled in, the device is out of memory, or an interrupt is requested
    /// before the first iteration.
    pub fn run(&self, function: Function, optimizer: Optimizer, seed: u64, settings: &Settings) -> Result<Run, Error> {
        self.run_on(Backend::Cpu, function, optimizer, seed, settings)
    }

    /// [`Protocol::run`] on a backend of choice: on a GPU as a batch of one run, which leaves most of it idle.
    ///
    /// # Errors
    /// As [`Protocol::run`], and if the backend cannot be used.
    pub fn run_on(
        &self,
        backend: Backend,
        function: Function,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Run, Error> {
        let d = self.dimensions.d;
        match self.dtype {
            Dtype::F32 => {
                let kernel = || f32::kernel_unless_interrupted(function, d, seed);
                self.single(backend, function, &kernel, optimizer, seed, settings)
            }
            Dtype::F64 => {
                let kernel = || f64::kernel_unless_interrupted(function, d, seed);
                self.single(backend, function, &kernel, optimizer, seed, settings)
            }
        }
    }

    /// One run, with the kernel of its function and its seed where it is computed on the CPU.
    fn single<R: Element>(
        &self,
        backend: Backend,
        function: Function,
        kernel: &dyn Fn() -> Result<Arc<dyn Kernel<R>>, Error>,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Run, Error>
    where
        Cpu: Device<R>,
    {
        let sweep = self.alone(function, optimizer, seed, settings);
        if backend == Backend::Cpu {
            sweep.ensure_runs::<R>()?;
            return run_compiled(self.dimensions, function.name(), kernel()?, optimizer, seed, settings);
        }
        // One optimizer, one rate and one seed are one run, unless it is not begun.
        sweep.run_batched::<R>(backend, &|_| {})?.pop().ok_or(Error::Interrupted)
    }

    /// A sweep of one run.
    pub(super) fn alone(&self, function: Function, optimizer: Optimizer, seed: u64, settings: &Settings) -> Sweep {
        Sweep {
            function,
            dimensions: self.dimensions,
            rates: vec![settings.learning_rate.initial],
            seeds: vec![seed],
            optimizers: vec![optimizer],
            settings: *settings,
        }
    }

    /// Compares the optimizers on `function`: the sweep over all cores, then for every seed the shallow optimizer alone for its
    /// iterations and the deep optimizer alone for the time that took. `report` is called after each run.
    ///
    /// In the sweep both optimizers take the same number of iterations, not the same time: times taken while all cores
    /// are busy would make the choice depend on the machine's load.
    ///
    /// # Errors
    /// If the protocol is not valid, or the device is out of memory.
    pub fn compare(&self, function: Function, report: &(dyn Fn(Stage, &Run) + Sync)) -> Result<Comparison, Error> {
        self.compare_on(Backend::Cpu, function, report)
    }

    /// [`Protocol::compare`] on a backend of choice. On a GPU the runs of the sweep advance together, and those that are timed
    /// are alone on it.
    ///
    /// # Errors
    /// As [`Protocol::compare`], and if the backend cannot be used.
    pub fn compare_on(
        &self,
        backend: Backend,
        function: Function,
        report: &(dyn Fn(Stage, &Run) + Sync),
    ) -> Result<Comparison, Error> {
        self.compare_beyond(backend, function, &|_, _, _, _| None, report)
    }

    /// [`Protocol::compare`] without the runs that are `known`, by stage, optimizer, rate and seed.
    pub(super) fn compare_beyond(
        &self,
        backend: Backend,
        function: Function,
        known: Known<'_>,
        report: &(dyn Fn(Stage, &Run) + Sync),
    ) -> Result<Comparison, Error> {
        self.validate()?;
        match self.dtype {
            Dtype::F32 => self.compare_in::<f32>(backend, function, known, report),
            Dtype::F64 => self.compare_in::<f64>(backend, function, known, report),
        }
    }

    fn compare_in<R: Element>(
        &self,
        backend: Backend,
        function: Function,
        known: Known<'_>,
        report: &(dyn Fn(Stage, &Run) + Sync),
    ) -> Result<Comparison, Error>
    where
        Cpu: Device<R>,
    {
        let sweep = self.sweep(function);
        let sweep = match backend {
            Backend::Cpu => sweep
                .run_beyond::<R>(&|optimizer, rate, seed| known(Stage::Sweep, optimizer, rate, seed), &|run| {
                    report(Stage::Sweep, run)
                })?,
            Backend::Cuda => {
                let runs = sweep.run_batched::<R>(backend, &|_| {})?;
                runs.iter().for_each(|run| report(Stage::Sweep, run));
                runs
            }
        };
        let mut comparison = Comparison { function, sweep, timed: Vec::new() };
        let [Some(shallow), Some(deep)] = Optimizer::ALL.map(|optimizer| comparison.rate(optimizer)) else {
            return Ok(comparison);
        };
        let settings = self.settings(function);
        for seed in self.seeds(function) {
            let built: OnceCell<Arc<dyn Kernel<R>>> = OnceCell::new();
            let kernel = || match built.get() {
                Some(kernel) => Ok(kernel.clone()),
                None => {
                    let kernel = R::kernel_unless_interrupted(function, self.dimensions.d, seed)?;
                    Ok(built.get_or_init(|| kernel).clone())
                }
            };
            let mut alone = |optimizer, settings: Settings| -> Result<f64, Error> {
                let run = match known(Stage::Timed, optimizer, settings.learning_rate.initial, seed) {
                    Some(run) => run,
                    None => {
                        let run = self.single::<R>(backend, function, &kernel, optimizer, seed, &settings)?;
                        report(Stage::Timed, &run);
                        run
                    }
                };
                let seconds = run.seconds;
                comparison.timed.push(run);
                Ok(seconds)
            };
            if interrupt::requested() {
                break;
            }
            let both = alone(Optimizer::Shallow, settings.learning_rate(shallow))
                .and_then(|seconds| alone(Optimizer::Deep, settings.learning_rate(deep).seconds(seconds)));
            match both {
                Err(Error::Interrupted) => break,
                both => both?,
            };
        }
        Ok(comparison)
    }
}

/// Finds a run that need not be made again.
pub(super) type Known<'a> = &'a (dyn Fn(Stage, Optimizer, f64, u64) -> Option<Run> + Sync);

/// Which part of a protocol a run belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Side by side with others, to choose the learning rate.
    Sweep,
    /// Alone, to be shown.
    Timed,
}

impl Stage {
    /// `"sweep"` or `"timed"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Timed => "timed",
        }
    }
}

/// What [`Protocol::compare`] found.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was minimized.
    pub function: Function,
    /// The runs that chose the learning rates.
    pub sweep: Vec<Run>,
    /// The timed runs: for every seed the shallow and then the deep one.
    pub timed: Vec<Run>,
}

impl Comparison {
    /// The learning rate that the sweep chose, if any of its runs did not diverge.
    pub fn rate(&self, optimizer: Optimizer) -> Option<f64> {
        let best = Candidate::rank(&self.sweep, optimizer).into_iter().next()?;
        best.minimum.is_finite().then_some(best.rate)
    }

    /// The traces of the timed runs, see [`crate::trace`]: what the figures are drawn from.
    ///
    /// # Errors
    /// If Polars cannot allocate the columns.
    pub fn traces(&self) -> Result<DataFrame, Error> {
        trace::traces(&self.timed)
    }

    /// One row a run, those of the sweep first, see [`crate::trace`].
    ///
    /// # Errors
    /// If Polars cannot allocate the columns.
    pub fn summary(&self) -> Result<DataFrame, Error> {
        let sweep = self.sweep.iter().map(|run| (Stage::Sweep.name(), run));
        trace::summary(sweep.chain(self.timed.iter().map(|run| (Stage::Timed.name(), run))))
    }

    /// The timed runs of one optimizer, by seed.
    pub fn timed(&self, optimizer: Optimizer) -> impl Iterator<Item = &Run> {
        self.timed.iter().filter(move |run| run.optimizer == optimizer)
    }
}
