//! Batches on a GPU: a block of threads a run, many iterations a launch, and what is recorded of them.
//!
//! The kernel is `descent.cu`, with the source of the objective, which its expression gives. It keeps a run's parameters in the
//! block's shared memory, applies the learning-rate rule, and writes down what the trace keeps. What is here feeds it, and does
//! not care what it runs on: the tests below run the same source on the host.

#[cfg(test)]
mod host;
#[cfg(test)]
mod ptx;
#[cfg(test)]
mod samples;
mod source;

use super::demand::Demand;
use super::{Batch, Engine};
use crate::descent::{Found, Optimizer, Outcome, Record, Sample, Settings, Thinning};
use crate::device::{Gpu, Image, Machine, SAMPLE, SLOTS, Source, progress};
use crate::element::Element;
use crate::error::Error;
use crate::experiment::{Dimensions, Start, begin};
use crate::interrupt;
use crate::objective::{Best, Bounds, Problem};
use crate::simd::{Panels, Real};
use crate::squash::Map;
use rayon::prelude::*;
pub(super) use source::ensure;
use std::time::Instant;

/// The aim for the duration of a launch, in seconds: long beside what starting it costs, short beside anyone's patience for an interrupt.
const LAUNCH: f64 = 0.1;

/// The iterations of the first launch: how long one takes is not known before.
const FIRST_LAUNCH: u64 = 1;

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
    /// The batch before its first iteration, for blocks with `shared` bytes of shared memory.
    fn new(batch: &Batch<'_>, shared: usize) -> Result<Self, Error> {
        let &Batch { ref problem, dimensions, optimizer, settings, trials } = batch;
        let (seeds, index_of) = batch.seeds();
        let draw = |&seed: &u64| -> Result<(Vec<R>, f64, Vec<R>), Error> {
            let drawn: Start<R> = dimensions.draw(seed, settings.initialization);
            let mut network = dimensions.network(&drawn, settings.activation, Panels::<R>::stride(dimensions.n));
            let (y, map) = begin(dimensions, &mut network, optimizer, seed, settings)?;
            let parameters = match optimizer {
                Optimizer::Shallow => y.packed(),
                Optimizer::Deep => packed(drawn),
            };
            let gain = if let Map::Logistic { gain } = map { gain } else { 1.0 };
            let data = problem.device_data(dimensions.d, seed)?.into_iter().map(R::of).collect();
            Ok((parameters, gain, data))
        };
        let drawn = seeds.par_iter().map(draw).collect::<Result<Vec<_>, Error>>()?;
        let of_runs = || index_of.iter().map(|&index| &drawn[index]);
        let objective = source::objective(problem, dimensions.d)?;
        let shared_data = objective.data.iter().map(|&number| R::of(number));
        let mut couplings: Vec<R> =
            drawn.iter().flat_map(|(_, _, couplings)| couplings).copied().chain(shared_data).collect();
        if couplings.is_empty() {
            couplings.push(R::ZERO);
        }
        let mut progress = vec![0.0; trials.len() * progress::COUNT];
        for (run, trial) in progress.chunks_exact_mut(progress::COUNT).zip(trials) {
            run[progress::STEP_SIZE] = trial.rate;
            (run[progress::BEST_MEAN], run[progress::BEST]) = (f64::INFINITY, f64::INFINITY);
        }
        let plateau = source::plateau(settings.learning_rate)?;
        // An objective with bounds for each coordinate takes those in the unit cube.
        let [lower, upper] = match problem.bounds(dimensions.d) {
            Bounds::All(bounds) => bounds,
            Bounds::Each(_) => [0.0, 1.0],
        };
        let [minimum, maximum] = problem.lowest().ends(problem.range(dimensions.d)?);
        let patience = plateau.patience as f64;
        let rule =
            [plateau.factor, patience, plateau.threshold, plateau.floor, plateau.least_change, settings.gradient_scale];
        Ok(Self {
            source: Source::new::<R>(batch, &objective, shared)?,
            settings: rule.into_iter().chain([lower, upper, minimum, maximum, f64::INFINITY]).collect(),
            gains: of_runs().map(|&(_, gain, _)| gain).collect(),
            seeds: index_of.iter().map(|&index| index as i32).collect(),
            couplings,
            parameters: of_runs().flat_map(|(parameters, ..)| parameters).copied().collect(),
            progress,
            dimension: dimensions.d,
        })
    }
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
    Ok(Box::new(Launches::new(batch, gpu.shared, |image: Image<R>| gpu.load(image))?))
}

impl<M> Launches<M> {
    /// The batch on the machine that `build` makes of its image.
    fn new<R: Element>(
        batch: &Batch<'_>,
        shared: usize,
        build: impl FnOnce(Image<R>) -> Result<M, Error>,
    ) -> Result<Self, Error> {
        let image = Image::new(batch, shared)?;
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
            *outcome = if state[progress::DIVERGED] != 0.0 { Some(Outcome::Diverged) } else { over };
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
            trace: trace.finish(),
        });
        Ok(descents.collect())
    }
}

/// The bytes of a GPU's memory that a batch takes, where a block has `shared` bytes of shared memory.
pub(super) fn demand<R: Real>(
    problem: &Problem,
    dimensions: Dimensions,
    optimizer: Optimizer,
    shared: usize,
) -> Result<Demand, Error> {
    let scalar = size_of::<R>();
    let objective = source::objective(problem, dimensions.d)?;
    let block = source::words(dimensions, optimizer, &objective)? * scalar;
    let workspace = if block > shared { block } else { 0 };
    let numbers = progress::COUNT + SLOTS * SAMPLE + 1;
    let run =
        (dimensions.parameters(optimizer) + dimensions.d) * scalar + numbers * size_of::<f64>() + size_of::<i32>();
    Ok(Demand {
        run: (run + workspace) as u64,
        // What all seeds share is counted for each of them.
        seed: problem
            .device_scalars(dimensions.d)
            .saturating_add(objective.data.len() as u64)
            .saturating_mul(scalar as u64),
    })
}
