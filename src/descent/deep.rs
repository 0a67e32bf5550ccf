//! The deep optimizer: the coordinates are a network's output.

use super::step::{State, Step, state};
use crate::network::{Fused, Products};
use crate::objective::{Best, Job, Kernel, Update, Workspace};
use crate::parametrization::Network;
use crate::simd::Real;
use crate::squash::Map;
use std::sync::Arc;

/// The deep optimizer on fused products and one fused kernel.
pub(crate) struct FusedDeep<'a, R: Real> {
    network: Fused<R>,
    map: Map,
    kernel: Arc<dyn Kernel<R> + 'a>,
    workspace: Workspace<R>,
    gradient_scale: f64,
}

impl<'a, R: Products> FusedDeep<'a, R> {
    pub(crate) fn new(network: Fused<R>, map: Map, kernel: Arc<dyn Kernel<R> + 'a>, gradient_scale: f64) -> Self {
        let workspace = kernel.workspace(network.points());
        Self { network, map, kernel, workspace, gradient_scale }
    }
}

impl<R: Products> Step<R> for FusedDeep<'_, R> {
    fn step(&mut self, rate: f64, values: &mut [R], best: &mut Best<R>) {
        let Self { network, map, kernel, workspace, gradient_scale } = self;
        let update = Update::Gradient { factor: -(rate * *gradient_scale) / values.len() as f64 };
        network.update(|y| {
            let values = &mut values[y.first..][..y.points];
            kernel.apply(Job { y, values, map: *map, update, best, workspace });
        });
    }

    fn parameters(&self, look: &mut dyn FnMut(&[R])) {
        self.network.parameters().for_each(look);
    }

    fn state(&self) -> State<R> {
        state(Network::new(self.network.clone(), false), self.map, &*self.kernel)
    }
}
