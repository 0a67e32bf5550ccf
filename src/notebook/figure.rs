//! A plotly figure as an output of a cell.

use super::Content;
use super::html::base64;
use crate::figure::{Browser, Figure};
use serde_json::{Value, json};

/// Points: what a notebook beside its list of files has room for on a laptop. A wider figure would be cut.
const WIDEST: f64 = 840.0;

/// Shorter lists stay readable in the notebook's file.
const PACKED_ABOVE: usize = 16;

/// The figure for plotly, and as a PNG where there is a browser.
pub(super) fn content(figure: &Figure) -> Content {
    let mut json = figure.json().clone();
    if let Some(traces) = json.get_mut("data").and_then(Value::as_array_mut) {
        for trace in traces {
            for axis in ["x", "y"] {
                if let Some(values) = trace.get_mut(axis) {
                    pack(values);
                }
            }
        }
    }
    if let Some(layout) = json.get_mut("layout") {
        fit(layout);
    }
    let content = Content::default().with("application/vnd.plotly.v1+json", json.to_string());
    // A pixel to a pixel: it is for a screen.
    let images =
        Browser::find().and_then(|browser| browser.draw(&[figure], 1)?.into_iter().collect::<Result<Vec<_>, _>>());
    match images.map(|images| images.iter().map(|images| base64(&images.png)).collect::<String>()) {
        Ok(png) => content.with("image/png", png).with("text/plain", "a figure"),
        Err(reason) => content.with("text/plain", format!("a figure, interactive only; {reason}")),
    }
}

/// Makes a layout that is wider than a notebook smaller, with its texts and margins.
fn fit(layout: &mut Value) {
    if let Some(width) = layout.get("width").and_then(Value::as_f64).filter(|width| *width > WIDEST) {
        scale(layout, WIDEST / width);
    }
}

fn scale(value: &mut Value, factor: f64) {
    match value {
        Value::Array(parts) => parts.iter_mut().for_each(|part| scale(part, factor)),
        Value::Object(parts) => {
            for (name, part) in parts.iter_mut() {
                match (name.as_str(), part.as_f64()) {
                    // Of the figure, of a font, of the margins, and between a text and its place.
                    ("width" | "height" | "size" | "l" | "r" | "t" | "b" | "xshift" | "yshift", Some(number)) => {
                        *part = json!((10.0 * number * factor).round() / 10.0);
                    }
                    _ => scale(part, factor),
                }
            }
        }
        _ => {}
    }
}

/// Replaces a long list of numbers by plotly's binary form in single precision, seven digits: a notebook's file has every
/// number of a list on a line of its own, which is several times as large.
fn pack(values: &mut Value) {
    let Some(list) = values.as_array().filter(|list| list.len() > PACKED_ABOVE) else { return };
    let mut bytes = Vec::with_capacity(4 * list.len());
    for value in list {
        let Some(number) = value.as_f64() else { return };
        let single = number as f32;
        // What single precision cannot hold stays as it is.
        if !single.is_finite() || (number != 0.0 && !single.is_normal()) {
            return;
        }
        bytes.extend_from_slice(&single.to_le_bytes());
    }
    *values = json!({ "dtype": "f4", "bdata": base64(&bytes) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_numbers_are_packed() {
        let mut values = json!((0..20).map(f64::from).collect::<Vec<_>>());
        pack(&mut values);
        assert_eq!(values["dtype"], "f4");
        // 80 bytes in base64.
        assert_eq!(values["bdata"].as_str().unwrap().len(), 108);
        assert!(values["bdata"].as_str().unwrap().starts_with("AAAAAAAAgD8AAABA"));
    }

    #[test]
    fn what_is_wider_than_a_notebook_shrinks_with_its_texts() {
        let mut wide = json!({ "width": 1680, "margin": { "l": 60 }, "xaxis": { "title": { "font": { "size": 14 } }, "dtick": 2 } });
        fit(&mut wide);
        let half = json!({ "width": 840.0, "margin": { "l": 30.0 }, "xaxis": { "title": { "font": { "size": 7.0 } }, "dtick": 2 } });
        assert_eq!(wide, half);
        let narrow = json!({ "width": 500, "font": { "size": 15 } });
        let mut kept = narrow.clone();
        fit(&mut kept);
        assert_eq!(kept, narrow);
    }

    #[test]
    fn what_single_precision_cannot_hold_stays() {
        let texts = json!(vec!["a"; 20]);
        let tiny = json!(vec![1e-300; 20]);
        let short = json!([1.0, 2.0]);
        for values in [texts, tiny, short] {
            let mut packed = values.clone();
            pack(&mut packed);
            assert_eq!(packed, values);
        }
    }
}
