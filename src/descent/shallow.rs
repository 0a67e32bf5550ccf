//! The shallow optimizer: the coordinates are the parameters.

use super::crew::{Crew, Member};
use super::step::{State, Step, state};
use crate::objective::{Best, Job, Kernel, Update};
use crate::parametrization::Direct;
use crate::simd::{Panels, Real};
use crate::squash::{Map, to_odds};
use crate::team;
use std::sync::Arc;

/// Panels that one thread works on at a time, where they are as wide as is usual.
const PANELS_PER_PART: usize = 4;

/// The number of parts of `points` points in panels of `stride`, and of the panels in each but the last.
pub(crate) fn parts<R: Real>(points: usize, stride: usize) -> (usize, usize) {
    let per_part = (PANELS_PER_PART * Panels::<R>::stride(points)).div_ceil(stride);
    (points.div_ceil(per_part * stride).max(1), per_part)
}

/// The shallow optimizer on one fused kernel: squash, objective, gradient and step in one pass over the parameters.
pub(crate) struct FusedShallow<'a, R: Real> {
    /// y, or where the map is logistic the odds e^(-gain y), of which there is no exponential to take in every iteration.
    parameters: Panels<R>,
    map: Map,
    kernel: Arc<dyn Kernel<R> + 'a>,
    crew: Crew<R>,
    panels_per_part: usize,
    gradient_scale: f64,
}

impl<'a, R: Real> FusedShallow<'a, R> {
    pub(crate) fn new(
        mut parameters: Panels<R>,
        map: Map,
        kernel: Arc<dyn Kernel<R> + 'a>,
        gradient_scale: f64,
    ) -> Self {
        if let Map::Logistic { gain } = map {
            to_odds(&mut parameters, gain);
        }
        let (points, stride) = (parameters.points(), parameters.width());
        let (parts, panels_per_part) = parts::<R>(points, stride);
        let crew = Crew::new(&*kernel, points, parts, panels_per_part * stride);
        Self { parameters, map, kernel, crew, panels_per_part, gradient_scale }
    }
}

impl<R: Real> Step<R> for FusedShallow<'_, R> {
    fn step(&mut self, rate: f64, values: &mut [R], best: &mut Best<R>) {
        let Self { parameters, map, kernel, crew, panels_per_part, gradient_scale } = self;
        let (map, kernel) = (*map, &**kernel);
        let update = Update::Step { step: rate * *gradient_scale / values.len() as f64 };
        if let Some(workspace) = crew.alone() {
            for y in parameters.iter_mut() {
                let values = &mut values[y.first..][..y.points];
                kernel.apply(Job { y, values, map, update, best, workspace });
            }
            return;
        }
        crew.step(values, best, |members| {
            let parts = members.zip(parameters.groups_mut(*panels_per_part));
            team::each(parts, |(Member { first, values, best, workspace }, panels)| {
                for y in panels {
                    let values = &mut values[y.first - first..][..y.points];
                    kernel.apply(Job { y, values, map, update, best, workspace });
                }
            });
        });
    }

    fn parameters(&self, look: &mut dyn FnMut(&[R])) {
        look(self.parameters.scalars());
    }

    fn state(&self) -> State<R> {
        let mut y = self.parameters.clone();
        if let Map::Logistic { gain } = self.map {
            for odds in y.scalars_mut() {
                *odds = R::of(-odds.wide().ln() / gain);
            }
        }
        state(Direct::new(y), self.map, &*self.kernel)
    }
}
