//! Points of your own, read from CSV or Parquet.
//!
//! A file has one row per point. The columns `x0`, `x1`, … are the coordinates in the unit cube, `u0`, `u1`, … those in the
//! box of the function, u = lo + (hi - lo) x; either is enough, and if both are there they have to agree. The number of such
//! columns is the dimension. The columns in [`LABELS`] say where a point comes from and are kept beside it. The index that
//! pandas and R write in front of a table is dropped: a first column of a CSV file without a name that counts from 0 or 1, and
//! `__index_level_0__` in Parquet. Any other column is an error.
//!
//! CSV is text in UTF-8, or in UTF-16 with a byte order mark, with a line of names, separated by commas, semicolons, tabs or
//! blanks, with decimal points. The line of names may begin with `#`, as `numpy.savetxt` writes it; other lines that begin
//! with `#` are comments. In Parquet every kind of number is read as the number it is, truth values as 0 and 1.
//!
//! ```
//! use overparam::prelude::*;
//!
//! # let path = std::env::temp_dir().join("overparam-example-points.csv");
//! std::fs::write(&path, "x0,x1\n0.5,0.5\n0.25,0.75\n").unwrap();
//! let found = points::read(&path, Function::Sphere.describe(2).domain)?;
//! assert_eq!((found.dimension, &found.x[..]), (2, &[0.5, 0.5, 0.25, 0.75][..]));
//! let values = Function::Sphere.evaluate(found.dimension, 0, &found.x)?;
//! assert_eq!(values.scaled, [0.0, 0.25]);
//! # std::fs::remove_file(&path).unwrap();
//! # Ok::<(), overparam::Error>(())
//! ```

mod csv;
mod parquet;

use crate::error::{Error, excerpt};
use crate::objective::Bounds;
pub use crate::objective::{from_box, to_box};
use crate::trace;
use polars::prelude::Column;
use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// The columns that may stand beside the coordinates.
pub const LABELS: [&str; 6] = ["function", "optimizer", "seed", "learning_rate", "best", "raw_best"];

/// The distance that u may have from lo + (hi - lo) x, and beyond the box by rounding, in widths of the box.
const ROUNDING: f64 = 1e-9;

/// Points of the unit cube.
#[derive(Clone, Debug)]
pub struct Points {
    /// Coordinates of a point, d.
    pub dimension: usize,
    /// The coordinates in [0, 1], n×d, row-major.
    pub x: Vec<f64>,
    /// The columns of [`LABELS`] that the file has, in its order, each of length n: `function` and `optimizer` as strings, `seed` as
    /// u64, the others as f64.
    pub labels: Vec<Column>,
}

/// The columns of a file.
struct Table {
    columns: Vec<(String, Values)>,
    rows: usize,
}

/// The values of a column.
enum Values {
    /// A coordinate's. A missing value is NaN. `precision` is the relative rounding error of the file's type.
    Numbers { values: Vec<f64>, precision: f64 },
    /// A label's.
    Label(Column),
    /// Those of a column that is neither, which were not read.
    Unread,
}

/// The points in the file `path`, named .csv or .parquet. `bounds` is the box of the coordinates u: a pair [lo, hi]
/// for all of them, or [`Problem::bounds`](crate::Problem::bounds). The format is described in the [module](self).
///
/// # Errors
/// If the file cannot be read, is not a table of points, or has a coordinate outside the cube or the box.
pub fn read(path: impl AsRef<Path>, bounds: impl Into<Bounds>) -> Result<Points, Error> {
    let (path, bounds) = (path.as_ref(), bounds.into());
    let table = match format(path) {
        Ok(Format::Csv) => csv::table(&bytes(path)?),
        Ok(Format::Parquet) => parquet::table(&trace::read_some(path, &|name| !parquet::is_index(name))?),
        Err(problem) => Err(problem.to_owned()),
    };
    let points = table.and_then(|table| assemble(table, &bounds));
    points.map_err(|problem| Error::Data { path: path.to_owned(), problem })
}

/// The columns of finite numbers, all as long, in the file `path`, named .csv or .parquet.
///
/// # Errors
/// If the file cannot be read or has a value that is missing or no finite number.
pub(crate) fn number_columns(path: &Path) -> Result<Vec<Vec<f64>>, Error> {
    let columns = match format(path) {
        Ok(Format::Csv) => csv::numbers(&bytes(path)?),
        Ok(Format::Parquet) => parquet::numbers(&trace::read_some(path, &|name| !parquet::is_index(name))?),
        Err(problem) => Err(problem.to_owned()),
    };
    columns.map_err(|problem| Error::Data { path: path.to_owned(), problem })
}

/// The format of a file.
enum Format {
    Csv,
    Parquet,
}

/// The format that the name of a file says.
fn format(path: &Path) -> Result<Format, &'static str> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("parquet") => Ok(Format::Parquet),
        Some("gz" | "zip" | "bz2" | "xz" | "zst") => {
            Err("expected a file named .parquet or .csv, and this one is compressed: unpack it")
        }
        _ => Err("expected a file named .parquet or .csv"),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    trace::open(path)?.read_to_end(&mut bytes).map_err(|source| Error::file("read", path, source))?;
    Ok(bytes)
}

/// The meaning of a column's name.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    X(usize),
    U(usize),
    Label,
    Other,
}

fn role(name: &str) -> Role {
    if LABELS.contains(&name) {
        return Role::Label;
    }
    let mut letters = name.chars();
    let make = match letters.next() {
        Some('x' | 'X') => Role::X,
        Some('u' | 'U') => Role::U,
        _ => return Role::Other,
    };
    let digits = letters.as_str();
    match digits.parse::<usize>() {
        Ok(index) if index.to_string() == digits => make(index),
        _ => Role::Other,
    }
}

/// The columns of one kind of coordinate, from 0 to d - 1, and where in the table they are.
fn family(columns: &[(String, Values)], letter: char, of: fn(Role) -> Option<usize>) -> Result<Vec<usize>, String> {
    let mut places = HashMap::new();
    for (place, (name, _)) in columns.iter().enumerate() {
        if let Some(index) = of(role(name))
            && places.insert(index, place).is_some()
        {
            return Err(format!("column {letter}{index} is there twice"));
        }
    }
    let d = places.len();
    let found = (0..d).map(|index| places.get(&index).copied()).collect::<Option<Vec<_>>>();
    found.ok_or_else(|| {
        let expected = format!("expected {}", span(letter, 0..d));
        if (1..=d).all(|index| places.contains_key(&index)) {
            return format!("the coordinates are counted from 1, {}: {expected}", span(letter, 1..d + 1));
        }
        let missing = (0..d).find(|index| !places.contains_key(index)).unwrap_or_default();
        let beyond = places.keys().max().copied().unwrap_or_default();
        let columns = match d {
            1 => "1 column makes points of 1 coordinate".to_owned(),
            _ => format!("{d} columns make points of {d} coordinates"),
        };
        format!("{columns}: {expected}, but there is no column {letter}{missing}, and there is '{letter}{beyond}'")
    })
}

/// "x0", or "x0 to x4".
fn span(letter: char, indices: Range<usize>) -> String {
    match indices.len() {
        1 => format!("{letter}{}", indices.start),
        _ => format!("{letter}{} to {letter}{}", indices.start, indices.end - 1),
    }
}

/// The points of a table.
fn assemble(table: Table, bounds: &Bounds) -> Result<Points, String> {
    let Table { columns, rows } = table;
    if let Some((name, _)) = columns.iter().find(|(name, _)| role(name) == Role::Other) {
        let labels = LABELS.join(", ");
        let expected = format!("expected x0, x1, … or u0, u1, …, and beside them at most {labels}");
        return Err(format!("column '{}' is no coordinate: {expected}", excerpt(name)));
    }
    let x = family(&columns, 'x', |role| if let Role::X(index) = role { Some(index) } else { None })?;
    let u = family(&columns, 'u', |role| if let Role::U(index) = role { Some(index) } else { None })?;
    let d = x.len().max(u.len());
    if d == 0 || rows == 0 {
        return Err("expected at least one point, with the columns x0, x1, … or u0, u1, …".to_owned());
    }
    if !x.is_empty() && !u.is_empty() && x.len() != u.len() {
        let (x, u) = (span('x', 0..x.len()), span('u', 0..u.len()));
        return Err(format!("expected as many columns x0, x1, … as u0, u1, …, not {x} and {u}"));
    }
    let domain = |i: usize| {
        let missing =
            || format!("expected points of fewer dimensions: u{i} is beyond the coordinates that the box has");
        bounds.of(i).ok_or_else(missing)
    };
    let mut points = vec![0.0; rows * d];
    for i in 0..d {
        let [x, u] = [&x, &u].map(|places| places.get(i).map(|&place| numbers(&columns[place].1)));
        let into = points.iter_mut().skip(i).step_by(d);
        match (x, u) {
            (Some(x), u) => {
                check(x.0, &format!("x{i}"), [0.0, 1.0], 0.0, "")?;
                if let Some(u) = u {
                    agree(i, x, u, domain(i)?)?;
                }
                into.zip(x.0).for_each(|(into, &x)| *into = x);
            }
            (None, Some(u)) => {
                let domain @ [lo, hi] = domain(i)?;
                let slack = ROUNDING.max(lo.abs().max(hi.abs()) * u.1 / (hi - lo));
                check(u.0, &format!("u{i}"), domain, slack, " in the box of the function,")?;
                into.zip(u.0).for_each(|(into, &u)| *into = from_box(u, domain));
            }
            (None, None) => {}
        }
    }
    let labels = columns.into_iter().filter_map(|(_, values)| match values {
        Values::Label(column) => Some(column),
        _ => None,
    });
    Ok(Points { dimension: d, x: points, labels: labels.collect() })
}

fn numbers(values: &Values) -> (&[f64], f64) {
    match values {
        Values::Numbers { values, precision } => (values, *precision),
        _ => (&[], 0.0),
    }
}

/// Refuses a value beyond [lo, hi], or beyond it by more than `slack` widths.
fn check(values: &[f64], name: &str, [lo, hi]: [f64; 2], slack: f64, of: &str) -> Result<(), String> {
    let slack = slack * (hi - lo);
    match values.iter().enumerate().find(|(_, value)| !(lo - slack..=hi + slack).contains(*value)) {
        None => Ok(()),
        Some((row, value)) => {
            let given = if value.is_nan() { "NaN or a missing one".to_owned() } else { format!("{value:?}") };
            Err(format!("column {name}, {}: expected a number{of} from {lo} to {hi}, not {given}", point(row)))
        }
    }
}

/// Refuses coordinates u that are not those of x.
fn agree(
    i: usize,
    (x, x_precision): (&[f64], f64),
    (u, u_precision): (&[f64], f64),
    domain: [f64; 2],
) -> Result<(), String> {
    let [lo, hi] = domain;
    let largest = lo.abs().max(hi.abs());
    let allowed = (hi - lo) * ROUNDING.max(x_precision) + largest * u_precision;
    for (row, (&x, &u)) in x.iter().zip(u).enumerate() {
        let expected = to_box(x, domain);
        if u.is_nan() || (expected - u).abs() > allowed {
            let there = format!("x{i} = {x} is u{i} = {expected} in the box from {lo} to {hi}");
            return Err(format!("column u{i}, {}: {there}, not {u}; leave the columns x or u out", point(row)));
        }
    }
    Ok(())
}

fn point(row: usize) -> String {
    format!("point {} (counted from 1)", row + 1)
}
