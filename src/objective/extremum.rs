//! Extreme values of functions of one variable, to double precision.

/// The number of cells in the first search, before the best cell is refined.
const CELLS: usize = 20_000;

/// The largest value of `f` on [lo, hi]: a grid, then golden-section search in the cells around its best point.
/// The grid must separate the maxima of `f`.
pub(crate) fn maximum(f: impl Fn(f64) -> f64, [lo, hi]: [f64; 2]) -> f64 {
    let width = (hi - lo) / CELLS as f64;
    // The last point is the bound itself, not the bound but for a rounding.
    let at = |cell: usize| if cell == CELLS { hi } else { lo + width * cell as f64 };
    let best = (0..=CELLS).max_by(|&a, &b| f(at(a)).total_cmp(&f(at(b)))).unwrap_or(0);
    let refined = unimodal_maximum(&f, at(best.saturating_sub(1)), at((best + 1).min(CELLS)));
    refined.max(f(at(best)))
}

/// The largest value of `f` on [lo, hi], where it rises and then falls: golden-section search.
pub(crate) fn unimodal_maximum(f: impl Fn(f64) -> f64, mut lo: f64, mut hi: f64) -> f64 {
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    // 60 steps shrink the interval by 3e-13, and the value near a maximum is flat to the square of that.
    for _ in 0..60 {
        let (left, right) = (hi - ratio * (hi - lo), lo + ratio * (hi - lo));
        if f(left) < f(right) {
            lo = left;
        } else {
            hi = right;
        }
    }
    f(0.5 * (lo + hi))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_inner_and_boundary_maxima() {
        assert!((maximum(|x| -(x - 0.3).powi(2), [-1.0, 1.0])).abs() < 1e-20);
        assert_eq!(maximum(|x| x, [-1.0, 2.0]), 2.0);
        assert!((maximum(f64::sin, [0.0, 10.0]) - 1.0).abs() < 1e-15);
    }
}
