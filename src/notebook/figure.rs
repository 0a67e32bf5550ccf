//! A plotly figure as an output of a cell.

use super::Content;
use super::html::base64;
use crate::figure::Browser;
use plotly::Plot;
use serde_json::{Value, json};

/// Shorter lists stay readable in the notebook's file.
const PACKED_ABOVE: usize = 16;

/// The figure for plotly, and as a PNG where there is a browser.
pub(super) fn content(figure: &Plot) -> Content {
    let mut json = serde_json::to_value(figure).unwrap_or_default();
    if let Some(traces) = json.get_mut("data").and_then(Value::as_array_mut) {
        for trace in traces {
            for axis in ["x", "y"] {
                if let Some(values) = trace.get_mut(axis) {
                    pack(values);
                }
            }
        }
    }
    let content = Content::default().with("application/vnd.plotly.v1+json", json.to_string());
    match Browser::start().and_then(|mut browser| browser.preview(figure)) {
        Ok(png) => content.with("image/png", png).with("text/plain", "a figure"),
        Err(reason) => content.with("text/plain", format!("a figure, interactive only; {reason}")),
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
