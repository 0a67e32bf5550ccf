//! The image of a batch: its kernel's source and data, and what a machine does with it.

use crate::error::Error;

/// The most kept iterations of a launch.
pub(crate) const SLOTS: usize = 64;

/// The limits that kernels are planned for, in bytes of shared memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A block may ask for at most this.
    pub block: usize,
    /// The blocks of a multiprocessor have this together.
    pub processor: usize,
    /// The bytes that each of them takes beyond those it asks for.
    pub reserved: usize,
}

/// The block of threads that makes a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub threads: usize,
    /// Blocks that a multiprocessor holds at once.
    pub resident: usize,
    /// Bytes that a run works on.
    pub bytes: usize,
    /// True if they are global memory, because a block's shared memory is too small.
    pub global: bool,
}

/// The kernel of a batch on the GPU at hand, as the driver describes it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// The model of the GPU.
    pub gpu: String,
    /// Its multiprocessors.
    pub processors: usize,
    /// The clock of a multiprocessor in GHz, at most.
    pub clock: f64,
    /// Registers of a thread.
    pub registers: usize,
    /// Bytes of a thread in local memory: what left the registers, and arrays.
    pub local_bytes: usize,
    /// Threads of a block.
    pub threads: usize,
    /// Bytes of shared memory that a block asks for.
    pub shared_bytes: usize,
    /// Blocks that a multiprocessor was planned to hold at once.
    pub planned_blocks: usize,
    /// Blocks that it holds.
    pub resident_blocks: usize,
}

impl Profile {
    /// The most floating-point operations per second of all multiprocessors, without tensor cores, in scalars of `scalar` bytes: 128 fused
    /// multiplications and additions in a cycle, half of them in double precision, as on A100, H100 and H200.
    pub fn peak(&self, scalar: usize) -> f64 {
        2.0 * 128.0 * 4.0 / scalar as f64 * self.processors as f64 * self.clock * 1e9
    }
}

/// The source of one kernel.
pub(crate) struct Source {
    pub text: String,
    pub block: Block,
    /// Double-precision numbers that a run keeps between launches besides its parameters.
    pub memory: usize,
}

/// Numbers of an array, with their names: the kernel's source lists them from here.
macro_rules! numbers {
    ($(#[$about:meta])* $module:ident: $($name:ident),+) => {
        $(#[$about])*
        pub(crate) mod $module {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names that the kernel has")]
            enum Index { $($name),+ }
            $(#[allow(dead_code, reason = "some are the kernel's alone")]
            pub const $name: usize = Index::$name as usize;)+
            /// Their names, in order.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];
            /// The number of these numbers.
            pub const COUNT: usize = NAMES.len();
        }
    };
}

numbers! {
    /// What all runs share. The step size: FACTOR to LEAST_CHANGE are a plateau's, then the cosine's FALL and its floor; the rule's constants; the
    /// scale of the gradient; the box and the range of the objective; what ends runs.
    settings: FACTOR, PATIENCE, THRESHOLD, COOLDOWN, FLOOR, LEAST_CHANGE, FALL, MOMENTUM, SMOOTHING, EPSILON, DECAY, GRADIENT_SCALE, LOWER, UPPER,
        MINIMUM, MAXIMUM, INFINITE, TARGET, TOLERANCE, REST
}

numbers! {
    /// Where a run stands. REFERENCE is the best objective before the iterations that the tolerance is about, REFERENCE_AT the iteration that it is
    /// of. The powers are those of the rule's shares in the next step. OUTCOME is 0 until the run has ended by itself. SETTLED is the first iteration whose step
    /// changed no parameter, plus 1; 0 before there is one.
    progress: INITIAL, STEP_SIZE, BEST_MEAN, FAILURES, COOLING, FIRST_POWER, SECOND_POWER, BEST, REFERENCE, REFERENCE_AT, ITERATIONS, LAST_MIN,
        LAST_MEAN, LAST_STEP_SIZE, OUTCOME, SETTLED
}

numbers! {
    /// Where the line search of L-BFGS stands between launches.
    search: SEARCH_MEAN, SEARCH_SLOPE, SEARCH_LENGTH, SEARCH_BEGUN, SEARCH_TRIALS, SEARCH_PAIRS, SEARCH_OLDEST
}

/// The values of [`progress::OUTCOME`], from 1 on.
pub(crate) const OUTCOMES: [&str; 3] = ["DIVERGED", "REACHED", "CONVERGED"];

/// Numbers of a sample, as the kernel's `samples` have them: minimum, mean, best, step size.
pub(crate) const SAMPLE: usize = 4;

/// Everything that the kernel is given, as it is before the first iteration.
pub(crate) struct Image<R> {
    pub source: Source,
    /// See [`settings`].
    pub settings: Vec<f64>,
    /// The gain of every run's squash.
    pub gains: Vec<f64>,
    /// For every run the index of its seed.
    pub seeds: Vec<i32>,
    /// The objective's data of all seeds, one after the other, or what all of them share. For functions without any, one number that is not read.
    pub couplings: Vec<R>,
    /// The points that a residual network is added to, of all seeds. For others, one number that is not read.
    pub bases: Vec<R>,
    /// Those of all runs, one after the other, each followed by the rule's state; weights are inputs × outputs.
    pub parameters: Vec<R>,
    /// See [`progress`].
    pub progress: Vec<f64>,
    pub dimension: usize,
}

impl<R> Image<R> {
    pub fn runs(&self) -> usize {
        self.gains.len()
    }

    /// The bytes of memory that the batch takes on a GPU: what is here, and what the kernel keeps and works on besides.
    pub fn bytes(&self) -> usize {
        let Self { source, settings, gains, seeds, couplings, bases, parameters, progress, dimension } = self;
        let given = size_of_val(&settings[..])
            + size_of_val(&gains[..])
            + size_of_val(&seeds[..])
            + size_of_val(&couplings[..])
            + size_of_val(&bases[..])
            + size_of_val(&parameters[..])
            + size_of_val(&progress[..]);
        let workspace = if source.block.global { source.block.bytes } else { 0 };
        let of_a_run = (source.memory + SLOTS * SAMPLE) * size_of::<f64>() + dimension * size_of::<R>() + workspace;
        given + SLOTS * size_of::<i64>() + self.runs() * of_a_run
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
