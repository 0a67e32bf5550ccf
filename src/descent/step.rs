//! A step of an optimizer, and the state between two steps.

use crate::objective::{Best, Job, Kernel, Update};
use crate::parametrization::Parametrization;
use crate::simd::{Panel, Panels, Real};
use crate::squash::{Map, squash};

/// One of the optimizers at work on its parameters.
pub(crate) trait Step<R: Real> {
    /// Writes the objective of every embedding to `values`, keeps the smallest and its x in `best`, and moves the parameters by
    /// one step of the update rule at `rate`, in whatever form it keeps them.
    ///
    /// The kernel may be one of dfdx's tape. Everything else leaves tape and tensors aside: at the paper's size an iteration on the
    /// tape spends more time on allocation and bookkeeping than on arithmetic.
    fn step(&mut self, rate: f64, values: &mut [R], best: &mut Best<R>);

    /// Shows `look` every parameter, in parts that are the same each time.
    fn parameters(&self, look: &mut dyn FnMut(&[R]));

    /// The points and the parameters that the next step begins with.
    fn state(&self) -> State<R>;
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
