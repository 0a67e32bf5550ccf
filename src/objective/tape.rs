//! Objectives known by their operations on dfdx's tape, as kernels.

use super::kernel::{Job, Kernel, Update, Workspace};
use super::{Kernels, Objective};
use crate::error::Error;
use crate::simd::Panels;
use crate::squash::{squash_panel, squash_slope};
use dfdx::prelude::*;
use send_wrapper::SendWrapper;

/// An objective on `N` points of `D` coordinates: the tape begins at x, so that everything before it is the same as for other kernels.
///
/// All points are in one panel. Tensors are allocated by dfdx in every iteration.
pub(crate) struct OnTape<'a, const N: usize, const D: usize, O, Dev> {
    objective: &'a O,
    /// Those of dfdx for a GPU belong to one thread. A run on the tape has no other.
    device: SendWrapper<Dev>,
    range: [f64; 2],
}

impl<'a, const N: usize, const D: usize, O, Dev> OnTape<'a, N, D, O, Dev> {
    /// The kernel of `objective` on `device`, where F = 0 and F = 1 stand for the raw values `range`.
    pub(crate) fn new(objective: &'a O, device: Dev, range: [f64; 2]) -> Self {
        Self { objective, device: SendWrapper::new(device), range }
    }
}

impl<const N: usize, const D: usize, R, O, Dev> Kernel<R> for OnTape<'_, N, D, O, Dev>
where
    R: Kernels,
    Dev: Device<R>,
    O: Objective<N, D, R, Dev>,
{
    fn workspace(&self, _: usize) -> Workspace<R> {
        Workspace::none()
    }

    fn apply(&self, job: Job<'_, R>) {
        let Job { mut y, values, map, update, best, .. } = job;
        let (points, stride) = (y.points, y.stride);
        let Update::Gradient { factor } = update else { unreachable!("this kernel is for gradients alone") };
        debug_assert_eq!((points, y.rows.len()), (N, D * stride), "one panel holds all points");
        squash_panel::<R>(y.rows, stride, map);
        let mut packed = Vec::with_capacity(N * D);
        for point in 0..N {
            packed.extend(y.rows.chunks_exact(stride).map(|row| row[point]));
        }
        let x = self.device.tensor_from_vec(packed, (Const::<N>, Const::<D>));
        let found = self.objective.values(x.leaky_trace());
        found.copy_into(values);
        best.take(values, y.rows, stride);
        let slopes = found.sum::<Rank0, _>().backward().get(&x).as_vec();
        for (i, row) in y.rows.chunks_exact_mut(stride).enumerate() {
            for (x, slopes) in row.iter_mut().zip(slopes.chunks_exact(D)) {
                *x = R::of(factor) * slopes[i] * squash_slope(*x, map);
            }
        }
        y.fill(|last| last);
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    fn operations(&self) -> usize {
        0
    }

    fn range(&self) -> [f64; 2] {
        self.range
    }

    fn steps(&self) -> bool {
        false
    }

    fn stride(&self, points: usize) -> usize {
        points.max(Panels::<R>::stride(points)).next_multiple_of(R::BLOCK)
    }
}
