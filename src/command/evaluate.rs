//! `overparam evaluate`

use super::objective::ExpressionOptions;
use super::settings::{self, DtypeName};
use super::signals;
use anyhow::{Result, bail};
use clap::Args;
use overparam::experiment::Dtype;
use overparam::points::{self, Points};
use overparam::trace::{self, Provenance};
use overparam::{Element, Error, Function, Problem, interrupt};
use polars::prelude::{Column, DataFrame};
use std::path::PathBuf;

/// Coordinates that are evaluated before the next look at a request to stop.
const BLOCK: usize = 1 << 21;

/// Evaluate an objective and its gradient at points from a file.
///
/// Reads a table with one row per point, as CSV or Parquet. The columns x0, x1, … are coordinates in the unit cube, from 0 to 1;
/// u0, u1, … are coordinates in the function's own box (see `overparam list`). Either is enough; their number is d. Of other
/// columns there may be function, optimizer, seed, learning_rate, best and raw_best, which are copied.
///
/// Writes the copied columns, x0, x1, …, u0, u1, … as they were evaluated (rounded to single precision with --dtype f32), the
/// value of the function as `raw`, its value scaled to [0, 1] as `scaled`, and the gradient of `scaled` in x as g0, g1, …
///
/// CSV has a line of names (numpy's `# x0, x1` is one) and decimal points; commas, semicolons, tabs or blanks separate its columns.
/// The index that pandas writes in front is left out.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Evaluate {
    /// The objective, see `overparam list`; or an --expression in its place
    function: Option<String>,
    #[command(flatten)]
    expression: ExpressionOptions,
    /// The points: a .parquet or a .csv file
    #[arg(long)]
    points: PathBuf,
    /// The Parquet file to write
    #[arg(long)]
    output: PathBuf,
    /// The seed of the couplings of the spin glass
    #[arg(long, default_value_t = 0, value_parser = settings::count::<u64>)]
    seed: u64,
    /// The precision of all numbers
    #[arg(long, value_enum, default_value = "f64")]
    dtype: DtypeName,
}

impl Evaluate {
    pub fn execute(self) -> Result<()> {
        let objective = self.expression.objective(self.function.as_deref())?;
        let problem = objective.problem.clone();
        signals::leave_nothing()?;
        let output = trace::prepare(&self.output)?;
        if output.leads_to(&self.points) {
            let reason = "expected another file to write than the one with the points".to_owned();
            return Err(Error::Data { path: self.output, problem: reason }.into());
        }
        objective.ensure_apart([&output])?;
        let points = points::read(&self.points, problem.bounds(1))?;
        if let Some(other) = other_function(&points, &problem) {
            let reason = format!("column function: expected points of {problem}, and there are points of {other}");
            return Err(Error::Data { path: self.points, problem: reason }.into());
        }
        let table = match self.dtype {
            DtypeName::F32 => evaluate::<f32>(&problem, self.seed, points)?,
            DtypeName::F64 => evaluate::<f64>(&problem, self.seed, points)?,
        };
        let dtype = Dtype::from(self.dtype).name();
        let settings = serde_json::json!({ "function": problem.name(), "seed": self.seed, "dtype": dtype });
        let settings = objective.described(settings).to_string();
        let rows = table.height();
        let provenance = Provenance::new(settings).of_table("values");
        trace::ensure_same_table(&output, &provenance)?;
        trace::write_parts(&output, [Ok(table)], &provenance)?;
        say!("{rows} points of {problem} in {}", self.output.display());
        Ok(())
    }
}

/// The name of another objective than `problem` that points are said to be of. Names that are neither a function's nor an expression's
/// say nothing about a function.
fn other_function(points: &Points, problem: &Problem) -> Option<String> {
    let said = points.labels.iter().find(|label| label.name() == "function")?.str().ok()?;
    let speaks = |name: &&str| {
        problem.function().is_none() || name.starts_with("expression-") || name.parse::<Function>().is_ok()
    };
    said.iter().flatten().filter(speaks).find(|name| *name != problem.name()).map(str::to_owned)
}

/// The columns of the points, then raw, scaled, g0, g1, …
fn evaluate<R: Element>(problem: &Problem, seed: u64, points: Points) -> Result<DataFrame> {
    let Points { dimension: d, x, labels } = points;
    let bounds = problem.bounds(d);
    let x: Vec<R> = x.into_iter().map(R::of).collect();
    let rows = x.len() / d;
    let (mut raw, mut scaled, mut gradient) =
        (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(x.len()));
    for block in x.chunks(d * (BLOCK / d).max(1)) {
        if interrupt::requested() {
            bail!("interrupted after {} of {rows} points; nothing is written", raw.len());
        }
        let found = problem.evaluate(d, seed, block)?;
        raw.extend(found.raw);
        scaled.extend(found.scaled);
        gradient.extend(found.gradient);
    }
    // Column i of n×d coordinates.
    let column = |name: String, i: usize, coordinates: &[R], map: &dyn Fn(f64) -> f64| {
        let values = coordinates.iter().skip(i).step_by(d).map(|value| map(value.wide()));
        Column::new(name.into(), values.collect::<Vec<f64>>())
    };
    let whole = |name: &str, values: &[R]| {
        Column::new(name.into(), values.iter().map(|value| value.wide()).collect::<Vec<f64>>())
    };
    let mut columns = labels;
    columns.extend((0..d).map(|i| column(format!("x{i}"), i, &x, &|x| x)));
    columns.extend((0..d).map(|i| column(format!("u{i}"), i, &x, &|x| bounds.to_box(i, x))));
    columns.extend([whole("raw", &raw), whole("scaled", &scaled)]);
    columns.extend((0..d).map(|i| column(format!("g{i}"), i, &gradient, &|slope| slope)));
    Ok(DataFrame::new(rows, columns)?)
}
