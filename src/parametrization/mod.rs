//! Parametrizations: how parameters become the points y, and gradients in y gradients in the parameters.

mod direct;
mod network;
#[cfg(test)]
mod tests;

pub(crate) use direct::Direct;
pub(crate) use network::Network;

use crate::rule::Parts;
use crate::simd::{Panel, Real};
use crate::squash::Map;

/// Parameters of n points y of d coordinates, with the gradient in them.
pub(crate) trait Parametrization<R: Real>: Parts<R> + Clone + Send {
    /// Computes y panel by panel, has `objective` replace each panel by the gradient in it, and keeps the gradient in the parameters.
    fn pass(&mut self, objective: &mut dyn FnMut(Panel<'_, R>));

    /// Brings the parameters back to where `map` lets them be, after a step.
    fn settle(&mut self, map: Map);

    /// Calls `look` with every parameter, in parts that are the same each time.
    fn parameters(&self, look: &mut dyn FnMut(&[R]));

    /// The parameters, in the order of [`Dimensions::start`](crate::experiment::Dimensions::start).
    fn packed(&self) -> Vec<R>;

    /// The number of points.
    fn points(&self) -> usize;
}
