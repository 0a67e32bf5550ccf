//! The image of a batch: its kernel's source and data, and what a machine does with it.

use crate::error::Error;

/// The threads of a block.
pub(crate) const THREADS: u32 = 256;

/// The source of one kernel.
#[cfg_attr(not(any(feature = "cuda", test)), expect(dead_code, reason = "read by what loads it"))]
pub(crate) struct Source {
    pub text: String,
    /// Bytes that a run works on.
    pub bytes: usize,
    /// True if they are global memory, because a block's shared memory is too small.
    pub global: bool,
}

/// The most kept iterations of a launch.
pub(crate) const SLOTS: usize = 64;

/// Numbers that say where a run stands, as the kernel's `progress` has them.
pub(crate) mod progress {
    pub const STEP_SIZE: usize = 0;
    pub const BEST_MEAN: usize = 1;
    pub const BEST: usize = 3;
    pub const ITERATIONS: usize = 4;
    pub const LAST_MIN: usize = 5;
    pub const LAST_MEAN: usize = 6;
    pub const LAST_STEP_SIZE: usize = 7;
    pub const DIVERGED: usize = 8;
    pub const SETTLED: usize = 9;
    /// The number of these numbers.
    pub const COUNT: usize = 10;
}

/// Numbers of a sample, as the kernel's `samples` have them: minimum, mean, best, step size.
pub(crate) const SAMPLE: usize = 4;

/// Everything that the kernel is given, as it is before the first iteration.
#[cfg_attr(not(any(feature = "cuda", test)), expect(dead_code, reason = "read by what loads it"))]
pub(crate) struct Image<R> {
    pub source: Source,
    /// See `settings` in the kernel.
    pub settings: Vec<f64>,
    /// The gain of every run's squash.
    pub gains: Vec<f64>,
    /// For every run the index of its couplings.
    pub seeds: Vec<i32>,
    /// Those of all seeds, one after the other, or the numbers that all runs share. For functions without any, one number that is not read.
    pub couplings: Vec<R>,
    /// Those of all runs, one after the other; weights are inputs × outputs.
    pub parameters: Vec<R>,
    /// Common to all runs.
    pub progress: Vec<f64>,
    pub dimension: usize,
}

#[cfg(any(feature = "cuda", test))]
impl<R> Image<R> {
    pub fn runs(&self) -> usize {
        self.gains.len()
    }
}

/// A machine that runs the kernel. It keeps parameters, progress and the best points between launches.
pub(crate) trait Machine<R> {
    /// Takes all runs from iteration `first` `count` further, and returns their progress and their samples of the iterations
    /// `kept`, at most [`SLOTS`].
    fn launch(&mut self, first: u64, count: u64, kept: &[u64]) -> Result<(Vec<f64>, Vec<f64>), Error>;

    /// The best x of every run.
    fn best(&mut self) -> Result<Vec<R>, Error>;
}
