//! Any objective on dfdx's tape: forward, backward, dfdx's own `Sgd`.

use super::{Shallow, Step};
use crate::device::Compute;
use crate::element::Element;
use crate::error::Error;
use crate::network::EmbeddingPerceptron;
use crate::objective::{Best, Map, Objective, Taped};
use crate::simd::Real;
use dfdx::nn::modules::Linear;
use dfdx::optim::{Optimizer, Sgd, SgdConfig};
use dfdx::prelude::*;
use std::fmt::Debug;

/// The map from parameters to x, in which shallow and deep differ.
pub(crate) trait TapedParametrization<const N: usize, const D: usize, E: Real, Dev: Device<E>>:
    TensorCollection<E, Dev> + Sized
{
    /// x = map(y), N×D, with the operations that led to it on a tape whose gradients go into `gradients`.
    fn x(&self, gradients: Gradients<E, Dev>, map: Map) -> Result<Taped<N, D, E, Dev>, Dev::Err>;

    /// Brings the parameters back to where they may be after a step.
    fn project(&mut self, _map: Map) {}

    /// Shows `look` every parameter.
    fn parameters(&self, look: &mut dyn FnMut(&[E]));
}

impl<const N: usize, const D: usize, E: Element, Dev: Compute<E>> TapedParametrization<N, D, E, Dev>
    for Shallow<N, D, E, Dev>
{
    fn x(&self, gradients: Gradients<E, Dev>, map: Map) -> Result<Taped<N, D, E, Dev>, Dev::Err> {
        Dev::squash(self.y.trace(gradients), map)
    }

    fn project(&mut self, map: Map) {
        if map == Map::Clamp {
            self.y = self.y.clone().clamp(0.0, 1.0);
        }
    }

    fn parameters(&self, look: &mut dyn FnMut(&[E])) {
        look(&self.y.as_vec());
    }
}

impl<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize, E: Element, Dev: Compute<E>>
    TapedParametrization<N, D, E, Dev> for EmbeddingPerceptron<N, K, H, L, D, E, Dev>
{
    fn x(&self, gradients: Gradients<E, Dev>, map: Map) -> Result<Taped<N, D, E, Dev>, Dev::Err> {
        Dev::embed(self, gradients, map)
    }

    fn parameters(&self, look: &mut dyn FnMut(&[E])) {
        let mut both = |weight: Vec<E>, bias: Vec<E>| [weight, bias].iter().for_each(|part| look(part));
        both(self.input.weight.as_vec(), self.input.bias.as_vec());
        for Linear { weight, bias } in &self.hidden {
            both(weight.as_vec(), bias.as_vec());
        }
        both(self.output.weight.as_vec(), self.output.bias.as_vec());
        look(&self.embeddings.as_vec());
    }
}

/// One of the optimizers on an objective that is known by its operations on the tape.
pub(crate) struct TapedStep<'a, O, P, E: Real, Dev: Device<E>, const N: usize, const D: usize> {
    objective: &'a O,
    parametrization: &'a mut P,
    map: Map,
    gradients: Option<Gradients<E, Dev>>,
    optimizer: Sgd<P, E, Dev>,
    gradient_scale: f64,
}

impl<'a, O, P, E: Real, Dev: Device<E>, const N: usize, const D: usize> TapedStep<'a, O, P, E, Dev, N, D>
where
    O: Objective<N, D, E, Dev>,
    P: TapedParametrization<N, D, E, Dev>,
{
    pub(crate) fn new(objective: &'a O, parametrization: &'a mut P, map: Map, gradient_scale: f64) -> Self {
        let config = SgdConfig { lr: 0.0, momentum: None, weight_decay: None };
        let optimizer = Sgd::new(parametrization, config);
        Self {
            gradients: Some(parametrization.alloc_grads()),
            objective,
            parametrization,
            map,
            optimizer,
            gradient_scale,
        }
    }
}

impl<O, P, E: Real, Dev: Device<E>, const N: usize, const D: usize> Step<E> for TapedStep<'_, O, P, E, Dev, N, D>
where
    O: Objective<N, D, E, Dev>,
    P: TapedParametrization<N, D, E, Dev>,
{
    fn step(&mut self, rate: f64, values: &mut [E], best: &mut Best<E>) -> Result<(), Error> {
        let gradients = self.gradients.take().unwrap_or_else(Gradients::leaky);
        let x = self.parametrization.x(gradients, self.map).map_err(device)?;
        let points = x.as_vec();
        let found = self.objective.values(x);
        found.copy_into(values);
        for (&value, x) in values.iter().zip(points.chunks_exact(D)) {
            if value < best.value {
                best.value = value;
                best.x.copy_from_slice(x);
            }
        }
        let mut gradients =
            found.try_mean().and_then(|mean: Tensor<Rank0, E, Dev, _>| mean.try_backward()).map_err(device)?;
        self.optimizer.cfg.lr = rate * self.gradient_scale;
        self.optimizer.update(self.parametrization, &gradients).map_err(device)?;
        self.parametrization.project(self.map);
        self.parametrization.try_zero_grads(&mut gradients).map_err(device)?;
        self.gradients = Some(gradients);
        Ok(())
    }

    fn parameters(&self, look: &mut dyn FnMut(&[E])) {
        self.parametrization.parameters(look);
    }
}

fn device(error: impl Debug) -> Error {
    Error::Device(format!("{error:?}"))
}
