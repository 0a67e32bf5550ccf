//! The boxes that objectives are defined on.

/// The box of an objective: the bounds of its raw coordinates u.
#[derive(Clone, Debug, PartialEq)]
pub enum Bounds {
    /// The bounds [lo, hi] of every coordinate.
    All([f64; 2]),
    /// The bounds [lo, hi] of each coordinate.
    Each(Vec<[f64; 2]>),
}

impl From<[f64; 2]> for Bounds {
    fn from(bounds: [f64; 2]) -> Self {
        Self::All(bounds)
    }
}

impl From<Vec<[f64; 2]>> for Bounds {
    fn from(bounds: Vec<[f64; 2]>) -> Self {
        Self::Each(bounds)
    }
}

impl Bounds {
    /// The bounds [lo, hi] of coordinate `i`, if it has any.
    pub fn of(&self, i: usize) -> Option<[f64; 2]> {
        match self {
            Self::All(bounds) => Some(*bounds),
            Self::Each(bounds) => bounds.get(i).copied(),
        }
    }

    /// The raw coordinate u = lo + (hi - lo) x of the coordinate `x` of the unit cube, of number `i`; NaN if there is no such coordinate.
    pub fn to_box(&self, i: usize, x: f64) -> f64 {
        self.of(i).map_or(f64::NAN, |bounds| to_box(x, bounds))
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
