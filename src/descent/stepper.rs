//! Any parametrization with any update rule.

use super::step::{State, Step, state};
use super::summary::mean;
use crate::objective::{Best, Job, Kernel, Update, Workspace};
use crate::parametrization::Parametrization;
use crate::rule;
use crate::simd::Real;
use crate::squash::Map;
use std::sync::Arc;

/// A parametrization, whose gradient becomes steps by an update rule.
pub(crate) struct Stepper<'a, P, R: Real> {
    parametrization: P,
    rule: Box<dyn rule::Update<R>>,
    map: Map,
    kernel: Arc<dyn Kernel<R> + 'a>,
    workspace: Workspace<R>,
    /// The gradient of the mean is that of the scaled objective times this.
    gradient_scale: f64,
}

impl<'a, R: Real, P: Parametrization<R>> Stepper<'a, P, R> {
    pub(crate) fn new(
        parametrization: P,
        rule: Box<dyn rule::Update<R>>,
        map: Map,
        kernel: Arc<dyn Kernel<R> + 'a>,
        gradient_scale: f64,
    ) -> Self {
        let workspace = kernel.workspace(parametrization.points());
        Self { parametrization, rule, map, kernel, workspace, gradient_scale }
    }
}

impl<R: Real, P: Parametrization<R>> Step<R> for Stepper<'_, P, R> {
    fn step(&mut self, rate: f64, values: &mut [R], best: &mut Best<R>) {
        let Self { parametrization, rule, map, kernel, workspace, gradient_scale } = self;
        let update = Update::Gradient { factor: *gradient_scale / values.len() as f64 };
        parametrization.pass(&mut |y| {
            let values = &mut values[y.first..][..y.points];
            kernel.apply(Job { y, values, map: *map, update, best, workspace });
        });
        rule.step(rate, *gradient_scale * mean(values), parametrization);
        parametrization.settle(*map);
    }

    fn parameters(&self, look: &mut dyn FnMut(&[R])) {
        self.parametrization.parameters(look);
    }

    fn state(&self) -> State<R> {
        state(self.parametrization.clone(), self.map, &*self.kernel)
    }
}
