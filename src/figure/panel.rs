//! Panels in which the seeds of both optimizers race: thin lines, and their medians bold.
//!
//! plotly 0.14 has fields for eight axes of a kind, and the paper's figure has nine panels. The axes therefore take
//! their style from the layout's template, which reaches any number of them; their titles are annotations, and the grid
//! gives every axis its place. Only a logarithmic y axis needs a field, so past the eighth panel y is linear.

use plotly::{
    Layout, Plot, Scatter,
    common::{Anchor, DashType, HoverInfo, Line, LineShape, Mode},
    layout::{Annotation, Axis, GridPattern, LayoutGrid, LayoutTemplate, Shape, ShapeLine, ShapeType, Template},
};

use crate::objective::{GROUND_STATE_ENERGY, THRESHOLD_ENERGY};

use super::{
    run::{Optimizer, Run},
    series::{Between, GRID_POINTS, Series, extent, log_grid, median, without_plateaus},
    style,
};

/// Axes of a kind that plotly's `Layout` has fields for.
const TYPED_AXES: usize = 8;
/// Above this ratio of the largest to the smallest value, an axis is logarithmic.
const LOG_ABOVE: f64 = 100.0;
const SEED_WIDTH: f64 = 1.0;
const MEDIAN_WIDTH: f64 = 3.0;

/// The curves of one function.
pub(super) struct Panel {
    pub title: String,
    /// What y is; the scale is added to it.
    pub quantity: &'static str,
    /// The seeds of an optimizer.
    pub seeds: Vec<(Optimizer, Vec<Series>)>,
    pub between: Between,
    /// Broken horizontal lines, to compare the curves with.
    pub levels: Vec<Level>,
}

/// A value that is known.
pub(super) struct Level {
    pub y: f64,
    pub label: String,
    pub dash: DashType,
    /// The edge of the label that is at the line.
    pub anchor: Anchor,
}

impl Panel {
    /// A panel of `runs`, each made a curve by `series`.
    pub(super) fn new<'a>(
        function: &str,
        quantity: &'static str,
        runs: impl Iterator<Item = &'a Run> + Clone,
        between: Between,
        series: impl Fn(&Run) -> Series,
    ) -> Self {
        let of = |optimizer| runs.clone().filter(move |r| r.optimizer == optimizer).map(&series).collect();
        let seeds = Optimizer::ALL.into_iter().map(|o| (o, of(o))).collect();
        Self { title: proper_name(function), quantity, seeds, between, levels: Vec::new() }
    }

    /// The two energies known for the spin glass, with their values where the panel is wide enough to keep the label
    /// off the curves. The lines are close: one label above, one below.
    pub(super) fn with_known_energies(mut self, values: bool) -> Self {
        let level = |symbol: &str, y: f64, dash, anchor| {
            let value = if values { format!(" = −{:.3}", -y) } else { String::new() };
            Level { y, label: format!("−<i>E</i><sub>{symbol}</sub>{value}"), dash, anchor }
        };
        self.levels = vec![
            level("∞", -THRESHOLD_ENERGY, DashType::Dash, Anchor::Bottom),
            level("0", -GROUND_STATE_ENERGY, DashType::Dot, Anchor::Top),
        ];
        self
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.seeds.iter().flat_map(|(_, seeds)| seeds.iter().flatten().copied())
    }

    /// The decades a logarithmic y axis spans, if it should be one.
    fn log_decades(&self) -> Option<f64> {
        let (low, high) = extent(self.points().map(|p| p.1))?;
        (low > 0.0 && high / low > LOG_ABOVE).then(|| (high / low).log10())
    }
}

/// Draws `panels` in rows of `columns`.
pub(super) fn draw(panels: &[Panel], columns: usize, x_title: &str, layout: Layout, gaps: (f64, f64)) -> Plot {
    let columns = columns.min(panels.len());
    let rows = panels.len().div_ceil(columns);
    let grid =
        LayoutGrid::new().rows(rows).columns(columns).pattern(GridPattern::Independent).x_gap(gaps.0).y_gap(gaps.1);
    let axes = LayoutTemplate::new().x_axis(x_axis(panels)).y_axis(style::axis());
    let mut layout = layout.grid(grid).template(Template::new().layout(axes));

    let mut plot = Plot::new();
    add_legend(&mut plot, panels);
    let mut annotations = Vec::new();
    let mut shapes = Vec::new();
    for (n, panel) in (1..).zip(panels) {
        let decades = panel.log_decades().filter(|_| n <= TYPED_AXES);
        if let Some(decades) = decades {
            layout = with_y_axis(layout, n, style::log_axis().dtick((decades / 5.0).ceil()));
        }
        let scale = if decades.is_some() { "log" } else { "linear" };
        annotations.push(style::panel_title(n, &format!("<b>{}</b>", panel.title)));
        annotations.extend(style::axis_titles(n, x_title, &format!("{} ({scale})", panel.quantity)));
        for level in &panel.levels {
            shapes.push(level_line(n, level));
            annotations.push(level_label(n, level));
        }
        add_curves(&mut plot, n, panel);
    }
    plot.set_layout(layout.annotations(annotations).shapes(shapes));
    plot.set_configuration(style::configuration());
    plot
}

/// Entries that stand for all panels and seeds: lines without points, since the curves of a color are many.
fn add_legend(plot: &mut Plot, panels: &[Panel]) {
    let entry = |name: &str, color: &'static str, width| {
        let line = Line::new().color(color).width(width);
        Scatter::new(vec![f64::NAN], vec![f64::NAN]).mode(Mode::Lines).name(name).line(line)
    };
    for optimizer in Optimizer::ALL {
        let present = |p: &Panel| p.seeds.iter().any(|(o, seeds)| *o == optimizer && !seeds.is_empty());
        if panels.iter().any(present) {
            let name = format!("{} (median)", optimizer.name());
            plot.add_trace(entry(&name, style::color(optimizer), MEDIAN_WIDTH).legend_group(optimizer.name()));
        }
    }
    plot.add_trace(entry("one seed", "#888888", SEED_WIDTH));
}

/// Seeds first, so that no median is hidden. A click on the optimizer's legend entry toggles them all.
fn add_curves(plot: &mut Plot, n: usize, panel: &Panel) {
    let shape = match panel.between {
        Between::Hold => LineShape::Hv,
        Between::Straight => LineShape::Linear,
    };
    let line = |optimizer, width| Line::new().color(style::color(optimizer)).width(width).shape(shape.clone());
    let curve = |optimizer: Optimizer, points: &Series| {
        let points = if panel.between == Between::Hold { without_plateaus(points) } else { points.clone() };
        let (x, y): (Vec<_>, Vec<_>) = points.into_iter().map(|(x, y)| (significant(x), significant(y))).unzip();
        Scatter::new(x, y)
            .mode(Mode::Lines)
            .name(optimizer.name())
            .show_legend(false)
            .legend_group(optimizer.name())
            .x_axis(style::axis_id('x', n))
            .y_axis(style::axis_id('y', n))
    };
    for (optimizer, seeds) in &panel.seeds {
        for seed in seeds {
            let thin = curve(*optimizer, seed).line(line(*optimizer, SEED_WIDTH)).opacity(0.35);
            plot.add_trace(thin.hover_info(HoverInfo::Skip));
        }
    }
    for (optimizer, seeds) in &panel.seeds {
        let Some((_, right)) = extent(seeds.iter().flatten().map(|p| p.0)) else { continue };
        // A median of the seeds that happened to start first would jump as the others come in.
        let left = seeds.iter().filter_map(|series| series.first()).fold(0.0, |left: f64, p| left.max(p.0));
        let middle = median(seeds, panel.between, &log_grid(left, right, GRID_POINTS));
        plot.add_trace(curve(*optimizer, &middle).line(line(*optimizer, MEDIAN_WIDTH)));
    }
}

/// The logarithmic x axis shared by all panels; only whole powers of ten where every panel has some.
fn x_axis(panels: &[Panel]) -> Axis {
    let decades = |p: &Panel| extent(p.points().map(|p| p.0)).map_or(f64::INFINITY, |(l, r)| (r / l).log10());
    let shortest = panels.iter().map(decades).fold(f64::INFINITY, f64::min);
    let axis = style::log_axis();
    if shortest >= 1.0 { axis.dtick(1.0) } else { axis }
}

pub(super) fn with_y_axis(layout: Layout, n: usize, axis: Axis) -> Layout {
    match n {
        1 => layout.y_axis(axis),
        2 => layout.y_axis2(axis),
        3 => layout.y_axis3(axis),
        4 => layout.y_axis4(axis),
        5 => layout.y_axis5(axis),
        6 => layout.y_axis6(axis),
        7 => layout.y_axis7(axis),
        8 => layout.y_axis8(axis),
        _ => layout,
    }
}

fn level_line(n: usize, level: &Level) -> Shape {
    Shape::new()
        .shape_type(ShapeType::Line)
        .x_ref(format!("{} domain", style::axis_id('x', n)))
        .y_ref(style::axis_id('y', n))
        .x0(0.0)
        .x1(1.0)
        .y0(level.y)
        .y1(level.y)
        .line(ShapeLine::new().color("#222222").width(1.2).dash(level.dash.clone()))
}

fn level_label(n: usize, level: &Level) -> Annotation {
    style::panel_label(n, &level.label)
        .font(style::font(style::TEXT - 2))
        .y_ref(style::axis_id('y', n))
        .x(0.02)
        .x_anchor(Anchor::Left)
        .y(level.y)
        .y_anchor(level.anchor.clone())
}

/// Six significant digits: finer than any line, and half the bytes.
fn significant(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// What the field calls a function.
fn proper_name(function: &str) -> String {
    match function {
        "styblinski-tang" => "Styblinski-Tang".to_owned(),
        "spin-glass" => "3-spin spherical glass".to_owned(),
        name => {
            let mut letters = name.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    }
}
