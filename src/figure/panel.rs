//! Panels in which the seeds of both optimizers race: thin lines, and their medians bold.
//!
//! The titles of the axes are annotations, and the grid gives every axis its place.

use plotly::{
    Layout, Plot, Scatter,
    common::{Anchor, DashType, HoverInfo, Line, LineShape, Marker, MarkerSymbol, Mode},
    layout::{Annotation, GridPattern, LayoutGrid, Shape, ShapeLine, ShapeType},
};

use crate::objective::{GROUND_STATE_ENERGY, THRESHOLD_ENERGY};

use super::{
    Figure,
    run::{Optimizer, Run},
    scale::Scale,
    series::{Between, GRID_POINTS, Series, extent, log_grid, median, without_plateaus},
    style,
};

const GRAY: &str = "#888888";
const SEED_WIDTH: f64 = 1.0;
const MEDIAN_WIDTH: f64 = 3.0;
/// Diameters of the marks where a curve reaches 0, and of a curve that is a point.
const SEED_MARK: usize = 6;
const MEDIAN_MARK: usize = 10;
/// Height of a level's label, as a part of what the values span.
const LABEL: f64 = 0.1;
/// Letters of a title: what a panel of a page has room for.
const TITLE: usize = 28;

/// The curves of one function.
pub(super) struct Panel {
    pub title: String,
    /// The quantity on the y axis; the scale is added to it.
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
        let drawn = |run: &Run| {
            let mut points = series(run);
            // x is logarithmic.
            points.retain(|(x, y)| x.is_finite() && *x > 0.0 && y.is_finite());
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points
        };
        let of = |optimizer| runs.clone().filter(move |r| r.optimizer == optimizer).map(drawn).collect();
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

    /// The median of an optimizer's seeds.
    fn medians(&self) -> Vec<(Optimizer, Series)> {
        let median = |seeds: &Vec<Series>| {
            let (left, right) = extent(seeds.iter().flatten().map(|p| p.0))?;
            Some(median(seeds, self.between, &log_grid(left, right, GRID_POINTS)))
        };
        self.seeds.iter().filter_map(|(optimizer, seeds)| Some((*optimizer, median(seeds)?))).collect()
    }

    /// The scale of y. A panel with levels is linear: these are energies, of either sign.
    fn scale(&self, medians: &[(Optimizer, Series)]) -> Scale {
        let levels = self.levels.iter().map(|level| level.y);
        let mut values: Vec<f64> = self.points().map(|p| p.1).chain(levels.clone()).collect();
        if let (Some((lowest, _)), Some((low, high))) = (extent(levels), extent(values.iter().copied())) {
            // Room for the label below the line.
            values.push(lowest - LABEL * (high - low));
        }
        let medians: Vec<f64> = medians.iter().flat_map(|(_, series)| series).map(|p| p.1).collect();
        Scale::new(&values, &medians)
    }
}

/// Draws `panels` in rows of `columns`.
pub(super) fn draw(panels: &[Panel], columns: usize, x_title: &str, layout: Layout, gaps: (f64, f64)) -> Figure {
    let columns = columns.min(panels.len());
    let rows = panels.len().div_ceil(columns);
    let grid =
        LayoutGrid::new().rows(rows).columns(columns).pattern(GridPattern::Independent).x_gap(gaps.0).y_gap(gaps.1);
    let layout = layout.grid(grid);

    let medians: Vec<_> = panels.iter().map(Panel::medians).collect();
    let scales: Vec<_> = panels.iter().zip(&medians).map(|(panel, medians)| panel.scale(medians)).collect();
    let mut plot = Plot::new();
    add_legend(&mut plot, panels, scales.iter().any(Scale::marks_zeros));
    let mut annotations = Vec::new();
    let mut shapes = Vec::new();
    for (n, ((panel, medians), scale)) in (1..).zip(panels.iter().zip(&medians).zip(&scales)) {
        annotations.push(style::panel_title(n, &format!("<b>{}</b>", panel.title)));
        annotations.extend(style::axis_titles(
            n,
            x_title,
            &format!("{} {}", panel.quantity, scale.note()),
            scale.label_letters(),
        ));
        for level in &panel.levels {
            shapes.push(level_line(n, level));
            annotations.push(level_label(n, level));
        }
        add_curves(&mut plot, n, panel, medians, scale);
    }
    plot.set_layout(layout.annotations(annotations).shapes(shapes));
    plot.set_configuration(style::configuration());
    let mut figure = Figure::from(plot);
    for (n, (panel, scale)) in (1..).zip(panels.iter().zip(&scales)) {
        let x: Vec<f64> = panel.points().map(|p| p.0).collect();
        figure.set_axis('x', n, &Scale::log(&x).axis());
        figure.set_axis('y', n, &scale.axis());
    }
    figure
}

/// Entries that stand for all panels and seeds: lines without points, since the curves of a color are many.
fn add_legend(plot: &mut Plot, panels: &[Panel], zeros: bool) {
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
    plot.add_trace(entry("one seed", GRAY, SEED_WIDTH));
    if zeros {
        let mark = Scatter::new(vec![f64::NAN], vec![f64::NAN]).mode(Mode::Markers).name("reaches 0");
        plot.add_trace(mark.marker(zero_mark(GRAY, MEDIAN_MARK)));
    }
}

fn zero_mark(color: &'static str, size: usize) -> Marker {
    Marker::new().symbol(MarkerSymbol::TriangleDown).color(color).size(size)
}

/// Seeds first, so that no median is hidden. A click on the optimizer's legend entry toggles them all.
fn add_curves(plot: &mut Plot, n: usize, panel: &Panel, medians: &[(Optimizer, Series)], scale: &Scale) {
    let shape = match panel.between {
        Between::Hold => LineShape::Hv,
        Between::Straight => LineShape::Linear,
    };
    let scatter = |optimizer: Optimizer, points: Vec<(f64, f64)>| {
        let (x, y): (Vec<_>, Vec<_>) =
            points.into_iter().map(|(x, y)| (significant(x), significant(scale.place(y)))).unzip();
        Scatter::new(x, y)
            .name(optimizer.name())
            .show_legend(false)
            .legend_group(optimizer.name())
            .x_axis(style::axis_id('x', n))
            .y_axis(style::axis_id('y', n))
    };
    let mut add = |optimizer: Optimizer, points: &Series, width: f64, mark: usize, opacity: f64, hover: HoverInfo| {
        let color = style::color(optimizer);
        let drawn = if panel.between == Between::Hold { without_plateaus(points) } else { points.clone() };
        // A line needs two points.
        let is_point = drawn.first().map(|p| p.0) == drawn.last().map(|p| p.0);
        let mode = if is_point { Mode::LinesMarkers } else { Mode::Lines };
        let line = Line::new().color(color).width(width).shape(shape.clone());
        let curve = scatter(optimizer, drawn).mode(mode).line(line).opacity(opacity).hover_info(hover);
        plot.add_trace(if is_point { curve.marker(Marker::new().color(color).size(mark)) } else { curve });
        if scale.marks_zeros() {
            let zeros = arrivals_at_zero(points);
            if !zeros.is_empty() {
                let marks = scatter(optimizer, zeros).mode(Mode::Markers).marker(zero_mark(color, mark));
                plot.add_trace(marks.opacity(opacity.max(0.7)).hover_info(HoverInfo::Skip));
            }
        }
    };
    for (optimizer, seeds) in &panel.seeds {
        for seed in seeds {
            add(*optimizer, seed, SEED_WIDTH, SEED_MARK, 0.35, HoverInfo::Skip);
        }
    }
    for (optimizer, median) in medians {
        add(*optimizer, median, MEDIAN_WIDTH, MEDIAN_MARK, 1.0, HoverInfo::All);
    }
}

/// The points at which a curve is 0, or below by a rounding error, and was not before.
fn arrivals_at_zero(series: &Series) -> Series {
    (0..series.len()).filter(|&i| series[i].1 <= 0.0 && (i == 0 || series[i - 1].1 > 0.0)).map(|i| series[i]).collect()
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

/// The usual name of a function.
fn proper_name(function: &str) -> String {
    match function {
        "styblinski-tang" => "Styblinski-Tang".to_owned(),
        "spin-glass" => "3-spin spherical glass".to_owned(),
        name => {
            let mut letters = name.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            let name: String = first.chain(letters).map(|c| if c.is_control() { ' ' } else { c }).collect();
            let short: String = name.chars().take(TITLE - 1).collect();
            let shown = if name.chars().count() > TITLE { format!("{}…", short.trim_end()) } else { name };
            // plotly reads some HTML.
            shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
        }
    }
}
