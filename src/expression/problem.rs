//! Expressions as objectives of sweeps and protocols.

use super::Expression;
use super::plan::Program;
use crate::error::Error;
use crate::objective::{Bounds, Kernel, Problem, Source};
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

impl Source for Expression {
    fn name(&self) -> &str {
        Expression::name(self)
    }

    /// The operations and the data that the closure records, with the box and the range, as a hash.
    fn fingerprint(&self, dimension: usize) -> String {
        let mut hash = Hash(DefaultHasher::new());
        // Hashing cannot fail; what cannot be recorded has no runs to be told apart.
        let _ = match self.record(dimension) {
            Ok(recorded) => write!(hash, "{self:?} {recorded:?}"),
            Err(error) => write!(hash, "{self:?} {error}"),
        };
        format!("{} {:016x}", Expression::name(self), hash.0.finish())
    }

    fn check(&self, dimension: usize) -> Result<(), Error> {
        Expression::check(self, dimension)
    }

    fn bounds(&self, _: usize) -> Bounds {
        Expression::bounds(self).clone()
    }

    fn range(&self, _: usize) -> Result<[f64; 2], Error> {
        Ok(self.ends())
    }

    fn workspace(&self, dimension: usize, stride: usize, block: usize) -> usize {
        let program = self.record(dimension).map(Program::<f64>::new);
        program.map_or(0, |program| (dimension + program.registers) * block + stride)
    }

    fn kernel_f32(&self, dimension: usize, _: u64, _: &dyn Fn() -> bool) -> Result<Arc<dyn Kernel<f32>>, Error> {
        self.kernel(dimension)
    }

    fn kernel_f64(&self, dimension: usize, _: u64, _: &dyn Fn() -> bool) -> Result<Arc<dyn Kernel<f64>>, Error> {
        self.kernel(dimension)
    }
}

/// A hash of what is written to it.
struct Hash(DefaultHasher);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl From<Expression> for Problem {
    fn from(expression: Expression) -> Self {
        Self::new(expression)
    }
}

impl From<&Expression> for Problem {
    fn from(expression: &Expression) -> Self {
        Self::new(expression.clone())
    }
}
