//! The boxes that objectives are defined on.

use std::sync::Arc;

/// The box of an objective: the bounds [lo, hi] of its raw coordinates u.
#[derive(Clone, Debug, PartialEq)]
pub enum Bounds {
    /// The same for every coordinate.
    Same([f64; 2]),
    /// One pair per coordinate.
    Each(Arc<[[f64; 2]]>),
}

impl Bounds {
    /// The bounds [lo, hi] of coordinate `i`; of the last coordinate with bounds where `i` is beyond.
    pub fn of(&self, i: usize) -> [f64; 2] {
        match self {
            Self::Same(bounds) => *bounds,
            Self::Each(bounds) => bounds.get(i).or(bounds.last()).copied().unwrap_or([0.0, 1.0]),
        }
    }

    /// The raw coordinate u = lo + (hi - lo) x of the coordinate `x` of the unit cube, of number `i`.
    pub fn to_box(&self, i: usize, x: f64) -> f64 {
        to_box(x, self.of(i))
    }
}

impl From<[f64; 2]> for Bounds {
    fn from(bounds: [f64; 2]) -> Self {
        Self::Same(bounds)
    }
}

/// u of the coordinate `x` in the box [lo, hi].
pub fn to_box(x: f64, [lo, hi]: [f64; 2]) -> f64 {
    x.mul_add(hi - lo, lo)
}

/// x of the coordinate `u` in the box [lo, hi]: the number in [0, 1] that [`to_box`] maps nearest to u.
pub fn from_box(u: f64, domain: [f64; 2]) -> f64 {
    let [lo, hi] = domain;
    let x = ((u - lo) / (hi - lo)).clamp(0.0, 1.0);
    let miss = |x: &f64| (to_box(*x, domain) - u).abs();
    let neighbors = [x, x.next_down().max(0.0), x.next_up().min(1.0)];
    neighbors.into_iter().min_by(|a, b| miss(a).total_cmp(&miss(b))).unwrap_or(x)
}
