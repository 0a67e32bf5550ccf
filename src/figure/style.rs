//! The look of every figure: colors, fonts, axes, sizes.

use plotly::{
    Configuration, Layout,
    common::{Anchor, ExponentFormat, Font, Orientation},
    layout::{Annotation, Axis, AxisType, Legend, Margin, TicksDirection},
};

use super::run::Optimizer;

/// Pixels a printed millimeter.
const PX_PER_MM: usize = 6;
/// Width of a journal column, in pixels.
pub(super) const COLUMN: usize = 85 * PX_PER_MM;
/// Width of a journal page, in pixels.
pub const PAGE: usize = 180 * PX_PER_MM;
/// Text, in pixels: 7 points in print.
pub const TEXT: usize = 15;

const FONT: &str = "Helvetica, Arial, Liberation Sans, sans-serif";
const INK: &str = "#222222";
const FRAME: &str = "#555555";
const GRID: &str = "#e6e6e6";
pub(super) const GREEN: &str = "#2ca02c";
pub(super) const ORANGE: &str = "#e8710a";

/// The paper's colors: shallow green, deep orange.
pub(super) fn color(optimizer: Optimizer) -> &'static str {
    match optimizer {
        Optimizer::Shallow => GREEN,
        Optimizer::Deep => ORANGE,
    }
}

/// The font of all text, in the size given in pixels.
pub fn font(size: usize) -> Font {
    Font::new().family(FONT).size(size).color(INK)
}

/// A framed axis with ticks outside and a light grid.
pub fn axis() -> Axis {
    Axis::new()
        .show_line(true)
        .mirror(true)
        .line_color(FRAME)
        .line_width(1)
        .ticks(TicksDirection::Outside)
        .tick_color(FRAME)
        .tick_length(4)
        .tick_font(font(TEXT - 2))
        .show_grid(true)
        .grid_color(GRID)
        .zero_line(false)
        .exponent_format(ExponentFormat::Power)
}

/// The same, logarithmic. plotly enlarges the powers of ten by a quarter; this brings them back.
pub fn log_axis() -> Axis {
    axis().type_(AxisType::Log).tick_font(font((TEXT - 2) * 4 / 5))
}

/// White paper of the given size in pixels, with a legend in one line at the top.
pub fn layout(width: usize, height: usize, margin: Margin, legend: Legend) -> Layout {
    Layout::new()
        .width(width)
        .height(height)
        .auto_size(false)
        .margin(margin)
        .font(font(TEXT))
        .paper_background_color("white")
        .plot_background_color("white")
        .show_legend(true)
        .legend(legend)
}

/// A centered line of entries, whose lower edge is at `y` in heights of the plotting area.
pub fn legend(y: f64) -> Legend {
    Legend::new()
        .orientation(Orientation::Horizontal)
        .font(font(TEXT))
        .x(0.5)
        .x_anchor(Anchor::Center)
        .y(y)
        .y_anchor(Anchor::Bottom)
}

/// Margins in pixels.
pub fn margin(left: usize, right: usize, top: usize, bottom: usize) -> Margin {
    Margin::new().left(left).right(right).top(top).bottom(bottom)
}

/// A name centered above panel `n` (from 1).
pub fn panel_title(n: usize, text: &str) -> Annotation {
    panel_label(n, text).x(0.5).y(1.0).y_anchor(Anchor::Bottom).y_shift(3.0)
}

/// The titles of the axes of panel `n`, that of y outside labels of `letters`. Annotations: plotly's own take more room.
pub fn axis_titles(n: usize, x: &str, y: &str, letters: f64) -> [Annotation; 2] {
    let at = |text, x, y| panel_label(n, text).x(x).y(y);
    // A tick, a letter's width in the widest of the fonts, and the height of the title. The margin ends at the last of them.
    let shift = (8.0 + 8.5 * letters + 24.0).clamp(66.0, 86.0);
    [at(x, 0.5, 0.0).y_anchor(Anchor::Top).y_shift(-24.0), at(y, 0.0, 0.5).x_shift(-shift).text_angle(-90.0)]
}

/// Text without an arrow, placed in fractions of panel `n`.
pub(super) fn panel_label(n: usize, text: &str) -> Annotation {
    Annotation::new()
        .text(text)
        .font(font(TEXT))
        .show_arrow(false)
        .x_ref(format!("{} domain", axis_id('x', n)))
        .y_ref(format!("{} domain", axis_id('y', n)))
}

/// Plotly's name of the n-th axis of a letter: `x`, `x2`, `x3`, …
pub fn axis_id(letter: char, n: usize) -> String {
    if n == 1 { letter.to_string() } else { format!("{letter}{n}") }
}

/// No logo, no resizing: the sizes are those of the print.
pub fn configuration() -> Configuration {
    Configuration::new().display_logo(false).responsive(false)
}
