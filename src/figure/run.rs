//! Traces, from the table to runs.
//!
//! The table is read once, column by column, into plain numbers; every figure then works on the same sorted runs.

use std::{collections::BTreeMap, str::FromStr};

use polars::prelude::{Column, DataFrame, DataType};

use super::Error;

/// The two optimizers that are compared. The order is the one of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Optimizer {
    Shallow,
    Deep,
}

impl Optimizer {
    pub(super) const ALL: [Self; 2] = [Self::Shallow, Self::Deep];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Shallow => "shallow",
            Self::Deep => "deep",
        }
    }
}

impl FromStr for Optimizer {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|o| o.name() == name).ok_or_else(|| Error::UnknownOptimizer(name.to_owned()))
    }
}

/// One recorded iteration. A null is NaN here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub iteration: f64,
    pub seconds: f64,
    pub objective_min: f64,
    pub best: f64,
    pub raw_best: f64,
}

/// One (function, optimizer, seed), its rows sorted by iteration.
#[derive(Debug)]
pub(super) struct Run {
    pub function: String,
    pub optimizer: Optimizer,
    pub rows: Vec<Row>,
}

/// The runs of a table, sorted by function, optimizer and seed.
pub(super) fn runs(traces: &DataFrame) -> Result<Vec<Run>, Error> {
    let functions = strings(traces, "function")?;
    let optimizers = strings(traces, "optimizer")?;
    let seeds = integers(traces, "seed")?;
    let [iterations, seconds, minima, bests, raws] =
        ["iteration", "seconds", "objective_min", "best", "raw_best"].map(|column| floats(traces, column));
    let (iterations, seconds, minima, bests, raws) = (iterations?, seconds?, minima?, bests?, raws?);

    let mut runs = BTreeMap::<_, Vec<Row>>::new();
    for i in 0..traces.height() {
        let key = (functions[i].clone(), optimizers[i].parse::<Optimizer>()?, seeds[i]);
        runs.entry(key).or_default().push(Row {
            iteration: iterations[i],
            seconds: seconds[i],
            objective_min: minima[i],
            best: bests[i],
            raw_best: raws[i],
        });
    }
    let sorted = |mut rows: Vec<Row>| {
        rows.sort_by(|a, b| a.iteration.total_cmp(&b.iteration));
        rows
    };
    Ok(runs
        .into_iter()
        .map(|((function, optimizer, _), rows)| Run { function, optimizer, rows: sorted(rows) })
        .collect())
}

fn column<'a>(traces: &'a DataFrame, name: &'static str) -> Result<&'a Column, Error> {
    traces.column(name).map_err(|_| Error::MissingColumn {
        column: name,
        found: traces.get_column_names().iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", "),
    })
}

pub(super) fn strings(traces: &DataFrame, name: &'static str) -> Result<Vec<String>, Error> {
    let column = column(traces, name)?;
    let values = column.str().map_err(|_| wrong_type(column, name, "strings"))?;
    Ok(values.iter().map(|v| v.unwrap_or_default().to_owned()).collect())
}

fn integers(traces: &DataFrame, name: &'static str) -> Result<Vec<u64>, Error> {
    let cast = numbers(traces, name, "unsigned integers", &DataType::UInt64)?;
    let values = cast.u64().map_err(|_| wrong_type(&cast, name, "unsigned integers"))?;
    Ok(values.iter().map(Option::unwrap_or_default).collect())
}

pub(super) fn floats(traces: &DataFrame, name: &'static str) -> Result<Vec<f64>, Error> {
    let cast = numbers(traces, name, "numbers", &DataType::Float64)?;
    let values = cast.f64().map_err(|_| wrong_type(&cast, name, "numbers"))?;
    Ok(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}

/// A numeric column in the type asked for: a file written elsewhere may have narrower or signed integers.
fn numbers(traces: &DataFrame, name: &'static str, what: &'static str, to: &DataType) -> Result<Column, Error> {
    let column = column(traces, name)?;
    let numeric = column.dtype().is_primitive_numeric() || column.dtype().is_null();
    numeric.then(|| column.cast(to).ok()).flatten().ok_or_else(|| wrong_type(column, name, what))
}

fn wrong_type(column: &Column, name: &'static str, expected: &'static str) -> Error {
    Error::ColumnType { column: name, expected, found: column.dtype().to_string() }
}

#[cfg(test)]
pub(super) mod tests {
    use polars::df;

    use super::*;

    /// A table of constant-rate runs: `(function, optimizer, seed, best at iterations 0, 1, 2, …)`, one iteration a
    /// second.
    pub(in crate::figure) fn table(runs: &[(&str, &str, u64, &[f64])]) -> DataFrame {
        let rows: Vec<_> = runs
            .iter()
            .flat_map(|&(f, o, s, best)| best.iter().enumerate().map(move |(i, &b)| (f, o, s, i as u64, b)))
            .collect();
        df!(
            "function" => rows.iter().map(|r| r.0).collect::<Vec<_>>(),
            "optimizer" => rows.iter().map(|r| r.1).collect::<Vec<_>>(),
            "seed" => rows.iter().map(|r| r.2).collect::<Vec<_>>(),
            "iteration" => rows.iter().map(|r| r.3).collect::<Vec<_>>(),
            "seconds" => rows.iter().map(|r| r.3 as f64).collect::<Vec<_>>(),
            "objective_min" => rows.iter().map(|r| r.4).collect::<Vec<_>>(),
            "best" => rows.iter().map(|r| r.4).collect::<Vec<_>>(),
            "raw_best" => rows.iter().map(|r| r.4).collect::<Vec<_>>(),
        )
        .unwrap()
    }

    #[test]
    fn rows_are_grouped_by_run_and_sorted_by_iteration() {
        let table = table(&[("sphere", "deep", 1, &[3.0, 2.0, 1.0]), ("ackley", "shallow", 0, &[5.0])]);
        let runs = runs(&table.reverse()).unwrap();
        assert_eq!(runs.len(), 2);
        assert_eq!((runs[0].function.as_str(), runs[0].optimizer), ("ackley", Optimizer::Shallow));
        assert_eq!(runs[1].rows.iter().map(|r| r.best).collect::<Vec<_>>(), [3.0, 2.0, 1.0]);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let good = table(&[("sphere", "deep", 1, &[1.0])]);
        let missing = runs(&good.drop("raw_best").unwrap()).unwrap_err().to_string();
        assert!(missing.contains("no column `raw_best`") && missing.contains("objective_min"), "{missing}");

        let mut text = good.clone();
        text.with_column(Column::new("best".into(), ["low"])).unwrap();
        assert!(runs(&text).unwrap_err().to_string().contains("`best`"));

        let unknown = runs(&table(&[("sphere", "sideways", 1, &[1.0])])).unwrap_err();
        assert!(matches!(unknown, Error::UnknownOptimizer(name) if name == "sideways"));
    }

    #[test]
    fn narrow_integers_are_read() {
        let mut narrow = table(&[("sphere", "deep", 7, &[1.0])]);
        narrow.with_column(Column::new("seed".into(), [7i32])).unwrap();
        assert_eq!(runs(&narrow).unwrap().len(), 1);
    }
}
