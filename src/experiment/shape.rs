//! Shapes known at compile time, and the runs that they have.

use super::{Descent, Dimensions, Run, Widths};
use crate::descent::{Optimizer, Settings};
use crate::device::{Backend, Compute};
use crate::element::Element;
use crate::error::Error;
use crate::network::{Activation, EmbeddingPerceptron};
use crate::objective::{Kernel, Objective, OnTape};
use crate::team;
use dfdx::prelude::Cpu;
use dfdx::prelude::Device;
use std::sync::Arc;

/// The shape of an experiment: `N` embeddings of `K` dimensions, `L` hidden layers of `H` neurons, `D` dimensions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize>;

/// The paper's shape: n = 50, k = n_h = 10, n_l = 1, d = 50.
pub type PaperShape = Shape<50, 10, 10, 1, 50>;

impl<const N: usize, const K: usize, const H: usize, const L: usize, const D: usize> Shape<N, K, H, L, D> {
    /// The shape as numbers.
    pub const DIMENSIONS: Dimensions = Dimensions { n: N, k: K, widths: Widths::of(&[H; L]), d: D };

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

    /// [`Shape::run`] with the objective computed on a dfdx device of choice; parameters and network stay on the CPU. What makes a
    /// GPU worthwhile for the functions of this crate is [`Sweep::run_batched`](super::Sweep::run_batched).
    ///
    /// # Errors
    /// As [`Shape::run`].
    pub fn run_on<R: Element, Dev: Compute<R>, O: Objective<N, D, R, Dev>>(
        device: &Dev,
        objective: &O,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Run, Error> {
        Self::start_on(device, objective, optimizer, seed, settings).map(Descent::run)
    }

    /// The network that the deep optimizer ended with, as a module of dfdx: to go on with by dfdx's own optimizers, or to be saved and loaded as
    /// safetensors by dfdx's `SaveToSafetensors` and `LoadFromSafetensors`.
    ///
    /// ```
    /// use overparam::prelude::*;
    ///
    /// type Small = Shape<9, 4, 6, 2, 7>;
    /// let settings = Settings::default().iterations(50);
    /// let run = Small::run(&Function::Sphere.objective::<7, f64>(0), Optimizer::Deep, 0, &settings)?;
    /// let network = Small::network::<f64, Cpu>(&Cpu::default(), &run)?;
    /// # let path = std::env::temp_dir().join("overparam-example.safetensors");
    /// network.save_safetensors(&path).expect("the folder can be written to");
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), overparam::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the run is not one of the deep optimizer in this shape, its network is not one of ReLUs or is added to the shallow start, it has no
    /// [end](Run::end), or the device is out of memory.
    pub fn network<R: Element, Dev: Device<R>>(
        device: &Dev,
        run: &Run,
    ) -> Result<EmbeddingPerceptron<N, K, H, L, D, R, Dev>, Error> {
        let Settings { activation, residual, .. } = run.settings;
        let plain = activation == Activation::Relu && !residual;
        let fits = run.optimizer == Optimizer::Deep && plain && run.dimensions == Self::DIMENSIONS;
        let Some(end) = run.end.as_ref().filter(|_| fits) else {
            let expected = "a single run of the deep optimizer in this shape, on a ReLU network that is not residual";
            let end = if run.end.is_some() { "" } else { ", without its end" };
            let Run { optimizer, dimensions, .. } = run;
            let given = format!("{optimizer}, {dimensions}, {activation}, residual {residual}{end}");
            return Err(Error::Setting { name: "the run", expected, given });
        };
        EmbeddingPerceptron::from_parameters(device, &end.parameters)
            .map_err(|error| Error::Device(format!("{error:?}")))
    }

    /// The run of [`Shape::run`] before its first iteration.
    ///
    /// # Errors
    /// As [`Shape::run`].
    pub fn start<'a, R: Element, O: Objective<N, D, R>>(
        objective: &'a O,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Descent<'a>, Error>
    where
        Cpu: Device<R>,
    {
        Self::start_on(&Cpu::default(), objective, optimizer, seed, settings)
    }

    /// The run of [`Shape::run_on`] before its first iteration.
    ///
    /// # Errors
    /// As [`Shape::run`].
    pub fn start_on<'a, R: Element, Dev: Compute<R>, O: Objective<N, D, R, Dev>>(
        device: &Dev,
        objective: &'a O,
        optimizer: Optimizer,
        seed: u64,
        settings: &Settings,
    ) -> Result<Descent<'a>, Error> {
        let kernel = objective.kernel();
        if let Some(kernel) = &kernel {
            kernel.check()?;
        }
        let scale @ [offset, width] = objective.scale();
        if scale.iter().any(|number| !number.is_finite()) || width == 0.0 {
            let expected = "an offset and a width, both finite and the width not 0";
            return Err(Error::Setting { name: "the scale of the objective", expected, given: format!("{scale:?}") });
        }
        let own = kernel.filter(|_| Dev::BACKEND == Backend::Cpu);
        // A tape is computed on one thread.
        let threads =
            own.as_ref().map_or(1, |kernel| team::size(1, Self::DIMENSIONS.operations(optimizer, kernel.operations())));
        let kernel: Arc<dyn Kernel<R> + 'a> = match own {
            Some(kernel) => kernel,
            None => Arc::new(OnTape::<N, D, O, Dev>::new(objective, device.clone(), [offset, offset + width])),
        };
        let name = objective.name();
        Descent::new(Self::DIMENSIONS, Dev::BACKEND, &name, kernel, optimizer, seed, settings, threads)
    }
}
