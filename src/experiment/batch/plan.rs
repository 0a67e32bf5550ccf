//! The memory of a batch, planned before it starts.

use super::cuda;
use super::demand::Demand;
use crate::descent::{Optimizer, Sample, Settings, Thinning, shallow_parts};
use crate::device::{Backend, Gpu, Limits};
use crate::error::{Error, size};
use crate::experiment::{Dimensions, Run, Sweep};
use crate::memory::{self, Free};
use crate::network;
use crate::objective::{Problem, exceeds_caches};
use crate::rule::Rule;
use crate::simd::{Panels, Real};
use std::fmt;

/// Rows of a part of a table of traces, which is tabulated and written at once.
pub(crate) const PART: usize = 1 << 17;

/// Bytes that a row of a trace takes, once more, while its part of the table is written.
const ROW: u64 = 400;

/// The memory that a sweep takes of its device, and the batches that fit: made by [`Sweep::plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The device.
    pub backend: Backend,
    /// The bytes that batches may take together.
    pub available: u64,
    /// The bytes of the largest batch.
    pub needed: u64,
    /// For every optimizer of the sweep, the number of runs of each batch.
    pub batches: Vec<Vec<usize>>,
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs: usize = self.batches.iter().flatten().sum();
        let batches = match self.batches.iter().flatten().count() {
            1 => "1 batch".to_owned(),
            batches => format!("{batches} batches"),
        };
        let Self { backend, needed, available, .. } = self;
        let (needed, available) = (size(*needed), size(*available));
        write!(formatter, "{runs} runs in {batches} of at most {needed}, of {available} free on the device {backend}")
    }
}

impl Sweep {
    /// The memory that [`Sweep::run_batched`] will take of `backend`, and the batches that fit.
    ///
    /// # Errors
    /// If a setting is outside its range, the backend cannot be used, or a single run does not fit into its memory.
    pub fn plan<R: Real>(&self, backend: Backend) -> Result<Plan, Error> {
        self.plan_and_demands::<R>(backend, [self.len(); 2]).map(|(plan, _)| plan)
    }

    /// The plan, and the memory that each optimizer asks for, beside so many traces and best points that are `held` at once.
    fn plan_and_demands<R: Real>(&self, backend: Backend, held: [usize; 2]) -> Result<(Plan, Vec<Demand>), Error> {
        let Dimensions { n, k, widths, d } = self.dimensions;
        widths.validate()?;
        if [n, k, d].contains(&0) {
            let given = self.dimensions.to_string();
            return Err(Error::Setting { name: "every dimension of the shape", expected: "1 or more", given });
        }
        self.problem.check(d)?;
        let hidden = widths.widest();
        let widest = n.max(hidden) as u128 * d.max(hidden).max(k) as u128 * (widths.layers() as u128 + 1);
        if [n, k, hidden, d].iter().any(|&size| size > 1 << 31) || widest > 1 << 50 {
            let given = self.dimensions.to_string();
            return Err(Error::Setting { name: "the shape", expected: "one that a machine's memory can hold", given });
        }
        self.rates.iter().try_for_each(|&rate| self.settings.learning_rate(rate).validate())?;
        let kept = self.ensure_traces(held)?;
        if backend == Backend::Cuda {
            cuda::ensure(&self.problem, d)?;
        }
        let room = Room::of(backend)?;
        let mut available = room.free.available();
        if backend == Backend::Cpu {
            available = available.saturating_sub(kept);
        }
        let (of_a_seed, mut needed) = (self.rates.len(), 0);
        let split = |&optimizer: &Optimizer| {
            let demand = match backend {
                Backend::Cpu => on_the_cores::<R>(&self.problem, self.dimensions, optimizer, &self.settings),
                Backend::Cuda => {
                    cuda::demand::<R>(&self.problem, self.dimensions, optimizer, &self.settings, room.limits)?
                }
            };
            let (batches, largest) =
                demand.split(of_a_seed * self.seeds.len(), of_a_seed, available).ok_or_else(|| Error::Memory {
                    what: format!("one {optimizer} run of {} with {}", self.problem, self.dimensions),
                    needed: demand.run.saturating_add(demand.seed),
                    free: available,
                    limit: room.free.limit,
                    remedy: "take a smaller d or n, or f32 instead of f64",
                })?;
            needed = needed.max(largest);
            Ok((batches, demand))
        };
        let split = self.optimizers.iter().map(split).collect::<Result<Vec<_>, Error>>()?;
        let (batches, demands) = split.into_iter().unzip();
        Ok((Plan { backend, available, needed, batches }, demands))
    }

    /// Finds out before anything is allocated whether the traces of all runs, and as many runs as there are threads, each of
    /// another seed, fit into this machine's memory: what [`Sweep::run`] finds out as well.
    ///
    /// # Errors
    /// If a setting is outside its range, or they do not fit.
    pub fn ensure_room<R: Real>(&self) -> Result<(), Error> {
        self.ensure_room_beside::<R>([self.len(); 2])
    }

    /// [`Sweep::ensure_room`] where no more than so many traces and best points are `held` at once.
    ///
    /// # Errors
    /// As [`Sweep::ensure_room`].
    pub(crate) fn ensure_room_beside<R: Real>(&self, held: [usize; 2]) -> Result<(), Error> {
        let (Plan { available, .. }, demands) = self.plan_and_demands::<R>(Backend::Cpu, held)?;
        // A single run takes this thread, and starts no others.
        let threads = if self.len() > 1 { rayon::current_num_threads().min(self.len()) as u64 } else { 1 };
        for (&optimizer, Demand { run, seed }) in self.optimizers.iter().zip(demands) {
            let mut needed = run.saturating_add(seed).saturating_mul(threads);
            if self.len() == 1 {
                needed = needed.saturating_add(state_bytes::<R>(self.dimensions, optimizer));
            }
            if needed > available {
                return Err(Error::Memory {
                    what: format!("{threads} runs at a time of {} with {}", self.problem, self.dimensions),
                    needed,
                    free: available,
                    limit: Free::now().limit,
                    remedy: "take fewer jobs, a smaller d or n, or f32 instead of f64",
                });
            }
        }
        Ok(())
    }

    /// Finds out whether so many traces and best points fit into the memory of this machine, which splitting does not help, and returns
    /// their bytes.
    fn ensure_traces(&self, [traces, points]: [usize; 2]) -> Result<u64, Error> {
        let samples = samples(&self.settings).saturating_mul(traces as u64);
        let kept = samples.saturating_mul(size_of::<Sample>() as u64);
        // The best point of every run, and once more with its coordinates in the box while the table of points is made.
        let coordinates = (points as u64).saturating_mul(self.dimensions.d as u64).saturating_mul(3 * 8);
        let runs = (points as u64).saturating_mul(size_of::<Run>() as u64);
        let needed =
            kept.saturating_add(samples.min(PART as u64) * ROW).saturating_add(coordinates).saturating_add(runs);
        let what = || format!("keeping the traces of {traces} and the best points of {points} runs");
        memory::ensure(
            what,
            needed,
            "thin the traces, or take fewer iterations, rates, seeds or jobs, or a smaller d",
        )?;
        Ok(needed)
    }
}

/// The memory of a backend.
struct Room {
    /// Memory.
    free: Free,
    /// The limits that kernels are planned for.
    limits: Limits,
}

impl Room {
    fn of(backend: Backend) -> Result<Self, Error> {
        match backend {
            Backend::Cpu => Ok(Self { free: Free::now(), limits: Limits { block: 0, processor: 0, reserved: 0 } }),
            Backend::Cuda => {
                let gpu = Gpu::open()?;
                Ok(Self { free: Free { bytes: gpu.free()?, limit: "the GPU" }, limits: gpu.limits })
            }
        }
    }
}

/// The samples of a trace. Of a run that is limited by time it is not known how many iterations it takes: a thinned trace hardly
/// grows, and one of every iteration is thinned once the memory ends.
fn samples(settings: &Settings) -> u64 {
    let (iterations, seconds) = settings.budget.limits();
    Thinning::new(settings.thinned || seconds.is_finite()).count(iterations)
}

/// The bytes that a batch takes on the cores.
fn on_the_cores<R: Real>(
    problem: &Problem,
    dimensions: Dimensions,
    optimizer: Optimizer,
    settings: &Settings,
) -> Demand {
    let Dimensions { n, k, d, .. } = dimensions;
    let row = Panels::<R>::stride(n);
    let points = n.next_multiple_of(row);
    let padded = |inputs: usize| (inputs + 1).next_multiple_of(R::BLOCK);
    let weights: usize = dimensions.layers().map(|(inputs, outputs)| outputs * padded(inputs)).sum();
    // As in kernels: points that are evaluated together are in wider ones, whose network is small beside the points.
    let width = if optimizer == Optimizer::Shallow && exceeds_caches::<R>(n, d) { R::BLOCK } else { row };
    // What is added to the weights, what flows through a panel, and its inputs turned.
    let of_a_panel = |(inputs, outputs): (usize, usize)| width * (outputs + padded(inputs));
    let pass = weights + dimensions.layers().map(of_a_panel).sum::<usize>();
    // Both optimizers start from a network and from its output, and each keeps one of the two.
    let (network, output) = (points * k + weights, points * d);
    let panels = n.div_ceil(row);
    let parts = match optimizer {
        Optimizer::Shallow => shallow_parts::<R>(n, row).0,
        Optimizer::Deep => network::parts(panels, weights, points * k + n * d).0,
    };
    let (parameters, flow, start) = match optimizer {
        Optimizer::Shallow => (output, 0, network + pass),
        Optimizer::Deep => (network, parts * pass, output),
    };
    // Every part that threads take on has a workspace, and its own best point.
    let work = parts * (problem.workspace(d, row, R::BLOCK) + d);
    // And a snapshot of the parameters.
    let mut words = 2 * parameters + flow + n + d + work;
    let &Settings { rule, activation, residual, frozen_embeddings, .. } = settings;
    let deep = optimizer == Optimizer::Deep;
    if rule != Rule::GradientDescent || (deep && (residual || frozen_embeddings)) {
        // The gradient, and the state of the rule.
        words += if deep { points * k } else { output } + rule.words::<R>() * parameters;
    }
    if deep {
        let slopes = if activation.keeps_slopes() { pass } else { 0 };
        words += slopes + if residual { output } else { 0 };
    }
    // While runs are built the start of their seed is held.
    let start = ((dimensions.parameters(Optimizer::Deep) + start) * size_of::<R>()) as u64;
    let seed = start.saturating_add(problem.data_bytes(d, size_of::<R>()));
    Demand { run: (words * size_of::<R>()) as u64, seed }
}

/// The bytes of the state that a single run ends with, while it is found: a copy of the parameters with their gradient and what flows
/// through the network, the points in panels and packed, and points and parameters once more in double precision.
fn state_bytes<R: Real>(dimensions: Dimensions, optimizer: Optimizer) -> u64 {
    let Dimensions { n, d, .. } = dimensions;
    let row = Panels::<R>::stride(n);
    let padded: usize = dimensions.layers().map(|(inputs, outputs)| (outputs + inputs + 16) * row).sum();
    let (parameters, points) = (dimensions.parameters(optimizer), n.next_multiple_of(row) * d);
    let flow = if optimizer == Optimizer::Deep { padded + 2 * parameters } else { 0 };
    let words = 3 * parameters + 3 * points + flow;
    (words * size_of::<R>() + (n * d + parameters) * size_of::<f64>()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Widths;
    use crate::objective::Function;

    fn sweep(function: Function, d: usize) -> Sweep {
        let mut sweep = crate::experiment::Protocol::paper().sweep(function);
        sweep.dimensions.d = d;
        sweep
    }

    #[test]
    fn a_plan_counts_every_run_and_says_what_does_not_fit() {
        let plan = sweep(Function::SpinGlass, 50).plan::<f64>(Backend::Cpu).unwrap();
        assert_eq!(plan.batches.iter().map(|batches| batches.iter().sum()).collect::<Vec<usize>>(), [33, 33]);
        // Three seeds of 22,100 triples and 42,925 entries of matrices, and at least the parameters.
        assert!(plan.needed > 3 * (22_100 + 42_925) * 8 + 33 * 2500 * 8, "{plan}");
        let dimensions = crate::experiment::Protocol::paper().dimensions;
        let seed = |function: Function| {
            let problem = Problem::from(function);
            on_the_cores::<f64>(&problem, dimensions, Optimizer::Shallow, &Settings::default()).seed
        };
        assert_eq!(seed(Function::SpinGlass) - seed(Function::Sphere), (22_100 + 42_925) * 8);
        assert!(plan.to_string().starts_with("66 runs in 2 batches of at most "), "{plan}");
        // 10^15 couplings.
        let error = sweep(Function::SpinGlass, 100_000).plan::<f32>(Backend::Cpu).unwrap_err().to_string();
        assert!(error.contains("GiB") && error.contains("smaller d"), "{error}");
        // Sizes whose product would overflow.
        let mut huge = sweep(Function::Sphere, 50);
        huge.dimensions.n = 1 << 40;
        assert!(huge.plan::<f64>(Backend::Cpu).unwrap_err().to_string().contains("the shape"));
        let mut wide = sweep(Function::Sphere, 50);
        wide.dimensions.widths = Widths::of(&[10, 1 << 30, 10]);
        assert!(wide.plan::<f64>(Backend::Cpu).unwrap_err().to_string().contains("widths=10,1073741824,10"));
        for (widths, sentence) in
            [(vec![10, 0, 10], "1 or more"), (vec![1; 10_001], "hidden layers must be at most 10000, not 10001")]
        {
            wide.dimensions.widths = widths.into();
            let error = wide.plan::<f64>(Backend::Cpu).unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}");
        }
        let mut nothing = sweep(Function::Sphere, 0);
        assert!(nothing.plan::<f64>(Backend::Cpu).unwrap_err().to_string().contains("d=0"));
        (nothing.dimensions.d, nothing.rates) = (5, vec![]);
        assert_eq!(nothing.plan::<f64>(Backend::Cpu).unwrap().batches, [[0usize; 0]; 2]);
        assert!(nothing.run_batched::<f64>(Backend::Cpu, &|_| {}).unwrap().is_empty());
    }

    #[test]
    fn traces_are_counted_and_must_fit() {
        let settings = Settings::default();
        assert_eq!(samples(&Settings { thinned: false, ..settings }), 10_000);
        assert!((200..400).contains(&samples(&settings)));
        assert!((1_000..2_000).contains(&samples(&settings.seconds(1e9))));
        let mut endless = sweep(Function::Sphere, 50);
        endless.settings = Settings { thinned: false, ..settings }.iterations(u64::MAX);
        let error = endless.plan::<f64>(Backend::Cpu).unwrap_err().to_string();
        assert!(error.contains("220 runs") && error.contains("thin the traces"), "{error}");
        // The best points of 22 runs, of 10⁹ coordinates each.
        let error = sweep(Function::Sphere, 1_000_000_000).ensure_traces([220; 2]).unwrap_err().to_string();
        assert!(error.contains("best points") && error.contains("smaller d"), "{error}");
    }
}
