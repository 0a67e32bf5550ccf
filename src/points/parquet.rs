//! Points in Parquet.

use super::{Role, Table, Values, role};
use crate::error::excerpt;
use polars::prelude::{Column, DataFrame, DataType};

/// The columns of a table.
///
/// # Errors
/// A sentence for the user, if a coordinate is text.
pub(super) fn table(table: &DataFrame) -> Result<Table, String> {
    let columns = table.columns().iter().map(|column| Ok((column.name().to_string(), values(column)?)));
    Ok(Table { columns: columns.collect::<Result<_, String>>()?, rows: table.height() })
}

/// The columns of a table of finite numbers.
///
/// # Errors
/// A sentence for the user.
pub(super) fn numbers(table: &DataFrame) -> Result<Vec<Vec<f64>>, String> {
    table.columns().iter().map(finite).collect()
}

fn finite(column: &Column) -> Result<Vec<f64>, String> {
    let name = excerpt(column.name());
    let refused = |_| format!("column '{name}' is of another type: expected numbers");
    if *column.dtype() == DataType::String {
        return Err(format!("column '{name}' is text: expected numbers"));
    }
    let wide = column.cast(&DataType::Float64).map_err(refused)?;
    let values = wide.f64().map_err(refused)?;
    let finite = |(row, value): (usize, Option<f64>)| match value {
        Some(value) if value.is_finite() => Ok(value),
        Some(value) => Err(format!("column '{name}', row {}: expected a finite number, not {value}", row + 1)),
        None => Err(format!("column '{name}', row {}: expected a number, and the value is missing", row + 1)),
    };
    values.iter().enumerate().map(finite).collect()
}

/// True if pandas keeps the index of a table under this name.
pub(super) fn is_index(name: &str) -> bool {
    let level = name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
    level.is_some_and(|level| level.parse::<usize>().is_ok())
}

fn values(column: &Column) -> Result<Values, String> {
    match role(column.name()) {
        Role::Label => return Ok(Values::Label(column.clone())),
        Role::Other => return Ok(Values::Unread),
        Role::X(_) | Role::U(_) => {}
    }
    let refused = |kind: &str| format!("column '{}' is {kind}: expected numbers", excerpt(column.name()));
    let precision = match column.dtype() {
        DataType::String => return Err(refused("text")),
        DataType::Float32 => f64::from(f32::EPSILON),
        _ => f64::EPSILON,
    };
    let wide = column.cast(&DataType::Float64).map_err(|_| refused("of another type"))?;
    let values = wide.f64().map_err(|_| refused("of another type"))?.iter().map(|value| value.unwrap_or(f64::NAN));
    Ok(Values::Numbers { values: values.collect(), precision })
}
