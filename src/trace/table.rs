//! Runs as DataFrames.

use super::Sample;
use crate::error::Error;
use crate::experiment::Run;
use polars::prelude::*;

/// The traces of `runs`, one after the other. Columns: see the [module](super).
///
/// # Errors
/// If Polars cannot allocate the columns.
pub fn traces<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Result<DataFrame, Error> {
    let rows: Vec<(&Run, &Sample)> =
        runs.into_iter().flat_map(|run| run.samples.iter().map(move |sample| (run, sample))).collect();
    let text = |name: &str, value: &dyn Fn(&Run) -> String| {
        Column::new(name.into(), rows.iter().map(|(run, _)| value(run)).collect::<Vec<_>>())
    };
    let count = |name: &str, value: &dyn Fn(&Run, &Sample) -> u64| {
        Column::new(name.into(), rows.iter().map(|(run, sample)| value(run, sample)).collect::<Vec<_>>())
    };
    let real = |name: &str, value: &dyn Fn(&Run, &Sample) -> f64| {
        Column::new(name.into(), rows.iter().map(|(run, sample)| value(run, sample)).collect::<Vec<_>>())
    };
    let columns = vec![
        text("function", &|run| run.function.clone()),
        text("optimizer", &|run| run.optimizer.name().to_owned()),
        count("seed", &|run, _| run.seed),
        real("learning_rate", &|run, _| run.settings.learning_rate.initial),
        count("iteration", &|_, sample| sample.iteration),
        real("seconds", &|_, sample| sample.seconds),
        real("objective_min", &|_, sample| sample.min),
        real("objective_mean", &|_, sample| sample.mean),
        real("best", &|_, sample| sample.best),
        real("raw_best", &|run, sample| run.raw(sample.best)),
        real("step_size", &|_, sample| sample.step_size),
    ];
    DataFrame::new(rows.len(), columns).map_err(|source| Error::table("tabulate the traces", source))
}

/// One row a run, each with the stage it belongs to. Columns: see the [module](super).
///
/// # Errors
/// If Polars cannot allocate the columns.
pub fn summary<'a>(runs: impl IntoIterator<Item = (&'static str, &'a Run)>) -> Result<DataFrame, Error> {
    let runs: Vec<(&str, &Run)> = runs.into_iter().collect();
    let text = |name: &str, value: &dyn Fn(&Run) -> String| {
        Column::new(name.into(), runs.iter().map(|(_, run)| value(run)).collect::<Vec<_>>())
    };
    let count = |name: &str, value: &dyn Fn(&Run) -> u64| {
        Column::new(name.into(), runs.iter().map(|(_, run)| value(run)).collect::<Vec<_>>())
    };
    let real = |name: &str, value: &dyn Fn(&Run) -> f64| {
        Column::new(name.into(), runs.iter().map(|(_, run)| value(run)).collect::<Vec<_>>())
    };
    let columns = vec![
        Column::new("stage".into(), runs.iter().map(|&(stage, _)| stage).collect::<Vec<_>>()),
        text("function", &|run| run.function.clone()),
        text("optimizer", &|run| run.optimizer.name().to_owned()),
        count("seed", &|run| run.seed),
        real("learning_rate", &|run| run.settings.learning_rate.initial),
        text("dtype", &|run| run.dtype.to_owned()),
        text("device", &|run| run.device.to_owned()),
        text("squash", &|run| run.settings.squash.name().to_owned()),
        text("initialization", &|run| run.settings.initialization.name().to_owned()),
        count("n", &|run| run.dimensions.n as u64),
        count("d", &|run| run.dimensions.d as u64),
        count("k", &|run| run.dimensions.k as u64),
        count("hidden", &|run| run.dimensions.hidden as u64),
        count("layers", &|run| run.dimensions.layers as u64),
        count("parameters", &|run| run.dimensions.parameters(run.optimizer) as u64),
        real("best", &|run| run.best),
        real("raw_best", &|run| run.raw_best()),
        count("iterations", &|run| run.iterations),
        real("seconds", &|run| run.seconds),
        text("outcome", &|run| run.outcome.name().to_owned()),
    ];
    DataFrame::new(runs.len(), columns).map_err(|source| Error::table("tabulate the runs", source))
}
