//! Protocols, the paper's and others: choose learning rates by a sweep, then time both optimizers alone.

use super::keeper::{Keeper, Look, Watching};
use super::{Candidate, Descent, Dimensions, Run, Stage, Sweep};
use crate::descent::{Budget, Optimizer, Outcome, Settings, ShallowStart, Squash};
use crate::device::Backend;
use crate::element::Element;
use crate::error::Error;
use crate::interrupt;
use crate::network::{Activation, Initialization};
use crate::objective::{Function, Kernel, Problem};
use crate::rule::{LearningRate, Plateau, Rule, Schedule};
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

/// The rule that chooses the best learning rate from the runs of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// One for each function and optimizer: the first of [`Candidate::rank`] over all seeds.
    #[default]
    PerFunction,
    /// One for each function, optimizer and seed: the first of [`Candidate::rank`] over the runs of that seed.
    PerSeed,
}

impl Choice {
    /// The best learning rate for a run of `optimizer` from `seed`, if any of the `runs` that it is chosen from did not diverge.
    pub fn rate(self, runs: &[Run], optimizer: Optimizer, seed: u64) -> Option<f64> {
        let counts = |run: &&Run| self == Self::PerFunction || run.seed == seed;
        let best = Candidate::rank(runs.iter().filter(counts), optimizer).into_iter().next()?;
        best.minimum.is_finite().then_some(best.rate)
    }
}

/// The units of the objective that is descended on, which are also those of learning rates and thresholds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Units {
    /// Units of the scaled objective.
    #[default]
    Scaled,
    /// Units of the authors' published program. It takes raw functions, the sphere as a mean over coordinates, Levy's function
    /// with a mean over the terms in its middle, and the energy of the spin glass instead of that per spin.
    Published,
}

impl Units {
    /// The change, in these units, of the objective that is descended on where the scaled objective of `problem` in `dimension`
    /// dimensions changes by 1.
    ///
    /// Of the program's Levy function this is right for the terms in the middle: see [`Protocol::deep_convexity`].
    ///
    /// In a number of dimensions that the objective is not defined in, where it has no runs, this is 1.
    pub fn per_scaled(self, problem: impl Into<Problem>, dimension: usize) -> f64 {
        if self == Self::Scaled {
            return 1.0;
        }
        let problem = problem.into();
        problem
            .range(dimension)
            .map_or(1.0, |[minimum, maximum]| problem.published_factor(dimension) * (maximum - minimum))
    }
}

/// The comparison of the two optimizers on a function: what the paper or its program fixes.
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
    /// The rule that chooses the best of them.
    pub choice: Choice,
    /// The schedule of the step size. The first one is replaced by each of `rates`.
    pub learning_rate: LearningRate,
    /// The map that keeps x in the unit cube.
    pub squash: Squash,
    /// The distribution of weights and biases.
    pub initialization: Initialization,
    /// The start of the shallow optimizer.
    pub shallow_start: ShallowStart,
    /// The update rule of both optimizers.
    pub rule: Rule,
    /// The activation of networks.
    pub activation: Activation,
    /// True if networks are added to the shallow optimizer's start, see [`Settings::residual`].
    pub residual: bool,
    /// True if embeddings stay as they were drawn, see [`Settings::frozen_embeddings`].
    pub frozen_embeddings: bool,
    /// The units of the objective that is descended on.
    pub units: Units,
    /// True if the timed run of the deep optimizer takes the wall time of the shallow one of its seed, false if it takes as many
    /// iterations.
    pub equal_time: bool,
    /// Iterations on a test function: of all runs but timed deep ones of [equal time](Protocol::equal_time).
    pub iterations: u64,
    /// Seeds of a test function.
    pub seeds: u64,
    /// Iterations on the Hamiltonian, of the same runs.
    pub glass_iterations: u64,
    /// Seeds of the Hamiltonian.
    pub glass_seeds: u64,
}

impl Protocol {
    /// The protocol of the paper's text: see the [crate documentation](crate) for what it leaves open.
    pub fn paper() -> Self {
        Self {
            name: "paper".to_owned(),
            dimensions: Dimensions::PAPER,
            dtype: Dtype::F64,
            rates: (0..=10).map(|exponent| 10f64.powi(-exponent)).collect(),
            choice: Choice::PerFunction,
            learning_rate: LearningRate::PAPER,
            squash: Squash::Sigmoid,
            initialization: Initialization::Gaussian,
            shallow_start: ShallowStart::Shared,
            rule: Rule::default(),
            activation: Activation::default(),
            residual: false,
            frozen_embeddings: false,
            units: Units::Scaled,
            equal_time: true,
            iterations: 10_000,
            seeds: 10,
            glass_iterations: 1_000,
            glass_seeds: 3,
        }
    }

    /// The protocol of the authors' published program. It descends on [functions of its own units](Units::Published), through a scaled
    /// tanh, with 20 rates from 10⁻⁶ to 10, [another rule](LearningRate::DEEP_CONVEXITY) and
    /// [a larger network](Dimensions::DEEP_CONVEXITY) drawn as PyTorch draws it. The shallow optimizer starts at standard normals
    /// of its own. The best rate is chosen for each seed, both optimizers take 10,000 iterations, also on the Hamiltonian, and
    /// neither is given the time of the other.
    ///
    /// Results are in the same units as those of [`Protocol::paper`]. What cannot be the same, or is not known to be:
    ///
    /// - Random numbers are those of this crate's generator, so starts and couplings have the same distributions and other values.
    /// - The scalar is `f64` unless [`Protocol::dtype`] says otherwise, where PyTorch's default is `f32`; sums are taken in another order.
    /// - The program's Levy function is another one: a mean over its d - 1 middle terms, to which the first and the last term are
    ///   added whole. Here it is the sum of all, divided by d - 1: the middle terms are the program's, and the first and the
    ///   last weigh d - 1 times less than there.
    /// - The threshold of the rule is compared in units of the scaled objective, into which it is converted: the same but for rounding.
    /// - A run that diverges ends at once, and its rate is not chosen; among rates that reach the same objective the largest is.
    /// - The number of seeds is the paper's.
    /// - Chosen rates are run once more, alone on the machine, to time them: on a CPU that finds the same as the sweep did.
    pub fn deep_convexity() -> Self {
        Self {
            name: "deep-convexity".to_owned(),
            dimensions: Dimensions::DEEP_CONVEXITY,
            rates: (0..20).map(|step| 10f64.powf(-6.0 + 7.0 * f64::from(step) / 19.0)).collect(),
            learning_rate: LearningRate::DEEP_CONVEXITY,
            choice: Choice::PerSeed,
            squash: Squash::ScaledTanh,
            initialization: Initialization::PytorchUniform,
            shallow_start: ShallowStart::Own,
            units: Units::Published,
            equal_time: false,
            iterations: 10_000,
            glass_iterations: 10_000,
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

    /// Iterations of the shallow optimizer on `problem`: those of the Hamiltonian for an objective that is drawn, as it is.
    pub fn iterations(&self, problem: impl Into<Problem>) -> u64 {
        if problem.into().is_drawn() { self.glass_iterations } else { self.iterations }
    }

    /// The seeds of `problem`: 0, 1, …
    pub fn seeds(&self, problem: impl Into<Problem>) -> Vec<u64> {
        (0..if problem.into().is_drawn() { self.glass_seeds } else { self.seeds }).collect()
    }

    /// The runs that [`Protocol::compare`] makes of `problem`.
    pub fn runs(&self, problem: impl Into<Problem>) -> usize {
        self.seeds(problem).len() * Optimizer::ALL.len() * (self.rates.len() + 1)
    }

    /// The settings of every run of `problem`, with the shallow optimizer's budget.
    pub fn settings(&self, problem: impl Into<Problem>) -> Settings {
        let problem = problem.into();
        let iterations = self.iterations(&problem);
        let gradient_scale = self.units.per_scaled(&problem, self.dimensions.d);
        // The rule's threshold is in the units of what is descended on; the trace is in those of the scaled objective.
        let schedule = match self.learning_rate.schedule {
            Schedule::Plateau(plateau) if !plateau.relative => {
                Schedule::Plateau(Plateau { threshold: plateau.threshold / gradient_scale, ..plateau })
            }
            other => other.over(iterations),
        };
        Settings {
            learning_rate: LearningRate { schedule, ..self.learning_rate },
            budget: Budget::Iterations(iterations),
            squash: self.squash,
            initialization: self.initialization,
            shallow_start: self.shallow_start,
            rule: self.rule,
            activation: self.activation,
            residual: self.residual,
            frozen_embeddings: self.frozen_embeddings,
            gradient_scale,
            target: None,
            tolerance: None,
            thinned: true,
        }
    }

    /// # Errors
    /// If a number is outside its range, or there is nothing to run.
    pub fn validate(&self) -> Result<(), Error> {
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

    /// The sweep of `problem` that chooses the learning rates.
    pub fn sweep(&self, problem: impl Into<Problem>) -> Sweep {
        let problem = problem.into();
        Sweep {
            dimensions: self.dimensions,
            rates: self.rates.clone(),
            seeds: self.seeds(&problem),
            optimizers: Optimizer::ALL.to_vec(),
            settings: self.settings(&problem),
            problem,
        }
    }

    /// True if `comparison` has every run that [`Protocol::compare`] makes, each to its end: it was not interrupted. Where all
    /// rates diverge there are no timed runs, and it is complete without them.
    pub fn is_complete(&self, comparison: &Comparison) -> bool {
        [comparison.sweep.len(), comparison.timed.len()] == self.runs_of(comparison)
            && comparison.rows().all(|(_, run)| run.outcome != Outcome::Stopped)
    }

    /// The runs of the sweep and the timed runs that `comparison` has once it is complete, by the rates that its sweep chooses.
    pub(crate) fn runs_of(&self, comparison: &Comparison) -> [usize; 2] {
        let seeds = self.seeds(&comparison.problem);
        let has_rates =
            |&&seed: &&u64| Optimizer::ALL.iter().all(|&optimizer| comparison.rate(optimizer, seed).is_some());
        let timed = seeds.iter().filter(has_rates).count();
        [self.rates.len() * seeds.len(), timed].map(|each| Optimizer::ALL.len() * each)
    }

    /// One run in the shape and the dtype of this protocol.
    ///
    /// # Errors
    /// If a setting is outside its range, the run does not fit into memory, or an interrupt is requested before the first iteration.
    pub fn run(
        &self,
        problem: impl Into<Problem>,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Run, Error> {
        self.run_on(Backend::Cpu, problem, optimizer, seed, settings)
    }

    /// [`Protocol::run`] on a backend of choice: on a GPU as a batch of one run, which leaves most of it idle.
    ///
    /// # Errors
    /// As [`Protocol::run`], and if the backend cannot be used.
    pub fn run_on(
        &self,
        backend: Backend,
        problem: impl Into<Problem>,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Run, Error> {
        self.single(backend, &self.alone(problem.into(), optimizer, seed, settings))
    }

    /// The run of [`Protocol::run`] before its first iteration.
    ///
    /// # Errors
    /// As [`Protocol::run`].
    pub fn start(
        &self,
        problem: impl Into<Problem>,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Descent<'static>, Error> {
        self.start_single(&self.alone(problem.into(), optimizer, seed, settings))
    }

    /// The only run of a sweep of one. It is not generic, so that it is compiled here once and not by every caller of [`Protocol::run`].
    fn single(&self, backend: Backend, sweep: &Sweep) -> Result<Run, Error> {
        let (d, seed) = (sweep.dimensions.d, sweep.seeds[0]);
        match self.dtype {
            Dtype::F32 => sweep.single(backend, &|| sweep.problem.kernel::<f32>(d, seed)),
            Dtype::F64 => sweep.single(backend, &|| sweep.problem.kernel::<f64>(d, seed)),
        }
    }

    fn start_single(&self, sweep: &Sweep) -> Result<Descent<'static>, Error> {
        let (d, seed) = (sweep.dimensions.d, sweep.seeds[0]);
        match self.dtype {
            Dtype::F32 => sweep.start_single(&|| sweep.problem.kernel::<f32>(d, seed)),
            Dtype::F64 => sweep.start_single(&|| sweep.problem.kernel::<f64>(d, seed)),
        }
    }

    /// A sweep of one run.
    pub(super) fn alone(&self, problem: Problem, optimizer: Optimizer, seed: u64, settings: &Settings) -> Sweep {
        Sweep {
            problem,
            dimensions: self.dimensions,
            rates: vec![settings.learning_rate.initial],
            seeds: vec![seed],
            optimizers: vec![optimizer],
            settings: *settings,
        }
    }

    /// Compares the optimizers on `problem`: the sweep over all cores, then for every seed the shallow optimizer alone for its
    /// iterations and the deep optimizer alone, for the time that took if the protocol is one of [equal time](Protocol::equal_time).
    /// `report` is called after each run. A seed without a rate, because all the runs that it could be chosen from diverged, has no timed runs.
    ///
    /// In the sweep both optimizers take the same number of iterations, not the same time: times taken while all cores
    /// are busy would make the choice depend on the machine's load.
    ///
    /// # Errors
    /// If the protocol is not valid, or the device is out of memory.
    pub fn compare(
        &self,
        problem: impl Into<Problem>,
        report: &(dyn Fn(Stage, &Run) + Sync),
    ) -> Result<Comparison, Error> {
        self.compare_on(Backend::Cpu, problem, report)
    }

    /// [`Protocol::compare`] on a backend of choice. On a GPU the runs of the sweep advance together, and those that are timed
    /// are alone on it.
    ///
    /// # Errors
    /// As [`Protocol::compare`], and if the backend cannot be used.
    pub fn compare_on(
        &self,
        backend: Backend,
        problem: impl Into<Problem>,
        report: &(dyn Fn(Stage, &Run) + Sync),
    ) -> Result<Comparison, Error> {
        self.compare_kept(backend, &problem.into(), &Watching(report))
    }

    /// [`Protocol::compare_on`] as `keeper` has it.
    pub(crate) fn compare_kept(
        &self,
        backend: Backend,
        problem: &Problem,
        keeper: &dyn Keeper,
    ) -> Result<Comparison, Error> {
        self.validate()?;
        match self.dtype {
            Dtype::F32 => self.compare_in::<f32>(backend, problem, keeper),
            Dtype::F64 => self.compare_in::<f64>(backend, problem, keeper),
        }
    }

    fn compare_in<R: Element>(
        &self,
        backend: Backend,
        problem: &Problem,
        keeper: &dyn Keeper,
    ) -> Result<Comparison, Error> {
        let sweep = self.sweep(problem);
        let sweep = match backend {
            Backend::Cpu => {
                sweep.ensure_room::<R>()?;
                sweep.run_kept::<R>(keeper)?
            }
            Backend::Cuda => sweep.run_batched_kept::<R>(backend, &|_| {}, keeper)?,
        };
        let mut comparison = Comparison { problem: problem.clone(), choice: self.choice, sweep, timed: Vec::new() };
        let settings = self.settings(problem);
        // An objective that is not drawn has one kernel for all seeds.
        let shared = OnceCell::new();
        for seed in self.seeds(problem) {
            if interrupt::requested() {
                break;
            }
            let [Some(shallow), Some(deep)] = Optimizer::ALL.map(|optimizer| comparison.rate(optimizer, seed)) else {
                continue;
            };
            let own = OnceCell::new();
            let built: &OnceCell<Arc<dyn Kernel<R>>> = if problem.is_drawn() { &own } else { &shared };
            let kernel = || match built.get() {
                Some(kernel) => Ok(kernel.clone()),
                None => {
                    let kernel = problem.kernel::<R>(self.dimensions.d, seed)?;
                    Ok(built.get_or_init(|| kernel).clone())
                }
            };
            let mut alone = |optimizer, settings: Settings| -> Result<f64, Error> {
                let run = match keeper.look(Stage::Timed, optimizer, seed, &settings) {
                    Look::Known(run) => *run,
                    Look::Leave => return Err(Error::Interrupted),
                    Look::Make => {
                        let run = self.alone(problem.clone(), optimizer, seed, &settings).single(backend, &kernel)?;
                        keeper.keep(Stage::Timed, &run);
                        run
                    }
                };
                let seconds = run.seconds;
                comparison.timed.push(run);
                Ok(seconds)
            };
            let both = alone(Optimizer::Shallow, settings.learning_rate(shallow)).and_then(|seconds| {
                let settings = settings.learning_rate(deep);
                alone(Optimizer::Deep, if self.equal_time { settings.seconds(seconds) } else { settings })
            });
            match both {
                Err(Error::Interrupted) => break,
                both => both?,
            };
        }
        Ok(comparison)
    }
}

/// The result of [`Protocol::compare`].
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The objective that was minimized.
    pub problem: Problem,
    /// The rule that chose the learning rates.
    pub choice: Choice,
    /// The runs that chose the learning rates.
    pub sweep: Vec<Run>,
    /// The timed runs: for every seed the shallow and then the deep one.
    pub timed: Vec<Run>,
}

impl Comparison {
    /// The learning rate that the sweep chose for the run of `seed`, if any of the runs that it is chosen from did not diverge.
    pub fn rate(&self, optimizer: Optimizer, seed: u64) -> Option<f64> {
        self.choice.rate(&self.sweep, optimizer, seed)
    }

    /// The lowest and the highest learning rate of the timed runs of one optimizer, which are the same where it is chosen
    /// [per function](Choice::PerFunction).
    pub fn rates(&self, optimizer: Optimizer) -> Option<[f64; 2]> {
        let mut rates: Vec<f64> = self.timed(optimizer).map(|run| run.settings.learning_rate.initial).collect();
        rates.sort_by(f64::total_cmp);
        Some([*rates.first()?, *rates.last()?])
    }

    /// All runs with the names of their stages, those of the sweep first: the rows of the summary.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &Run)> {
        let sweep = self.sweep.iter().map(|run| (Stage::Sweep.name(), run));
        sweep.chain(self.timed.iter().map(|run| (Stage::Timed.name(), run)))
    }

    /// The timed runs of one optimizer, by seed.
    pub fn timed(&self, optimizer: Optimizer) -> impl Iterator<Item = &Run> {
        self.timed.iter().filter(move |run| run.optimizer == optimizer)
    }
}
