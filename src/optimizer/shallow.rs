//! The shallow optimizer: the coordinates are the parameters.

use super::Step;
use crate::error::Error;
use crate::objective::{Best, Job, Kernel, Map, Update, Workspace, to_odds};
use crate::simd::{Panels, Real};
use dfdx::prelude::*;
use std::sync::Arc;

/// The parameters y (N×D) of the shallow optimizer; x = S(y).
#[derive(Clone, Debug)]
pub struct Shallow<const N: usize, const D: usize, E: Dtype, Dev: Storage<E>> {
    /// N×D.
    pub y: Tensor<(Const<N>, Const<D>), E, Dev>,
}

impl<const N: usize, const D: usize, E: Dtype, Dev: Device<E>> TensorCollection<E, Dev> for Shallow<N, D, E, Dev> {
    type To<E2: Dtype, Dev2: Device<E2>> = Shallow<N, D, E2, Dev2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, Dev>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(Self::module("y", |s| &s.y, |s| &mut s.y), |y| Shallow { y })
    }
}

/// The shallow optimizer on one fused kernel: squash, objective, gradient and step in one pass over the parameters.
pub(crate) struct FusedShallow<R: Real> {
    /// y, or where the map is logistic the odds e^(-gain y), of which there is no exponential to take in every iteration.
    parameters: Panels<R>,
    map: Map,
    kernel: Arc<dyn Kernel<R>>,
    workspace: Workspace<R>,
    gradient_scale: f64,
}

impl<R: Real> FusedShallow<R> {
    pub(crate) fn new(mut parameters: Panels<R>, map: Map, kernel: Arc<dyn Kernel<R>>, gradient_scale: f64) -> Self {
        if let Map::Logistic { gain } = map {
            to_odds(&mut parameters, gain);
        }
        let workspace = kernel.workspace(parameters.points());
        Self { parameters, map, kernel, workspace, gradient_scale }
    }
}

impl<R: Real> Step<R> for FusedShallow<R> {
    fn step(&mut self, rate: f64, values: &mut [R], best: &mut Best<R>) -> Result<(), Error> {
        let Self { parameters, map, kernel, workspace, gradient_scale } = self;
        let update = Update::Step { step: rate * *gradient_scale / values.len() as f64 };
        for y in parameters.iter_mut() {
            let values = &mut values[y.first..][..y.points];
            kernel.apply(Job { y, values, map: *map, update, best, workspace });
        }
        Ok(())
    }

    fn parameters(&self, look: &mut dyn FnMut(&[R])) {
        look(self.parameters.scalars());
    }
}
