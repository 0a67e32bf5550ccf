//! Curves of many seeds, and their median.
//!
//! Seeds are recorded at different times, so their median exists only once every seed can be asked for its value at any
//! time, between two points as well as on them.

/// Points (x, y), finite, sorted by x.
pub(super) type Series = Vec<(f64, f64)>;

/// The course of a curve between two of its points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// It keeps the earlier value. For the best so far this is exact.
    Hold,
    /// It goes straight to the later value, on the logarithmic x axis it is drawn on.
    Straight,
}

/// The number of points in the grid of a median.
pub(super) const GRID_POINTS: usize = 200;

/// `points` evenly spaced in log x from `left` to `right`, both included. Both must be positive.
pub(super) fn log_grid(left: f64, right: f64, points: usize) -> Vec<f64> {
    let step = (right / left).ln() / (points - 1) as f64;
    (0..points).map(|i| if i + 1 == points { right } else { left * (step * i as f64).exp() }).collect()
}

/// The median over `seeds` at every x of `grid`. A seed has its first value before its first point, since a run is somewhere
/// when it starts, and keeps its last value after its end; seeds without points do not count.
pub(super) fn median(seeds: &[Series], between: Between, grid: &[f64]) -> Series {
    let at = |x: f64| {
        let mut values: Vec<f64> = seeds.iter().filter_map(|s| value(s, between, x)).collect();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        match values.len() {
            0 => None,
            n if n % 2 == 1 => Some((x, values[half])),
            // Halved first: the sum of two large values may overflow.
            _ => Some((x, 0.5 * values[half - 1] + 0.5 * values[half])),
        }
    };
    grid.iter().filter_map(|&x| at(x)).collect()
}

fn value(series: &Series, between: Between, x: f64) -> Option<f64> {
    let after = series.partition_point(|p| p.0 <= x);
    let (x0, y0) = *series.get(after.saturating_sub(1))?;
    match series.get(after) {
        Some((x1, y1)) if between == Between::Straight && x > x0 => {
            Some(y0 + (y1 - y0) * (x / x0).ln() / (x1 / x0).ln())
        }
        _ => Some(y0),
    }
}

/// The same step function with fewer points: only where the value changes, and the two ends.
pub(super) fn without_plateaus(series: &Series) -> Series {
    let last = series.len().saturating_sub(1);
    (0..series.len()).filter(|&i| i == 0 || i == last || series[i].1 != series[i - 1].1).map(|i| series[i]).collect()
}

/// The smallest and the largest of `values`.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |extent, v| {
        let (low, high) = extent.unwrap_or((v, v));
        Some((low.min(v), high.max(v)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_ends_are_exact() {
        let grid = log_grid(0.003, 7.0, 50);
        assert_eq!((grid[0], grid[49], grid.len()), (0.003, 7.0, 50));
        assert!(grid.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn median_of_steps() {
        let seeds = [vec![(1.0, 9.0), (3.0, 1.0)], vec![(1.0, 5.0), (2.0, 4.0)], vec![(1.0, 7.0)]];
        let median = |seeds: &[Series], grid: &[f64]| median(seeds, Between::Hold, grid);
        assert_eq!(
            median(&seeds, &[0.5, 1.0, 2.5, 3.0, 99.0]),
            [(0.5, 7.0), (1.0, 7.0), (2.5, 7.0), (3.0, 4.0), (99.0, 4.0)]
        );
        assert_eq!(median(&seeds[..2], &[1.0, 3.0]), [(1.0, 7.0), (3.0, 2.5)]);
        assert!(median(&[], &[1.0]).is_empty());
        assert!(median(&[vec![]], &[1.0]).is_empty());
        // One seed that begins late neither hides the others nor makes the median jump.
        let late = [vec![(1.0, 4.0)], vec![(2.0, 6.0)], vec![], vec![(50.0, 5.0)]];
        assert_eq!(median(&late, &[1.0, 2.0, 50.0]), [(1.0, 5.0), (2.0, 5.0), (50.0, 5.0)]);
        assert_eq!(median(&[vec![(1.0, f64::MAX)], vec![(1.0, f64::MAX)]], &[1.0]), [(1.0, f64::MAX)]);
    }

    #[test]
    fn median_of_straight_lines() {
        let seeds = [vec![(1.0, 0.0), (100.0, 4.0)], vec![(1.0, 1.0)], vec![(1.0, 8.0), (10.0, 3.0)]];
        assert_eq!(median(&seeds, Between::Straight, &[1.0, 10.0, 100.0]), [(1.0, 1.0), (10.0, 2.0), (100.0, 3.0)]);
    }

    #[test]
    fn plateaus_go_and_the_ends_stay() {
        let series = vec![(1.0, 5.0), (2.0, 5.0), (3.0, 4.0), (4.0, 4.0), (5.0, 4.0)];
        assert_eq!(without_plateaus(&series), [(1.0, 5.0), (3.0, 4.0), (5.0, 4.0)]);
        assert!(without_plateaus(&vec![]).is_empty());
    }
}
