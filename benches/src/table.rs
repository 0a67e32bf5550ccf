//! Measurements as DataFrames.

use crate::case::Program;
use crate::comparison::Measurement;
use crate::roofline::Peak;
use crate::scaling::Point;
use anyhow::{Context, Result};
use overparam::polars::prelude::{Column, DataFrame};

/// One row per case and program.
///
/// | column | type | meaning |
/// |---|---|---|
/// | `function`, `optimizer`, `shape`, `dtype`, `program` | string | what was timed and who did it |
/// | `n`, `d`, `k` | u64 | the shape |
/// | `widths` | string | neurons of the hidden layers, from the input on, such as `32,16,8` |
/// | `iterations` | u64 | iterations of a repeat |
/// | `us_per_iteration`, `least_us_per_iteration` | f64 | microseconds: median and fastest of the repeats |
/// | `ratio`, `least_ratio` | f64 | these by those of this crate |
/// | `flop_per_iteration` | u64 | operations by formula, an elementary function being one |
/// | `gflop_per_s` | f64 | billions of operations per second, by the median |
/// | `peak_share` | f64 | that by the measured peak of one core |
/// | `peak_memory_bytes` | u64 | the most that the process has held so far |
/// | `version` | string | of the program |
///
/// # Errors
/// If Polars cannot allocate the columns.
pub fn ratios(measurements: &[Measurement], peak: &Peak) -> Result<DataFrame> {
    let text = |name: &str, value: &dyn Fn(&Measurement) -> String| {
        Column::new(name.into(), measurements.iter().map(value).collect::<Vec<_>>())
    };
    let count = |name: &str, value: &dyn Fn(&Measurement) -> Option<u64>| {
        Column::new(name.into(), measurements.iter().map(value).collect::<Vec<_>>())
    };
    let real = |name: &str, value: &dyn Fn(&Measurement) -> Option<f64>| {
        Column::new(name.into(), measurements.iter().map(value).collect::<Vec<_>>())
    };
    let [medians, leasts] = Measurement::ratios(measurements);
    let ratio = |ratios: &[_], of: &Measurement| match of.program {
        Program::Overparam => Some(1.0),
        _ => ratios.iter().find(|(case, program, _)| *case == of.case && *program == of.program).map(|found| found.2),
    };
    let speed = |m: &Measurement| m.flop_per_iteration as f64 / m.times.median * 1e-3;
    let columns = vec![
        text("function", &|m| m.case.function.name().to_owned()),
        text("optimizer", &|m| m.case.optimizer.name().to_owned()),
        text("shape", &|m| m.case.shape()),
        text("dtype", &|m| m.case.dtype.name().to_owned()),
        text("program", &|m| m.program.name().to_owned()),
        count("n", &|m| Some(m.case.dimensions.n as u64)),
        count("d", &|m| Some(m.case.dimensions.d as u64)),
        count("k", &|m| Some(m.case.dimensions.k as u64)),
        text("widths", &|m| m.case.dimensions.widths.to_string()),
        count("iterations", &|m| Some(m.iterations)),
        real("us_per_iteration", &|m| Some(m.times.median)),
        real("least_us_per_iteration", &|m| Some(m.times.least)),
        real("ratio", &|m| ratio(&medians, m)),
        real("least_ratio", &|m| ratio(&leasts, m)),
        count("flop_per_iteration", &|m| Some(m.flop_per_iteration)),
        real("gflop_per_s", &|m| Some(speed(m))),
        real("peak_share", &|m| Some(speed(m) / peak.gflop_per_s(m.case.dtype))),
        count("peak_memory_bytes", &|m| m.peak_memory_bytes),
        text("version", &|m| m.version.clone()),
    ];
    DataFrame::new(measurements.len(), columns).context("cannot tabulate the measurements")
}

/// One row per shape of a series.
///
/// | column | type | meaning |
/// |---|---|---|
/// | `series`, `function`, `optimizer`, `dtype` | string | what grows, and what was timed |
/// | `n`, `d`, `k` | u64 | the shape |
/// | `widths` | string | neurons of the hidden layers, from the input on, such as `32,16,8` |
/// | `flop_per_iteration` | u64 | operations by formula, an elementary function being one |
/// | `us_per_iteration`, `least_us_per_iteration` | f64 | microseconds: median and fastest of the repeats of one process |
/// | `us_side_by_side` | f64 | microseconds between iterations when two processes run side by side |
/// | `peak_memory_bytes` | u64 | the most that the process has held |
/// | `data_bytes` | u64 | x, the parameters and the couplings of the triples |
///
/// # Errors
/// If Polars cannot allocate the columns.
pub fn scalings(points: &[Point]) -> Result<DataFrame> {
    let text = |name: &str, value: &dyn Fn(&Point) -> String| {
        Column::new(name.into(), points.iter().map(value).collect::<Vec<_>>())
    };
    let count = |name: &str, value: &dyn Fn(&Point) -> Option<u64>| {
        Column::new(name.into(), points.iter().map(value).collect::<Vec<_>>())
    };
    let real = |name: &str, value: &dyn Fn(&Point) -> f64| {
        Column::new(name.into(), points.iter().map(value).collect::<Vec<_>>())
    };
    let columns = vec![
        text("series", &|p| p.series.clone()),
        text("function", &|p| p.function.name().to_owned()),
        text("optimizer", &|p| p.optimizer.name().to_owned()),
        text("dtype", &|p| p.dtype.name().to_owned()),
        count("n", &|p| Some(p.dimensions.n as u64)),
        count("d", &|p| Some(p.dimensions.d as u64)),
        count("k", &|p| Some(p.dimensions.k as u64)),
        text("widths", &|p| p.dimensions.widths.to_string()),
        count("flop_per_iteration", &|p| Some(p.flop_per_iteration)),
        real("us_per_iteration", &|p| p.times.median),
        real("least_us_per_iteration", &|p| p.times.least),
        real("us_side_by_side", &|p| p.us_side_by_side),
        count("peak_memory_bytes", &|p| p.peak_memory_bytes),
        count("data_bytes", &|p| Some(p.data_bytes)),
    ];
    DataFrame::new(points.len(), columns).context("cannot tabulate the scaling")
}
