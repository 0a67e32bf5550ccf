//! Statistics of repeated times, and of times at several sizes.

use overparam::report::median;

/// The times of a case by one program, over all repeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// The median: half the repeats took at least as long.
    pub median: f64,
    /// The fastest: what the machine does when nothing else disturbs it.
    pub least: f64,
}

impl Times {
    /// The statistics of at least one time.
    pub fn of(times: &[f64]) -> Self {
        Self { median: median(times), least: times.iter().copied().fold(f64::INFINITY, f64::min) }
    }
}

/// A power law `y = factor x^exponent`: a line on logarithmic axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The slope on logarithmic axes.
    pub exponent: f64,
    /// The value at x = 1.
    pub factor: f64,
}

impl Line {
    /// The least-squares line through the logarithms of at least two different `points` (x, y).
    pub fn fit(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |value: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
        let (x, y) = (mean(&|point| point.0.ln()), mean(&|point| point.1.ln()));
        let covariance = mean(&|point| (point.0.ln() - x) * (point.1.ln() - y));
        let exponent = covariance / mean(&|point| (point.0.ln() - x).powi(2));
        Self { exponent, factor: (y - exponent * x).exp() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Times::of(&[3.0, 1.0, 2.0]), Times { median: 2.0, least: 1.0 });
        assert_eq!(Times::of(&[4.0, 1.0, 2.0, 9.0]), Times { median: 3.0, least: 1.0 });
        assert_eq!(Times::of(&[5.0]), Times { median: 5.0, least: 5.0 });
    }

    #[test]
    fn a_power_law_is_found() {
        let points = [1.0, 10.0, 500.0].map(|x: f64| (x, 3.0 * x.powf(1.5)));
        let Line { exponent, factor } = Line::fit(&points);
        assert!((exponent - 1.5).abs() < 1e-12 && (factor - 3.0).abs() < 1e-9, "{factor} x^{exponent}");
    }
}
