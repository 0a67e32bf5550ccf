//! The scalars that experiments run in.

use crate::error::Error;
use crate::interrupt;
use crate::network::Products;
use crate::objective::{Function, Kernel};
use dfdx::prelude::{Cpu, Storage};
use rand_distr::uniform::SampleUniform;
use std::sync::Arc;

/// A scalar that parameters, objectives and gradients can be made of: `f32` or `f64`.
pub trait Element: Products + num_traits::Float + SampleUniform {
    /// What dfdx stores a tensor or a gradient in on the CPU, as the slice that it is.
    #[doc(hidden)]
    fn slice(stored: &mut <Cpu as Storage<Self>>::Vec) -> &mut [Self]
    where
        Cpu: Storage<Self>;

    /// The kernel of a scaled function, compiled once for each scalar and not again in every crate that uses this one.
    #[doc(hidden)]
    fn kernel(function: Function, dimension: usize, seed: u64) -> Arc<dyn Kernel<Self>>;

    /// The same, or [`Error::Interrupted`] as soon as an [interrupt] is requested.
    #[doc(hidden)]
    fn kernel_unless_interrupted(
        function: Function,
        dimension: usize,
        seed: u64,
    ) -> Result<Arc<dyn Kernel<Self>>, Error>;
}

macro_rules! element {
    ($element:ident) => {
        impl Element for $element {
            fn slice(stored: &mut <Cpu as Storage<Self>>::Vec) -> &mut [Self] {
                stored
            }

            fn kernel(function: Function, dimension: usize, seed: u64) -> Arc<dyn Kernel<Self>> {
                function.build(dimension, seed, &|| false).expect("nothing stops it")
            }

            fn kernel_unless_interrupted(
                function: Function,
                dimension: usize,
                seed: u64,
            ) -> Result<Arc<dyn Kernel<Self>>, Error> {
                function.build(dimension, seed, &interrupt::requested).ok_or(Error::Interrupted)
            }
        }
    };
}

element!(f32);
element!(f64);
