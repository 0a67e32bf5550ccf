//! Objectives by name, in any number of dimensions: what sweeps, protocols and the command line minimize.

use super::Function;
use super::bounds::Bounds;
use super::definition::Lowest;
use super::kernel::Kernel;
use super::scaled::{self, Evaluation};
use super::source::{Kernels, Source};
use crate::error::Error;
use crate::graph::cuda::CudaSource;
use crate::{interrupt, memory};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Uniform};
use std::fmt;
use std::sync::Arc;

/// An objective that runs are made of, in any number of dimensions: one of the [functions](Function), or one of your own.
///
/// Cloning shares it.
///
/// ```
/// use overparam::prelude::*;
///
/// let problem = Problem::from(Function::Levy);
/// assert_eq!((problem.name(), problem.bounds(5)), ("levy", Bounds::All([-10.0, 10.0])));
/// # Ok::<(), overparam::Error>(())
/// ```
#[derive(Clone)]
pub struct Problem(Arc<dyn Source>);

/// A kernel, or the reason why there is none.
type Built<R> = Result<Arc<dyn Kernel<R>>, Error>;

impl Problem {
    pub(crate) fn new(source: impl Source) -> Self {
        Self(Arc::new(source))
    }

    /// The name in tables and file names, such as `"styblinski-tang"`.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The name in prose, such as "Styblinski-Tang".
    pub fn title(&self) -> String {
        self.0.title()
    }

    /// The function, if it is one that comes with the crate.
    pub fn function(&self) -> Option<Function> {
        self.0.function()
    }

    /// The box of the raw coordinates u in `dimension` dimensions.
    pub fn bounds(&self, dimension: usize) -> Bounds {
        self.0.bounds(dimension)
    }

    /// The raw values that F = 0 and F = 1 stand for in `dimension` dimensions: F = (f - range\[0\]) / (range\[1\] - range\[0\]).
    ///
    /// # Errors
    /// If the objective is not defined in so many dimensions.
    pub fn range(&self, dimension: usize) -> Result<[f64; 2], Error> {
        self.0.check(dimension)?;
        self.0.range(dimension)
    }

    /// True if the seed of a run draws not only its start but also its objective, as it does the couplings of the spin glass.
    pub fn is_drawn(&self) -> bool {
        self.0.is_drawn()
    }

    /// F, f and the gradient of F at `points` (n×`dimension`, row-major, in [0, 1]). `seed` picks what is drawn.
    ///
    /// # Errors
    /// If the objective is not defined in so many dimensions, the number of coordinates is no multiple of it, or the result does not
    /// fit into memory.
    pub fn evaluate<R: Kernels>(&self, dimension: usize, seed: u64, points: &[R]) -> Result<Evaluation<R>, Error> {
        self.check(dimension)?;
        // What is found, and as much again for whoever tabulates it.
        let bytes = self.data_bytes(dimension, size_of::<R>()).saturating_add(4 * size_of_val(points) as u64);
        let what = || format!("evaluating {} points of {dimension} coordinates", points.len() / dimension.max(1));
        memory::ensure(what, bytes, "take fewer points or a smaller dimension")?;
        scaled::evaluate(&*self.kernel::<R>(dimension, seed)?, points, dimension)
    }

    /// The largest difference between the gradient of F and central differences of fourth order, over the largest slope: at 8 points drawn evenly, in
    /// at most 64 coordinates of each. A right gradient has about 1e-8, and more where a kink is near. `seed` picks what is drawn.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// assert!(Problem::from(Function::Levy).gradient_error(5, 0)? < 1e-7);
    /// # Ok::<(), overparam::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Problem::evaluate`].
    pub fn gradient_error(&self, dimension: usize, seed: u64) -> Result<f64, Error> {
        const POINTS: usize = 8;
        const COORDINATES: usize = 64;
        const STEP: f64 = 1e-5;
        let kernel = self.kernel::<f64>(dimension, seed)?;
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let inside = Uniform::new(2.0 * STEP, 1.0 - 2.0 * STEP);
        let x: Vec<f64> = (0..POINTS * dimension).map(|_| inside.sample(&mut generator)).collect();
        let gradient = scaled::evaluate(&*kernel, &x, dimension)?.gradient;
        let (mut largest, mut steepest) = (0.0f64, 0.0f64);
        // With more coordinates, every so many of them.
        let stride = dimension.div_ceil(COORDINATES);
        for i in (0..dimension).step_by(stride) {
            let moved = |steps: f64| {
                let mut moved = x.clone();
                moved.iter_mut().skip(i).step_by(dimension).for_each(|x| *x += steps * STEP);
                scaled::evaluate(&*kernel, &moved, dimension).map(|found| found.scaled)
            };
            let (far, near) = ([moved(2.0)?, moved(-2.0)?], [moved(1.0)?, moved(-1.0)?]);
            for (point, slope) in gradient.iter().skip(i).step_by(dimension).enumerate() {
                let [far, near] = [&far, &near].map(|[above, below]| above[point] - below[point]);
                let error = ((8.0 * near - far) / (12.0 * STEP) - slope).abs();
                // NaN is an error, too.
                largest = if error <= largest { largest } else { error };
                steepest = steepest.max(slope.abs());
            }
        }
        Ok(if largest == 0.0 { 0.0 } else { largest / steepest })
    }

    /// The kernel of the scaled objective.
    ///
    /// # Errors
    /// [`Error::Interrupted`] as soon as an interrupt is requested; others if there is no kernel in so many dimensions.
    pub(crate) fn kernel<R: Kernels>(&self, dimension: usize, seed: u64) -> Built<R> {
        self.check(dimension)?;
        R::kernel(&*self.0, dimension, seed, &interrupt::requested)
    }

    /// The kernels by seed. An objective that is not drawn has one for all of them.
    ///
    /// # Errors
    /// As [`Problem::kernel`].
    pub(crate) fn kernels<R: Kernels>(&self, dimension: usize) -> Result<impl Fn(u64) -> Built<R> + Sync, Error> {
        let shared = if self.is_drawn() { None } else { Some(self.kernel::<R>(dimension, 0)?) };
        Ok(move |seed| shared.clone().map_or_else(|| self.kernel(dimension, seed), Ok))
    }

    /// See [`Source::fingerprint`].
    pub(crate) fn fingerprint(&self, dimension: usize) -> String {
        self.0.fingerprint(dimension)
    }

    /// # Errors
    /// If the objective is not defined in `dimension` dimensions.
    pub(crate) fn check(&self, dimension: usize) -> Result<(), Error> {
        self.0.check(dimension)
    }

    /// See [`Source::published_factor`].
    pub(crate) fn published_factor(&self, dimension: usize) -> f64 {
        self.0.published_factor(dimension)
    }

    /// See [`Source::data_bytes`].
    pub(crate) fn data_bytes(&self, dimension: usize, scalar: usize) -> u64 {
        self.0.data_bytes(dimension, scalar)
    }

    /// See [`Source::workspace`].
    pub(crate) fn workspace(&self, dimension: usize, stride: usize, block: usize) -> usize {
        self.0.workspace(dimension, stride, block)
    }

    /// See [`Source::cuda`].
    pub(crate) fn cuda(&self, dimension: usize) -> Result<Option<CudaSource>, Error> {
        self.0.cuda(dimension)
    }

    /// See [`Source::lowest`].
    pub(crate) fn lowest(&self) -> Lowest {
        self.0.lowest()
    }

    /// See [`Source::device_scalars`].
    pub(crate) fn device_scalars(&self, dimension: usize) -> u64 {
        self.0.device_scalars(dimension)
    }

    /// See [`Source::device_data`].
    ///
    /// # Errors
    /// [`Error::Interrupted`] as soon as an interrupt is requested.
    pub(crate) fn device_data(&self, dimension: usize, seed: u64) -> Result<Vec<f64>, Error> {
        self.0.device_data(dimension, seed, &interrupt::requested).ok_or(Error::Interrupted)
    }
}

impl From<Function> for Problem {
    fn from(function: Function) -> Self {
        Self::new(function)
    }
}

impl From<&Problem> for Problem {
    fn from(problem: &Problem) -> Self {
        problem.clone()
    }
}

impl PartialEq for Problem {
    /// True for the same function, and for clones of one problem.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.function().is_some() && self.function() == other.function())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
