//! Figure 1: what over-parametrization does to the simplest loss surface.

use plotly::{
    Contour, Plot, Scatter,
    color::NamedColor,
    common::{ColorBar, ColorScale, ColorScaleElement, HoverInfo, Line, Mode, Title},
    contour::{Coloring, Contours},
    layout::{Annotation, Axis},
};

use super::Figure;
use super::style::{self, axis, axis_id};

/// Samples an axis of the loss surface: fine enough for smooth contours in print.
const SAMPLES: usize = 81;
/// Length of an arrow where the gradient is one, in units of the axes.
const REACH: f64 = 0.28;
/// The distance from zero at which arrows start, on either side.
const STARTS: [f64; 2] = [0.4, 0.8];
const PARABOLA: &str = "#9aa3ae";
const ARROW: &str = "#1f4e9c";
const SOLUTION: &str = style::ORANGE;

/// Draws the paper's motivational example: f(x) = x² on [-1, 1], and beside it the loss (w_1 w_2)² of the same problem
/// with x = w_1 w_2, on [-1, 1]².
///
/// The minimum, a point on the left, is the pair of lines w_1 = 0 and w_2 = 0 on the right. Arrows point where steepest
/// descent goes; they grow with the gradient, as its cube root so that the
/// short ones show.
pub fn figure1() -> Figure {
    let (top, panel, bottom) = (68, 210, 50);
    let legend = style::legend(1.0 + 30.0 / panel as f64);
    let layout = style::layout(style::COLUMN, top + panel + bottom, style::margin(76, 62, top, bottom), legend)
        .x_axis(side([0.0, 0.4]).anchor("y"))
        .y_axis(axis().range(vec![-0.05, 1.1]).dtick(0.5))
        .x_axis2(side([0.6, 1.0]).anchor("y2"))
        .y_axis2(side([0.0, 1.0]).anchor("x2"));
    let mut annotations = vec![
        style::panel_title(1, "<b>f(x) = x²</b>"),
        style::panel_title(2, "<b>f(w<sub>1</sub>w<sub>2</sub>) = (w<sub>1</sub>w<sub>2</sub>)²</b>"),
    ];
    annotations.extend(style::axis_titles(1, "x", "loss", 0.0));
    annotations.extend(style::axis_titles(2, "w<sub>1</sub>", "w<sub>2</sub>", 0.0));
    annotations.extend(parabola_arrows());
    annotations.extend(surface_arrows());

    let mut plot = Plot::new();
    plot.add_trace(surface());
    let grid = linspace();
    let squares = grid.iter().map(|x| x * x).collect();
    plot.add_trace(line(grid, squares, 1, PARABOLA, 3.0).show_legend(false));
    let minimum = Scatter::new(vec![0.0], vec![0.0]).mode(Mode::Markers).show_legend(false);
    plot.add_trace(minimum.marker(plotly::common::Marker::new().color(SOLUTION).size(10)));
    // One line with a gap, so that the legend has one entry; the arrows, being annotations, need an empty line for
    // theirs.
    let (x, y) = (vec![0.0, 0.0, f64::NAN, -1.0, 1.0], vec![-1.0, 1.0, f64::NAN, 0.0, 0.0]);
    plot.add_trace(line(x, y, 2, SOLUTION, 4.0).name("solutions"));
    plot.add_trace(line(vec![f64::NAN], vec![f64::NAN], 2, ARROW, 2.0).name("steepest descent"));
    plot.set_layout(layout.annotations(annotations));
    plot.set_configuration(style::configuration());
    plot.into()
}

fn linspace() -> Vec<f64> {
    (0..SAMPLES).map(|i| 2.0 * i as f64 / (SAMPLES - 1) as f64 - 1.0).collect()
}

fn side(domain: [f64; 2]) -> Axis {
    axis().domain(&domain).range(vec![-1.0, 1.0]).dtick(0.5)
}

fn line(x: Vec<f64>, y: Vec<f64>, panel: usize, color: &'static str, width: f64) -> Box<Scatter<f64, f64>> {
    Scatter::new(x, y)
        .mode(Mode::Lines)
        .line(Line::new().color(color).width(width))
        .hover_info(HoverInfo::Skip)
        .x_axis(axis_id('x', panel))
        .y_axis(axis_id('y', panel))
}

fn surface() -> Box<Contour<Vec<f64>>> {
    let grid = linspace();
    let loss = grid.iter().map(|w2| grid.iter().map(|w1| (w1 * w2).powi(2)).collect()).collect();
    let shades = [(0.0, "#ffffff"), (0.25, "#d5dbe3"), (1.0, "#8793a5")];
    let bar = ColorBar::new()
        .title(Title::with_text("loss"))
        .thickness(10)
        .outline_width(0)
        .tick_font(style::font(style::TEXT - 2))
        .dtick(0.5)
        .x(1.01);
    Contour::new(grid.clone(), grid, loss)
        .x_axis("x2")
        .y_axis("y2")
        .color_scale(ColorScale::Vector(shades.map(|(at, color)| ColorScaleElement(at, color.to_owned())).into()))
        .contours(Contours::new().start(0.05).end(0.95).size(0.1).coloring(Coloring::HeatMap))
        .line(Line::new().color(NamedColor::White).width(0.7))
        .color_bar(bar)
        .hover_info(HoverInfo::Z)
}

/// Along the parabola, every arrow from a point of it to the next.
fn parabola_arrows() -> Vec<Annotation> {
    let step = |x: f64| x - REACH * (2.0 * x).cbrt();
    let starts = STARTS.into_iter().flat_map(|x| [-x, x]);
    starts.map(|x| arrow(1, (x, x * x), (step(x), step(x).powi(2)))).collect()
}

fn surface_arrows() -> Vec<Annotation> {
    let starts = || STARTS.into_iter().flat_map(|w| [-w, w]);
    let step = |w1: f64, w2: f64| {
        let (g1, g2) = (2.0 * w1 * w2 * w2, 2.0 * w1 * w1 * w2);
        let scale = REACH * g1.hypot(g2).powf(-2.0 / 3.0);
        arrow(2, (w1, w2), (w1 - scale * g1, w2 - scale * g2))
    };
    starts().flat_map(|w1| starts().map(move |w2| step(w1, w2))).collect()
}

fn arrow(panel: usize, from: (f64, f64), to: (f64, f64)) -> Annotation {
    let (x, y) = (axis_id('x', panel), axis_id('y', panel));
    Annotation::new()
        .text("")
        .show_arrow(true)
        .arrow_color(ARROW)
        .arrow_head(2)
        .arrow_size(0.9)
        .arrow_width(1.6)
        .x_ref(&x)
        .ax_ref(&x)
        .y_ref(&y)
        .ay_ref(&y)
        .ax(from.0)
        .ay(from.1)
        .x(to.0)
        .y(to.1)
}

#[cfg(test)]
mod tests {
    use serde_json::to_value;

    use super::*;

    #[test]
    fn descent_never_climbs_and_the_solution_set_is_named() {
        let plot = to_value(figure1()).unwrap();
        let number = |a: &serde_json::Value, key: &str| a[key].as_f64().unwrap();
        let arrows: Vec<_> =
            plot["layout"]["annotations"].as_array().unwrap().iter().filter(|a| a["showarrow"] == true).collect();
        assert_eq!(arrows.len(), 4 + 16);
        let right: Vec<_> = arrows.iter().filter(|a| a["xref"] == "x2").collect();
        assert_eq!(right.len(), 16);
        for a in right {
            let (from, to) = (number(a, "ax") * number(a, "ay"), number(a, "x") * number(a, "y"));
            assert!(to.abs() < from.abs() && to * from >= 0.0, "{a}");
        }
        let names: Vec<_> = plot["data"].as_array().unwrap().iter().filter_map(|t| t["name"].as_str()).collect();
        assert_eq!(names, ["solutions", "steepest descent"]);
    }
}
