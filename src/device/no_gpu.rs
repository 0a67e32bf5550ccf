//! In place of `gpu.rs` where the feature `cuda` is off: there is no GPU, and how to get one is said.

use super::{Image, Machine};
use crate::error::Error;

/// The GPU that a program with the feature would have.
pub(crate) struct Gpu {
    pub model: String,
    pub shared: usize,
    pub free: u64,
}

fn missing() -> Error {
    Error::Backend {
        problem: "this program was built without it".to_owned(),
        remedy: "build with `cargo build --release --features cuda`, which needs CUDA's toolkit (nvcc), or use the device cpu",
    }
}

impl Gpu {
    /// # Errors
    /// Always.
    pub(crate) fn open() -> Result<Self, Error> {
        Err(missing())
    }

    pub(crate) fn load<R>(&self, _: Image<R>) -> Result<Loaded, Error> {
        Err(missing())
    }
}

/// A type without values: nothing can be loaded.
pub(crate) enum Loaded {}

impl<R> Machine<R> for Loaded {
    fn launch(&mut self, _: u64, _: u64, _: &[u64]) -> Result<(Vec<f64>, Vec<f64>), Error> {
        match *self {}
    }

    fn best(&mut self) -> Result<Vec<R>, Error> {
        match *self {}
    }
}
