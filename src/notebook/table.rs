//! A DataFrame as HTML: shape, types, first and last rows, numbers aligned.

use super::html::{cell, escape};
use polars::prelude::{AnyValue, Column, DataFrame};

/// A taller table shows its first and its last rows only, this many of each.
const ROWS: usize = 6;
/// A wider table shows its first and its last columns only, this many of each.
const COLUMNS: usize = 12;

/// The whole output of a cell that ends with `table`.
pub(super) fn html(table: &DataFrame) -> String {
    let (height, width) = table.shape();
    let rows = ends(height, ROWS);
    let columns = ends(width, COLUMNS);
    let shown: Vec<Option<Shown>> =
        columns.iter().map(|column| column.map(|index| Shown::new(&table.columns()[index], &rows))).collect();
    let mut html = String::from("<table><thead><tr>");
    for column in &shown {
        let (align, name) = column.as_ref().map_or(("center", "…".to_owned()), |c| (c.align, c.heading.clone()));
        cell(&mut html, "th", align, &name);
    }
    html.push_str("</tr></thead><tbody>");
    for (index, row) in rows.iter().enumerate() {
        html.push_str("<tr>");
        for column in &shown {
            match column {
                Some(column) if row.is_some() => cell(&mut html, "td", column.align, &column.values[index]),
                Some(column) => cell(&mut html, "td", column.align, "⋮"),
                None => cell(&mut html, "td", "center", "…"),
            }
        }
        html.push_str("</tr>");
    }
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let shape = format!("{} × {}", plural(height, "row"), plural(width, "column"));
    format!("{html}</tbody></table><p><small>{shape}</small></p>")
}

/// The indices of the first and last `most` of `count` things, with a gap between them if some are left out.
fn ends(count: usize, most: usize) -> Vec<Option<usize>> {
    if count <= 2 * most {
        (0..count).map(Some).collect()
    } else {
        (0..most).map(Some).chain([None]).chain((count - most..count).map(Some)).collect()
    }
}

/// A column, ready to be shown.
struct Shown {
    heading: String,
    align: &'static str,
    /// HTML, one per shown row; empty for the gap.
    values: Vec<String>,
}

impl Shown {
    fn new(column: &Column, rows: &[Option<usize>]) -> Self {
        let dtype = column.dtype();
        let heading = format!("{}<br><small>{}</small>", escape(column.name()), escape(&dtype.to_string()));
        let align = if dtype.is_primitive_numeric() { "right" } else { "left" };
        let values: Vec<Option<AnyValue<'_>>> =
            rows.iter().map(|row| row.and_then(|index| column.get(index).ok())).collect();
        let style = Decimals::of(values.iter().flatten().filter_map(real));
        let show = |value: &Option<AnyValue<'_>>| match value {
            None => String::new(),
            Some(AnyValue::Null) => "<i>null</i>".to_owned(),
            Some(AnyValue::String(text)) => escape(text),
            Some(AnyValue::StringOwned(text)) => escape(text),
            Some(value) => real(value).map_or_else(|| escape(&value.to_string()), |number| style.show(number)),
        };
        Self { heading, align, values: values.iter().map(show).collect() }
    }
}

/// The value of a float; integers are shown as they are.
fn real(value: &AnyValue<'_>) -> Option<f64> {
    match *value {
        AnyValue::Float64(value) => Some(value),
        AnyValue::Float32(value) => Some(value.into()),
        _ => None,
    }
}

/// The format of all floats of a column, with their decimal points in one line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Decimals {
    /// This many digits after the point.
    Fixed(usize),
    /// d.dddde±x.
    Scientific,
}

impl Decimals {
    /// Enough for about six significant digits of the largest of `values`, as long as the smallest keeps three.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let sizes: Vec<f64> = values.map(f64::abs).filter(|size| size.is_finite() && *size > 0.0).collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let smallest = sizes.iter().copied().fold(f64::INFINITY, f64::min);
        if sizes.is_empty() {
            return Self::Fixed(1);
        }
        if largest >= 1e7 || smallest < 1e-4 || largest / smallest > 1e5 {
            return Self::Scientific;
        }
        let needed = |size: f64, digits: i32| (digits - 1 - size.log10().floor() as i32).clamp(0, 8) as usize;
        let most = needed(largest, 6).max(needed(smallest, 3));
        // No more decimals than some value uses.
        let used = |size: &f64| {
            let text = format!("{size:.most$}");
            let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
            fraction.trim_end_matches('0').len()
        };
        Self::Fixed(sizes.iter().map(used).max().unwrap_or(0).max(1))
    }

    fn show(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => value.to_string(),
            Self::Fixed(decimals) => format!("{value:.decimals$}"),
            Self::Scientific => format!("{value:.4e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;

    #[test]
    fn shape_types_and_values_are_shown() {
        let table = df!("name" => ["a<b", "c"], "count" => [1u64, 20], "real" => [Some(0.25), None]).unwrap();
        let html = html(&table);
        assert!(html.contains("2 rows × 3 columns"), "{html}");
        assert!(html.contains("name<br><small>str</small>") && html.contains("u64") && html.contains("f64"), "{html}");
        assert!(html.contains("a&lt;b") && html.contains(">0.25<") && html.contains("<i>null</i>"), "{html}");
        assert!(html.contains("text-align: right; white-space: nowrap\">20<"), "{html}");
        assert!(html.contains("text-align: left; white-space: nowrap\">c<"), "{html}");
    }

    #[test]
    fn tall_and_wide_tables_show_their_ends() {
        let columns: Vec<Column> =
            (0..40).map(|n| Column::new(format!("c{n}").into(), (0..100).collect::<Vec<i32>>())).collect();
        let html = html(&DataFrame::new(100, columns).unwrap());
        assert_eq!(html.matches("<tr>").count(), 1 + 2 * ROWS + 1);
        assert_eq!(html.matches("<th ").count(), 2 * COLUMNS + 1);
        assert!(html.contains(">c0<") && html.contains(">c39<") && !html.contains(">c20<"));
        assert!(html.contains(">99<") && !html.contains(">50<") && html.contains("⋮"));
        assert!(html.contains("100 rows × 40 columns"));
    }

    #[test]
    fn no_rows_and_no_columns() {
        assert!(html(&DataFrame::empty()).contains("0 rows × 0 columns"));
    }

    #[test]
    fn the_points_of_a_column_are_in_line() {
        let cases: [(&[f64], &[&str]); 5] = [
            (&[1.0, 0.5, 12.25], &["1.00", "0.50", "12.25"]),
            (&[1e-10, 1.0], &["1.0000e-10", "1.0000e0"]),
            (&[3.0, f64::NAN], &["3.0", "NaN"]),
            (&[0.1112270, 0.1], &["0.111227", "0.100000"]),
            (&[0.0], &["0.0"]),
        ];
        for (values, expected) in cases {
            let style = Decimals::of(values.iter().copied());
            let shown: Vec<String> = values.iter().map(|&value| style.show(value)).collect();
            assert_eq!(shown, expected);
        }
    }
}
