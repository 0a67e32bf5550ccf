//! The objectives of an iteration, summed up.

use crate::simd::Real;

/// The mean value, NaN if any is.
pub(super) fn mean<R: Real>(values: &[R]) -> f64 {
    summary(values).1
}

/// The smallest and the mean value; NaN in the mean if any is.
pub(super) fn summary<R: Real>(values: &[R]) -> (f64, f64) {
    let smaller = |a: R, b: R| if a < b { a } else { b };
    // Four of each side by side: one alone waits for what it was before.
    let (mut sums, mut minima) = ([0.0; 4], [R::INFINITY; 4]);
    for values in values.chunks(4) {
        for ((sum, min), &value) in sums.iter_mut().zip(&mut minima).zip(values) {
            *sum += value.wide();
            *min = smaller(value, *min);
        }
    }
    let min = minima.into_iter().fold(R::INFINITY, smaller);
    (min.wide(), (sums[0] + sums[1] + sums[2] + sums[3]) / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_the_smallest_and_the_mean() {
        for place in 0..7 {
            let mut values = [4.0, 6.0, 5.0, 7.0, 8.0, 9.0, 3.0];
            values[place] = -1.0;
            assert_eq!(summary(&values), (-1.0, values.iter().sum::<f64>() / 7.0), "{place}");
            values[place] = f64::NAN;
            let (min, mean) = summary(&values);
            assert_eq!(min, if place == 6 { 4.0 } else { 3.0 }, "{place}");
            assert!(mean.is_nan(), "{place}");
        }
        assert_eq!(summary(&[f64::NAN; 5]).0, f64::INFINITY);
    }
}
