//! The functions to minimize: eight classical test functions and the Hamiltonian of the 3-spin spherical glass.
//!
//! A function is known by its name ([`Function`]) and used as an [`Objective`]: F(x) = (f(u) - f_min) / (f_max - f_min) on
//! the unit cube, with u = lo + (hi - lo) x in the box that the literature recommends for f. Every function
//! has two forms: an array expression, which says what it means, and a kernel that computes value and gradient in one pass at the
//! width of the processor, faster than the expression would. What runs in batches on a GPU and the chain of ordinary dfdx operations
//! for any device are made of the expression; the tests hold both to the kernel. The spin glass, whose couplings are drawn, has its own.
//!
//! A tenth function takes one file beside these, implementing `definition::Definition`, and one line in the list below.
//!
//! Sweeps and protocols take a [`Problem`]: one of these functions, or an objective of your own.

mod bounds;
mod definition;
mod extremum;
mod fusion;
mod kernel;
mod points;
mod problem;
mod scaled;
mod source;
mod tape;
mod triples;

pub use bounds::{Bounds, from_box, to_box};
pub(crate) use definition::{Definition, Extremes, Lowest};
pub(crate) use fusion::{Evaluate, Fusion, exceeds_caches};
#[doc(hidden)]
pub use kernel::Kernel;
pub(crate) use kernel::{Best, Job, Update, Workspace};
pub(crate) use points::{Link, Points};
pub use problem::Problem;
pub(crate) use scaled::evaluate;
pub use scaled::{Composed, Evaluation, Scaled};
pub use source::Kernels;
pub(crate) use source::Source;
pub use spin_glass::{Couplings, GROUND_STATE_ENERGY, THRESHOLD_ENERGY};
pub(crate) use tape::OnTape;

use crate::array::Array;
use crate::error::Error;
use crate::graph::cuda::CudaSource;
use crate::simd::Real;
use dfdx::prelude::{Const, Cpu, Device, OwnedTape, Tensor};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// `N` points of the unit cube of `D` dimensions, one per row, recorded on dfdx's tape.
pub type Taped<const N: usize, const D: usize, E, Dev = Cpu> = Tensor<(Const<N>, Const<D>), E, Dev, OwnedTape<E, Dev>>;

/// `N` values, recorded on dfdx's tape.
pub type TapedValues<const N: usize, E, Dev = Cpu> = Tensor<(Const<N>,), E, Dev, OwnedTape<E, Dev>>;

/// A differentiable function of `D` variables in [0, 1], evaluated at `N` points at once: what the optimizers minimize.
///
/// [`Function::objective`] makes the built-in ones. A closure over ordinary dfdx operations is one, too:
///
/// ```
/// use overparam::prelude::*;
///
/// // The squared distance to the middle of the cube, at 4 points of 3 dimensions.
/// let bowl = |x: Taped<4, 3, f64>| -> TapedValues<4, f64> { (x - 0.5).square().sum::<_, Axis<1>>() };
/// let run = Shape::<4, 2, 2, 1, 3>::run(&bowl, Optimizer::Deep, 0, &Settings::default().iterations(100))?;
/// assert!(run.best < 0.1);
/// # Ok::<(), overparam::Error>(())
/// ```
///
/// A number of dimensions that does not fit the shape is a compile error:
///
/// ```compile_fail
/// use overparam::prelude::*;
///
/// let bowl = |x: Taped<4, 3, f64>| -> TapedValues<4, f64> { (x - 0.5).square().sum::<_, Axis<1>>() };
/// let run = Shape::<4, 2, 2, 1, 5>::run(&bowl, Optimizer::Deep, 0, &Settings::default().iterations(100));
/// ```
pub trait Objective<const N: usize, const D: usize, E: Real, Dev: Device<E> = Cpu>: Sync {
    /// The objective at every row of `x` (N×D, in [0, 1]), with the operations recorded on its tape.
    fn values(&self, x: Taped<N, D, E, Dev>) -> TapedValues<N, E, Dev>;

    /// The name that traces carry.
    fn name(&self) -> String {
        "custom".to_owned()
    }

    /// Offset and width of the raw function f that this objective F stands for: f = offset + width · F. Both are finite, and
    /// the width is not 0. Tables and figures have raw values by it; descent is on F.
    ///
    /// Raw values that are not affine in F, such as its logarithm, are computed from the traces afterwards.
    fn scale(&self) -> [f64; 2] {
        [0.0, 1.0]
    }

    /// The same function as one kernel, where there is one: the optimizers then use it and leave the tape aside.
    #[doc(hidden)]
    fn kernel(&self) -> Option<Arc<dyn Kernel<E>>> {
        None
    }
}

impl<const N: usize, const D: usize, E: Real, Dev: Device<E>, F> Objective<N, D, E, Dev> for F
where
    F: Fn(Taped<N, D, E, Dev>) -> TapedValues<N, E, Dev> + Sync,
{
    fn values(&self, x: Taped<N, D, E, Dev>) -> TapedValues<N, E, Dev> {
        self(x)
    }
}

/// The name, the source, the box and the range of a function in some number of dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The name in prose, such as "Styblinski-Tang".
    pub title: &'static str,
    /// The source of the definition.
    pub source: &'static str,
    /// The bounds [lo, hi] of every coordinate u.
    pub domain: [f64; 2],
    /// The smallest raw value, or for the spin glass its limit for d → ∞.
    pub minimum: f64,
    /// The largest raw value in the box.
    pub maximum: f64,
    /// A point u where the minimum is taken, if it is known.
    pub minimizer: Option<Vec<f64>>,
}

macro_rules! functions {
    ($($(#[$doc:meta])* $variant:ident in $module:ident as $name:literal),+ $(,)?) => {
        $(mod $module;)+

        /// The functions that come with the crate.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Function {
            $($(#[$doc])* $variant,)+
        }

        impl Function {
            /// All of them.
            pub const ALL: [Function; [$($name),+].len()] = [$(Function::$variant),+];

            /// The name on the command line and in the data, such as `"styblinski-tang"`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Function::$variant => $name,)+
                }
            }

            /// The description of the function in `dimension` dimensions. Below [`Function::smallest_dimension`] the function is not
            /// defined, and the range means nothing.
            pub fn describe(self, dimension: usize) -> Description {
                match self {
                    $(Function::$variant => definition::describe::<$module::$variant>(dimension),)+
                }
            }

            #[cfg(test)]
            fn check_slope_bound(self, dimension: usize) {
                match self {
                    $(Function::$variant => fusion::tests::is_a_bound::<$module::$variant<f64>>(dimension),)+
                }
            }

            /// The smallest number of dimensions d that the function is defined in: 2 for the Rosenbrock function, a sum over pairs of
            /// neighbors, and 1 for the others.
            pub fn smallest_dimension(self) -> usize {
                match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::DIMENSIONS.0,)+
                }
            }

            /// The function as an array expression of the coordinates in the box: see [`Definition::EXPRESSION`].
            pub(crate) fn array(self) -> Option<fn(Array) -> Array> {
                match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::EXPRESSION,)+
                }
            }

            /// The function as a chain of dfdx operations on `u` (N×D, in the box).
            fn compose<const N: usize, const D: usize, E: Real, Dev: Device<E>>(
                self,
                u: Taped<N, D, E, Dev>,
                seed: u64,
            ) -> TapedValues<N, E, Dev> {
                match self {
                    $(Function::$variant => <$module::$variant<E> as Definition<E>>::compose(u, seed),)+
                }
            }
        }

        impl Source for Function {
            fn name(&self) -> &str {
                Function::name(*self)
            }

            fn title(&self) -> String {
                Function::title(*self).to_owned()
            }

            fn fingerprint(&self, _: usize) -> String {
                Function::name(*self).to_owned()
            }

            fn function(&self) -> Option<Function> {
                Some(*self)
            }

            fn check(&self, dimension: usize) -> Result<(), Error> {
                match self {
                    $(Function::$variant => definition::check_dimension::<f64, $module::$variant>(dimension),)+
                }
            }

            fn bounds(&self, _: usize) -> Bounds {
                match self {
                    $(Function::$variant => Bounds::All(<$module::$variant as Definition<f64>>::DOMAIN),)+
                }
            }

            fn range(&self, dimension: usize) -> Result<[f64; 2], Error> {
                let Extremes { minimum, maximum, .. } = match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::extremes(dimension),)+
                };
                Ok([minimum, maximum])
            }

            fn is_drawn(&self) -> bool {
                match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::DRAWN,)+
                }
            }

            fn published_factor(&self, dimension: usize) -> f64 {
                match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::published_factor(dimension),)+
                }
            }

            fn data_bytes(&self, dimension: usize, scalar: usize) -> u64 {
                match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::data_bytes(dimension, scalar),)+
                }
            }

            fn workspace(&self, dimension: usize, stride: usize, block: usize) -> usize {
                match self {
                    $(Function::$variant => definition::workspace::<f64, $module::$variant>(dimension, stride, block),)+
                }
            }

            fn cuda(&self, dimension: usize) -> Result<Option<CudaSource>, Error> {
                Ok(match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::cuda(dimension),)+
                })
            }

            fn lowest(&self) -> Lowest {
                match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::LOWEST,)+
                }
            }

            fn device_scalars(&self, dimension: usize) -> u64 {
                match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::device_scalars(dimension),)+
                }
            }

            fn device_data(&self, dimension: usize, seed: u64, stop: &dyn Fn() -> bool) -> Option<Vec<f64>> {
                match self {
                    $(Function::$variant => <$module::$variant as Definition<f64>>::device_data(dimension, seed, stop),)+
                }
            }

            fn kernel_f32(
                &self,
                dimension: usize,
                seed: u64,
                stop: &dyn Fn() -> bool,
            ) -> Result<Arc<dyn Kernel<f32>>, Error> {
                let kernel = match self {
                    $(Function::$variant => fusion::build::<f32, $module::$variant<f32>>(dimension, seed, stop),)+
                };
                kernel.ok_or(Error::Interrupted)
            }

            fn kernel_f64(
                &self,
                dimension: usize,
                seed: u64,
                stop: &dyn Fn() -> bool,
            ) -> Result<Arc<dyn Kernel<f64>>, Error> {
                let kernel = match self {
                    $(Function::$variant => fusion::build::<f64, $module::$variant<f64>>(dimension, seed, stop),)+
                };
                kernel.ok_or(Error::Interrupted)
            }
        }
    };
}

functions! {
    /// Many shallow local minima on a funnel.
    Ackley in ackley as "ackley",
    /// A wavy bowl.
    Levy in levy as "levy",
    /// d! steep valleys, of width shrinking with the coordinate's number.
    Michalewicz in michalewicz as "michalewicz",
    /// A bowl with a cosine on it: 11^d local minima.
    Rastrigin in rastrigin as "rastrigin",
    /// A curved valley.
    Rosenbrock in rosenbrock as "rosenbrock",
    /// Deep minima far from one another.
    Schwefel in schwefel as "schwefel",
    /// The convex bowl.
    Sphere in sphere as "sphere",
    /// A double well in every coordinate.
    StyblinskiTang in styblinski_tang as "styblinski-tang",
    /// The energy per spin of the 3-spin spherical glass.
    SpinGlass in spin_glass as "spin-glass",
}

impl Function {
    /// The scaled objective of this function in `D` dimensions; in fewer than [`Function::smallest_dimension`], evaluating and
    /// minimizing it is an error. `seed` picks the couplings of the spin glass; the
    /// test functions have nothing to draw.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// let rastrigin = Function::Rastrigin.objective::<2, f64>(0);
    /// assert_eq!(rastrigin.evaluate(&[0.5, 0.5])?.scaled, [0.0]);
    /// # Ok::<(), overparam::Error>(())
    /// ```
    pub fn objective<const D: usize, R: Kernels>(self, seed: u64) -> Scaled<D, R> {
        Scaled::new(self, seed)
    }

    /// F, f and the gradient of F at `points` (n×`dimension`, row-major, in [0, 1]), for a dimension that is known only when
    /// the program runs. `seed` picks the couplings of the spin glass.
    ///
    /// # Errors
    /// As [`Problem::evaluate`].
    pub fn evaluate<R: Kernels>(self, dimension: usize, seed: u64, points: &[R]) -> Result<Evaluation<R>, Error> {
        Problem::from(self).evaluate(dimension, seed, points)
    }

    /// The name in prose, such as "Styblinski-Tang".
    pub fn title(self) -> &'static str {
        self.describe(2).title
    }
}

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Function {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let valid = Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|function| function.name() == name)
            .ok_or_else(|| Error::unknown("function", name, &valid))
    }
}
