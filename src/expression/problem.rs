//! Expressions as objectives of sweeps, protocols and commands, and what is known of them beforehand.

use super::{Bounds, Expression};
use crate::error::Error;
use crate::graph::Recorded;
use crate::graph::cuda::CudaSource;
use crate::objective::{Evaluation, Kernel, Problem, Source, evaluate};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Uniform};
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, PoisonError};

impl Source for Expression {
    fn name(&self) -> &str {
        Expression::name(self)
    }

    /// The operations and the data that the closure records, with the box and the range, as a hash: the same in every process.
    fn fingerprint(&self, dimension: usize) -> String {
        let mut hash = Hash(DefaultHasher::new());
        // Hashing cannot fail; an expression that cannot be recorded has no runs.
        let _ = match self.record(dimension) {
            Ok(Recorded { graph, value, domain, .. }) => {
                write!(hash, "{self:?} {:?} {value:?} {domain:?}", graph.nodes())
            }
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
        // An expression that cannot be recorded is refused before there is anything to plan.
        let registers = self.sizes(dimension).map_or(0, |sizes| sizes.registers);
        (dimension + registers) * block + stride
    }

    /// The constants, the lists and the matrices of the program, and once more while they are made.
    fn data_bytes(&self, dimension: usize, scalar: usize) -> u64 {
        self.sizes(dimension)
            .map_or(0, |Sizes { numbers, places, .. }| (2 * numbers * scalar.max(size_of::<f64>()) + 4 * places) as u64)
    }

    fn cuda(&self, dimension: usize) -> Result<Option<CudaSource>, Error> {
        Ok(CudaSource::new(&self.record(dimension)?))
    }

    fn kernel_f32(&self, dimension: usize, _: u64, _: &dyn Fn() -> bool) -> Result<Arc<dyn Kernel<f32>>, Error> {
        self.kernel(dimension)
    }

    fn kernel_f64(&self, dimension: usize, _: u64, _: &dyn Fn() -> bool) -> Result<Arc<dyn Kernel<f64>>, Error> {
        self.kernel(dimension)
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

/// The cost of evaluating an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations of the value and the gradient of one point, counting an elementary function as one.
    pub operations: usize,
    /// Bytes that the points of one register take while they are evaluated, in double precision.
    pub bytes: usize,
}

/// The sizes of the program in a number of dimensions, in any precision.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    dimension: usize,
    registers: usize,
    /// Constants, alone and in matrices.
    numbers: usize,
    /// Places in lists.
    places: usize,
    cost: Cost,
}

/// The most coordinates that are evaluated at a time.
const BLOCK: usize = 1 << 20;

/// Points that ascend or descend.
const CLIMBERS: usize = 16;

impl Expression {
    /// The cost of evaluating a point of `dimension` coordinates.
    ///
    /// # Errors
    /// As [`Expression::check`] has them.
    pub fn cost(&self, dimension: usize) -> Result<Cost, Error> {
        self.sizes(dimension).map(|sizes| sizes.cost)
    }

    /// The sizes of the program. Those for the last number of dimensions are kept.
    pub(super) fn sizes(&self, dimension: usize) -> Result<Sizes, Error> {
        self.check_numbers(dimension)?;
        // Not held while the closure runs, which may ask for sizes itself.
        let known = *self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sizes) = known.filter(|sizes| sizes.dimension == dimension) {
            return Ok(sizes);
        }
        let program = self.program::<f64>(dimension)?;
        let sizes = Sizes {
            dimension,
            registers: program.registers,
            numbers: program.constants.len() + program.matrices.iter().map(|matrix| matrix.data.len()).sum::<usize>(),
            places: program.lists.len(),
            cost: Cost { operations: program.operations, bytes: program.bytes() },
        };
        *self.sizes.lock().unwrap_or_else(PoisonError::into_inner) = Some(sizes);
        Ok(sizes)
    }

    /// An estimate of the smallest and the largest value f in the box, for points of `dimension` coordinates: those of 64 to 4096 points drawn
    /// evenly, then of 100 gradient steps from the 16 lowest and the 16 highest of them. The true range may be wider, and is where there are
    /// many optima.
    ///
    /// # Errors
    /// As [`Expression::check`] has them, or if f is at no point a number.
    pub fn estimate_range(&self, dimension: usize) -> Result<[f64; 2], Error> {
        let kernel = self.kernel::<f64>(dimension)?;
        let kernel = &*kernel;
        let points = (BLOCK / dimension.max(1)).clamp(64, 4096);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let cube = Uniform::new_inclusive(0.0, 1.0);
        let x: Vec<f64> = (0..points * dimension).map(|_| cube.sample(&mut rng)).collect();
        let Evaluation { raw, .. } = evaluate(kernel, &x, dimension)?;
        let mut order: Vec<usize> = (0..points).filter(|&point| raw[point].is_finite()).collect();
        order.sort_by(|&a, &b| raw[a].total_cmp(&raw[b]));
        if order.is_empty() {
            return Err(self.error(format!("its value is not finite at any of {points} points of its box")));
        }
        let start = |points: &mut dyn Iterator<Item = &usize>| -> Vec<f64> {
            points.take(CLIMBERS).flat_map(|&point| x[point * dimension..][..dimension].iter().copied()).collect()
        };
        let lowest = climb(kernel, dimension, start(&mut order.iter()), -1.0)?;
        let highest = climb(kernel, dimension, start(&mut order.iter().rev()), 1.0)?;
        Ok([lowest, highest])
    }
}

/// The best value that steps along the gradient reach from the points `x`: each up where `sign` is 1 and down where it is -1, a step longer
/// after one that gained and shorter after one that did not.
fn climb(kernel: &dyn Kernel<f64>, dimension: usize, mut x: Vec<f64>, sign: f64) -> Result<f64, Error> {
    let mut found = evaluate(kernel, &x, dimension)?;
    let mut steps = vec![0.1; found.raw.len()];
    for _ in 0..100 {
        let mut tried = x.clone();
        for ((point, slopes), step) in tried.chunks_mut(dimension).zip(found.gradient.chunks(dimension)).zip(&steps) {
            let largest = slopes.iter().fold(0.0f64, |largest, slope| largest.max(slope.abs()));
            let factor = if largest > 0.0 && largest.is_finite() { sign * step / largest } else { 0.0 };
            point.iter_mut().zip(slopes).for_each(|(x, slope)| *x = (*x + factor * slope).clamp(0.0, 1.0));
        }
        let there = evaluate(kernel, &tried, dimension)?;
        for (point, step) in steps.iter_mut().enumerate() {
            let gained = there.raw[point].is_finite() && sign * (there.raw[point] - found.raw[point]) > 0.0;
            *step *= if gained { 1.5 } else { 0.4 };
            if gained {
                let place = point * dimension..(point + 1) * dimension;
                x[place.clone()].copy_from_slice(&tried[place.clone()]);
                found.gradient[place.clone()].copy_from_slice(&there.gradient[place]);
                found.raw[point] = there.raw[point];
            }
        }
    }
    Ok(sign * found.raw.iter().fold(f64::NEG_INFINITY, |best, value| best.max(sign * value)))
}

/// A hash of what is written to it.
struct Hash(DefaultHasher);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_what_is_recorded() {
        let bowl = |data: [f64; 3], hi: f64| {
            Expression::new("bowl", [-1.0, hi], move |u| (u.sin() * u - &data[..]).square().sum() + u.exp().mean())
        };
        let fingerprint = |expression: Expression| expression.fingerprint(3);
        let first = fingerprint(bowl([1.0, 2.0, 3.0], 1.0));
        assert!(first.starts_with("bowl "), "{first}");
        // Recorded anew by another closure.
        assert_eq!(fingerprint(bowl([1.0, 2.0, 3.0], 1.0)), first);
        let others =
            [bowl([1.0, 2.0, 4.0], 1.0), bowl([1.0, 2.0, 3.0], 2.0), bowl([1.0, 2.0, 3.0], 1.0).range(0.0, 9.0)];
        for other in others {
            assert_ne!(fingerprint(other), first);
        }
        assert_ne!(fingerprint(Expression::new("bowl", [-1.0, 1.0], |u| u.square().sum())), first);
    }

    #[test]
    fn the_estimated_range_of_a_simple_function_is_its_range() {
        let slope = Expression::new("slope", [-1.0, 3.0], |u| (u - 1.0).square().sum());
        let [lo, hi] = slope.estimate_range(4).unwrap();
        assert!((0.0..1e-6).contains(&lo) && (16.0 - 1e-9..=16.0 + 1e-9).contains(&hi), "{lo} to {hi}");
        let nowhere = Expression::new("nowhere", [-1.0, 1.0], |u| (u.square() + 1.0).sum() * f64::NAN);
        assert!(nowhere.estimate_range(2).unwrap_err().to_string().contains("at any of 4096 points"));
    }
}
