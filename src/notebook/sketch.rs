//! Small line drawings for cards: written as SVG at once, where a figure takes a browser.

use std::fmt::Write;

/// Pixels.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 36.0;

/// Above this ratio of the largest to the smallest value, an axis is logarithmic.
const LOG_ABOVE: f64 = 50.0;

/// Readable on white and on black: a notebook may be either.
const INK: &str = "#888888";

/// A curve, its points sorted by x.
pub(super) struct Curve {
    pub points: Vec<(f64, f64)>,
    pub color: &'static str,
    /// Bold among thin ones.
    pub bold: bool,
}

/// An axis: what it is, its ends, whether it is logarithmic.
struct Axis<'a> {
    title: &'a str,
    low: f64,
    high: f64,
    log: bool,
}

impl<'a> Axis<'a> {
    fn new(title: &'a str, values: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, v| (ends.0.min(v), ends.1.max(v)));
        let log = low > 0.0 && high / low > LOG_ABOVE;
        // A flat curve is drawn in the middle.
        let room = if high > low { 0.0 } else { 0.5 * low.abs().max(1e-12) };
        (low <= high).then_some(Self { title, low: low - room, high: high + room, log })
    }

    /// The position of `value` between the ends: 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let map = |value: f64| if self.log { value.ln() } else { value };
        (map(value) - map(self.low)) / (map(self.high) - map(self.low))
    }

    fn scale(&self) -> &'static str {
        if self.log { " (log)" } else { "" }
    }
}

/// The drawing, or an empty frame if no point is finite.
pub(super) fn draw(curves: &[Curve], x_title: &str, y_title: &str) -> String {
    let finite = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
    let points = || curves.iter().flat_map(|curve| &curve.points).copied().filter(finite);
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"{INK}\">\
         <rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{width}\" height=\"{height}\" fill=\"none\" stroke=\"{INK}\"/>"
    );
    let axes = Axis::new(x_title, points().map(|(x, _)| x)).zip(Axis::new(y_title, points().map(|(_, y)| y)));
    if let Some((x, y)) = axes {
        for curve in curves {
            let (stroke, opacity) = if curve.bold { (2.5, 1.0) } else { (1.0, 0.5) };
            let place = |&(px, py): &(f64, f64)| {
                format!("{:.1},{:.1}", LEFT + width * x.place(px), TOP + height * (1.0 - y.place(py)))
            };
            let line: Vec<String> = curve.points.iter().filter(|point| finite(point)).map(place).collect();
            let _ = write!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{stroke}\" opacity=\"{opacity}\" \
                 stroke-linejoin=\"round\"/>",
                line.join(" "),
                curve.color
            );
        }
        let mut text = |x: f64, y: f64, anchor: &str, text: &str| {
            let _ = write!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>");
        };
        let (right, bottom) = (LEFT + width, TOP + height);
        text(LEFT, bottom + 13.0, "start", &short(x.low));
        text(right, bottom + 13.0, "end", &short(x.high));
        text(LEFT + 0.5 * width, bottom + 28.0, "middle", &format!("{}{}", x.title, x.scale()));
        text(LEFT - 5.0, TOP + 10.0, "end", &short(y.high));
        text(LEFT - 5.0, bottom, "end", &short(y.low));
        let middle = TOP + 0.5 * height;
        let title = format!("{}{}", y.title, y.scale());
        let _ =
            write!(svg, "<text transform=\"translate(14 {middle}) rotate(-90)\" text-anchor=\"middle\">{title}</text>");
    }
    svg.push_str("</svg>");
    svg
}

/// Three significant digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-2..1e5).contains(&size) {
        return format!("{value:.1e}");
    }
    let decimals = if size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).max(0) as usize };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(f64, f64)]) -> Curve {
        Curve { points: points.to_vec(), color: "red", bold: true }
    }

    #[test]
    fn corners_are_where_the_axes_end() {
        let svg = draw(&[curve(&[(1.0, 0.0), (1000.0, 4.0)])], "iteration", "best");
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        assert!(svg.contains(&format!("points=\"{LEFT:.1},{bottom:.1} {right:.1},{TOP:.1}\"")), "{svg}");
        assert!(svg.contains("iteration (log)") && svg.contains(">best<"), "{svg}");
    }

    #[test]
    fn nothing_finite_is_an_empty_frame_and_one_point_is_in_the_middle() {
        let svg = draw(&[curve(&[(f64::NAN, 1.0)])], "x", "y");
        assert!(svg.contains("<rect") && !svg.contains("<polyline") && !svg.contains("NaN"), "{svg}");
        let svg = draw(&[curve(&[(0.0, 0.0)])], "x", "y");
        assert!(svg.contains("<polyline") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
