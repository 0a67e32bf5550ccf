//! The deep optimizer: the coordinates are a network's output.

use super::crew::{Crew, Member};
use super::step::{State, Step, state};
use crate::network::{Fused, Products};
use crate::objective::{Best, Job, Kernel, Update};
use crate::parametrization::Network;
use crate::simd::{Panel, Real};
use crate::squash::Map;
use std::sync::Arc;

/// The deep optimizer on fused products and one fused kernel.
pub(crate) struct FusedDeep<'a, R: Real> {
    network: Fused<R>,
    map: Map,
    kernel: Arc<dyn Kernel<R> + 'a>,
    crew: Crew<R>,
    gradient_scale: f64,
}

impl<'a, R: Products> FusedDeep<'a, R> {
    pub(crate) fn new(mut network: Fused<R>, map: Map, kernel: Arc<dyn Kernel<R> + 'a>, gradient_scale: f64) -> Self {
        let (parts, points_per_part) = network.divide();
        let crew = Crew::new(&*kernel, network.points(), parts, points_per_part);
        Self { network, map, kernel, crew, gradient_scale }
    }
}

impl<R: Products> Step<R> for FusedDeep<'_, R> {
    fn step(&mut self, rate: f64, values: &mut [R], best: &mut Best<R>) {
        let Self { network, map, kernel, crew, gradient_scale } = self;
        let (map, kernel) = (*map, &**kernel);
        let update = Update::Gradient { factor: -(rate * *gradient_scale) / values.len() as f64 };
        if let Some(workspace) = crew.alone() {
            network.update(|y| {
                let values = &mut values[y.first..][..y.points];
                kernel.apply(Job { y, values, map, update, best, workspace });
            });
            return;
        }
        crew.step(values, best, |members| {
            network.update_in_parts(members.map(|Member { first, values, best, workspace }| {
                move |y: Panel<'_, R>| {
                    let values = &mut values[y.first - first..][..y.points];
                    kernel.apply(Job { y, values, map, update, best, workspace });
                }
            }));
        });
    }

    fn parameters(&self, look: &mut dyn FnMut(&[R])) {
        self.network.parameters().for_each(look);
    }

    fn state(&self) -> State<R> {
        state(Network::new(self.network.undivided(), false), self.map, &*self.kernel)
    }
}
