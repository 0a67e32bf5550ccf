//! Time per iteration.

use super::{Descent, Dimensions, Dtype, Protocol, Sweep};
use crate::descent::{Optimizer, Outcome, Settings};
use crate::device::Backend;
use crate::element::Element;
use crate::error::Error;
use crate::objective::Problem;
use crate::team;

/// The result of [`Protocol::time`].
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The median over the repeats.
    pub us_per_iteration: f64,
    /// The fastest repeat: what the machine does when nothing else disturbs it.
    pub least_us_per_iteration: f64,
    /// Every repeat, in order of time taken.
    pub us_per_repeat: Vec<f64>,
    /// Floating-point operations of an iteration by formula, counting an elementary function as one.
    pub flop_per_iteration: u64,
}

impl Protocol {
    /// Times `repeats` runs of seed 0 one after the other, after one that is not counted, on this thread unless
    /// [`use_threads_per_run`](crate::use_threads_per_run) says otherwise.
    ///
    /// # Errors
    /// As [`Protocol::run`].
    pub fn time(
        &self,
        problem: impl Into<Problem>,
        optimizer: Optimizer,
        settings: &Settings,
        repeats: usize,
    ) -> Result<Timing, Error> {
        let sweep = self.alone(problem.into(), optimizer, 0, settings);
        match self.dtype {
            Dtype::F32 => time::<f32>(&sweep, repeats),
            Dtype::F64 => time::<f64>(&sweep, repeats),
        }
    }
}

/// Times the first run of `sweep`.
fn time<R: Element>(sweep: &Sweep, repeats: usize) -> Result<Timing, Error> {
    sweep.ensure_room::<R>()?;
    let &Sweep { ref problem, dimensions, ref seeds, ref optimizers, ref settings, .. } = sweep;
    let (seed, optimizer) = (seeds[0], optimizers[0]);
    let kernel = problem.kernel::<R>(dimensions.d, seed)?;
    let threads = team::chosen().unwrap_or(1);
    let once = || -> Result<f64, Error> {
        let run =
            Descent::new(dimensions, Backend::Cpu, problem.name(), kernel.clone(), optimizer, seed, settings, threads)?;
        let run = run.run_without_end();
        if run.outcome == Outcome::Diverged {
            let given =
                format!("{}, which diverges at iteration {}", settings.learning_rate.initial, run.iterations - 1);
            let expected = "one that the whole run can be timed with";
            return Err(Error::Setting { name: "the learning rate", expected, given });
        }
        Ok(run.seconds / run.iterations as f64 * 1e6)
    };
    once()?;
    let mut sorted = (0..repeats).map(|_| once()).collect::<Result<Vec<f64>, Error>>()?;
    sorted.sort_by(f64::total_cmp);
    let flop_per_iteration = dimensions.operations(optimizer, kernel.operations()) as u64;
    let (us_per_iteration, least_us_per_iteration) = (sorted[sorted.len() / 2], sorted[0]);
    Ok(Timing { us_per_iteration, least_us_per_iteration, us_per_repeat: sorted, flop_per_iteration })
}

impl Dimensions {
    /// Floating-point operations of an iteration, where those of the objective at one point, with squash, box and chain
    /// rule, are `point`.
    pub(crate) fn operations(self, optimizer: Optimizer, point: usize) -> usize {
        let network = match optimizer {
            Optimizer::Shallow => 0,
            // Forward, into the input and into the weight: three products a layer, of a multiplication and an addition each.
            Optimizer::Deep => 6 * self.n * self.layers().map(|(inputs, outputs)| inputs * outputs).sum::<usize>(),
        };
        self.n * point + network
    }
}
