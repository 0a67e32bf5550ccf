//! The descent loop that both optimizers share: evaluate, record, step, adapt the step size.

use super::step::Step;
use super::summary::summary;
use super::{Outcome, Record, Sample, Settings, Stream, Thinning, Tolerance};
use crate::interrupt;
use crate::objective::Best;
use crate::rule::{Rule, StepSize};
use crate::simd::Real;
use std::fs::File;
use std::time::Instant;

/// Iterations between two checks whether a step still changes any parameter. A check copies and compares all parameters, which
/// costs about one iteration.
const SETTLED_EVERY: u64 = 128;

/// Iterations between two checks for interrupts while a settled run is completed, at a nanosecond per iteration.
const COMPLETION_CHECK_EVERY: u64 = 1 << 16;

/// The result of a descent.
pub(crate) struct Found<R> {
    pub best: Best<R>,
    pub iterations: u64,
    pub seconds: f64,
    pub outcome: Outcome,
    /// The iteration whose step changed no parameter; later ones are extrapolated.
    pub settled_at: Option<u64>,
    /// The iteration from which on the trace is thinned.
    pub thinned_from: Option<u64>,
    /// The samples before those in `trace`, if they went to disk.
    pub streamed: Option<Stream>,
    pub trace: Vec<Sample>,
}

/// A run under way. It goes on in pieces of any length: many runs can advance side by side.
pub(crate) struct Progress<R: Real> {
    settings: Settings,
    step_size: StepSize,
    thinning: Thinning,
    values: Vec<R>,
    best: Best<R>,
    trace: Record,
    /// The iteration from which on the trace is thinned.
    thinned_from: Option<u64>,
    /// The parameters before the last iteration that was watched.
    snapshot: Vec<R>,
    /// The best objective before the iterations that the tolerance is about, and the iteration that it is of.
    reference: (f64, u64),
    /// True once a step size was set from outside: it may grow again, so the run does not settle.
    steered: bool,
    /// The last iteration, if the trace does not have it.
    unrecorded: Option<Sample>,
    clock: Instant,
    /// Iterations taken.
    iteration: u64,
    /// The outcome, once the run has ended.
    outcome: Option<Outcome>,
    /// The iteration whose step changed no parameter, if one was seen.
    settled_at: Option<u64>,
}

impl<R: Real> Progress<R> {
    /// A run that begins now.
    pub(crate) fn new(points: usize, dimension: usize, settings: &Settings) -> Self {
        Self {
            settings: *settings,
            step_size: StepSize::new(settings.scheduled()),
            thinning: Thinning::new(settings.thinned),
            values: vec![R::ZERO; points],
            best: Best::none(dimension),
            trace: Record::default(),
            thinned_from: settings.thinned.then_some(0),
            snapshot: Vec::new(),
            reference: (f64::INFINITY, 0),
            steered: false,
            unrecorded: None,
            clock: Instant::now(),
            iteration: 0,
            outcome: None,
            settled_at: None,
        }
    }

    /// Has the samples go to `file` as they are recorded.
    pub(crate) fn stream_to(&mut self, file: File) {
        self.trace.stream_to(file);
    }

    /// Goes on until `until` iterations are taken or the run has ended.
    pub(crate) fn advance(&mut self, stepper: &mut dyn Step<R>, until: u64) {
        while self.outcome.is_none() && self.iteration < until {
            self.iterate(stepper);
        }
    }

    /// Takes one iteration of a run that has not ended. The sample has its time if it is one that the trace keeps.
    #[inline]
    pub(crate) fn iterate(&mut self, stepper: &mut dyn Step<R>) -> Sample {
        let (limit, seconds) = self.settings.budget.limits();
        let iteration = self.iteration;
        let step_size = self.step_size.current();
        let may_settle =
            self.settings.rule == Rule::GradientDescent && self.settings.tolerance.is_none() && !self.steered;
        let watched = may_settle && iteration % SETTLED_EVERY == SETTLED_EVERY - 1;
        if watched {
            self.snapshot.clear();
            stepper.parameters(&mut |part| self.snapshot.extend_from_slice(part));
        }
        stepper.step(step_size, &mut self.values, &mut self.best);
        let (min, mean) = summary(&self.values);
        let best = self.best.value.wide();
        let mut sample = Sample { iteration, seconds: f64::NAN, min, mean, best, step_size };
        let diverged = !mean.is_finite();
        let late = seconds.is_finite() && self.clock.elapsed().as_secs_f64() >= seconds;
        let outcome = match () {
            () if diverged => Some(Outcome::Diverged),
            () if self.settings.target.is_some_and(|target| best <= target) => Some(Outcome::Reached),
            () if self.rests(iteration, best) => Some(Outcome::Converged),
            () if interrupt::requested() => Some(Outcome::Stopped),
            () if iteration + 1 == limit || late => Some(Outcome::Finished),
            () => None,
        };
        if self.thinning.keeps(iteration) || outcome.is_some() {
            sample.seconds = self.clock.elapsed().as_secs_f64();
            self.record(sample);
            self.unrecorded = None;
        }
        self.step_size.observe(mean);
        self.iteration += 1;
        self.outcome = outcome;
        if watched && outcome.is_none() {
            let (mut before, mut same) = (&*self.snapshot, true);
            stepper.parameters(&mut |part| {
                let (then, rest) = before.split_at(part.len());
                (before, same) = (rest, same && same_bits(then, part));
            });
            if same {
                let seconds_now = self.clock.elapsed().as_secs_f64();
                self.complete(Sample { seconds: seconds_now, ..sample }, limit, seconds);
            }
        }
        sample
    }

    /// True if the run no longer improves by more than its tolerance.
    fn rests(&mut self, iteration: u64, best: f64) -> bool {
        let Some(Tolerance { change, iterations }) = self.settings.tolerance else { return false };
        if self.reference.0 - best > change {
            self.reference = (best, iteration);
        }
        iteration - self.reference.1 >= iterations
    }

    /// True once the run has ended.
    pub(crate) fn ended(&self) -> bool {
        self.outcome.is_some()
    }

    /// Iterations taken.
    pub(crate) fn iterations(&self) -> u64 {
        self.iteration
    }

    /// Wall time since the start in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }

    /// The objective of every embedding in the last iteration.
    pub(crate) fn values(&self) -> &[R] {
        &self.values
    }

    /// The best point so far.
    pub(crate) fn best(&self) -> &Best<R> {
        &self.best
    }

    /// Sets the step size of the next iteration.
    pub(crate) fn set_step_size(&mut self, step_size: f64) {
        self.steered = true;
        self.step_size.set(step_size);
    }

    /// Keeps a sample that the trace does not have for the case that the run ends here.
    pub(crate) fn remember(&mut self, sample: Sample) {
        self.unrecorded = Some(sample);
    }

    /// The result; a run that has not ended was stopped.
    pub(crate) fn finish(mut self) -> Found<R> {
        if let Some(last) = self.unrecorded.take() {
            self.record(last);
        }
        let seconds = self.trace.last().map_or(0.0, |sample| sample.seconds);
        let outcome = self.outcome.unwrap_or(Outcome::Stopped);
        Found {
            best: self.best,
            iterations: self.iteration,
            seconds,
            outcome,
            settled_at: self.settled_at,
            thinned_from: self.thinned_from,
            streamed: self.trace.take_stream(),
            trace: self.trace.finish(),
        }
    }

    /// Keeps a sample. Where every iteration is kept and the memory ends, later ones are thinned.
    fn record(&mut self, sample: Sample) {
        if self.thinned_from.is_none() && !self.trace.has_room(1) {
            self.thinning.thin();
            self.thinned_from = Some(sample.iteration + 1);
        }
        self.trace.push(sample);
    }

    /// Completes the trace of a run whose last step, at `settled`, changed no bit of any parameter.
    ///
    /// The step size of gradient descent never grows unless it is set from outside, so no later step changes any either: all that goes on is the clock, at the pace kept so far,
    /// and the learning-rate rule. (The contributions to a parameter are summed up before
    /// they are added; that they cancel to the last bit at one step size and not at a smaller one is conceivable, as it is that a
    /// series for smaller steps rounds the other way. Neither was ever seen.)
    fn complete(&mut self, settled: Sample, limit: u64, seconds: f64) {
        self.settled_at = Some(settled.iteration);
        let pace = settled.seconds / (settled.iteration + 1) as f64;
        let limit = limit.min((seconds / pace).ceil() as u64).max(settled.iteration + 2);
        for iteration in settled.iteration + 1..limit {
            let stopped = iteration.is_multiple_of(COMPLETION_CHECK_EVERY) && interrupt::requested();
            if self.thinning.keeps(iteration) || iteration + 1 == limit || stopped {
                let seconds = pace * (iteration + 1) as f64;
                self.record(Sample { iteration, seconds, step_size: self.step_size.current(), ..settled });
            }
            if stopped {
                (self.iteration, self.outcome) = (iteration + 1, Some(Outcome::Stopped));
                return;
            }
            self.step_size.observe(settled.mean);
        }
        (self.iteration, self.outcome) = (limit, Some(Outcome::Finished));
    }
}

/// Bits, not values: -0 and 0 differ, and a NaN must not look like movement for ever.
fn same_bits<R: Real>(a: &[R], b: &[R]) -> bool {
    bytemuck::cast_slice::<R, u8>(a) == bytemuck::cast_slice::<R, u8>(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descent::State;
    use crate::rule::{LearningRate, Plateau};

    /// Descent on (y - 1)²/2 + ¼ that oscillates, and settles when the shrinking step no longer moves y. A restless one has a
    /// parameter that never stands still and that nothing depends on.
    struct Parabola {
        y: f64,
        restless: bool,
        steps: u64,
    }

    impl Step<f64> for Parabola {
        fn step(&mut self, step: f64, values: &mut [f64], best: &mut Best<f64>) {
            values[0] = 0.5 * (self.y - 1.0).powi(2) + 0.25;
            best.value = best.value.min(values[0]);
            self.y -= step * (self.y - 1.0).signum();
            self.steps += 1;
        }

        fn state(&self) -> State<f64> {
            unreachable!("nobody asks")
        }

        fn parameters(&self, look: &mut dyn FnMut(&[f64])) {
            look(&[self.y]);
            look(&[if self.restless { self.steps as f64 } else { 0.0 }]);
        }
    }

    fn run(restless: bool, settings: &Settings) -> (Found<f64>, u64) {
        let mut parabola = Parabola { y: 0.37, restless, steps: 0 };
        let mut progress = Progress::new(1, 1, settings);
        progress.advance(&mut parabola, u64::MAX);
        (progress.finish(), parabola.steps)
    }

    /// All but the time.
    fn values(trace: &[Sample]) -> Vec<(u64, [f64; 4])> {
        trace.iter().map(|s| (s.iteration, [s.min, s.mean, s.best, s.step_size])).collect()
    }

    #[test]
    fn a_run_that_settles_has_the_trace_of_one_that_goes_on() {
        for rule in
            [LearningRate::PAPER, LearningRate::plateau(1.0, Plateau { factor: 0.5, patience: 2, ..Plateau::PAPER })]
        {
            for (iterations, thinned) in [(5_000, false), (5_000, true), (4_999, true), (640, false), (641, false)] {
                let settings = Settings { thinned, learning_rate: rule, ..Settings::default() };
                let settings = settings.learning_rate(0.3).iterations(iterations);
                let (settled, steps) = run(false, &settings);
                let (whole, all) = run(true, &settings);
                assert!(steps < all || iterations < 1_000, "{steps} of {all} steps were taken");
                assert_eq!((settled.iterations, whole.iterations, all), (iterations, iterations, iterations));
                assert_eq!(values(&settled.trace), values(&whole.trace));
                assert_eq!((settled.outcome, settled.best.value), (whole.outcome, whole.best.value));
                assert_eq!((whole.settled_at, whole.thinned_from), (None, thinned.then_some(0)));
                // The parabola counts its steps: no iteration after the one that settled was computed.
                let computed = settled.settled_at.map_or(iterations, |settled| settled + 1);
                assert_eq!(computed, steps, "{iterations} iterations");
                assert!(settled.trace.is_sorted_by(|a, b| a.seconds <= b.seconds));
                assert_eq!(settled.trace.last().map(|sample| sample.seconds), Some(settled.seconds));
            }
        }
    }

    #[test]
    fn a_timed_run_that_settles_fills_its_time() {
        let (settled, steps) = run(false, &Settings::default().learning_rate(0.3).seconds(0.01));
        assert!(settled.seconds >= 0.01 && settled.iterations > steps, "{} s, {steps} steps", settled.seconds);
        assert_eq!(settled.trace.last().map(|sample| sample.iteration + 1), Some(settled.iterations));
        assert_eq!(settled.settled_at, Some(steps - 1));
    }
}
