//! The deep optimizer: the coordinates are a network's output.

use super::Step;
use crate::error::Error;
use crate::network::Fused;
use crate::objective::{Best, Job, Kernel, Map, Update, Workspace};
use crate::simd::Real;
use std::sync::Arc;

/// The deep optimizer on fused products and one fused kernel.
pub(crate) struct FusedDeep<R: Real> {
    pub(crate) network: Fused<R>,
    map: Map,
    kernel: Arc<dyn Kernel<R>>,
    workspace: Workspace<R>,
}

impl<R: Real> FusedDeep<R> {
    pub(crate) fn new(network: Fused<R>, points: usize, map: Map, kernel: Arc<dyn Kernel<R>>) -> Self {
        let workspace = kernel.workspace(points);
        Self { network, map, kernel, workspace }
    }
}

impl<R: Real> Step<R> for FusedDeep<R> {
    fn step(&mut self, step: f64, values: &mut [R], best: &mut Best<R>) -> Result<(), Error> {
        self.kernel.apply(Job {
            update: Update::Gradient { factor: -step / values.len() as f64 },
            y: self.network.forward(),
            values,
            map: self.map,
            best,
            workspace: &mut self.workspace,
        });
        self.network.update();
        Ok(())
    }

    fn parameters(&self, into: &mut Vec<R>) {
        self.network.parameters().for_each(|parameters| into.extend_from_slice(parameters));
    }
}
