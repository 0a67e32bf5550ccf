//! Runs as rows of tables, and back.
//!
//! The columns are those of [`trace::summary`], and what else makes a [`Run`]: its settings as JSON; x, the raw range, the end and the
//! samples as numbers separated by blanks, of so many digits that they are read back as they were.

use crate::descent::{Optimizer, Outcome, Sample, Settings};
use crate::device::Backend;
use crate::error::{Error, excerpt};
use crate::experiment::{Dimensions, End, Run, Stage, Widths};
use crate::{simd, trace};
use polars::prelude::*;

/// The columns of the samples.
const SAMPLES: [&str; 6] = ["iteration", "seconds", "min", "mean", "best", "step_size"];

/// One row per run.
pub(super) fn table<'a>(runs: impl Iterator<Item = (Stage, &'a Run)> + Clone) -> Result<DataFrame, Error> {
    let mut table = trace::summary(runs.clone().map(|(stage, run)| (stage.name(), run)))?;
    let runs: Vec<&Run> = runs.map(|(_, run)| run).collect();
    let settings: Vec<String> = runs.iter().map(|run| super::subject::text(&run.settings)).collect();
    let list = |name: &str, value: &dyn Fn(&Run) -> Vec<f64>| {
        let text = |values: Vec<f64>| values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        Column::new(name.into(), runs.iter().map(|run| text(value(run))).collect::<Vec<_>>())
    };
    let end = |name: &str, value: fn(&End) -> &[f64]| {
        list(name, &|run| run.end.as_ref().map(|end| value(end).to_vec()).unwrap_or_default())
    };
    let norms: Vec<Option<f64>> = runs.iter().map(|run| run.end.as_ref().map(|end| end.gradient_norm)).collect();
    let samples = |name: &str, value: fn(&Sample) -> f64| {
        list(&format!("sample_{name}"), &|run| run.samples.iter().map(value).collect())
    };
    let columns = [
        Column::new("settings".into(), settings),
        Column::new("thinned_from".into(), runs.iter().map(|run| run.thinned_from).collect::<Vec<_>>()),
        list("x", &|run| run.x.clone()),
        list("range", &|run| run.scale.to_vec()),
        end("end_points", |end| &end.points),
        end("end_values", |end| &end.values),
        end("end_parameters", |end| &end.parameters),
        Column::new("end_gradient_norm".into(), norms),
        samples(SAMPLES[0], |sample| sample.iteration as f64),
        samples(SAMPLES[1], |sample| sample.seconds),
        samples(SAMPLES[2], |sample| sample.min),
        samples(SAMPLES[3], |sample| sample.mean),
        samples(SAMPLES[4], |sample| sample.best),
        samples(SAMPLES[5], |sample| sample.step_size),
    ];
    for column in columns {
        table.with_column(column).map_err(|source| Error::table("tabulate the finished runs", source))?;
    }
    Ok(table)
}

/// The run in a row of such a table, without its samples and its end unless it is to be `whole`.
///
/// # Errors
/// A sentence for the user, if it is none.
pub(super) fn run(table: &DataFrame, row: usize, whole: bool) -> Result<(Stage, Run), String> {
    let missing = |error: PolarsError| format!("expected a run in row {}: {error}", row + 1);
    read(table, row, whole).map_err(missing)?.map_err(|what| {
        let whose = format!("expected a run that this version wrote in row {}", row + 1);
        format!("{whose}, and {what} is not one of such a run")
    })
}

/// The run, or the column that is none of a run.
fn read(table: &DataFrame, row: usize, whole: bool) -> PolarsResult<Result<(Stage, Run), String>> {
    let text = |name: &str| Ok::<_, PolarsError>(table.column(name)?.str()?.get(row).unwrap_or_default());
    let real = |name: &str| Ok::<_, PolarsError>(table.column(name)?.f64()?.get(row).unwrap_or(f64::NAN));
    let count = |name: &str| Ok::<_, PolarsError>(table.column(name)?.u64()?.get(row));
    let list = |name: &str| -> PolarsResult<Option<Vec<f64>>> {
        Ok(text(name)?.split_whitespace().map(|number| number.parse().ok()).collect())
    };
    macro_rules! known {
        ($name:expr, $found:expr) => {
            match $found {
                Some(found) => found,
                None => {
                    let given = table.column($name)?.get(row)?.to_string();
                    return Ok(Err(format!("its {} {}", $name, excerpt(&given))));
                }
            }
        };
    }
    macro_rules! named {
        ($name:expr, $all:expr, $of:expr) => {{
            let name = text($name)?;
            known!($name, $all.into_iter().find(|one| $of(*one) == name))
        }};
    }
    let stage = named!("stage", [Stage::Sweep, Stage::Timed], Stage::name);
    let outcome = named!("outcome", Outcome::ALL, Outcome::name);
    let optimizer = named!("optimizer", Optimizer::ALL, Optimizer::name);
    let dtype = named!("dtype", ["f32", "f64"], |name| name);
    let device = named!("device", Backend::ALL.map(Backend::name), |name| name);
    let instruction_set = named!("instruction_set", simd::TITLES, |name| name);
    let settings: Option<Settings> = serde_json::from_str(text("settings")?).ok();
    let settings = known!("settings", settings.filter(|settings| settings.validate().is_ok()));
    let scale = known!("range", list("range")?.and_then(|range| <[f64; 2]>::try_from(range).ok()));
    let size = |name: &str| Ok::<_, PolarsError>(count(name)?.and_then(|size| usize::try_from(size).ok()));
    let widths = match text("widths")? {
        "" => Some(Widths::of(&[])),
        widths => widths.parse().ok(),
    };
    let (n, k, d) = (known!("n", size("n")?), known!("k", size("k")?), known!("d", size("d")?));
    let dimensions = Dimensions { n, k, widths: known!("widths", widths), d };
    let x = known!("x", list("x")?.filter(|x| x.len() == d));
    let (samples, end) = if whole {
        let columns = SAMPLES.map(|name| list(&format!("sample_{name}")));
        let [iterations, seconds, minima, means, bests, steps] = columns;
        let iterations = known!("sample_iteration", iterations?);
        let same = |list: &Vec<f64>| list.len() == iterations.len();
        let seconds = known!("sample_seconds", seconds?.filter(same));
        let minima = known!("sample_min", minima?.filter(same));
        let means = known!("sample_mean", means?.filter(same));
        let bests = known!("sample_best", bests?.filter(same));
        let steps = known!("sample_step_size", steps?.filter(same));
        let sample = |i: usize| Sample {
            iteration: iterations[i] as u64,
            seconds: seconds[i],
            min: minima[i],
            mean: means[i],
            best: bests[i],
            step_size: steps[i],
        };
        let end = match table.column("end_gradient_norm")?.f64()?.get(row) {
            None => None,
            Some(gradient_norm) => {
                let parameters = n.checked_mul(d).map(|_| dimensions.parameters(optimizer));
                let of = |name: &str, length: Option<usize>| {
                    Ok::<_, PolarsError>(list(name)?.filter(|list| Some(list.len()) == length))
                };
                Some(End {
                    points: known!("end_points", of("end_points", n.checked_mul(d))?),
                    values: known!("end_values", of("end_values", Some(n))?),
                    parameters: known!("end_parameters", of("end_parameters", parameters)?),
                    gradient_norm,
                })
            }
        };
        ((0..iterations.len()).map(sample).collect(), end)
    } else {
        (Vec::new(), None)
    };
    let run = Run {
        function: text("function")?.to_owned(),
        optimizer,
        seed: known!("seed", count("seed")?),
        settings,
        dimensions,
        dtype,
        device,
        instruction_set,
        best: real("best")?,
        x,
        iterations: known!("iterations", count("iterations")?),
        seconds: real("seconds")?,
        outcome,
        settled_at: count("settled_at")?,
        thinned_from: count("thinned_from")?,
        samples,
        end,
        scale,
        streamed: None,
    };
    Ok(Ok((stage, run)))
}
