//! The axes of a panel: linear or logarithmic, their ranges and their ticks.

use plotly::layout::{Axis, AxisType};

use super::{series::extent, style};

/// Above this ratio of the largest to the smallest value of the medians, an axis is logarithmic.
const LOG_ABOVE: f64 = 10.0;

/// A negative value this small beside the largest one is a rounding error, in single precision at the worst, and stands for 0.
const ROUNDING: f64 = 1e-6;

/// Values that differ by less than this, in parts of the largest, are drawn as equal: their labels would be too long.
const EQUAL: f64 = 1e-5;

/// The smallest value that a linear axis shows.
const SMALLEST: f64 = 1e-300;

/// The largest number of labels of an axis.
const MOST_LABELS: f64 = 7.0;

/// Between the data and the edges, as a part of what the data span.
const PAD: f64 = 0.05;

/// Between the smallest positive value and the edge below the zeros, in the same measure.
const ZERO_PAD: f64 = 0.25;

/// Between the zeros and the edge, as a part of the axis.
const ZERO_PLACE: f64 = 0.04;

/// The positions of a panel's values.
pub(super) enum Scale {
    /// There are no values.
    Empty,
    Linear {
        low: f64,
        high: f64,
        /// Labels count in 10 to this power.
        power: i32,
    },
    Log {
        /// log10 of the lower and the upper edge.
        low: f64,
        high: f64,
        /// True if there are zeros, which are drawn just above the lower edge.
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
                Self::Log { low: low - below * span, high: high + PAD * span, zeros }
            }
            _ => Self::linear(values),
        }
    }

    fn linear(values: &[f64]) -> Self {
        let Some((low, high)) = extent(values.iter().copied()) else { return Self::Empty };
        // What is smaller has too few bits for labels, and is drawn as 0.
        let largest = Some(low.abs().max(high.abs())).filter(|largest| *largest > SMALLEST).unwrap_or(0.0);
        // Halves, since the difference of two large values may overflow.
        let pad = if 0.5 * high - 0.5 * low > 0.5 * EQUAL * largest {
            2.0 * PAD * (0.5 * high - 0.5 * low)
        } else {
            0.5 * largest
        };
        let pad = if largest > 0.0 { pad } else { 1.0 };
        let exponent = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
        let power = if (-2..=3).contains(&exponent) { 0 } else { exponent };
        let limit = |value: f64| value.clamp(-f64::MAX / 4.0, f64::MAX / 4.0);
        Self::Linear { low: limit(low - pad), high: limit(high + pad), power }
    }

    /// The logarithmic scale of positive `values` that reach from edge to edge.
    pub(super) fn log(values: &[f64]) -> Self {
        match extent(values.iter().copied()) {
            None => Self::Empty,
            Some((low, high)) if low < high => Self::Log { low: low.log10(), high: high.log10(), zeros: false },
            Some((value, _)) => Self::Log { low: value.log10() - 0.5, high: value.log10() + 0.5, zeros: false },
        }
    }

    /// The remark about the axis in its title: the unit of the labels, if it is not 1, and the kind of the scale.
    pub(super) fn note(&self) -> String {
        match self {
            Self::Empty => "(no values)".to_owned(),
            Self::Linear { power: 0, .. } => "(linear)".to_owned(),
            Self::Linear { power, .. } => format!("[{}] (linear)", label(1, *power)),
            Self::Log { .. } => "(log)".to_owned(),
        }
    }

    /// True if there are zeros on a logarithmic axis.
    pub(super) fn marks_zeros(&self) -> bool {
        matches!(self, Self::Log { zeros: true, .. })
    }

    /// The value at which `y` is drawn.
    pub(super) fn place(&self, y: f64) -> f64 {
        match self {
            Self::Log { low, high, .. } if y <= 0.0 => 10_f64.powf(low + ZERO_PLACE * (high - low)),
            _ => y,
        }
    }

    pub(super) fn axis(&self) -> Axis {
        let (values, texts): (Vec<f64>, Vec<String>) = self.ticks().into_iter().unzip();
        let axis = style::axis().tick_values(values).tick_text(texts);
        match self {
            Self::Empty => axis,
            Self::Linear { low, high, .. } => axis.range(vec![*low, *high]),
            Self::Log { low, high, .. } => axis.type_(AxisType::Log).range(vec![*low, *high]),
        }
    }

    /// Letters of the longest label, of which those in superscript count by half.
    pub(super) fn label_letters(&self) -> f64 {
        let letters = |text: &str| match text.split_once("<sup>") {
            Some((base, power)) => base.chars().count() as f64 + 0.75 * (power.chars().count() - "</sup>".len()) as f64,
            None => text.chars().count() as f64,
        };
        self.ticks().iter().map(|(_, text)| letters(text)).fold(0.0, f64::max)
    }

    /// The values with a label.
    fn ticks(&self) -> Vec<(f64, String)> {
        match *self {
            Self::Empty => Vec::new(),
            Self::Linear { low, high, power } => linear_ticks(low, high, power),
            Self::Log { low, high, zeros } => {
                let mut ticks = log_ticks(low, high);
                if zeros {
                    // A label close above the 0 would touch it.
                    let lowest = low + (ZERO_PLACE + 0.08) * (high - low);
                    ticks.retain(|(value, _)| value.log10() > lowest);
                    ticks.insert(0, (self.place(0.0), "0".to_owned()));
                }
                ticks
            }
        }
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `step`.
fn round_up(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|round| *round >= step).unwrap_or(step)
}

/// Multiples of a round step, labeled in 10 to the `power`.
fn linear_ticks(low: f64, high: f64, power: i32) -> Vec<(f64, String)> {
    let step = round_up((high - low) / MOST_LABELS);
    let first = (low / step).ceil();
    // 10 to the power may be too small or too large a number of its own.
    let unit = |value: f64| if power < 0 { value * 10_f64.powi(-power) } else { value / 10_f64.powi(power) };
    let decimals = (-unit(step).log10().floor()).clamp(0.0, 12.0) as usize;
    let multiples = (0..=MOST_LABELS as i32).map(|count| (first + f64::from(count)) * step);
    let text = |value: f64| format!("{:.decimals$}", unit(value) + 0.0).replace('-', "−");
    multiples.filter(|value| *value <= high).map(|value| (value, text(value))).collect()
}

/// Powers of ten, or 1, 2 and 5 times these where there is no more than one, from 10 to the `low` to 10 to the `high`.
fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let (first, last) = (low.ceil(), high.floor());
    if last - first >= 1.0 {
        let step = [1, 2, 3, 5, 10, 20, 50, 100, 200]
            .into_iter()
            .find(|step| (last - first) / f64::from(*step) < MOST_LABELS - 2.0);
        // Counted from 10^0, which is the upper end of most axes.
        let powers = (first as i32..=last as i32).filter(|power| power % step.unwrap_or(200) == 0);
        powers.map(|power| (10_f64.powi(power), label(1, power))).collect()
    } else {
        let powers = low.floor() as i32..=high.floor() as i32;
        let ticks =
            powers.flat_map(|power| [1, 2, 5].map(|digit| (f64::from(digit) * 10_f64.powi(power), digit, power)));
        let inside = ticks.filter(|(value, ..)| (low..=high).contains(&value.log10()));
        let plain = (-3..=2).contains(&(low.floor() as i32));
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
        assert_eq!(Scale::new(&[1.0, 0.05], &[1.0, 0.05]).note(), "(log)");
        assert_eq!(Scale::new(&[1.0, 0.05], &[1.0, 0.2]).note(), "(linear)");
        for values in [&[0.0, 0.0][..], &[1.0, -1e-3, 1e-9], &[-1.0, -100.0]] {
            assert_eq!(Scale::new(values, values).note(), "(linear)", "{values:?}");
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

    #[test]
    fn linear_labels_are_few_and_short_whatever_the_values() {
        let scale = |values: &[f64]| Scale::new(values, &[]);
        assert_eq!(labels(&scale(&[0.8, 0.3])), ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8"]);
        assert_eq!(labels(&scale(&[0.8, -0.3])), ["−0.2", "0.0", "0.2", "0.4", "0.6", "0.8"]);
        let tiny = scale(&[3e-5, 2e-5]);
        assert_eq!((tiny.note().as_str(), &labels(&tiny)[0]), ("[10<sup>−5</sup>] (linear)", &"2.0".to_owned()));
        for values in [
            [1.0, 1.0 + 1e-15],
            [1.0, 1.0001],
            [-1e308, 1e308],
            [f64::MIN, f64::MAX],
            [5e-324, 0.0],
            [2e-300, 1e-300],
            [12345.0, 0.0],
        ] {
            let scale = scale(&values);
            let labels = labels(&scale);
            assert!((2..=8).contains(&labels.len()) && scale.label_letters() < 9.0, "{values:?}: {labels:?}");
        }
        assert!(labels(&Scale::new(&[], &[])).is_empty());
    }

    #[test]
    fn a_logarithmic_axis_may_have_one_value() {
        for values in [&[3e-4][..], &[1e-6, 1e-6], &[1.0, 1.5], &[2e-5, 7e-1], &[5e-324, 1e308]] {
            let labels = labels(&Scale::log(values));
            assert!((1..=7).contains(&labels.len()), "{values:?}: {labels:?}");
        }
    }
}
