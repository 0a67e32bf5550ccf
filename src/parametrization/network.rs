//! Networks: the points y are what a perceptron makes of embeddings z. They make the deep optimizer.
//!
//! The embeddings are trained with the weights or stay as they were drawn. A residual network is added to points y₀ that do not change,
//! and its output layer starts at zero: the run starts at y₀ exactly.

use super::Parametrization;
use crate::network::{Fused, Products};
use crate::rule::Parts;
use crate::simd::{Panel, Panels, Real};
use crate::squash::Map;

/// A perceptron over n embeddings, of d outputs.
#[derive(Clone)]
pub(crate) struct Network<R: Real> {
    network: Fused<R>,
    gradient: Panels<R>,
    frozen: bool,
    base: Option<Panels<R>>,
}

impl<R: Products> Network<R> {
    /// The parametrization by `network`, whose embeddings do not change if they are `frozen`.
    pub(crate) fn new(mut network: Fused<R>, frozen: bool) -> Self {
        let gradient = network.embeddings().clone();
        Self { network, gradient, frozen, base: None }
    }

    /// y = `base` + net(z), where the output layer of `network` is set to zero.
    pub(crate) fn residual(mut network: Fused<R>, frozen: bool, base: Panels<R>) -> Self {
        network.silence();
        Self { base: Some(base), ..Self::new(network, frozen) }
    }
}

impl<R: Products> Parts<R> for Network<R> {
    fn visit(&mut self, visit: &mut dyn FnMut(&mut [R], &[R])) {
        if !self.frozen {
            visit(self.network.embeddings().scalars_mut(), self.gradient.scalars());
        }
        self.network.layers(visit);
    }
}

impl<R: Products> Parametrization<R> for Network<R> {
    fn pass(&mut self, objective: &mut dyn FnMut(Panel<'_, R>)) {
        self.network.pass(&mut self.gradient, self.base.as_mut(), objective);
    }

    fn settle(&mut self, _: Map) {
        self.network.embeddings().refill();
    }

    fn parameters(&self, look: &mut dyn FnMut(&[R])) {
        self.network.parameters().for_each(look);
    }

    fn packed(&self) -> Vec<R> {
        self.network.packed()
    }

    fn points(&self) -> usize {
        self.network.points()
    }
}
