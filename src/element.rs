//! The scalars that experiments run in.

use crate::simd::Real;
use dfdx::prelude::{Cpu, Storage};
use rand_distr::uniform::SampleUniform;

/// A scalar that parameters, objectives and gradients can be made of: `f32` or `f64`.
pub trait Element: Real + num_traits::Float + SampleUniform {
    /// What dfdx stores a tensor or a gradient in on the CPU, as the slice that it is.
    #[doc(hidden)]
    fn slice(stored: &mut <Cpu as Storage<Self>>::Vec) -> &mut [Self]
    where
        Cpu: Storage<Self>;
}

macro_rules! element {
    ($element:ident) => {
        impl Element for $element {
            fn slice(stored: &mut <Cpu as Storage<Self>>::Vec) -> &mut [Self] {
                stored
            }
        }
    };
}

element!(f32);
element!(f64);
