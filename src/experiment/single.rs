//! One run on the CPU, of any shape.

use super::run::Origin;
use super::{Dimensions, Run, Start, step};
use crate::descent::{Optimizer, Settings, descend};
use crate::device::Backend;
use crate::error::Error;
use crate::network::Products;
use crate::objective::Kernel;
use crate::team;
use std::sync::Arc;

/// Runs one optimizer on `kernel`, the objective called `name`, from the start that belongs to `seed`, with `threads` threads.
///
/// # Errors
/// If a setting is outside its range, or the threads cannot be started.
pub(super) fn run<R: Products>(
    dimensions: Dimensions,
    backend: Backend,
    name: &str,
    kernel: Arc<dyn Kernel<R> + '_>,
    optimizer: Optimizer,
    seed: u64,
    settings: &Settings,
    threads: usize,
) -> Result<Run, Error> {
    settings.validate()?;
    let [minimum, maximum] = kernel.range();
    let start: Start<R> = dimensions.draw(seed, settings.initialization);
    let mut step = step(dimensions, &start, kernel, optimizer, seed, settings)?;
    drop(start);
    let descent = team::with(threads, || descend(&mut *step, dimensions.n, dimensions.d, settings))??;
    let scale = [minimum, maximum - minimum];
    let origin = Origin { backend, dimensions, optimizer, seed, scale };
    Ok(origin.run(name.to_owned(), settings, descent))
}
