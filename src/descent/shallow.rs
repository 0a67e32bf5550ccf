//! The shallow optimizer: the coordinates are the parameters.

use super::crew::{Crew, Member};
use super::step::{State, Step, state};
use crate::objective::{Best, Job, Kernel, Update};
use crate::parametrization::Direct;
use crate::simd::{Panels, Real};
use crate::squash::{Map, to_odds};
use crate::team;
use std::sync::Arc;

/// Panels that one thread works on at a time.
const PANELS_PER_PART: usize = 4;

/// The number of parts of so many panels.
pub(crate) fn parts(panels: usize) -> usize {
    panels.div_ceil(PANELS_PER_PART).max(1)
}

/// The shallow optimizer on one fused kernel: squash, objective, gradient and step in one pass over the parameters.
pub(crate) struct FusedShallow<'a, R: Real> {
    /// y, or where the map is logistic the odds e^(-gain y), of which there is no exponential to take in every iteration.
    parameters: Panels<R>,
    map: Map,
    kernel: Arc<dyn Kernel<R> + 'a>,
    crew: Crew<R>,
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
        let panels = parameters.points().div_ceil(parameters.width());
        let crew = Crew::new(&*kernel, parameters.points(), parts(panels), PANELS_PER_PART * parameters.width());
        Self { parameters, map, kernel, crew, gradient_scale }
    }
}

impl<R: Real> Step<R> for FusedShallow<'_, R> {
    fn step(&mut self, rate: f64, values: &mut [R], best: &mut Best<R>) {
        let Self { parameters, map, kernel, crew, gradient_scale } = self;
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
            let parts = members.zip(parameters.groups_mut(PANELS_PER_PART));
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
