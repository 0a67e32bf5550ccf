//! Expressions as kernels: between the squash and the step, a program in place of a written function.

use super::Expression;
use super::plan::Program;
use crate::error::Error;
use crate::objective::{Evaluate, Fusion, Kernel, Link, Points};
use crate::simd::{Lanes, Real, Simd};
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
        let Program { dimension, input, value, gradient: (gradient, step), .. } = self.program;
        let simd = points.simd;
        self.program.start(simd, R::registers_mut::<S>(points.scratch));
        points.each(|point| {
            for i in 0..dimension {
                point.scratch[input + i] = point.coordinate(i).register();
            }
            self.program.run(simd, point.scratch);
            for i in 0..dimension {
                point.slope(i, Lanes::new(simd, point.scratch[gradient + i * step]));
            }
            Lanes::new(simd, point.scratch[value])
        });
    }
}
