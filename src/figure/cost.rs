//! The cost of an iteration: beside other programs, and at growing shapes.

use plotly::common::{DashType, Line, Marker, MarkerSymbol, Mode};
use plotly::layout::{
    Annotation, GridPattern, LayoutGrid, LayoutTemplate, Legend, Shape, ShapeLine, ShapeType, Template,
};
use plotly::{Layout, Plot, Scatter};
use polars::prelude::DataFrame;

use super::run::{floats, strings};
use super::series::extent;
use super::{Error, Figure, style};

/// The columns and the rows of panels of [`ratios`].
const SHAPES: [&str; 3] = ["shallow", "deep 10x1", "deep 50x1"];
const DTYPES: [&str; 2] = ["f32", "f64"];

/// The programs that [`ratios`] shows, with their color and symbol.
const PROGRAMS: [(&str, &str, MarkerSymbol); 4] = [
    ("JAX", "#1f77b4", MarkerSymbol::Circle),
    ("PyTorch compiled", "#9467bd", MarkerSymbol::Diamond),
    ("PyTorch eager", "#d62728", MarkerSymbol::Square),
    ("PyTorch naive", "#8c564b", MarkerSymbol::Cross),
];

/// The colors of the series of [`scaling`].
const COLORS: [&str; 7] = ["#2ca02c", "#e8710a", "#1f77b4", "#d62728", "#9467bd", "#8c564b", "#17becf"];

/// Between the panels of [`ratios`], from top to bottom, in pixels.
const GAP: usize = 60;

/// A row of one panel of [`ratios`].
struct Ratio {
    /// One of [`SHAPES`].
    shape: &'static str,
    /// The place of its dtype among [`DTYPES`].
    dtype: usize,
    label: String,
    program: String,
    ratio: f64,
}

/// Draws how many times longer other programs take (log), one row per function, one panel per shape and dtype. Reads the table of
/// [`bench::ratios`](crate::bench::ratios).
///
/// # Errors
/// A missing or mistyped column, or no other program: see [`Error`].
pub fn ratios(table: &DataFrame) -> Result<Figure, Error> {
    let rows = ratio_rows(table)?;
    if rows.is_empty() {
        return Err(Error::NoRuns("any other program"));
    }
    let mut labels: Vec<&str> = Vec::new();
    for row in &rows {
        if !labels.contains(&row.label.as_str()) {
            labels.push(&row.label);
        }
    }
    // The larger spin glass after the smaller one.
    labels.sort_by_key(|label| label.contains("d="));
    let shapes: Vec<&str> = SHAPES.into_iter().filter(|shape| rows.iter().any(|row| row.shape == *shape)).collect();
    let panels = shapes.len() * DTYPES.len();
    let panel_of =
        |row: &Ratio| row.dtype * shapes.len() + shapes.iter().position(|s| *s == row.shape).unwrap_or(0) + 1;
    let place = |label: &str| -(labels.iter().position(|l| *l == label).unwrap_or_default() as f64);
    let mut plot = Plot::new();
    for (name, color, symbol) in PROGRAMS {
        let mut shown = false;
        for panel in 1..=panels {
            let of = rows.iter().filter(|row| panel_of(row) == panel && row.program == name);
            let (x, y): (Vec<f64>, Vec<f64>) = of.map(|row| (row.ratio, place(&row.label))).unzip();
            if x.is_empty() {
                continue;
            }
            let dots = Scatter::new(x, y)
                .mode(Mode::Markers)
                .name(name)
                .legend_group(name)
                .show_legend(!shown)
                .marker(Marker::new().color(color).size(9).symbol(symbol.clone()))
                .x_axis(style::axis_id('x', panel))
                .y_axis(style::axis_id('y', panel));
            plot.add_trace(dots);
            shown = true;
        }
    }
    let (top, row, bottom) = (72, GAP + 24 * labels.len(), 50);
    let legend = style::legend(1.0 + 30.0 / (row * DTYPES.len()) as f64);
    let height = top + row * DTYPES.len() + bottom;
    let layout = style::layout(style::PAGE, height, style::margin(130, 12, top, bottom), legend);
    let grid = LayoutGrid::new().rows(DTYPES.len()).columns(shapes.len()).pattern(GridPattern::Independent);
    // The same range everywhere, with the line of equal times in it.
    let (low, high) = extent(rows.iter().map(|row| row.ratio).chain([1.0])).unwrap_or((1.0, 1.0));
    let range = vec![low.log10() - 0.1, high.log10() + 0.1];
    let axes = LayoutTemplate::new().x_axis(style::log_axis().dtick(1.0).range(range)).y_axis(style::axis());
    let layout = layout.grid(grid.x_gap(0.06).y_gap(GAP as f64 / row as f64)).template(Template::new().layout(axes));
    let ticks: Vec<f64> = labels.iter().map(|label| place(label)).collect();
    let mut annotations: Vec<Annotation> = Vec::new();
    let (mut lines, mut y_axes) = (Vec::new(), Vec::new());
    for panel in 1..=panels {
        let (dtype, shape) = (DTYPES[(panel - 1) / shapes.len()], shapes[(panel - 1) % shapes.len()]);
        let outer = (panel - 1) % shapes.len() == 0;
        let names: Vec<&str> = labels.iter().map(|label| if outer { *label } else { "" }).collect();
        let axis = style::axis().tick_values(ticks.clone()).tick_text(names);
        y_axes.push(axis.range(vec![0.6 - labels.len() as f64, 0.4]));
        annotations.push(style::panel_title(panel, &format!("<b>{shape}, {dtype}</b>")));
        if panel > shapes.len() {
            let [x_title, _] = style::axis_titles(panel, "time / time of overparam", "", 0.0);
            annotations.push(x_title);
        }
        lines.push(equal(panel));
    }
    plot.set_layout(layout.annotations(annotations).shapes(lines));
    plot.set_configuration(style::configuration());
    let mut figure = Figure::from(plot);
    for (panel, axis) in (1..).zip(&y_axes) {
        figure.set_axis('y', panel, axis);
    }
    Ok(figure)
}

fn ratio_rows(table: &DataFrame) -> Result<Vec<Ratio>, Error> {
    let (functions, shapes) = (strings(table, "function")?, strings(table, "shape")?);
    let (dtypes, programs) = (strings(table, "dtype")?, strings(table, "program")?);
    let ratios = floats(table, "ratio")?;
    let mut rows = Vec::new();
    for (index, &ratio) in ratios.iter().enumerate() {
        let (shape, dimension) = match shapes[index].split_once(" d=") {
            Some((shape, dimension)) => (shape, format!(" d={dimension}")),
            None => (shapes[index].as_str(), String::new()),
        };
        let shape = SHAPES.into_iter().find(|s| *s == shape);
        let dtype = DTYPES.iter().position(|dtype| *dtype == dtypes[index]);
        let (Some(shape), Some(dtype), true) = (shape, dtype, ratio.is_finite()) else { continue };
        if PROGRAMS.iter().any(|(name, ..)| *name == programs[index]) {
            rows.push(Ratio {
                shape,
                dtype,
                label: format!("{}{dimension}", functions[index]),
                program: programs[index].clone(),
                ratio,
            });
        }
    }
    Ok(rows)
}

/// The line of equal times.
fn equal(panel: usize) -> Shape {
    Shape::new()
        .shape_type(ShapeType::Line)
        .x_ref(style::axis_id('x', panel))
        .y_ref(format!("{} domain", style::axis_id('y', panel)))
        .x0(1.0)
        .x1(1.0)
        .y0(0.0)
        .y1(1.0)
        .line(ShapeLine::new().color("#222222").width(1.2))
}

/// Draws time against operations, and memory against the data held, both logarithmic, one line per series; broken lines are
/// proportional growth. Reads the table of [`bench::scalings`](crate::bench::scalings).
///
/// # Errors
/// A missing or mistyped column, or no row: see [`Error`].
pub fn scaling(table: &DataFrame) -> Result<Figure, Error> {
    let names = strings(table, "series")?;
    let panels = [
        ("time", "operations per iteration", "time [µs]", "flop_per_iteration", "least_us_per_iteration", 1.0, 1.0),
        ("memory", "x, parameters, couplings [MB]", "peak [MB]", "data_bytes", "peak_memory_bytes", 1e-6, 1e-6),
    ];
    let mut series: Vec<&str> = names.iter().map(String::as_str).collect();
    series.dedup();
    if series.is_empty() {
        return Err(Error::NoRuns("any series"));
    }
    let (top, bottom) = (120, 56);
    let layout = style::layout(style::PAGE, 520, style::margin(86, 12, top, bottom), legend());
    let axes = LayoutTemplate::new().x_axis(style::log_axis().dtick(1.0)).y_axis(style::log_axis().dtick(1.0));
    let grid = LayoutGrid::new().rows(1).columns(2).pattern(GridPattern::Independent).x_gap(0.2);
    let layout: Layout = layout.grid(grid).template(Template::new().layout(axes));
    let mut plot = Plot::new();
    let mut annotations = Vec::new();
    for (panel, (title, x_title, y_title, x, y, x_unit, y_unit)) in (1..).zip(panels) {
        let (x, y) = (floats(table, x)?, floats(table, y)?);
        let scaled = |index: usize| (x[index] * x_unit, y[index] * y_unit);
        for (name, color) in series.iter().zip(COLORS.iter().cycle()) {
            let of = (0..names.len()).filter(|&index| names[index] == *name);
            let points: Vec<(f64, f64)> = of.map(scaled).filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
            let (xs, ys): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
            let line = Scatter::new(xs, ys)
                .mode(Mode::LinesMarkers)
                .name(*name)
                .legend_group(*name)
                .show_legend(panel == 1)
                .line(Line::new().color(*color).width(2.0))
                .marker(Marker::new().color(*color).size(7))
                .x_axis(style::axis_id('x', panel))
                .y_axis(style::axis_id('y', panel));
            plot.add_trace(line);
        }
        let all = (0..names.len()).map(scaled).filter(|(x, y)| x.is_finite() && y.is_finite());
        if let Some((low, high, ratio)) = proportional(all) {
            let guide = Scatter::new(vec![low, high], vec![low * ratio, high * ratio])
                .mode(Mode::Lines)
                .name("proportional")
                .show_legend(panel == 1)
                .legend_group("proportional")
                .line(Line::new().color("#888888").width(1.2).dash(DashType::Dash))
                .x_axis(style::axis_id('x', panel))
                .y_axis(style::axis_id('y', panel));
            plot.add_trace(guide);
        }
        annotations.push(style::panel_title(panel, &format!("<b>{title}</b>")));
        annotations.extend(style::axis_titles(panel, x_title, y_title, 0.0));
    }
    plot.set_layout(layout.annotations(annotations));
    plot.set_configuration(style::configuration());
    Ok(plot.into())
}

fn legend() -> Legend {
    style::legend(1.09).font(style::font(style::TEXT - 2))
}

/// The smallest and the largest x, and the least y/x: a line of proportional growth below all points.
fn proportional(points: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64, f64)> {
    points.fold(None, |found, (x, y)| {
        let (low, high, ratio) = found.unwrap_or((x, x, y / x));
        Some((x.min(low), x.max(high), ratio.min(y / x)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;
    use serde_json::to_value;

    #[test]
    fn every_shape_and_dtype_has_its_panel() {
        let table = df!(
            "function" => ["sphere", "sphere", "spin-glass", "sphere"],
            "shape" => ["shallow", "deep 50x1", "shallow d=200", "shallow"],
            "dtype" => ["f32", "f64", "f64", "f32"],
            "program" => ["JAX", "JAX", "PyTorch eager", "overparam"],
            "ratio" => [4.0, 2.0, 3.0, 1.0],
        );
        let plot = to_value(ratios(&table.unwrap()).unwrap()).unwrap();
        let data = plot["data"].as_array().unwrap();
        let axes: Vec<_> = data.iter().map(|trace| trace["xaxis"].as_str().unwrap()).collect();
        assert_eq!(axes, ["x", "x4", "x3"]);
        assert_eq!(plot["layout"]["yaxis"]["ticktext"], serde_json::json!(["sphere", "spin-glass d=200"]));
        assert_eq!(data[2]["y"], serde_json::json!([-1.0]));
        assert_eq!(data.iter().filter(|trace| trace["showlegend"] == true).count(), 2);
    }

    #[test]
    fn a_series_is_a_line_in_both_panels() {
        let table = df!(
            "series" => ["n", "n", "d"],
            "flop_per_iteration" => [1_000_u64, 10_000, 1_000],
            "least_us_per_iteration" => [1.0, 12.0, 2.0],
            "peak_memory_bytes" => [1_000_000_u64, 2_000_000, 1_000_000],
            "data_bytes" => [100_000_u64, 1_000_000, 100_000],
        );
        let plot = to_value(scaling(&table.unwrap()).unwrap()).unwrap();
        let data = plot["data"].as_array().unwrap();
        assert_eq!(data.len(), 2 * (2 + 1));
        assert_eq!(data[0]["y"], serde_json::json!([1.0, 12.0]));
        assert_eq!(data[2]["y"], serde_json::json!([1.0, 10.0]));
    }
}
