//! The y axis of a panel: linear or logarithmic, its range and its ticks.

use plotly::layout::{Axis, AxisType};

use super::{series::extent, style};

/// Above this ratio of the largest to the smallest value of the medians, an axis is logarithmic.
const LOG_ABOVE: f64 = 10.0;

/// A negative value this small beside the largest one is a rounding error, in single precision at the worst, and stands for 0.
const ROUNDING: f64 = 1e-6;

/// How many labeled powers of ten an axis has at most.
const MOST_POWERS: f64 = 5.0;

/// Between the data and the edges of a logarithmic axis, as a part of what the data span.
const PAD: f64 = 0.05;

/// Between the smallest positive value and the edge at which zeros are drawn, in the same measure.
const ZERO_PAD: f64 = 0.2;

/// Where the values of a panel are drawn.
pub(super) enum Scale {
    Linear {
        /// The only value there is, if all are equal: plotly alone would go a unit up and down from it.
        constant: Option<f64>,
    },
    Log {
        /// log10 of the lower and the upper edge.
        edges: (f64, f64),
        /// Whether there are zeros, which are drawn at the lower edge.
        zeros: bool,
    },
}

impl Scale {
    /// The scale for `values`, those of the medians among them: logarithmic where the medians span more than a decade or reach
    /// 0, and nothing is negative.
    pub(super) fn new(values: &[f64], medians: &[f64]) -> Self {
        let positive = |values: &[f64]| extent(values.iter().copied().filter(|v| *v > 0.0));
        let reaches_zero = |values: &[f64]| values.iter().any(|v| *v <= 0.0);
        let wide = positive(medians).is_some_and(|(low, high)| high / low > LOG_ABOVE || reaches_zero(medians));
        match positive(values) {
            Some((low, high)) if wide && values.iter().all(|v| *v >= -ROUNDING * high) => {
                let (low, high, zeros) = (low.log10(), high.log10(), reaches_zero(values));
                let span = (high - low).max(1.0);
                let below = if zeros { ZERO_PAD } else { PAD };
                Self::Log { edges: (low - below * span, high + PAD * span), zeros }
            }
            _ => {
                let constant = extent(values.iter().copied()).filter(|(low, high)| low == high).map(|(low, _)| low);
                Self::Linear { constant }
            }
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "linear",
            Self::Log { .. } => "log",
        }
    }

    /// Whether zeros are drawn at the lower edge.
    pub(super) fn marks_zeros(&self) -> bool {
        matches!(self, Self::Log { zeros: true, .. })
    }

    /// The value at which `y` is drawn.
    pub(super) fn place(&self, y: f64) -> f64 {
        match self {
            Self::Log { edges, .. } if y <= 0.0 => 10_f64.powf(edges.0),
            _ => y,
        }
    }

    pub(super) fn axis(&self) -> Axis {
        match self {
            Self::Linear { constant } => match constant {
                Some(value) => {
                    let around = if *value == 0.0 { 1.0 } else { 0.5 * value.abs() };
                    style::axis().n_ticks(6).range(vec![value - around, value + around])
                }
                None => style::axis().n_ticks(6),
            },
            Self::Log { edges, zeros } => {
                let mut ticks = ticks(*edges);
                if *zeros {
                    // A label close above the 0 would touch it.
                    let lowest = edges.0 + 0.1 * (edges.1 - edges.0);
                    ticks.retain(|(value, _)| value.log10() > lowest);
                    ticks.insert(0, (self.place(0.0), "0".to_owned()));
                }
                let (values, texts): (Vec<f64>, Vec<String>) = ticks.into_iter().unzip();
                let axis = style::axis().type_(AxisType::Log).range(vec![edges.0, edges.1]);
                axis.tick_values(values).tick_text(texts)
            }
        }
    }
}

/// The labeled values of a logarithmic axis: powers of ten, or 1, 2 and 5 times these where there is no more than one.
fn ticks((low, high): (f64, f64)) -> Vec<(f64, String)> {
    let (first, last) = (low.ceil(), high.floor());
    let step = ((last - first + 1.0) / MOST_POWERS).ceil().max(1.0);
    if last - first >= 1.0 {
        // Counted from 10^0, which is the upper end of most axes.
        let powers = (first as i32..=last as i32).filter(|power| power % step as i32 == 0);
        powers.map(|power| (10_f64.powi(power), label(1, power))).collect()
    } else {
        let powers = low.floor() as i32..=last as i32;
        let ticks =
            powers.flat_map(|power| [1, 2, 5].map(|digit| (f64::from(digit) * 10_f64.powi(power), digit, power)));
        let inside = ticks.filter(|(value, ..)| (low..=high).contains(&value.log10()));
        let plain = (-2..=2).contains(&(low.floor() as i32));
        let text = |value: f64, digit, power| if plain { decimal(value) } else { label(digit, power) };
        inside.map(|(value, digit, power)| (value, text(value, digit, power))).collect()
    }
}

/// `value`, which has one digit that is not 0, without what its last bits add.
fn decimal(value: f64) -> String {
    let digits = (-value.log10().floor()).max(0.0) as usize;
    format!("{value:.digits$}")
}

/// `digit` times ten to the `power`.
fn label(digit: i32, power: i32) -> String {
    let sign = if power < 0 { "−" } else { "" };
    match (digit, power) {
        (1, 0 | 1) => 10_i32.pow(power as u32).to_string(),
        (1, _) => format!("10<sup>{sign}{}</sup>", power.abs()),
        _ => format!("{digit}×10<sup>{sign}{}</sup>", power.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        let axis = serde_json::to_value(scale.axis()).unwrap();
        let texts = axis["ticktext"].as_array().cloned().unwrap_or_default();
        texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_decade_between_the_medians_makes_an_axis_logarithmic() {
        assert_eq!(Scale::new(&[1.0, 0.05], &[1.0, 0.05]).name(), "log");
        assert_eq!(Scale::new(&[1.0, 0.05], &[1.0, 0.2]).name(), "linear");
        for values in [&[][..], &[0.0, 0.0], &[1.0, -1e-3, 1e-9], &[-1.0, -100.0]] {
            assert_eq!(Scale::new(values, values).name(), "linear", "{values:?}");
        }
    }

    #[test]
    fn zeros_are_at_the_lower_edge() {
        let values = [1.0, 1e-4, 0.0];
        for medians in [&values[..], &values[..2], &[1.0, 0.0]] {
            let scale = Scale::new(&values, medians);
            assert!(scale.marks_zeros() && scale.place(0.0) < 1e-4 && scale.place(0.5) == 0.5);
            assert_eq!(labels(&scale)[0], "0");
        }
        assert!(!Scale::new(&values, &[1.0, 0.9]).marks_zeros());
        // A rounding error below 0.
        let scale = Scale::new(&[1.0, -2e-17], &[1.0, -2e-17]);
        assert!(scale.marks_zeros() && scale.place(-2e-17) == scale.place(0.0));
    }

    #[test]
    fn every_logarithmic_axis_has_two_to_seven_labels() {
        for low in [1e-300, 1e-17, 3e-7, 1e-3, 0.012, 0.03, 0.09] {
            for zeros in [false, true] {
                let values = if zeros { vec![1.0, low, 0.0] } else { vec![1.0, low] };
                let labels = labels(&Scale::new(&values, &values));
                assert!((2..=7).contains(&labels.len()), "{low}: {labels:?}");
            }
        }
        assert_eq!([decimal(0.02), decimal(50.0), label(1, 0), label(5, -3)], ["0.02", "50", "1", "5×10<sup>−3</sup>"]);
    }

    #[test]
    fn a_constant_is_in_the_middle() {
        for (value, range) in [(1e-5, [0.5e-5, 1.5e-5]), (0.0, [-1.0, 1.0]), (-2.0, [-3.0, -1.0])] {
            let axis = serde_json::to_value(Scale::new(&[value, value], &[value]).axis()).unwrap();
            let found: Vec<f64> = axis["range"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            assert!(found.iter().zip(range).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        }
    }
}
