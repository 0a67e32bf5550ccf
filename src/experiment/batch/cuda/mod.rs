//! Batches on a GPU: a block of threads per run, many iterations per launch, and what is recorded of them.
//!
//! The kernel is `descent.cu`, with the source of the objective, which its expression gives, `network.cu` for the deep optimizer and `lbfgs.cu` for
//! that rule. It keeps a run's parameters in the block's shared memory, applies rule and schedule, and writes down what the trace keeps. What is
//! here feeds it, and does not care what it runs on: the tests below run the same source on the host.
//!
//! # What an H100 should take
//!
//! Cycles of a multiprocessor for one iteration of one deep run of Rastrigin in the paper's shape, if blocks keep it busy: a model on paper, which
//! no GPU has confirmed. A multiprocessor issues four instructions of 32 threads in a cycle, those of double precision in two, and serves one access
//! of 32 threads to shared memory. Seven blocks in `f32` and three in `f64` share it, so that one goes on while others wait at a barrier.
//!
//! | phase | f32 | f64 | limit |
//! |---|---|---|---|
//! | forward, both layers | 420 | 700 | shared memory |
//! | squash | 474 | 948 | arithmetic |
//! | objective | 948 | 1896 | arithmetic |
//! | slopes in y | 158 | 316 | issue |
//! | backward, output layer | 900 | 1600 | shared memory |
//! | backward, hidden layer | 290 | 380 | shared memory |
//! | step | 74 | 148 | issue |
//! | all | 3264 | 5988 | |
//! | million iterations of a run per second | 71 | 39 | |
//!
//! The last line is for 132 multiprocessors at 1.755 GHz: at best 11 rates × 1,000 seeds × 10,000 iterations take 1.6 s, and 2.8 s in double
//! precision. Each tile of a product is chosen by the same model, see [`tiles`]. The tiles bring the products from 3,720 to 1,610 cycles
//! (`f32`): with tiles of 2 × 2 shared memory would be the limit of the whole iteration. Tensor cores would not help here: ten
//! inputs are too few for them, and exact `f32` they do not have.
//!
//! # The Hamiltonian on an H100
//!
//! Thousands of cycles of a multiprocessor for the forces on the 50 points of one run, by the same model, and as little measured. In every iteration
//! a block goes once through the couplings of its seed, and each that it fetches serves all 50 points. The last two columns are the time in which the
//! cache of the GPU or its memory would give the couplings: the memory 14.5 bytes per cycle and multiprocessor, which are the 3.35 TB/s of the data
//! sheet (SXM) over the multiprocessors and the clock above; the cache 24, an assumption, for which the data sheet has no number: 5.6 TB/s.
//!
//! | | arithmetic | shared memory and own cache | cache of the GPU | memory |
//! |---|---|---|---|---|
//! | d = 50, `f32` | 25 | 51 | 11 | 18 |
//! | d = 50, `f64` | 50 | 92 | 21 | 35 |
//! | d = 200, `f32` | 1570 | 2613 | 670 | 1109 |
//! | d = 200, `f64` | 3141 | 5789 | 1340 | 2218 |
//!
//! By this model one product over all runs of a seed should gain nothing: it would spare fetches that take less time than the arithmetic even from
//! memory, and its blocks would wait for one another in every iteration. The limit should be what each thread fetches for its tile of 5 points ×
//! 5 columns (`f64`: × 2), and larger tiles would want more registers, of which the compiler already spills some (see `spin_glass.cu`). That is why
//! the kernel is as it is; a GPU may say otherwise.

mod block;
#[cfg(test)]
mod host;
#[cfg(test)]
mod nvrtc;
#[cfg(test)]
mod samples;
mod source;
mod tiles;

use super::demand::Demand;
use super::{Batch, Engine};
use crate::descent::{Found, Optimizer, Outcome, Record, Sample, Settings, Thinning};
use crate::device::{Gpu, Image, Limits, Machine, OUTCOMES, Profile, SAMPLE, SLOTS, Source, progress, settings};
use crate::element::Element;
use crate::error::Error;
use crate::experiment::{Dimensions, Start, begin};
use crate::interrupt;
use crate::objective::{Best, Bounds, Problem};
use crate::rule::{Cosine, Plateau, Rule, Schedule};
use crate::simd::{Panels, Real};
use crate::squash::Map;
use rayon::prelude::*;
use source::Words;
pub(super) use source::ensure;
use std::time::Instant;

/// The aim for the duration of a launch, in seconds: long beside what starting it costs, short beside anyone's patience for an interrupt.
const LAUNCH: f64 = 0.1;

/// The iterations of the first launch: how long one takes is not known before.
const FIRST_LAUNCH: u64 = 1;

/// The outcomes of runs that end before their budget: the kernel's OUTCOMES.
const ENDS: [Outcome; OUTCOMES.len()] = [Outcome::Diverged, Outcome::Reached, Outcome::Converged];

/// A batch that advances on a machine.
pub(super) struct Launches<M> {
    machine: M,
    settings: Settings,
    dimension: usize,
    thinning: Thinning,
    /// The first iteration after the last that is kept only because every one is.
    thinned_from: Option<u64>,
    clock: Instant,
    /// Iterations taken.
    iteration: u64,
    /// Iterations of the next launch.
    span: u64,
    progress: Vec<f64>,
    runs: Vec<(Record, Option<Outcome>)>,
}

impl<R: Element> Image<R> {
    /// The batch before its first iteration, for a GPU of these limits.
    fn new(batch: &Batch<'_>, limits: Limits) -> Result<Self, Error> {
        let &Batch { ref problem, dimensions, optimizer, settings, trials } = batch;
        let (seeds, index_of) = batch.seeds();
        let draw = |&seed: &u64| -> Result<Drawn<R>, Error> {
            let mut start: Start<R> = dimensions.draw(seed, settings.initialization);
            let stride = Panels::<R>::stride(dimensions.n);
            let mut network = dimensions.network(&start.embeddings, &start.layers, settings.activation, stride);
            let (y, map) = begin(dimensions, &mut network, optimizer, seed, settings)?;
            let gain = if let Map::Logistic { gain } = map { gain } else { 1.0 };
            let couplings = problem.device_data(dimensions.d, seed)?.into_iter().map(R::of).collect();
            let (mut parameters, mut base) = (y.packed(), Vec::new());
            if optimizer == Optimizer::Deep {
                if settings.residual {
                    start.silence();
                    base = parameters;
                }
                parameters = packed(start);
            }
            Ok(Drawn { parameters, gain, couplings, base })
        };
        let drawn = seeds.par_iter().map(draw).collect::<Result<Vec<_>, Error>>()?;
        let of_runs = || index_of.iter().map(|&index| &drawn[index]);
        let objective = source::objective(problem, dimensions.d)?;
        let words = Words::of(&objective, dimensions, optimizer, settings)?;
        // The numbers that are drawn for each seed, or those that all of them share.
        let shared: Vec<R> = objective.data.iter().map(|&number| R::of(number)).collect();
        let couplings = if shared.is_empty() { joined(&drawn, |drawn| &drawn.couplings) } else { shared };
        let states = vec![R::ZERO; words.states * words.parameters];
        let numbers = numbers(problem, dimensions, settings)?;
        let mut progress = vec![0.0; trials.len() * progress::COUNT];
        for (run, trial) in progress.chunks_exact_mut(progress::COUNT).zip(trials) {
            (run[progress::INITIAL], run[progress::STEP_SIZE]) = (trial.rate, trial.rate);
            run[progress::FIRST_POWER] = numbers[settings::MOMENTUM];
            run[progress::SECOND_POWER] = numbers[settings::SMOOTHING];
            for infinite in [progress::BEST_MEAN, progress::BEST, progress::REFERENCE] {
                run[infinite] = f64::INFINITY;
            }
        }
        Ok(Self {
            source: Source::of::<R>(batch, limits, &objective, &words),
            settings: numbers,
            gains: of_runs().map(|drawn| drawn.gain).collect(),
            seeds: index_of.iter().map(|&index| index as i32).collect(),
            couplings,
            bases: joined(&drawn, |drawn| &drawn.base),
            parameters: of_runs().flat_map(|drawn| drawn.parameters.iter().chain(&states)).copied().collect(),
            progress,
            dimension: dimensions.d,
        })
    }
}

/// The numbers of a seed.
struct Drawn<R> {
    parameters: Vec<R>,
    gain: f64,
    couplings: Vec<R>,
    /// The points that a residual network is added to.
    base: Vec<R>,
}

/// The numbers that `of` gives of all seeds, one after the other; a single one if there are none.
fn joined<R: Real>(drawn: &[Drawn<R>], of: impl Fn(&Drawn<R>) -> &Vec<R>) -> Vec<R> {
    let mut all: Vec<R> = drawn.iter().flat_map(of).copied().collect();
    if all.is_empty() {
        all.push(R::ZERO);
    }
    all
}

/// The numbers that all runs share.
fn numbers(problem: &Problem, dimensions: Dimensions, given: &Settings) -> Result<Vec<f64>, Error> {
    let mut numbers = vec![0.0; settings::COUNT];
    match given.scheduled().schedule {
        Schedule::Constant => {}
        Schedule::Plateau(Plateau { factor, patience, threshold, cooldown, floor, least_change, .. }) => {
            (numbers[settings::FACTOR], numbers[settings::PATIENCE]) = (factor, patience as f64);
            (numbers[settings::THRESHOLD], numbers[settings::COOLDOWN]) = (threshold, cooldown as f64);
            (numbers[settings::FLOOR], numbers[settings::LEAST_CHANGE]) = (floor, least_change);
        }
        // Without an end the step size never falls.
        Schedule::Cosine(Cosine { iterations, floor }) => {
            numbers[settings::FALL] = iterations.map_or(f64::INFINITY, |iterations| iterations as f64);
            numbers[settings::FLOOR] = floor;
        }
    }
    let mut rule = |first, second, epsilon, decay| {
        (numbers[settings::MOMENTUM], numbers[settings::SMOOTHING]) = (first, second);
        (numbers[settings::EPSILON], numbers[settings::DECAY]) = (epsilon, decay);
    };
    match given.rule {
        Rule::GradientDescent | Rule::Lbfgs { .. } => {}
        Rule::Momentum { momentum } | Rule::Nesterov { momentum } => rule(momentum, 0.0, 0.0, 0.0),
        Rule::RmsProp { smoothing, epsilon } => rule(0.0, smoothing, epsilon, 0.0),
        Rule::Adam { betas: [first, second], epsilon } => rule(first, second, epsilon, 0.0),
        Rule::AdamW { betas: [first, second], epsilon, decay } => rule(first, second, epsilon, decay),
    }
    numbers[settings::GRADIENT_SCALE] = given.gradient_scale;
    // An objective with bounds for each coordinate takes those in the unit cube.
    [numbers[settings::LOWER], numbers[settings::UPPER]] = match problem.bounds(dimensions.d) {
        Bounds::All(bounds) => bounds,
        Bounds::Each(_) => [0.0, 1.0],
    };
    [numbers[settings::MINIMUM], numbers[settings::MAXIMUM]] = problem.lowest().ends(problem.range(dimensions.d)?);
    numbers[settings::INFINITE] = f64::INFINITY;
    // Nothing compares with NaN, and nothing lasts as long as infinity.
    numbers[settings::TARGET] = given.target.unwrap_or(f64::NAN);
    numbers[settings::TOLERANCE] = given.tolerance.map_or(0.0, |tolerance| tolerance.change);
    numbers[settings::REST] = given.tolerance.map_or(f64::INFINITY, |tolerance| tolerance.iterations as f64);
    Ok(numbers)
}

/// The parameters of the deep optimizer in the kernel's order: z, then weight (inputs × outputs) and bias of every layer.
fn packed<R: Real>(start: Start<R>) -> Vec<R> {
    let mut parameters = start.embeddings;
    for layer in start.layers {
        let rows = layer.weight.chunks_exact(layer.inputs);
        parameters.extend((0..layer.inputs).flat_map(|input| rows.clone().map(move |row| row[input])));
        parameters.extend(layer.bias);
    }
    parameters
}

/// A batch on the first GPU.
pub(super) fn engine<R: Element>(batch: &Batch<'_>) -> Result<Box<dyn Engine<R>>, Error> {
    let gpu = Gpu::open()?;
    let limits = gpu.limits;
    Ok(Box::new(Launches::new(batch, limits, |image: Image<R>| gpu.load(image))?))
}

/// The kernel of a batch on the first GPU.
pub(super) fn profile<R: Real>(batch: &Batch<'_>) -> Result<Profile, Error> {
    let gpu = Gpu::open()?;
    gpu.profile(&Source::new::<R>(batch, gpu.limits)?)
}

impl<M> Launches<M> {
    /// The batch on the machine that `build` makes of its image.
    fn new<R: Element>(
        batch: &Batch<'_>,
        limits: Limits,
        build: impl FnOnce(Image<R>) -> Result<M, Error>,
    ) -> Result<Self, Error> {
        let image = Image::new(batch, limits)?;
        Ok(Self {
            progress: image.progress.clone(),
            machine: build(image)?,
            settings: *batch.settings,
            dimension: batch.dimensions.d,
            thinning: Thinning::new(batch.settings.thinned),
            thinned_from: batch.settings.thinned.then_some(0),
            clock: Instant::now(),
            iteration: 0,
            span: FIRST_LAUNCH,
            runs: batch.trials.iter().map(|_| (Record::default(), None)).collect(),
        })
    }

    /// The next launch: its first iteration, the one after its last, and those kept of them.
    fn next(&mut self) -> (u64, u64, Vec<u64>) {
        let first = self.iteration;
        if self.thinned_from.is_none() && !self.runs.iter_mut().all(|(trace, _)| trace.has_room(SLOTS + 1)) {
            self.thinning.thin();
            self.thinned_from = Some(first);
        }
        let end = first.saturating_add(self.span).min(self.settings.budget.limits().0);
        let mut kept = Vec::new();
        while kept.len() < SLOTS && self.thinning.next() < end {
            let next = self.thinning.next();
            self.thinning.keeps(next);
            kept.push(next);
        }
        let full = kept.last().filter(|_| kept.len() == SLOTS);
        (first, full.map_or(end, |last| last + 1), kept)
    }
}

impl<R: Real, M: Machine<R>> Engine<R> for Launches<M> {
    fn advance(&mut self) -> Result<Option<u64>, Error> {
        let (limit, seconds) = self.settings.budget.limits();
        let (first, end, kept) = self.next();
        let before = self.clock.elapsed().as_secs_f64();
        let (progress, samples) = self.machine.launch(first, end - first, &kept)?;
        let after = self.clock.elapsed().as_secs_f64();
        let pace = (after - before) / (end - first) as f64;
        // The machine has no clock that could be compared with this one.
        let time = |iteration: u64| before + pace * (iteration + 1 - first) as f64;
        self.iteration = end;
        self.progress = progress;
        let over = match () {
            _ if end == limit || after >= seconds => Some(Outcome::Finished),
            _ if interrupt::requested() => Some(Outcome::Stopped),
            _ => None,
        };
        let states = self.progress.chunks_exact(progress::COUNT);
        let of_runs = states.zip(samples.chunks(SAMPLE * kept.len().max(1)).chain(std::iter::repeat(&[][..])));
        for ((trace, outcome), (state, samples)) in self.runs.iter_mut().zip(of_runs) {
            if outcome.is_some() {
                continue;
            }
            let taken = state[progress::ITERATIONS] as u64;
            for (&iteration, sample) in kept.iter().zip(samples.chunks_exact(SAMPLE)).filter(|&(&at, _)| at < taken) {
                let &[min, mean, best, step_size] = sample else { unreachable!("chunks are of this size") };
                trace.push(Sample { iteration, seconds: time(iteration), min, mean, best, step_size });
            }
            let ended = (state[progress::OUTCOME] as usize).checked_sub(1).and_then(|at| ENDS.get(at).copied());
            *outcome = ended.or(over);
            let last = taken - 1;
            if outcome.is_some() && trace.last().is_none_or(|sample| sample.iteration < last) {
                let (min, mean) = (state[progress::LAST_MIN], state[progress::LAST_MEAN]);
                let (best, step_size) = (state[progress::BEST], state[progress::LAST_STEP_SIZE]);
                trace.push(Sample { iteration: last, seconds: time(last), min, mean, best, step_size });
            }
        }
        let aim = LAUNCH.min(seconds - after) / pace.max(f64::MIN_POSITIVE);
        self.span = (aim as u64).clamp(1, 4 * self.span.max(end - first));
        Ok(self.runs.iter().any(|(_, outcome)| outcome.is_none()).then_some(end))
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<Found<R>>, Error> {
        let points = self.machine.best()?;
        let states = self.progress.chunks_exact(progress::COUNT).zip(points.chunks_exact(self.dimension));
        let thinned_from = self.thinned_from;
        let descents = self.runs.into_iter().zip(states).map(|((trace, outcome), (state, x))| Found {
            best: Best { value: R::of(state[progress::BEST]), x: x.to_vec() },
            iterations: state[progress::ITERATIONS] as u64,
            seconds: trace.last().map_or(0.0, |sample| sample.seconds),
            outcome: outcome.unwrap_or(Outcome::Stopped),
            settled_at: (state[progress::SETTLED] as u64).checked_sub(1),
            thinned_from,
            streamed: None,
            trace: trace.finish(),
        });
        Ok(descents.collect())
    }
}

/// The bytes that a batch takes of the memory of a GPU of these limits.
pub(super) fn demand<R: Real>(
    problem: &Problem,
    dimensions: Dimensions,
    optimizer: Optimizer,
    settings: &Settings,
    limits: Limits,
) -> Result<Demand, Error> {
    let scalar = size_of::<R>();
    let objective = source::objective(problem, dimensions.d)?;
    let words = Words::of(&objective, dimensions, optimizer, settings)?;
    let block = block::plan(words.all * scalar, limits);
    let workspace = if block.global { block.bytes } else { 0 };
    let numbers = progress::COUNT + SLOTS * SAMPLE + 1;
    let moved = (1 + words.states) * words.parameters;
    let run = (moved + dimensions.d) * scalar + numbers * size_of::<f64>() + size_of::<i32>() + workspace;
    let base = if optimizer == Optimizer::Deep && settings.residual { dimensions.n * dimensions.d } else { 0 };
    // Numbers that all seeds share are counted for each of them.
    let data = problem.device_scalars(dimensions.d).saturating_add((objective.data.len() + base) as u64);
    Ok(Demand {
        run: (run as u64).saturating_add((words.memory as u64).saturating_mul(size_of::<f64>() as u64)),
        seed: data.saturating_mul(scalar as u64),
    })
}
