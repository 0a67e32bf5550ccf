//! The direct parametrization: the points y are the parameters. It makes the shallow optimizer.

use super::Parametrization;
use crate::rule::Parts;
use crate::simd::{Panel, Panels, Real};
use crate::squash::Map;

/// Points y, n×d.
#[derive(Clone)]
pub(crate) struct Direct<R: Real> {
    y: Panels<R>,
    gradient: Panels<R>,
}

impl<R: Real> Direct<R> {
    pub(crate) fn new(y: Panels<R>) -> Self {
        Self { gradient: y.clone(), y }
    }
}

impl<R: Real> Parts<R> for Direct<R> {
    fn visit(&mut self, visit: &mut dyn FnMut(&mut [R], &[R])) {
        visit(self.y.scalars_mut(), self.gradient.scalars());
    }
}

impl<R: Real> Parametrization<R> for Direct<R> {
    fn pass(&mut self, objective: &mut dyn FnMut(Panel<'_, R>)) {
        self.gradient.scalars_mut().copy_from_slice(self.y.scalars());
        for mut panel in self.gradient.iter_mut() {
            let Panel { ref mut rows, first, points, stride } = panel;
            objective(Panel { rows, first, points, stride });
            panel.fill(|_| R::ZERO);
        }
    }

    fn settle(&mut self, map: Map) {
        if map == Map::Clamp {
            for y in self.y.scalars_mut() {
                // NaN stays NaN, since that is how divergence is detected.
                *y = if *y < R::ZERO {
                    R::ZERO
                } else if *y > R::ONE {
                    R::ONE
                } else {
                    *y
                };
            }
        }
        self.y.refill();
    }

    fn parameters(&self, look: &mut dyn FnMut(&[R])) {
        look(self.y.scalars());
    }

    fn packed(&self) -> Vec<R> {
        self.y.packed()
    }

    fn points(&self) -> usize {
        self.y.points()
    }
}
