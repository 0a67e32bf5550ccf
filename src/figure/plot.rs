//! A figure, ready to be shown or written.

use plotly::{Plot, layout::Axis};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Width and height in pixels of a layout that says nothing about them: plotly's own.
const SIZE: (f64, f64) = (700.0, 450.0);

/// plotly.js as a `script` element.
///
/// plotly offers MathJax besides, 2 MB that no figure here uses and that would load its parts from a CDN if one did. Of its
/// scripts only the first is kept, which is plotly.js.
pub(super) static PLOTLY: LazyLock<String> = LazyLock::new(|| {
    let scripts = Plot::offline_js_sources();
    scripts.split_inclusive("</script>").next().unwrap_or_default().to_owned()
});

/// A figure as plotly.js takes it: an object with `data`, `layout` and `config`.
///
/// Every [`Plot`] makes one. The figures of this crate are of this type, for `Plot` has no more than eight axes of a kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Figure(Value);

impl From<&Plot> for Figure {
    fn from(plot: &Plot) -> Self {
        Self(json!(plot))
    }
}

impl From<Plot> for Figure {
    fn from(plot: Plot) -> Self {
        Self::from(&plot)
    }
}

impl From<&Figure> for Figure {
    fn from(figure: &Figure) -> Self {
        figure.clone()
    }
}

impl Figure {
    /// The figure as JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Width and height of the layout, in pixels.
    pub fn size(&self) -> (f64, f64) {
        let side = |name: &str, default| self.0["layout"][name].as_f64().unwrap_or(default);
        (side("width", SIZE.0), side("height", SIZE.1))
    }

    /// Sets one attribute of the layout.
    pub(super) fn set(&mut self, attribute: &str, value: Value) {
        self.0["layout"][attribute] = value;
    }

    /// Sets the axis `x` or `y` of panel `n` (from 1).
    #[doc(hidden)]
    pub fn set_axis(&mut self, letter: char, n: usize, axis: &Axis) {
        let name = if n == 1 { format!("{letter}axis") } else { format!("{letter}axis{n}") };
        self.set(&name, json!(axis));
    }

    /// The figure as an expression inside a script of an HTML page, whatever its texts hold.
    pub(super) fn script(&self) -> String {
        self.0.to_string().replace('<', "\\u003c")
    }
}
