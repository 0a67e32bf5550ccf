//! The sources of problems, and the scalars that kernels are compiled for.

use super::Function;
use super::bounds::Bounds;
use super::definition::Lowest;
use super::kernel::Kernel;
use crate::error::Error;
use crate::graph::cuda::CudaSource;
use crate::simd::Real;
use dfdx::prelude::{Cpu, Storage};
use rand_distr::uniform::SampleUniform;
use std::sync::Arc;

/// The source of a [`Problem`](super::Problem).
pub(crate) trait Source: Send + Sync + 'static {
    /// The name in tables and file names.
    fn name(&self) -> &str;

    /// The name in prose.
    fn title(&self) -> String {
        self.name().to_owned()
    }

    /// A text that differs between any two objectives in `dimension` dimensions.
    fn fingerprint(&self, dimension: usize) -> String;

    /// The function, if it is one that comes with the crate.
    fn function(&self) -> Option<Function> {
        None
    }

    /// # Errors
    /// If it is not defined in `dimension` dimensions.
    fn check(&self, dimension: usize) -> Result<(), Error>;

    /// The box in `dimension` dimensions.
    fn bounds(&self, dimension: usize) -> Bounds;

    /// The raw values of F = 0 and F = 1 in `dimension` dimensions.
    fn range(&self, dimension: usize) -> Result<[f64; 2], Error>;

    /// True if it is drawn from a seed.
    fn is_drawn(&self) -> bool {
        false
    }

    /// The factor from the raw function to that of the authors' published program.
    fn published_factor(&self, _dimension: usize) -> f64 {
        1.0
    }

    /// The bytes that its data takes in scalars of `scalar` bytes, while it is drawn.
    fn data_bytes(&self, _dimension: usize, _scalar: usize) -> u64 {
        0
    }

    /// The scalars that the kernel works on, for panels whose rows have `stride` scalars and blocks of `block`.
    fn workspace(&self, dimension: usize, stride: usize, block: usize) -> usize {
        2 * dimension * block + stride
    }

    /// The objective for a GPU in `dimension` dimensions, if it can be computed there.
    ///
    /// # Errors
    /// If it is not defined in so many dimensions.
    fn cuda(&self, dimension: usize) -> Result<Option<CudaSource>, Error>;

    /// The value at a minimizer, by the function's chain of operations or on a GPU.
    fn lowest(&self) -> Lowest {
        Lowest::Unknown
    }

    /// The scalars that a GPU is given per seed, of an objective that is drawn.
    fn device_scalars(&self, _dimension: usize) -> u64 {
        0
    }

    /// The numbers drawn for a GPU, or nothing as soon as `stop` returns true.
    fn device_data(&self, _dimension: usize, _seed: u64, _stop: &dyn Fn() -> bool) -> Option<Vec<f64>> {
        Some(Vec::new())
    }

    /// The kernel in single precision.
    ///
    /// # Errors
    /// [`Error::Interrupted`] as soon as `stop` says so; others if there is no kernel in so many dimensions.
    fn kernel_f32(&self, dimension: usize, seed: u64, stop: &dyn Fn() -> bool) -> Result<Arc<dyn Kernel<f32>>, Error>;

    /// The kernel in double precision, see [`Source::kernel_f32`].
    fn kernel_f64(&self, dimension: usize, seed: u64, stop: &dyn Fn() -> bool) -> Result<Arc<dyn Kernel<f64>>, Error>;
}

/// A scalar that kernels are compiled for, once and not again in every crate that uses this one.
pub trait Kernels: Real + num_traits::Float + SampleUniform {
    /// The data of a tensor or a gradient of dfdx on the CPU.
    #[doc(hidden)]
    fn slice(stored: &mut <Cpu as Storage<Self>>::Vec) -> &mut [Self]
    where
        Cpu: Storage<Self>;

    /// The kernel of an objective in this scalar, see [`Source::kernel_f32`].
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "for this crate alone")]
    fn kernel(
        source: &dyn Source,
        dimension: usize,
        seed: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Arc<dyn Kernel<Self>>, Error>;
}

macro_rules! kernels {
    ($($real:ident by $kernel:ident),+) => {$(
        impl Kernels for $real {
            fn slice(stored: &mut <Cpu as Storage<Self>>::Vec) -> &mut [Self] {
                stored
            }

            #[expect(private_interfaces, reason = "for this crate alone")]
            fn kernel(
                source: &dyn Source,
                dimension: usize,
                seed: u64,
                stop: &dyn Fn() -> bool,
            ) -> Result<Arc<dyn Kernel<Self>>, Error> {
                source.$kernel(dimension, seed, stop)
            }
        }
    )+};
}

kernels!(f32 by kernel_f32, f64 by kernel_f64);
