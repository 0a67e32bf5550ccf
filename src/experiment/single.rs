//! One run on the CPU, of any shape.

use super::run::Origin;
use super::{Dimensions, Run, fused_step};
use crate::backend::Backend;
use crate::error::Error;
use crate::network::Products;
use crate::objective::Kernel;
use crate::optimizer::{Optimizer, Settings, descend};
use std::sync::Arc;

/// Runs one optimizer on `kernel`, the objective called `name`, from the start that belongs to `seed`.
///
/// # Errors
/// If a setting is outside its range.
pub(super) fn run<R: Products>(
    dimensions: Dimensions,
    name: &str,
    kernel: Arc<dyn Kernel<R>>,
    optimizer: Optimizer,
    seed: u64,
    settings: &Settings,
) -> Result<Run, Error> {
    settings.validate()?;
    let [minimum, maximum] = kernel.range();
    let network = dimensions.network(&dimensions.draw(seed, settings.initialization), settings.activation);
    let mut step = fused_step(dimensions, network, kernel, optimizer, seed, settings)?;
    let descent = descend(&mut *step, dimensions.n, dimensions.d, settings)?;
    let scale = [minimum, maximum - minimum];
    let origin = Origin { backend: Backend::Cpu, dimensions, optimizer, seed, scale };
    Ok(origin.run(name.to_owned(), settings, descent))
}
