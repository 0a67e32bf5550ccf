//! The scalars that experiments run in.

use crate::network::Products;
use crate::objective::Kernels;

/// A scalar that parameters, objectives and gradients can be made of: `f32` or `f64`.
pub trait Element: Kernels + Products {}

impl Element for f32 {}
impl Element for f64 {}
