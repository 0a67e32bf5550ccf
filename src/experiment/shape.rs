//! Shapes known at compile time, and the runs that they have.

use super::run::Origin;
use super::start::{fused_step, start};
use super::{Dimensions, Run};
use crate::backend::{Backend, Compute};
use crate::element::Element;
use crate::error::Error;
use crate::network::EmbeddingPerceptron;
use crate::objective::Objective;
use crate::optimizer::{Optimizer, Settings, Shallow, TapedStep, descend};
use crate::rule::Rule;
use dfdx::prelude::{Const, Cpu, Device};
use std::fmt::Debug;

/// The shape of an experiment: `N` embeddings of `K` dimensions, `L` hidden layers of `H` neurons, `D` dimensions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize>;

/// The paper's shape: n = 50, k = n_h = 10, n_l = 1, d = 50.
pub type PaperShape = Shape<50, 10, 10, 1, 50>;

impl<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize> Shape<N, K, H, L, D> {
    /// The shape as numbers.
    pub const DIMENSIONS: Dimensions = Dimensions { n: N, k: K, hidden: H, layers: L, d: D };

    /// Runs one optimizer on `objective` from the start that belongs to `seed`. Both optimizers start at the same x, unless
    /// [`Settings::shallow_start`] says otherwise.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// let rastrigin = Function::Rastrigin.objective::<50, f64>(0);
    /// let settings = Settings::default().learning_rate(1.0).iterations(200);
    /// let shallow = PaperShape::run(&rastrigin, Optimizer::Shallow, 1, &settings)?;
    /// let deep = PaperShape::run(&rastrigin, Optimizer::Deep, 1, &settings)?;
    /// assert_eq!(shallow.samples[0].min, deep.samples[0].min);
    /// # Ok::<(), overparam::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a setting or the objective's [scale](Objective::scale) is outside its range, or the device is out of memory.
    pub fn run<R: Element, O: Objective<N, D, R>>(
        objective: &O,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Run, Error>
    where
        Cpu: Device<R>,
    {
        Self::run_on(&Cpu::default(), objective, optimizer, seed, settings)
    }

    /// [`Shape::run`] on a dfdx device of choice. On any but the CPU, network and objective run as chains of ordinary dfdx
    /// operations: what makes a GPU worthwhile for the functions of this crate is [`Sweep::run_batched`](super::Sweep::run_batched).
    ///
    /// # Errors
    /// As [`Shape::run`].
    pub fn run_on<R: Element, Dev: Compute<R>, O: Objective<N, D, R, Dev>>(
        device: &Dev,
        objective: &O,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Run, Error>
    where
        Cpu: Device<R>,
    {
        let kernel = objective.kernel();
        if let Some(kernel) = &kernel {
            kernel.check()?;
        }
        let scale = objective.scale();
        if scale.iter().any(|number| !number.is_finite()) || scale[1] == 0.0 {
            let expected = "an offset and a width, both finite and the width not 0";
            return Err(Error::Setting { name: "the scale of the objective", expected, given: format!("{scale:?}") });
        }
        let mut fused = Self::draw(&Cpu::default(), seed, settings)?.fuse(settings.activation);
        let descent = match kernel.filter(|_| Dev::BACKEND == Backend::Cpu) {
            Some(kernel) => {
                let mut step = fused_step(Self::DIMENSIONS, fused, kernel, optimizer, seed, settings)?;
                descend(&mut *step, N, D, settings)
            }
            None => {
                ensure_taped(optimizer, settings)?;
                let (y, map) = start(Self::DIMENSIONS, &mut fused, optimizer, seed, settings)?;
                match optimizer {
                    Optimizer::Shallow => {
                        let y = device.try_tensor_from_vec(y.packed(), (Const::<N>, Const::<D>)).map_err(failed)?;
                        let mut shallow = Shallow { y };
                        descend(
                            &mut TapedStep::new(objective, &mut shallow, map, settings.gradient_scale),
                            N,
                            D,
                            settings,
                        )
                    }
                    Optimizer::Deep => {
                        let mut network = Self::draw(device, seed, settings)?;
                        descend(
                            &mut TapedStep::new(objective, &mut network, map, settings.gradient_scale),
                            N,
                            D,
                            settings,
                        )
                    }
                }
            }
        }?;
        let of = Origin { backend: Dev::BACKEND, dimensions: Self::DIMENSIONS, optimizer, seed, scale };
        Ok(of.run(objective.name(), settings, descent))
    }

    fn draw<R: Element, Dev: Device<R>>(
        device: &Dev,
        seed: u64,
        settings: &Settings,
    ) -> Result<EmbeddingPerceptron<N, K, H, L, D, R, Dev>, Error> {
        settings.validate()?;
        EmbeddingPerceptron::draw(device, seed, settings.initialization).map_err(failed)
    }
}

/// The tape knows gradient descent on the coordinates, and on a ReLU network whose embeddings are trained.
fn ensure_taped(optimizer: Optimizer, settings: &Settings) -> Result<(), Error> {
    let &Settings { rule, activation, residual, frozen_embeddings, .. } = settings;
    let network = optimizer == Optimizer::Shallow || (activation, residual, frozen_embeddings) == Default::default();
    if rule == Rule::GradientDescent && network {
        return Ok(());
    }
    let expected =
        "gradient-descent, on the coordinates or on a ReLU network with trained embeddings that is not residual";
    let given = format!("{rule}, {activation}, residual {residual}, frozen embeddings {frozen_embeddings}");
    Err(Error::Setting { name: "the rule and the network of an objective on dfdx's tape", expected, given })
}

fn failed(error: impl Debug) -> Error {
    Error::Device(format!("{error:?}"))
}
