//! What the parts of a run work with that several threads take on.

use crate::objective::{Best, Kernel, Workspace};
use crate::simd::Real;

/// A workspace for every part, and the best point that it has seen. A run of one part keeps its best where that of the run is.
pub(super) struct Crew<R: Real> {
    first: Workspace<R>,
    others: Vec<(Workspace<R>, Best<R>)>,
    points_per_part: usize,
}

/// What one part works with.
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

    /// Has `work` do a step with the members, and takes the smallest of their best points; of equal ones the first.
    pub(super) fn step<'a>(
        &'a mut self,
        values: &'a mut [R],
        best: &'a mut Best<R>,
        work: impl FnOnce(&mut dyn Iterator<Item = Member<'_, R>>),
    ) {
        let Self { first, others, points_per_part } = self;
        let size = *points_per_part;
        if others.is_empty() {
            return work(&mut std::iter::once(Member { first: 0, values, best, workspace: first }));
        }
        for (_, own) in &mut *others {
            own.clone_from(best);
        }
        let workspaces =
            std::iter::once((first, &mut *best)).chain(others.iter_mut().map(|(workspace, best)| (workspace, best)));
        let members = values.chunks_mut(size).zip(workspaces).enumerate();
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
