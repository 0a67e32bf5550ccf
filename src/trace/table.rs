//! Runs as DataFrames.

use crate::descent::Sample;
use crate::error::Error;
use crate::experiment::{Comparison, PART, Run, Widths};
use crate::objective::Problem;
use polars::prelude::*;

/// Samples of a run, one after the other.
type Piece<'a> = (&'a Run, &'a [Sample]);

impl Run {
    /// The trace as a DataFrame, see [`crate::trace`].
    ///
    /// # Errors
    /// If Polars cannot allocate the columns.
    pub fn trace(&self) -> Result<DataFrame, Error> {
        traces([self])
    }
}

impl Comparison {
    /// The traces of the timed runs, see [`crate::trace`]: what the figures are drawn from.
    ///
    /// # Errors
    /// If Polars cannot allocate the columns.
    pub fn traces(&self) -> Result<DataFrame, Error> {
        traces(&self.timed)
    }

    /// One row per run, those of the sweep first, see [`crate::trace`].
    ///
    /// # Errors
    /// If Polars cannot allocate the columns.
    pub fn summary(&self) -> Result<DataFrame, Error> {
        summary(self.rows())
    }
}

/// The traces of `runs`, one after the other. Columns: see the [module](super).
///
/// # Errors
/// If Polars cannot make the table.
pub fn traces<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Result<DataFrame, Error> {
    let pieces: Vec<Piece<'_>> = runs.into_iter().map(|run| (run, &run.samples[..])).collect();
    table_of(&pieces)
}

/// The same in tables of at most [`PART`] rows, each made when it is asked for. There is at least one.
pub(crate) fn parts<'a>(runs: impl IntoIterator<Item = &'a Run>) -> impl Iterator<Item = Result<DataFrame, Error>> {
    let mut parts: Vec<Vec<Piece<'a>>> = vec![Vec::new()];
    let mut room = PART;
    for run in runs {
        let mut samples = &run.samples[..];
        while !samples.is_empty() {
            if room == 0 {
                parts.push(Vec::new());
                room = PART;
            }
            let (piece, rest) = samples.split_at(room.min(samples.len()));
            parts.last_mut().expect("there is at least one").push((run, piece));
            (samples, room) = (rest, room - piece.len());
        }
    }
    parts.into_iter().map(|pieces| table_of(&pieces))
}

/// The trace of `run` as [`parts`] has it, those samples first that went to disk.
pub(super) fn parts_of(run: &Run) -> impl Iterator<Item = Result<DataFrame, Error>> {
    let pieces = run.streamed.iter().flat_map(|stream| stream.pieces(PART));
    let streamed = pieces.map(move |samples| table_of(&[(run, &samples?)]));
    streamed.chain(parts([run]))
}

fn table_of(pieces: &[Piece<'_>]) -> Result<DataFrame, Error> {
    let rows = pieces.iter().map(|(_, samples)| samples.len()).sum();
    let text = |name: &str, value: &dyn Fn(&Run) -> String| {
        let mut column = StringChunkedBuilder::new(name.into(), rows);
        for (run, samples) in pieces {
            let value = value(run);
            samples.iter().for_each(|_| column.append_value(&value));
        }
        column.finish().into_column()
    };
    let count = |name: &str, value: &dyn Fn(&Run, &Sample) -> u64| numbers(name, pieces, rows, value);
    let real = |name: &str, value: &dyn Fn(&Run, &Sample) -> f64| numbers(name, pieces, rows, value);
    let truth = |name: &str, value: &dyn Fn(&Run, &Sample) -> bool| numbers(name, pieces, rows, value);
    let columns = vec![
        text("function", &|run| run.function.clone()),
        text("optimizer", &|run| run.optimizer.name().to_owned()),
        text("rule", &|run| run.settings.rule.name().to_owned()),
        count("seed", &|run, _| run.seed),
        real("learning_rate", &|run, _| run.settings.learning_rate.initial),
        count("iteration", &|_, sample| sample.iteration),
        real("seconds", &|_, sample| sample.seconds),
        real("objective_min", &|_, sample| sample.min),
        real("objective_mean", &|_, sample| sample.mean),
        real("best", &|_, sample| sample.best),
        real("raw_best", &|run, sample| run.raw(sample.best)),
        real("step_size", &|_, sample| sample.step_size),
        truth("extrapolated", &|run, sample| run.settled_at.is_some_and(|settled| sample.iteration > settled)),
    ];
    DataFrame::new(rows, columns).map_err(|source| Error::table("tabulate the traces", source))
}

/// A column with the value of every sample.
fn numbers<T>(name: &str, pieces: &[Piece<'_>], rows: usize, value: &dyn Fn(&Run, &Sample) -> T) -> Column
where
    Series: NamedFrom<Vec<T>, [T]>,
{
    let mut values = Vec::with_capacity(rows);
    for (run, samples) in pieces {
        values.extend(samples.iter().map(|sample| value(run, sample)));
    }
    Column::new(name.into(), values)
}

/// One row per run, each with the stage it belongs to. Columns: see the [module](super).
///
/// # Errors
/// If Polars cannot make the table.
pub fn summary<'a>(runs: impl IntoIterator<Item = (&'static str, &'a Run)>) -> Result<DataFrame, Error> {
    let (stages, runs): (Vec<&str>, Vec<&Run>) = runs.into_iter().unzip();
    let hidden = |run: &&Run| run.dimensions.widths.uniform().map(|width| width as u64);
    let columns = vec![
        Column::new("stage".into(), stages),
        text("function", &runs, |run| run.function.clone()),
        text("optimizer", &runs, |run| run.optimizer.name().to_owned()),
        text("rule", &runs, |run| run.settings.rule.name().to_owned()),
        count("seed", &runs, |run| run.seed),
        real("learning_rate", &runs, |run| run.settings.learning_rate.initial),
        text("schedule", &runs, |run| run.settings.learning_rate.schedule.to_string()),
        text("dtype", &runs, |run| run.dtype.to_owned()),
        text("device", &runs, |run| run.device.to_owned()),
        text("instruction_set", &runs, |run| run.instruction_set.to_owned()),
        text("squash", &runs, |run| run.settings.squash.name().to_owned()),
        text("initialization", &runs, |run| run.settings.initialization.name().to_owned()),
        text("activation", &runs, |run| run.settings.activation.name().to_owned()),
        truth("residual", &runs, |run| run.settings.residual),
        truth("frozen_embeddings", &runs, |run| run.settings.frozen_embeddings),
        count("n", &runs, |run| run.dimensions.n as u64),
        count("d", &runs, |run| run.dimensions.d as u64),
        count("k", &runs, |run| run.dimensions.k as u64),
        text("widths", &runs, |run| widths(run.dimensions.widths)),
        Column::new("hidden".into(), runs.iter().map(hidden).collect::<Vec<_>>()),
        count("layers", &runs, |run| run.dimensions.widths.layers() as u64),
        count("parameters", &runs, |run| run.dimensions.parameters(run.optimizer) as u64),
        real("best", &runs, |run| run.best),
        real("raw_best", &runs, Run::raw_best),
        count("iterations", &runs, |run| run.iterations),
        real("seconds", &runs, |run| run.seconds),
        text("outcome", &runs, |run| run.outcome.name().to_owned()),
        Column::new("settled_at".into(), runs.iter().map(|run| run.settled_at).collect::<Vec<_>>()),
    ];
    DataFrame::new(runs.len(), columns).map_err(|source| Error::table("tabulate the runs", source))
}

/// The best points of runs of `problem` of one shape, one row per run. Columns: see the [module](super).
///
/// # Errors
/// If Polars cannot make the table.
pub fn points<'a>(problem: impl Into<Problem>, runs: impl IntoIterator<Item = &'a Run>) -> Result<DataFrame, Error> {
    let runs: Vec<&Run> = runs.into_iter().collect();
    let d = runs.iter().map(|run| run.x.len()).max().unwrap_or(0);
    let bounds = problem.into().bounds(d);
    let mut columns = vec![
        text("function", &runs, |run| run.function.clone()),
        text("optimizer", &runs, |run| run.optimizer.name().to_owned()),
        count("seed", &runs, |run| run.seed),
        real("learning_rate", &runs, |run| run.settings.learning_rate.initial),
        real("best", &runs, |run| run.best),
        real("raw_best", &runs, Run::raw_best),
    ];
    let coordinate = |name: String, i: usize, value: &dyn Fn(f64) -> f64| {
        let of = |run: &Run| run.x.get(i).filter(|_| run.best.is_finite()).map(|&x| value(x));
        Column::new(name.into(), runs.iter().map(|run| of(run)).collect::<Vec<_>>())
    };
    columns.extend((0..d).map(|i| coordinate(format!("x{i}"), i, &|x| x)));
    columns.extend((0..d).map(|i| coordinate(format!("u{i}"), i, &|x| bounds.to_box(i, x))));
    DataFrame::new(runs.len(), columns).map_err(|source| Error::table("tabulate the best points", source))
}

/// The widths of hidden layers as the summary has them: empty without any.
fn widths(widths: Widths) -> String {
    if widths.layers() == 0 { String::new() } else { widths.to_string() }
}

fn text(name: &str, runs: &[&Run], value: impl Fn(&Run) -> String) -> Column {
    Column::new(name.into(), runs.iter().map(|run| value(run)).collect::<Vec<_>>())
}

fn truth(name: &str, runs: &[&Run], value: impl Fn(&Run) -> bool) -> Column {
    Column::new(name.into(), runs.iter().map(|run| value(run)).collect::<Vec<_>>())
}

fn count(name: &str, runs: &[&Run], value: impl Fn(&Run) -> u64) -> Column {
    Column::new(name.into(), runs.iter().map(|run| value(run)).collect::<Vec<_>>())
}

fn real(name: &str, runs: &[&Run], value: impl Fn(&Run) -> f64) -> Column {
    Column::new(name.into(), runs.iter().map(|run| value(run)).collect::<Vec<_>>())
}
