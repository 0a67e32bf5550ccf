//! Squashes: the maps that keep the coordinates x in the unit cube.

use crate::simd::math::Sigmoid;
use crate::simd::{Lanes, Panel, Panels, Real, Simd, WithSimd, dispatch, tables};

/// The map from a parameter y to a coordinate x of the unit cube.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    /// The logistic sigmoid of `gain` times y.
    Logistic { gain: f64 },
    /// y itself, clamped to [0, 1]; the gradient passes unchanged (projected descent).
    Clamp,
    /// y itself.
    Identity,
}

/// All coordinates, two at a time; the last of an odd number goes with itself.
#[inline(always)]
pub(crate) fn pairs(dimension: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..dimension).step_by(2).map(move |i| (i, (i + 1).min(dimension - 1)))
}

/// Replaces `y` by x = map(y), to the bit as a kernel finds it.
pub(crate) fn squash<R: Real>(y: &mut Panels<R>, map: Map) {
    for Panel { rows, stride, .. } in y.iter_mut() {
        squash_panel(rows, stride, map);
    }
}

/// [`squash`] for the rows of one panel, each of `stride` scalars.
pub(crate) fn squash_panel<R: Real>(rows: &mut [R], stride: usize, map: Map) {
    struct Squash<'a, R: Real>(&'a mut [R], usize, Map);
    impl<R: Real> WithSimd for Squash<'_, R> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(rows, stride, map) = self;
            let (dimension, width) = (rows.len() / stride, stride / Lanes::<S, R>::COUNT);
            let tables = tables(simd);
            let registers = R::registers_mut::<S>(rows);
            let places = (0..width)
                .flat_map(|column| pairs(dimension).map(move |(i, j)| (i * width + column, j * width + column)));
            for (i, j) in places {
                let (a, b) = (Lanes::<S, R>::new(simd, registers[i]), Lanes::new(simd, registers[j]));
                let (a, b) = match map {
                    Map::Logistic { gain } => Sigmoid::new(simd, tables, gain).both(a, b),
                    Map::Clamp => (a.clamp(0.0, 1.0), b.clamp(0.0, 1.0)),
                    Map::Identity => (a, b),
                };
                (registers[i], registers[j]) = (a.register(), b.register());
            }
        }
    }
    dispatch(Squash(rows, stride, map));
}

/// Replaces `y` by the odds e^(-gain y): the same x, to the bit, comes of them.
pub(crate) fn to_odds<R: Real>(y: &mut Panels<R>, gain: f64) {
    struct ToOdds<'a, R: Real>(&'a mut Panels<R>, f64);
    impl<R: Real> WithSimd for ToOdds<'_, R> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let sigmoid = Sigmoid::<S, R>::new(simd, tables(simd), self.1);
            for Panel { rows, .. } in self.0.iter_mut() {
                for register in R::registers_mut::<S>(rows) {
                    *register = sigmoid.odds(Lanes::new(simd, *register)).register();
                }
            }
        }
    }
    dispatch(ToOdds(y, gain));
}

/// The derivative of x = map(y) in y, by x.
pub(crate) fn squash_slope<R: Real>(x: R, map: Map) -> R {
    match map {
        Map::Logistic { gain } => R::of(gain) * x * (R::of(1.0) - x),
        Map::Clamp | Map::Identity => R::of(1.0),
    }
}
