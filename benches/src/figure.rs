//! The cost of an iteration: beside other programs, and at growing shapes.

use crate::case::{Case, Program};
use crate::comparison::Measurement;
use crate::scaling::Point;
use overparam::figure::Figure;
use overparam::internals::style;
use overparam::plotly::common::{DashType, Line, Marker, MarkerSymbol, Mode};
use overparam::plotly::layout::{
    Annotation, GridPattern, LayoutGrid, LayoutTemplate, Legend, Shape, ShapeLine, ShapeType, Template,
};
use overparam::plotly::{Layout, Plot, Scatter};
use overparam::prelude::{Dtype, Rule};

/// The columns and the rows of panels of [`ratios`].
const SHAPES: [&str; 3] = ["shallow", "deep 10x1", "deep 50x1"];
const DTYPES: [Dtype; 2] = [Dtype::F32, Dtype::F64];

/// The programs that [`ratios`] shows, with their color and symbol.
const PROGRAMS: [(Program, &str, MarkerSymbol); 4] = [
    (Program::Jax, "#1f77b4", MarkerSymbol::Circle),
    (Program::TorchCompiled, "#9467bd", MarkerSymbol::Diamond),
    (Program::Torch, "#d62728", MarkerSymbol::Square),
    (Program::TorchNaive, "#8c564b", MarkerSymbol::Cross),
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
    program: Program,
    ratio: f64,
}

/// Draws how many times longer other programs take for gradient descent (log), one row per function, one panel per shape and dtype.
pub fn ratios(measurements: &[Measurement]) -> Figure {
    let rows = ratio_rows(measurements);
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
    for (program, color, symbol) in PROGRAMS {
        let mut shown = false;
        for panel in 1..=panels {
            let of = rows.iter().filter(|row| panel_of(row) == panel && row.program == program);
            let (x, y): (Vec<f64>, Vec<f64>) = of.map(|row| (row.ratio, place(&row.label))).unzip();
            if x.is_empty() {
                continue;
            }
            let dots = Scatter::new(x, y)
                .mode(Mode::Markers)
                .name(program.name())
                .legend_group(program.name())
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
    let (low, high) =
        rows.iter().fold((1.0, 1.0), |(low, high): (f64, f64), row| (low.min(row.ratio), high.max(row.ratio)));
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
        annotations.push(style::panel_title(panel, &format!("<b>{shape}, {}</b>", dtype.name())));
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
    figure
}

fn ratio_rows(measurements: &[Measurement]) -> Vec<Ratio> {
    let [medians, _] = Measurement::ratios(measurements);
    let row = |(case, program, ratio): (Case, Program, f64)| {
        if case.rule != Rule::GradientDescent {
            return None;
        }
        let words = case.shape();
        let (shape, dimension) = words
            .split_once(" d=")
            .map_or((&words[..], String::new()), |(shape, dimension)| (shape, format!(" d={dimension}")));
        Some(Ratio {
            shape: SHAPES.into_iter().find(|known| *known == shape)?,
            dtype: DTYPES.iter().position(|dtype| *dtype == case.dtype)?,
            label: format!("{}{dimension}", case.function),
            program,
            ratio,
        })
    };
    medians.into_iter().filter_map(row).collect()
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

/// A panel of [`scaling`]: its title, the titles of its axes, and the coordinates of a point if they are known.
type Panel = (&'static str, [&'static str; 2], fn(&Point) -> Option<(f64, f64)>);

/// Draws time against operations, and memory against the data held, both logarithmic, one line per series; broken lines are
/// proportional growth.
pub fn scaling(points: &[Point]) -> Figure {
    let panels: [Panel; 2] = [
        ("time", ["operations per iteration", "time [µs]"], |point| {
            Some((point.flop_per_iteration as f64, point.times.least))
        }),
        ("memory", ["x, parameters, couplings [MB]", "peak [MB]"], |point| {
            Some((point.data_bytes as f64 * 1e-6, point.peak_memory_bytes? as f64 * 1e-6))
        }),
    ];
    let mut series: Vec<&str> = points.iter().map(|point| &point.series[..]).collect();
    series.dedup();
    let (top, bottom) = (120, 56);
    let layout = style::layout(style::PAGE, 520, style::margin(86, 12, top, bottom), legend());
    let axes = LayoutTemplate::new().x_axis(style::log_axis().dtick(1.0)).y_axis(style::log_axis().dtick(1.0));
    let grid = LayoutGrid::new().rows(1).columns(2).pattern(GridPattern::Independent).x_gap(0.2);
    let layout: Layout = layout.grid(grid).template(Template::new().layout(axes));
    let mut plot = Plot::new();
    let mut annotations = Vec::new();
    for (panel, (title, [x_title, y_title], place)) in (1..).zip(panels) {
        for (name, color) in series.iter().zip(COLORS.iter().cycle()) {
            let of = points.iter().filter(|point| point.series == *name);
            let (xs, ys): (Vec<f64>, Vec<f64>) = of.filter_map(place).unzip();
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
        if let Some((low, high, ratio)) = proportional(points.iter().filter_map(place)) {
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
    plot.into()
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
    use crate::statistics::Times;
    use overparam::prelude::{Dimensions, Function, Optimizer};
    use serde_json::json;

    fn measurement(case: Case, program: Program, median: f64) -> Measurement {
        Measurement {
            case,
            program,
            iterations: 1,
            times: Times { median, least: median },
            flop_per_iteration: 1,
            peak_memory_bytes: None,
            version: String::new(),
        }
    }

    #[test]
    fn every_shape_and_dtype_has_its_panel() {
        let small = Case {
            function: Function::Sphere.into(),
            optimizer: Optimizer::Shallow,
            rule: Rule::GradientDescent,
            dimensions: Dimensions::PAPER,
            dtype: Dtype::F32,
        };
        let deep =
            Case { optimizer: Optimizer::Deep, dimensions: Dimensions::DEEP_CONVEXITY, dtype: Dtype::F64, ..small };
        let glass = Case {
            function: Function::SpinGlass.into(),
            dimensions: Dimensions { d: 200, ..Dimensions::PAPER },
            dtype: Dtype::F64,
            ..small
        };
        let measurements = [(small, Program::Jax, 4.0), (deep, Program::Jax, 2.0), (glass, Program::Torch, 3.0)]
            .into_iter()
            .flat_map(|(case, program, time)| {
                [measurement(case, Program::Overparam, 1.0), measurement(case, program, time)]
            })
            .collect::<Vec<_>>();
        let figure = ratios(&measurements);
        let (data, layout) = (figure.json()["data"].as_array().unwrap(), &figure.json()["layout"]);
        let axes: Vec<_> = data.iter().map(|trace| trace["xaxis"].as_str().unwrap()).collect();
        assert_eq!(axes, ["x", "x4", "x3"]);
        assert_eq!(layout["yaxis"]["ticktext"], json!(["sphere", "spin-glass d=200"]));
        assert_eq!((&data[0]["x"], &data[2]["x"], &data[2]["y"]), (&json!([4.0]), &json!([3.0]), &json!([-1.0])));
        assert_eq!(data.iter().filter(|trace| trace["showlegend"] == true).count(), 2);
    }

    #[test]
    fn a_series_is_a_line_in_both_panels() {
        let point = |series: &str, flop: u64, time: f64, peak: u64, data: u64| Point {
            series: series.to_owned(),
            function: Function::Sphere,
            optimizer: Optimizer::Shallow,
            dimensions: Dimensions::PAPER,
            dtype: Dtype::F64,
            flop_per_iteration: flop,
            times: Times { median: time, least: time },
            us_side_by_side: time,
            peak_memory_bytes: Some(peak),
            traffic_bytes: data,
            data_bytes: data,
        };
        let points = [
            point("n", 1_000, 1.0, 1_000_000, 100_000),
            point("n", 10_000, 12.0, 2_000_000, 1_000_000),
            point("d", 1_000, 2.0, 1_000_000, 100_000),
        ];
        let figure = scaling(&points);
        let data = figure.json()["data"].as_array().unwrap();
        assert_eq!(data.len(), 2 * (2 + 1));
        assert_eq!(data[0]["y"], json!([1.0, 12.0]));
        assert_eq!(data[2]["y"], json!([1.0, 10.0]));
    }
}
