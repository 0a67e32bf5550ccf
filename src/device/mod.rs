//! The devices that compute experiments: the processor's cores or an NVIDIA GPU.

mod gpu;
mod image;

pub(crate) use gpu::Gpu;
#[cfg(test)]
pub(crate) use gpu::compile_for;
pub use image::Profile;
pub(crate) use image::{Block, Image, Limits, Machine, OUTCOMES, SAMPLE, SLOTS, Source, progress, search, settings};

use crate::error::Error;
#[cfg(feature = "cuda")]
use dfdx::prelude::Cuda;
use dfdx::prelude::{Cpu, Device, Dtype};
use std::fmt;
use std::str::FromStr;

/// The device that computes experiments.
///
/// ```
/// use overparam::prelude::*;
///
/// let backend: Backend = "cpu".parse()?;
/// backend.ensure()?;
/// assert_eq!(backend.describe(), "cpu");
/// # Ok::<(), overparam::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The processor's cores.
    #[default]
    Cpu,
    /// The first NVIDIA GPU. Its driver and NVRTC, CUDA's compiler for kernels, are loaded when it is first used.
    Cuda,
}

impl Backend {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Cuda];

    /// A GPU where there is one on which a kernel runs, else the CPU.
    pub fn auto() -> Self {
        if Self::Cuda.ensure().is_ok() { Self::Cuda } else { Self::Cpu }
    }

    /// `"cpu"` or `"cuda"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }

    /// The name, for a GPU with its model, as files give it.
    pub fn describe(self) -> String {
        match self {
            Self::Cpu => self.name().to_owned(),
            Self::Cuda => {
                Gpu::open().map_or_else(|_| self.name().to_owned(), |gpu| format!("{}: {}", self.name(), gpu.model))
            }
        }
    }

    /// Checks that this program can compute on the device: on a GPU by running a small kernel, once per process.
    ///
    /// # Errors
    /// If it cannot, with what to do: the driver, a GPU or NVRTC is missing, or they do not go together.
    pub fn ensure(self) -> Result<(), Error> {
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda => Gpu::open()?.prove(),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = Error;

    /// `cpu`, `cuda`, or `auto` for [`Backend::auto`].
    fn from_str(name: &str) -> Result<Self, Error> {
        if name == "auto" {
            return Ok(Self::auto());
        }
        let found = Self::ALL.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| Error::unknown("device", name, &["cpu", "cuda", "auto"]))
    }
}

/// A dfdx device that closures over dfdx operations run on.
pub trait Compute<E: Dtype>: Device<E> {
    /// The backend of the device.
    const BACKEND: Backend;
}

impl<E: Dtype> Compute<E> for Cpu
where
    Cpu: Device<E>,
{
    const BACKEND: Backend = Backend::Cpu;
}

#[cfg(feature = "cuda")]
impl<E: Dtype> Compute<E> for Cuda
where
    Cuda: Device<E>,
{
    const BACKEND: Backend = Backend::Cuda;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_and_a_missing_gpu_is_said() {
        assert_eq!("cpu".parse::<Backend>().unwrap(), Backend::Cpu);
        assert_eq!("cuda".parse::<Backend>().unwrap(), Backend::Cuda);
        let error = "gpu".parse::<Backend>().unwrap_err().to_string();
        assert!(error.contains("'gpu'") && error.contains("cpu, cuda, auto"), "{error}");
        match Backend::Cuda.ensure() {
            Ok(()) => assert!(Backend::Cuda.describe().starts_with("cuda: ")),
            Err(error) => {
                assert_eq!((Backend::auto(), Backend::Cuda.describe()), (Backend::Cpu, "cuda".to_owned()));
                assert!(error.to_string().contains("device cpu"), "{error}");
            }
        }
    }
}
