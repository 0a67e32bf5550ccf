//! `overparam evaluate`

use super::settings::{self, DtypeName};
use super::signals;
use anyhow::Result;
use clap::Args;
use overparam::experiment::Dtype;
use overparam::output::Output;
use overparam::trace::{self, Provenance};
use overparam::{Element, Error, Function};
use polars::prelude::{Column, DataFrame, DataType};
use std::path::{Path, PathBuf};

/// Evaluate an objective and its gradient at points from a file.
///
/// Reads a table with the columns x0, x1, … (one row per point, coordinates in [0, 1]; their number is d) and writes it with the
/// columns `raw`, `scaled` and the gradient of the scaled objective in x as g0, g1, …
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Evaluate {
    /// The objective, see `overparam list`
    function: String,
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
        let function = settings::function(&self.function)?;
        signals::leave_nothing()?;
        let output = Output::prepare(&self.output)?;
        let same = |path: &Path| path.canonicalize().ok();
        if same(&self.points).is_some_and(|points| same(&self.output) == Some(points)) {
            let problem = "expected another file to write than the one with the points".to_owned();
            return Err(Error::Data { path: self.output, problem }.into());
        }
        let mut columns = read_points(&self.points)?;
        let found = match self.dtype {
            DtypeName::F32 => evaluate::<f32>(function, self.seed, &columns)?,
            DtypeName::F64 => evaluate::<f64>(function, self.seed, &columns)?,
        };
        let names = (0..columns.len()).map(|i| format!("x{i}"));
        let rows = columns.first().map_or(0, Vec::len);
        let mut table: Vec<Column> =
            names.zip(columns.drain(..)).map(|(name, values)| Column::new(name.into(), values)).collect();
        table.extend(found);
        let dtype = Dtype::from(self.dtype).name();
        let settings =
            serde_json::json!({ "function": function.name(), "seed": self.seed, "dtype": dtype }).to_string();
        trace::write_parts(&output, [Ok(DataFrame::new(rows, table)?)], &Provenance::new(settings))?;
        say!("{rows} points of {function} in {}", self.output.display());
        Ok(())
    }
}

/// The columns raw, scaled, g0, g1, …
fn evaluate<R: Element>(function: Function, seed: u64, columns: &[Vec<f64>]) -> Result<Vec<Column>> {
    let d = columns.len();
    let rows = columns[0].len();
    let points: Vec<R> = (0..rows).flat_map(|row| columns.iter().map(move |column| R::of(column[row]))).collect();
    let found = function.evaluate(d, seed, &points)?;
    let wide = |values: &[R]| values.iter().map(|value| value.wide()).collect::<Vec<f64>>();
    let mut result =
        vec![Column::new("raw".into(), wide(&found.raw)), Column::new("scaled".into(), wide(&found.scaled))];
    for i in 0..d {
        let slopes: Vec<f64> = found.gradient.iter().skip(i).step_by(d).map(|slope| slope.wide()).collect();
        result.push(Column::new(format!("g{i}").into(), slopes));
    }
    Ok(result)
}

/// The columns x0, x1, … of a file, checked.
fn read_points(path: &Path) -> Result<Vec<Vec<f64>>> {
    let problem = |problem: String| Error::Data { path: path.to_owned(), problem };
    let (names, columns) = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => read_csv(path)?,
        Some("parquet") => read_parquet(path)?,
        _ => return Err(problem("expected a file named .parquet or .csv".to_owned()).into()),
    };
    let d = names.len();
    if d == 0 || columns[0].is_empty() {
        return Err(problem("expected at least one point, with the columns x0, x1, …".to_owned()).into());
    }
    let mut ordered = Vec::with_capacity(d);
    for i in 0..d {
        let name = format!("x{i}");
        let Some(index) = names.iter().position(|given| *given == name) else {
            let extra = names.iter().find(|given| !is_coordinate(given, d));
            let extra = extra.map(|extra| format!(", and '{extra}' is none of them")).unwrap_or_default();
            let expected = format!("{d} columns make points of {d} coordinates: expected x0 to x{}", d - 1);
            return Err(problem(format!("{expected}, but there is no column {name}{extra}")).into());
        };
        ordered.push(columns[index].clone());
    }
    for (i, column) in ordered.iter().enumerate() {
        if let Some((row, value)) = column.iter().enumerate().find(|(_, value)| !(0.0..=1.0).contains(*value)) {
            let place = format!("column x{i}, point {} (counted from 1)", row + 1);
            return Err(problem(format!("{place}: expected a number from 0 to 1, not {value}")).into());
        }
    }
    Ok(ordered)
}

/// Whether `name` is one of x0 … x(d-1).
fn is_coordinate(name: &str, d: usize) -> bool {
    let index = name.strip_prefix('x').and_then(|digits| digits.parse::<usize>().ok());
    index.is_some_and(|index| index < d && name == format!("x{index}"))
}

fn read_csv(path: &Path) -> Result<(Vec<String>, Vec<Vec<f64>>)> {
    let problem = |problem: String| Error::Data { path: path.to_owned(), problem };
    let file =
        std::fs::File::open(path).map_err(|source| Error::File { action: "read", path: path.to_owned(), source })?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let names: Vec<String> =
        reader.headers().map_err(|error| problem(error.to_string()))?.iter().map(str::to_owned).collect();
    let mut columns = vec![Vec::new(); names.len()];
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(|error| problem(error.to_string()))?;
        for ((column, text), name) in columns.iter_mut().zip(&record).zip(&names) {
            let value = text.parse::<f64>().map_err(|_| {
                problem(format!("column {name}, point {} (counted from 1): expected a number, not '{text}'", row + 1))
            })?;
            column.push(value);
        }
    }
    Ok((names, columns))
}

fn read_parquet(path: &Path) -> Result<(Vec<String>, Vec<Vec<f64>>)> {
    let table = trace::read(path)?;
    let mut names = Vec::new();
    let mut columns = Vec::new();
    for column in table.columns() {
        let problem = |problem: String| Error::Data { path: path.to_owned(), problem };
        let expected = || problem(format!("column {}: expected numbers, not {}", column.name(), column.dtype()));
        if !column.dtype().is_primitive_numeric() {
            return Err(expected().into());
        }
        let values = column.cast(&DataType::Float64).map_err(|_| expected())?;
        let values = values.f64().map_err(|_| expected())?;
        // A missing value is no number.
        columns.push(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect());
        names.push(column.name().to_string());
    }
    Ok((names, columns))
}
