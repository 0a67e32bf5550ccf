//! A run under way.

use super::run::{End, Origin, Run};
use super::{Dimensions, start};
use crate::descent::{Optimizer, Progress, Sample, Settings, Step};
use crate::device::Backend;
use crate::element::Element;
use crate::error::Error;
use crate::objective::Kernel;
use crate::simd::Real;
use crate::team::Team;
use std::fs::File;
use std::marker::PhantomData;
use std::sync::Arc;

/// A run under way: an iterator over its iterations, made by [`Protocol::start`](super::Protocol::start) or
/// [`Shape::start`](super::Shape::start).
///
/// Between two iterations it can be looked at, given another step size, or ended. So early stopping, live plots and schedules of one's
/// own are ordinary code:
///
/// ```
/// use overparam::prelude::*;
///
/// let protocol = Protocol::paper();
/// let settings = protocol.settings(Function::Levy).iterations(500);
/// let mut descent = protocol.start(Function::Levy, Optimizer::Deep, 0, &settings)?;
/// while let Some(sample) = descent.next() {
///     // A schedule of one's own, and an end of one's own.
///     descent.set_step_size(1.0 / (1.0 + 0.01 * sample.iteration as f64))?;
///     if sample.best < 0.05 {
///         break;
///     }
/// }
/// let run = descent.finish();
/// assert!(run.best < 0.05 && run.iterations < 500);
/// # Ok::<(), overparam::Error>(())
/// ```
pub struct Descent<'a> {
    descent: Box<dyn Advance + Send + 'a>,
    team: Team,
    /// A run on dfdx's tape stays on its thread.
    here: PhantomData<*const ()>,
}

impl<'a> Descent<'a> {
    /// The run from the start that belongs to `seed`, before its first iteration, on `kernel`, the objective called `name`, with `threads`
    /// threads.
    ///
    /// # Errors
    /// If a setting is outside its range, or the threads cannot be started.
    #[expect(clippy::too_many_arguments, reason = "what makes up a run")]
    pub(super) fn new<R: Element>(
        dimensions: Dimensions,
        backend: Backend,
        name: &str,
        kernel: Arc<dyn Kernel<R> + 'a>,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
        threads: usize,
    ) -> Result<Self, Error> {
        settings.validate()?;
        let [minimum, maximum] = kernel.range();
        let network = dimensions.drawn(seed, settings, start::stride(dimensions, &*kernel, optimizer));
        let step = start::step(dimensions, network, kernel, optimizer, seed, settings)?;
        let origin = Origin { backend, dimensions, optimizer, seed, scale: [minimum, maximum - minimum] };
        let progress = Progress::new(dimensions.n, dimensions.d, settings);
        Ok(Self {
            team: Team::new(threads)?,
            here: PhantomData,
            descent: Box::new(Typed { name: name.to_owned(), settings: *settings, origin, progress, step }),
        })
    }

    /// The number of iterations taken.
    pub fn iterations(&self) -> u64 {
        self.descent.iterations()
    }

    /// True once the run has ended, as its settings say.
    pub fn ended(&self) -> bool {
        self.descent.ended()
    }

    /// The smallest scaled objective so far, infinite before the first iteration.
    pub fn best(&self) -> f64 {
        self.descent.best().0
    }

    /// The point with that objective: d coordinates in [0, 1].
    pub fn best_point(&self) -> Vec<f64> {
        self.descent.best().1
    }

    /// The scaled objective of every embedding in the last iteration.
    pub fn values(&self) -> Vec<f64> {
        self.descent.values()
    }

    /// Points, parameters and gradient that the next iteration begins with. This takes as long as an iteration on one thread. Of the shallow
    /// optimizer y is computed from what the descent keeps instead, so that points and values may differ from those of the next iteration
    /// in the last bits.
    pub fn state(&self) -> End {
        self.descent.state()
    }

    /// Sets the step size of the next iteration. The schedule goes on from there: with [`Schedule::Constant`](crate::rule::Schedule::Constant)
    /// it stays. A run whose step size is set does not settle.
    ///
    /// # Errors
    /// If `step_size` is negative or not finite.
    pub fn set_step_size(&mut self, step_size: f64) -> Result<(), Error> {
        if !(step_size >= 0.0 && step_size.is_finite()) {
            let expected = "a finite number, 0 or more";
            return Err(Error::Setting { name: "the step size", expected, given: step_size.to_string() });
        }
        self.descent.set_step_size(step_size);
        Ok(())
    }

    /// Has the samples go to `file` as they are recorded, before the first iteration is taken: a file that can be read and written, such as
    /// [`Output::scratch`](crate::output::Output::scratch), whose content goes. Memory then holds the last few thousand alone, in [`Run::samples`],
    /// and what is made of these, such as [`Run::seconds_to`], knows no others;
    /// [`Destination::write_trace`](crate::trace::Destination::write_trace) writes all of them. Samples that the disk does not take stay in
    /// memory. A [thinned](Settings::thinned) trace is so small that it stays there, too.
    pub fn stream_to(&mut self, file: File) {
        self.descent.stream_to(file);
    }

    /// Takes all iterations that are left, and returns the result.
    pub fn run(mut self) -> Run {
        self.advance();
        self.finish()
    }

    /// [`Descent::run`] without the run's [end](Run::end).
    pub(super) fn run_without_end(mut self) -> Run {
        self.advance();
        self.descent.finish(false)
    }

    fn advance(&mut self) {
        let Self { descent, team, .. } = self;
        team.run(|| descent.advance());
    }

    /// The result of the iterations so far. A run that has not ended is one that was stopped.
    pub fn finish(self) -> Run {
        self.descent.finish(true)
    }
}

impl Iterator for Descent<'_> {
    type Item = Sample;

    /// Takes an iteration. When a run of gradient descent settles, this is the last one; the result has the extrapolated ones, too.
    fn next(&mut self) -> Option<Sample> {
        let Self { descent, team, .. } = self;
        team.run(|| descent.next())
    }
}

/// A descent in some scalar.
trait Advance {
    fn next(&mut self) -> Option<Sample>;
    fn advance(&mut self);
    fn iterations(&self) -> u64;
    fn ended(&self) -> bool;
    fn best(&self) -> (f64, Vec<f64>);
    fn values(&self) -> Vec<f64>;
    fn state(&self) -> End;
    fn set_step_size(&mut self, step_size: f64);
    fn stream_to(&mut self, file: File);
    fn finish(self: Box<Self>, end: bool) -> Run;
}

struct Typed<'a, R: Real> {
    name: String,
    settings: Settings,
    origin: Origin,
    progress: Progress<R>,
    step: Box<dyn Step<R> + Send + 'a>,
}

impl<R: Real> Advance for Typed<'_, R> {
    fn next(&mut self) -> Option<Sample> {
        if self.progress.ended() {
            return None;
        }
        let sample = self.progress.iterate(&mut *self.step);
        if !sample.seconds.is_nan() {
            return Some(sample);
        }
        let sample = Sample { seconds: self.progress.seconds(), ..sample };
        self.progress.remember(sample);
        Some(sample)
    }

    fn advance(&mut self) {
        self.progress.advance(&mut *self.step, u64::MAX);
    }

    fn iterations(&self) -> u64 {
        self.progress.iterations()
    }

    fn ended(&self) -> bool {
        self.progress.ended()
    }

    fn best(&self) -> (f64, Vec<f64>) {
        let best = self.progress.best();
        (best.value.wide(), best.x.iter().map(|x| x.wide()).collect())
    }

    fn values(&self) -> Vec<f64> {
        self.progress.values().iter().map(|value| value.wide()).collect()
    }

    fn state(&self) -> End {
        self.step.state().into()
    }

    fn set_step_size(&mut self, step_size: f64) {
        self.progress.set_step_size(step_size);
    }

    fn stream_to(&mut self, file: File) {
        self.progress.stream_to(file);
    }

    fn finish(self: Box<Self>, end: bool) -> Run {
        let Self { name, settings, origin, progress, step } = *self;
        let end = end.then(|| step.state().into());
        Run { end, ..origin.run(name, &settings, progress.finish()) }
    }
}
