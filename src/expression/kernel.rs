//! Expressions as kernels: between the squash and the step, a program in place of a written function.

use super::Expression;
use super::plan::Program;
use crate::error::Error;
use crate::objective::{Best, Evaluate, Fusion, Job, Kernel, Link, Points, Update};
use crate::simd::{Lanes, Panels, Real, Simd};
use crate::squash::Map;
use std::sync::Arc;

/// An expression that is ready to be evaluated.
struct Prepared<R: Real> {
    program: Program<R>,
    /// The values of f for which F is 0 and 1.
    range: [f64; 2],
}

impl Expression {
    /// The expression as a kernel for points of `dimension` coordinates.
    ///
    /// # Errors
    /// As [`Expression::check`] has them.
    pub(crate) fn kernel<R: Real>(&self, dimension: usize) -> Result<Arc<dyn Kernel<R>>, Error> {
        let program = Program::new(self.record(dimension)?);
        Ok(Arc::new(Fusion(Prepared { program, range: self.ends() })))
    }
}

impl Expression {
    /// A check of the gradient by differences: at ten points of the box, drawn without a pattern, the largest distance of a slope of f in x from
    /// the central difference of fourth order, relative to the largest slope of the point or to 1. It is 1e-8 or so for smooth functions,
    /// and large where a point lies beside a kink or a step.
    ///
    /// # Errors
    /// As [`Expression::check`] has them.
    pub fn gradient_error(&self, dimension: usize) -> Result<f64, Error> {
        const POINTS: usize = 10;
        const STEP: f64 = 1e-4;
        let kernel = Self { range: None, ..self.clone() }.kernel::<f64>(dimension)?;
        // Away from the faces of the cube, so that no step leaves it.
        let irregular = |i: usize| 0.01 + 0.98 * ((i + 1) as f64 * 0.618_033_988_749_894_9).fract();
        let mut largest_error = 0.0f64;
        for point in 0..POINTS {
            let x: Vec<f64> = (0..dimension).map(|i| irregular(point * dimension + i)).collect();
            let beside = (0..dimension).flat_map(|i| [-2.0, -1.0, 1.0, 2.0].map(|steps| (i, steps * STEP)));
            let moved = beside.flat_map(|(i, step)| {
                let mut x = x.clone();
                x[i] += step;
                x
            });
            let all: Vec<f64> = x.iter().copied().chain(moved).collect();
            let (values, gradients) = apply(&*kernel, &all, dimension);
            let slopes = &gradients[..dimension];
            let largest = slopes.iter().fold(1.0f64, |largest, slope| largest.max(slope.abs()));
            for (values, slope) in values[1..].chunks_exact(4).zip(slopes) {
                let difference = (8.0 * (values[2] - values[1]) - (values[3] - values[0])) / (12.0 * STEP);
                let error = (difference - slope).abs() / largest;
                // NaN is no small error.
                largest_error = if error <= largest_error { largest_error } else { error };
            }
        }
        Ok(largest_error)
    }
}

/// F and its gradient in x at the rows of `x`.
pub(super) fn apply<R: Real>(kernel: &dyn Kernel<R>, x: &[R], dimension: usize) -> (Vec<R>, Vec<R>) {
    let points = x.len() / dimension;
    let mut panels = Panels::from_packed(x, dimension);
    let mut values = vec![R::ZERO; points];
    let (mut best, mut workspace) = (Best::none(dimension), kernel.workspace(points));
    for y in panels.iter_mut() {
        let (map, update) = (Map::Identity, Update::Gradient { factor: 1.0 });
        let values = &mut values[y.first..][..y.points];
        kernel.apply(Job { values, y, map, update, best: &mut best, workspace: &mut workspace });
    }
    (values, panels.packed())
}

impl<R: Real> Evaluate<R> for Prepared<R> {
    fn coordinates(&self) -> usize {
        self.program.dimension
    }

    fn domain(&self) -> [f64; 2] {
        self.program.domain
    }

    fn ends(&self) -> [f64; 2] {
        self.range
    }

    fn raw_ends(&self) -> [f64; 2] {
        self.range
    }

    fn steepest(&self) -> f64 {
        self.program.steepest
    }

    fn scratch(&self) -> usize {
        self.program.registers
    }

    fn work(&self) -> usize {
        self.program.operations
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        let Program { dimension, input, value, gradient: (gradient, step), factors, .. } = self.program;
        let simd = points.simd;
        self.program.start(simd, R::registers_mut::<S>(points.scratch));
        let [value_factor, slope_factor] = factors.map(|factor| Lanes::splat(simd, R::of(factor)));
        points.each(|point| {
            for i in 0..dimension {
                point.scratch[input + i] = point.coordinate(i).register();
            }
            self.program.run(simd, point.scratch);
            for i in 0..dimension {
                point.slope(i, Lanes::new(simd, point.scratch[gradient + i * step]) * slope_factor);
            }
            Lanes::new(simd, point.scratch[value]) * value_factor
        });
    }
}
