//! Folders that `overparam figures` wrote.

use super::{Report, pick, run};
use crate::descent::{Budget, Optimizer, Outcome, Sample};
use crate::device::Backend;
use crate::error::Error;
use crate::experiment::{Comparison, Dimensions, Protocol, Run, Stage, Widths};
use crate::objective::{Function, Problem};
use crate::{simd, trace};
use polars::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// The file of the summary.
pub(super) const SUMMARY: &str = "summary.parquet";

/// Checks the results in `folder`, and makes `again` of its runs again, which the number `seed` picks.
///
/// # Errors
/// If there is no summary of figures. Its faults are in the report.
pub fn figures(folder: &Path, again: usize, seed: u64) -> Result<Report, Error> {
    let mut report = Report::default();
    let mut all = Vec::new();
    let path = folder.join(SUMMARY);
    let (summary, metadata) = trace::read_with_metadata(&path)?;
    let wrong = |problem: String| Error::Data { path: path.clone(), problem };
    report.files += 1;
    if let Err(problem) = trace::ensure_whole(&summary, &metadata) {
        report.fault(wrong(problem));
    }
    let settings = metadata.get(trace::SETTINGS).cloned().unwrap_or_default();
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap_or_default();
    let protocol: Option<Protocol> = serde_json::from_value(settings["protocol"].clone()).ok();
    let functions: Option<Vec<String>> = serde_json::from_value(settings["functions"].clone()).ok();
    let (Some(protocol), Some(functions)) = (protocol, functions) else {
        return Err(wrong("expected a summary that `overparam figures` of this version wrote".to_owned()));
    };
    if let Ok(Some(set)) =
        summary.column("instruction_set").and_then(|column| Ok(column.str()?.get(0).map(str::to_owned)))
    {
        simd::prefer(&set);
    }
    for name in functions {
        let function: Function = match name.parse() {
            Ok(function) => function,
            Err(error) => {
                report.fault(error);
                continue;
            }
        };
        match runs(folder, &summary, &protocol, function, &mut report) {
            Err(error) => report.fault(error),
            Ok(Comparison { problem, sweep, timed, .. }) => {
                let sweep = sweep.into_iter().map(|run| (Stage::Sweep, run));
                let runs: Vec<_> = sweep.chain(timed.into_iter().map(|run| (Stage::Timed, run))).collect();
                for (stage, run) in &runs {
                    report.runs += 1;
                    for fault in run::faults(run, Some(&problem)) {
                        let what = format!("{} {} run from seed {}", stage.name(), run.optimizer, run.seed);
                        report.fault(format!(
                            "{name}: the {what} at rate {}: {fault}",
                            run.settings.learning_rate.initial
                        ));
                    }
                }
                all.extend(runs.into_iter().map(|(stage, run)| (problem.clone(), stage, run)));
            }
        }
    }
    for place in pick(all.len(), again, seed) {
        let (problem, stage, run) = &all[place];
        report.make_again(problem, *stage, run);
    }
    Ok(report)
}

/// The runs of a function, of which those that are missing are counted: rows of the summary, with the points of all and the traces of the
/// timed ones.
fn runs(
    folder: &Path,
    summary: &DataFrame,
    protocol: &Protocol,
    function: Function,
    report: &mut Report,
) -> Result<Comparison, Error> {
    let mut table = |kind: &str| -> Result<DataFrame, Error> {
        let path = folder.join(format!("{kind}/{function}.parquet"));
        let (table, metadata) = trace::read_with_metadata(&path)?;
        report.files += 1;
        trace::ensure_whole(&table, &metadata).map_err(|problem| Error::Data { path, problem })?;
        Ok(table)
    };
    let (points, traces) = (table("points")?, table("traces")?);
    let failed = |source| Error::table(format!("read the results of {function}"), source);
    let mask: BooleanChunked = summary
        .column("function")
        .and_then(|c| c.str())
        .map_err(failed)?
        .iter()
        .map(|name| Some(name == Some(function.name())))
        .collect();
    let summary = summary.filter(&mask).map_err(failed)?;
    let samples = samples(&traces).map_err(failed)?;
    if points.height() != summary.height() {
        let problem = format!(
            "expected {} points, one for each run of the summary, and there are {}",
            summary.height(),
            points.height()
        );
        return Err(Error::Data { path: folder.join(format!("points/{function}.parquet")), problem });
    }
    let runs = rows(&summary, &points, &samples, protocol, function).map_err(failed)?;
    let (sweep, timed): (Vec<_>, Vec<_>) = runs.into_iter().partition(|(stage, _)| *stage == Stage::Sweep);
    let [sweep, timed] = [sweep, timed].map(|runs| runs.into_iter().map(|(_, run)| run).collect::<Vec<Run>>());
    let comparison = Comparison { problem: function.into(), choice: protocol.choice, sweep, timed };
    let there = [comparison.sweep.len(), comparison.timed.len()];
    let asked = protocol.runs_of(&comparison);
    let missing: usize = asked.iter().zip(there).map(|(asked, there)| asked.saturating_sub(there)).sum();
    report.asked += asked.iter().sum::<usize>();
    report.missing += missing;
    if missing == 0 && !protocol.is_complete(&comparison) {
        let [sweep, timed] = asked;
        report.fault(format!(
            "{function}: expected {sweep} finished runs of the sweep and {timed} timed ones, and there are others, or some that were stopped"
        ));
    }
    Ok(comparison)
}

/// The seed, the optimizer and the rate of a run.
type Key = (u64, String, u64);

/// The traces of the timed runs.
fn samples(traces: &DataFrame) -> PolarsResult<BTreeMap<Key, Vec<Sample>>> {
    let text = |name: &str| traces.column(name)?.str();
    let count = |name: &str| traces.column(name)?.u64();
    let real = |name: &str| traces.column(name)?.f64();
    let (optimizer, seed, rate, iteration) =
        (text("optimizer")?, count("seed")?, real("learning_rate")?, count("iteration")?);
    let columns = ["seconds", "objective_min", "objective_mean", "best", "step_size"].map(real);
    let [seconds, min, mean, best, step_size] = columns;
    let (seconds, min, mean, best, step_size) = (seconds?, min?, mean?, best?, step_size?);
    let mut found: BTreeMap<Key, Vec<Sample>> = BTreeMap::new();
    let of = |column: &Float64Chunked, row: usize| column.get(row).unwrap_or(f64::NAN);
    for row in 0..traces.height() {
        let key = (
            seed.get(row).unwrap_or(u64::MAX),
            optimizer.get(row).unwrap_or_default().to_owned(),
            of(rate, row).to_bits(),
        );
        found.entry(key).or_default().push(Sample {
            iteration: iteration.get(row).unwrap_or(u64::MAX),
            seconds: of(seconds, row),
            min: of(min, row),
            mean: of(mean, row),
            best: of(best, row),
            step_size: of(step_size, row),
        });
    }
    Ok(found)
}

fn rows(
    summary: &DataFrame,
    points: &DataFrame,
    samples: &BTreeMap<Key, Vec<Sample>>,
    protocol: &Protocol,
    function: Function,
) -> PolarsResult<Vec<(Stage, Run)>> {
    let text = |name: &str, row: usize| Ok::<_, PolarsError>(summary.column(name)?.str()?.get(row).unwrap_or_default());
    let count = |name: &str, row: usize| Ok::<_, PolarsError>(summary.column(name)?.u64()?.get(row));
    let real = |name: &str, row: usize| Ok::<_, PolarsError>(summary.column(name)?.f64()?.get(row).unwrap_or(f64::NAN));
    let wrong =
        |name: &str, row: usize| PolarsError::ComputeError(format!("row {} has no known {name}", row + 1).into());
    let [minimum, maximum] = Problem::from(function)
        .range(protocol.dimensions.d)
        .map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
    let mut runs = Vec::with_capacity(summary.height());
    for row in 0..summary.height() {
        let stage = [Stage::Sweep, Stage::Timed]
            .into_iter()
            .find(|stage| text("stage", row).is_ok_and(|name| name == stage.name()));
        let stage = stage.ok_or_else(|| wrong("stage", row))?;
        let optimizer: Optimizer = text("optimizer", row)?.parse().map_err(|_| wrong("optimizer", row))?;
        let outcome =
            Outcome::ALL.into_iter().find(|outcome| text("outcome", row).is_ok_and(|name| name == outcome.name()));
        let device = Backend::ALL
            .into_iter()
            .map(Backend::name)
            .find(|name| text("device", row).is_ok_and(|found| found == *name));
        let set =
            simd::TITLES.into_iter().find(|title| text("instruction_set", row).is_ok_and(|found| found == *title));
        let (seed, rate) = (count("seed", row)?.ok_or_else(|| wrong("seed", row))?, real("learning_rate", row)?);
        let mut settings = protocol.settings(function).learning_rate(rate);
        if stage == Stage::Timed && optimizer == Optimizer::Deep && protocol.equal_time {
            settings.budget = Budget::Seconds(real("seconds", row)?);
        }
        let coordinate =
            |i: usize| Ok::<_, PolarsError>(points.column(&format!("x{i}"))?.f64()?.get(row).unwrap_or(0.0));
        let best = real("best", row)?;
        if points.column("best")?.f64()?.get(row).map(f64::to_bits) != Some(best.to_bits()) {
            return Err(PolarsError::ComputeError(format!("row {} of the points is of another run", row + 1).into()));
        }
        let trace = if stage == Stage::Timed {
            samples
                .get(&(seed, optimizer.name().to_owned(), rate.to_bits()))
                .cloned()
                .ok_or_else(|| wrong("trace", row))?
        } else {
            Vec::new()
        };
        let Dimensions { d, .. } = protocol.dimensions;
        let widths = match text("widths", row)? {
            "" => Widths::of(&[]),
            widths => widths.parse().map_err(|_| wrong("widths", row))?,
        };
        if widths != protocol.dimensions.widths || count("d", row)? != Some(d as u64) {
            return Err(wrong("shape of the protocol", row));
        }
        runs.push((
            stage,
            Run {
                function: function.name().to_owned(),
                optimizer,
                seed,
                settings,
                dimensions: protocol.dimensions,
                dtype: protocol.dtype.name(),
                device: device.ok_or_else(|| wrong("device", row))?,
                instruction_set: set.ok_or_else(|| wrong("instruction set", row))?,
                best,
                x: (0..d).map(coordinate).collect::<PolarsResult<_>>()?,
                iterations: count("iterations", row)?.ok_or_else(|| wrong("number of iterations", row))?,
                seconds: real("seconds", row)?,
                outcome: outcome.ok_or_else(|| wrong("outcome", row))?,
                settled_at: count("settled_at", row)?,
                thinned_from: Some(0),
                samples: trace,
                end: None,
                scale: [minimum, maximum - minimum],
                streamed: None,
            },
        ));
    }
    Ok(runs)
}
