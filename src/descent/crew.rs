//! Workspaces for the parts of a run, which threads share.

use crate::objective::{Best, Kernel, Workspace};
use crate::simd::Real;

/// A workspace for every part, and for all but the first the best point that it has seen; that of the first is the run's.
pub(super) struct Crew<R: Real> {
    first: Workspace<R>,
    others: Vec<(Workspace<R>, Best<R>)>,
    points_per_part: usize,
}

/// The buffers and the results of one part.
pub(super) struct Member<'a, R: Real> {
    /// The number of its first point.
    pub first: usize,
    /// The values of its points.
    pub values: &'a mut [R],
    pub best: &'a mut Best<R>,
    pub workspace: &'a mut Workspace<R>,
}

impl<R: Real> Crew<R> {
    /// For `parts` parts, each but the last of `points_per_part` points.
    pub(super) fn new(kernel: &(dyn Kernel<R> + '_), points: usize, parts: usize, points_per_part: usize) -> Self {
        let workspace = || kernel.workspace(points);
        let others = (1..parts).map(|_| (workspace(), Best::none(0))).collect();
        Self { first: workspace(), others, points_per_part }
    }

    /// The workspace of a run of one part, which takes no detour.
    #[inline]
    pub(super) fn alone(&mut self) -> Option<&mut Workspace<R>> {
        self.others.is_empty().then_some(&mut self.first)
    }

    /// Has `work` do a step with the members, and takes the smallest of their best points; of equal ones the first.
    pub(super) fn step<'a>(
        &'a mut self,
        values: &'a mut [R],
        best: &'a mut Best<R>,
        work: impl FnOnce(&mut dyn Iterator<Item = Member<'_, R>>),
    ) {
        let Self { first, others, points_per_part } = self;
        let size = *points_per_part;
        for (_, own) in &mut *others {
            own.clone_from(best);
        }
        let others_now = others.iter_mut().map(|(workspace, best)| (workspace, best));
        let members = values.chunks_mut(size).zip(std::iter::once((first, &mut *best)).chain(others_now)).enumerate();
        work(&mut members.map(|(number, (values, (workspace, best)))| Member {
            first: number * size,
            values,
            best,
            workspace,
        }));
        for (_, own) in others {
            if own.value < best.value {
                best.clone_from(own);
            }
        }
    }
}
