//! Points side by side.

use super::{Real, Rows};

/// The widest panel, in [`Real::Block`]s: wide enough that a matrix product over it is at the processor's limit, narrow enough
/// that 50 coordinates of it stay in the second-level cache and mostly in the first.
const WIDEST: usize = 8;

/// n points of d coordinates, laid out for work on as many points at once as a register holds.
///
/// The points are cut into panels. A panel holds d rows, and row i has coordinate i of its points side by side. What is left
/// of a row is filled with copies of the last point: where they share with it what is worked on at once, they see the same arithmetic,
/// so they never differ from it and need no mask. Beyond that nothing is worked on, and nothing but zero or one of the points
/// ever stands there.
#[derive(Clone, Debug)]
pub(crate) struct Panels<R: Real> {
    /// The rows of the first panel, then those of the next.
    rows: Rows<R>,
    points: usize,
    coordinates: usize,
}

/// Some of the points: `coordinates` rows of `stride` scalars.
pub struct Panel<'a, R: Real> {
    /// The rows, one after the other.
    pub rows: &'a mut [R],
    /// The number of the first point.
    pub first: usize,
    /// The number of points, fewer than the stride in the last panel.
    pub points: usize,
    /// The length of a row.
    pub stride: usize,
}

impl<R: Real> Panel<'_, R> {
    /// Overwrites what fills each row after the points with what `of` makes of the last point.
    pub(crate) fn fill(&mut self, of: impl Fn(R) -> R) {
        if self.points < self.stride {
            for row in self.rows.chunks_exact_mut(self.stride) {
                let last = of(row[self.points - 1]);
                row[self.points..].fill(last);
            }
        }
    }
}

impl<R: Real> Panels<R> {
    /// The points of the row-major matrix `values`, one point per row.
    pub(crate) fn from_packed(values: &[R], coordinates: usize) -> Self {
        Self::with_stride(values, coordinates, Self::stride(values.len() / coordinates))
    }

    /// The same in panels whose rows have `stride` scalars, a whole number of [`Real::Block`]s.
    pub(crate) fn with_stride(values: &[R], coordinates: usize, stride: usize) -> Self {
        let mut panels = Self::zeros(values.len() / coordinates, coordinates, stride);
        panels.pack_from(values);
        panels
    }

    /// Zeros in the layout of these points, with another number of coordinates.
    pub(crate) fn like(&self, coordinates: usize) -> Self {
        Self::zeros(self.points, coordinates, self.width())
    }

    fn zeros(points: usize, coordinates: usize, stride: usize) -> Self {
        Self { rows: Rows::zeros(points.div_ceil(stride) * coordinates, stride), points, coordinates }
    }

    /// The length of the rows of `points` points, at least one: panels as even as can be.
    pub(crate) fn stride(points: usize) -> usize {
        let blocks = points.max(1).div_ceil(R::BLOCK);
        blocks.div_ceil(blocks.div_ceil(WIDEST)) * R::BLOCK
    }

    /// Overwrites the points with those of the row-major matrix `values`.
    fn pack_from(&mut self, values: &[R]) {
        let (coordinates, last) = (self.coordinates, self.points.saturating_sub(1));
        for Panel { rows, first, stride, .. } in self.iter_mut() {
            for (i, row) in rows.chunks_exact_mut(stride).enumerate() {
                for (point, value) in (first..).zip(row) {
                    *value = values[point.min(last) * coordinates + i];
                }
            }
        }
    }

    /// The row-major matrix of the points, one point per row.
    pub(crate) fn packed(&self) -> Vec<R> {
        let stride = self.rows.stride();
        let mut packed = Vec::with_capacity(self.points * self.coordinates);
        for point in 0..self.points {
            let panel = &self.rows[point / stride * stride * self.coordinates..];
            packed.extend((0..self.coordinates).map(|i| panel[i * stride + point % stride]));
        }
        packed
    }

    /// The panels, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = Panel<'_, R>> {
        let (points, stride) = (self.points, self.rows.stride());
        cut(&mut self.rows, 0, points, stride, self.coordinates)
    }

    /// The panels, in order, `panels` at a time.
    pub(crate) fn groups_mut(
        &mut self,
        panels: usize,
    ) -> impl Iterator<Item = impl Iterator<Item = Panel<'_, R>> + Send> {
        let (points, stride, coordinates) = (self.points, self.rows.stride(), self.coordinates);
        let groups = self.rows.chunks_mut((panels * stride * coordinates).max(1)).enumerate();
        groups.map(move |(number, rows)| cut(rows, number * panels * stride, points, stride, coordinates))
    }

    /// The length of a row of a panel.
    pub(crate) fn width(&self) -> usize {
        self.rows.stride()
    }

    /// The number of points.
    pub(crate) fn points(&self) -> usize {
        self.points
    }

    /// Every scalar, with what fills the rows.
    pub(crate) fn scalars_mut(&mut self) -> &mut [R] {
        &mut self.rows
    }

    /// Fills the rows with copies of the last point once more, after its coordinates have changed.
    pub(crate) fn refill(&mut self) {
        self.iter_mut().for_each(|mut panel| panel.fill(|last| last));
    }

    /// Every scalar, with what fills the rows.
    pub(crate) fn scalars(&self) -> &[R] {
        &self.rows
    }
}

/// The panels of `rows`; the first point of the first of them is number `first` of `points`.
fn cut<R: Real>(
    rows: &mut [R],
    first: usize,
    points: usize,
    stride: usize,
    coordinates: usize,
) -> impl Iterator<Item = Panel<'_, R>> + Send {
    rows.chunks_exact_mut((stride * coordinates).max(1)).enumerate().map(move |(number, rows)| {
        let first = first + number * stride;
        Panel { rows, first, points: stride.min(points - first), stride }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_and_the_last_one_fills_the_rest() {
        for points in [1, 2, 8, 9, 50, 64, 65, 130, 1_000] {
            let values: Vec<f64> = (0..points * 3).map(|i| i as f64).collect();
            let mut panels = Panels::from_packed(&values, 3);
            assert_eq!(panels.packed(), values, "{points} points");
            let mut seen = 0;
            for panel in panels.iter_mut() {
                assert_eq!(panel.first, seen);
                seen += panel.points;
                for (i, row) in panel.rows.chunks_exact(panel.stride).enumerate() {
                    assert!(row[panel.points..].iter().all(|&x| x == values[(points - 1) * 3 + i]));
                }
            }
            assert_eq!(seen, points);
        }
    }

    #[test]
    fn panels_are_even() {
        assert_eq!([1, 50, 64, 65, 1_000].map(Panels::<f64>::stride), [8, 56, 64, 40, 64]);
        assert_eq!([1, 50, 128, 129].map(Panels::<f32>::stride), [16, 64, 128, 80]);
    }
}
