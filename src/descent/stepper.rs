//! Any parametrization with any update rule.

use super::Step;
use super::progress::mean;
use crate::objective::{Best, Job, Kernel, Update, Workspace};
use crate::parametrization::Parametrization;
use crate::rule;
use crate::simd::{Panel, Panels, Real};
use crate::squash::{Map, squash};
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

/// The parameters of a run between two steps, and what they give.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State<R> {
    /// x, n×d, row-major.
    pub points: Vec<R>,
    /// F at every point.
    pub values: Vec<R>,
    /// The parameters, in the order of [`Dimensions::start`](crate::experiment::Dimensions::start).
    pub parameters: Vec<R>,
    /// The Euclidean norm of the gradient of the mean of F in the parameters that move.
    pub gradient_norm: f64,
}

/// The state of a run that has come to `parametrization`.
pub(crate) fn state<R: Real, P: Parametrization<R>>(
    mut parametrization: P,
    map: Map,
    kernel: &dyn Kernel<R>,
) -> State<R> {
    let parameters = parametrization.packed();
    let points = parametrization.points();
    let (mut values, mut best) = (vec![R::ZERO; points], Best::none(0));
    let mut workspace = kernel.workspace(points);
    let mut y: Option<Panels<R>> = None;
    let update = Update::Gradient { factor: 1.0 / points as f64 };
    parametrization.pass(&mut |panel| {
        let Panel { ref rows, first, stride, .. } = panel;
        let dimension = rows.len() / stride;
        let kept = y.get_or_insert_with(|| {
            best = Best::none(dimension);
            Panels::with_stride(&vec![R::ZERO; points * dimension], dimension, stride)
        });
        kept.scalars_mut()[first * dimension..][..rows.len()].copy_from_slice(rows);
        let values = &mut values[first..][..panel.points];
        kernel.apply(Job { y: panel, values, map, update, best: &mut best, workspace: &mut workspace });
    });
    let mut square = 0.0;
    parametrization.visit(&mut |_, gradient| square += gradient.iter().map(|g| g.wide().powi(2)).sum::<f64>());
    let points = y.map_or(Vec::new(), |mut y| {
        squash(&mut y, map);
        y.packed()
    });
    State { points, values, parameters, gradient_norm: square.sqrt() }
}
