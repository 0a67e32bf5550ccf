//! One run, finished.

use super::Dimensions;
use crate::descent::{Found, Optimizer, Outcome, Sample, Settings, State, Stream, Thinning};
use crate::device::Backend;
use crate::error::Error;
use crate::simd::{self, Real};
use std::fmt;
use std::sync::Arc;

/// The result of one run of one optimizer, with its trace.
#[derive(Clone, Debug)]
pub struct Run {
    /// The objective's name.
    pub function: String,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The seed of the start.
    pub seed: u64,
    /// The settings.
    pub settings: Settings,
    /// Its shape.
    pub dimensions: Dimensions,
    /// `"f32"` or `"f64"`.
    pub dtype: &'static str,
    /// The device that computed it: `"cpu"` or `"cuda"`.
    pub device: &'static str,
    /// The instruction set of the processor that computed it, see [`instruction_set`](crate::instruction_set).
    pub instruction_set: &'static str,
    /// The smallest scaled objective over all embeddings and all iterations; of a diverged run, before it diverged.
    pub best: f64,
    /// The point with that objective: d coordinates in [0, 1]; all 0 if `best` is infinite, the objective having been a number nowhere.
    pub x: Vec<f64>,
    /// Iterations taken.
    pub iterations: u64,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Its end.
    pub outcome: Outcome,
    /// The iteration whose step changed no parameter: all later samples, `iterations` and `seconds` are extrapolated. None if
    /// every iteration was computed.
    pub settled_at: Option<u64>,
    /// The iteration from which on only log-spaced ones are recorded: 0 if the settings say so, a later one if every
    /// iteration was to be recorded and the memory ended, None if every iteration is recorded.
    pub thinned_from: Option<u64>,
    /// The recorded iterations; of a run that was [streamed](super::Descent::stream_to), the last ones.
    pub samples: Vec<Sample>,
    /// The state after the last step. None of the runs of sweeps and protocols, to save memory, and of those on a GPU.
    pub end: Option<End>,
    /// Offset and width of the raw function: f = offset + width F.
    pub(crate) scale: [f64; 2],
    /// The recorded iterations before `samples`, if they went to disk.
    pub(crate) streamed: Option<Arc<Stream>>,
}

/// Samples that are read from disk at a time.
const PIECE: usize = 1 << 16;

/// The state of a run between two iterations.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// The points x that the parameters give, n×d, row-major, in [0, 1]. They are those after the last step: no iteration has evaluated them.
    pub points: Vec<f64>,
    /// The scaled objective F at every point.
    pub values: Vec<f64>,
    /// The parameters, in the order of [`Dimensions::start`]: of the shallow optimizer y (n×d); of the deep one the embeddings z (n×k), then weight
    /// (outputs×inputs) and bias (outputs) of every layer, the output layer last.
    pub parameters: Vec<f64>,
    /// The Euclidean norm of the gradient of the mean of F in the parameters that the optimizer moves.
    pub gradient_norm: f64,
}

impl<R: Real> From<State<R>> for End {
    fn from(state: State<R>) -> Self {
        let State { points, values, parameters, gradient_norm } = state;
        let [points, values, parameters] =
            [points, values, parameters].map(|numbers| numbers.into_iter().map(R::wide).collect());
        Self { points, values, parameters, gradient_norm }
    }
}

/// The origin of a run.
pub(crate) struct Origin {
    pub backend: Backend,
    pub dimensions: Dimensions,
    pub optimizer: Optimizer,
    pub seed: u64,
    /// Offset and width of the raw function.
    pub scale: [f64; 2],
}

impl Origin {
    /// The run that gave `found`, on the objective called `function`.
    pub(crate) fn run<R: Real>(self, function: String, settings: &Settings, found: Found<R>) -> Run {
        let Self { backend, dimensions, optimizer, seed, scale } = self;
        let Found { best, iterations, seconds, outcome, settled_at, thinned_from, streamed, trace } = found;
        Run {
            function,
            optimizer,
            seed,
            settings: *settings,
            dimensions,
            dtype: R::NAME,
            device: backend.name(),
            instruction_set: simd::instruction_set(),
            best: best.value.wide(),
            x: best.x.iter().map(|x| x.wide()).collect(),
            iterations,
            seconds,
            outcome,
            settled_at,
            thinned_from,
            samples: trace,
            end: None,
            scale,
            streamed: streamed.map(Arc::new),
        }
    }
}

impl Run {
    /// True if samples of it went to [disk](super::Descent::stream_to).
    pub fn is_streamed(&self) -> bool {
        self.streamed.is_some()
    }

    /// Gives up the samples that went to [disk](super::Descent::stream_to), but for log-spaced ones of all.
    ///
    /// # Errors
    /// If they cannot be read; the run then has the samples in memory alone.
    pub fn thin_streamed(&mut self) -> Result<(), Error> {
        let Some(stream) = self.streamed.take() else { return Ok(()) };
        let mut thinning = Thinning::new(true);
        let mut keeps = |sample: &Sample| thinning.keeps(sample.iteration);
        let mut samples = Vec::new();
        for piece in stream.pieces(PIECE) {
            samples.extend(piece?.into_iter().filter(&mut keeps));
        }
        if let Some((last, rest)) = self.samples.split_last() {
            samples.extend(rest.iter().filter(|sample| keeps(sample)));
            samples.push(*last);
        }
        (self.samples, self.thinned_from) = (samples, Some(0));
        Ok(())
    }

    /// The raw value that belongs to the scaled value `scaled`.
    pub fn raw(&self, scaled: f64) -> f64 {
        self.scale[0] + self.scale[1] * scaled
    }

    /// The best raw value, for the spin glass the energy per spin.
    pub fn raw_best(&self) -> f64 {
        self.raw(self.best)
    }

    /// The first second at which the best objective is `target` or less.
    pub fn seconds_to(&self, target: f64) -> Option<f64> {
        self.samples.iter().find(|sample| sample.best <= target).map(|sample| sample.seconds)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, optimizer, seed, dimensions, dtype, best, iterations, seconds, .. } = self;
        writeln!(formatter, "{optimizer} optimizer on {function}, seed {seed}, {dtype}, {dimensions}")?;
        writeln!(formatter, "best objective  {best:.6e} (raw {:.6})", self.raw_best())?;
        let pace = seconds / *iterations as f64 * 1e6;
        write!(formatter, "{iterations} iterations in {seconds:.3} s ({pace:.1} µs each), {}", self.outcome.name())?;
        match self.settled_at {
            Some(settled) => write!(formatter, "; settled at iteration {settled}, later ones are extrapolated"),
            None => Ok(()),
        }
    }
}
