//! From parameters to values and gradients in one pass: squash, box, function, scale and chain rule, fused.

use super::definition::{Definition, Lowest, check_dimension};
use super::kernel::{Job, Kernel, Update, Workspace};
use super::points::{Link, Points};
use crate::error::Error;
use crate::simd::math::{Sigmoid, clamp_odds, exp_apart, gentle_growth};
use crate::simd::{Columns, Lanes, Panels, Real, Rows, Simd, Tables, WithSimd, across, dispatch, tables};
use crate::squash::Map;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of points from which on they are read from memory in every iteration, or from a cache that is not the core's own.
const STREAMED: usize = 8 << 20;

/// True if so many points of so many coordinates fit into no core's cache.
pub(crate) fn exceeds_caches<R: Real>(points: usize, coordinates: usize) -> bool {
    points.saturating_mul(coordinates) >= STREAMED / size_of::<R>()
}

/// The evaluation between the squash and the step: values and gradients of a function of coordinates in a box.
pub(crate) trait Evaluate<R: Real>: Send + Sync + 'static {
    /// True if the points of a panel are evaluated together, see [`Definition::TOGETHER`].
    const TOGETHER: bool = false;

    /// The number of coordinates.
    fn coordinates(&self) -> usize;

    /// The bounds of a coordinate, in its unit.
    fn domain(&self) -> [f64; 2];

    /// The values that F = 0 and F = 1 stand for, in their unit.
    fn ends(&self) -> [f64; 2];

    /// The raw values that F = 0 and F = 1 stand for.
    fn raw_ends(&self) -> [f64; 2];

    /// True if only rounding puts a value below the range.
    fn bounded(&self) -> bool {
        false
    }

    /// A bound of the gradient, in the units.
    fn steepest(&self) -> f64 {
        f64::INFINITY
    }

    /// The number of rows of scratch that it needs.
    fn scratch(&self) -> usize;

    /// Floating-point operations of one point.
    fn work(&self) -> usize;

    /// Checks that the function is defined.
    ///
    /// # Errors
    /// If it is not.
    fn defined(&self) -> Result<(), Error> {
        Ok(())
    }

    /// See [`Definition::begin`].
    #[inline(always)]
    fn begin<S: Simd, L: Link<S, R>>(&self, _points: Points<'_, S, R, L>) {}

    /// See [`Definition::mix`].
    #[inline(always)]
    fn mix<S: Simd>(&self, _simd: S, _points: usize, _stride: usize, _scratch: &mut [R]) {}

    /// Values and gradients, in the units.
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>);
}

/// A function with its dimension and its scale.
struct Fused<F> {
    function: F,
    dimension: usize,
    range: [f64; 2],
}

/// The kernel of the function `F`, or nothing as soon as `stop` says so.
pub(super) fn build<R: Real, F: Definition<R>>(
    dimension: usize,
    seed: u64,
    stop: &dyn Fn() -> bool,
) -> Option<Arc<dyn Kernel<R>>> {
    // The search for the extremes takes a while, too, where thousands of kernels are built.
    if stop() {
        return None;
    }
    let extremes = F::extremes(dimension);
    let range = [extremes.minimum, extremes.maximum];
    Some(Arc::new(Fusion(Fused { function: F::new_unless(dimension, seed, stop)?, dimension, range })))
}

impl<R: Real, F: Definition<R>> Evaluate<R> for Fused<F> {
    const TOGETHER: bool = F::TOGETHER;

    #[inline(always)]
    fn coordinates(&self) -> usize {
        self.dimension
    }

    #[inline(always)]
    fn domain(&self) -> [f64; 2] {
        const { [F::DOMAIN[0] / F::UNITS[0], F::DOMAIN[1] / F::UNITS[0]] }
    }

    #[inline(always)]
    fn ends(&self) -> [f64; 2] {
        F::LOWEST.ends(self.range).map(|value| value / F::UNITS[1])
    }

    fn raw_ends(&self) -> [f64; 2] {
        self.range
    }

    #[inline(always)]
    fn bounded(&self) -> bool {
        F::LOWEST == Lowest::Rounded
    }

    #[inline(always)]
    fn steepest(&self) -> f64 {
        F::steepest(self.dimension) * (F::UNITS[0] / F::UNITS[1])
    }

    fn scratch(&self) -> usize {
        F::scratch(self.dimension)
    }

    fn work(&self) -> usize {
        F::operations(self.dimension)
    }

    fn defined(&self) -> Result<(), Error> {
        check_dimension::<R, F>(self.dimension)
    }

    #[inline(always)]
    fn begin<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        self.function.begin(points);
    }

    #[inline(always)]
    fn mix<S: Simd>(&self, simd: S, points: usize, stride: usize, scratch: &mut [R]) {
        self.function.mix(simd, self.dimension, points, stride, scratch);
    }

    #[inline(always)]
    fn evaluate<S: Simd, L: Link<S, R>>(&self, points: Points<'_, S, R, L>) {
        self.function.evaluate(points);
    }
}

/// An [`Evaluate`] as a kernel.
pub(crate) struct Fusion<E>(pub E);

impl<R: Real, E: Evaluate<R>> Kernel<R> for Fusion<E> {
    fn workspace(&self, points: usize) -> Workspace<R> {
        let stride = Panels::<R>::stride(points);
        let columns = if E::TOGETHER { stride } else { R::BLOCK };
        Workspace {
            x: Rows::zeros(self.0.coordinates(), columns),
            values: Rows::zeros(1, stride),
            scratch: Rows::zeros(self.0.scratch(), columns),
        }
    }

    fn apply(&self, job: Job<'_, R>) {
        dispatch(Apply { fused: &self.0, job, tables: None, begins: E::TOGETHER });
    }

    fn check(&self) -> Result<(), Error> {
        self.0.defined()
    }

    fn stride_alone(&self, points: usize) -> usize {
        let narrow = !E::TOGETHER && exceeds_caches::<R>(points, self.0.coordinates());
        if narrow { R::BLOCK } else { self.stride(points) }
    }

    fn operations(&self) -> usize {
        // Squash 5, box 2, chain rule and step 5 a coordinate: what they are by the formula, not by the series that steps may take.
        self.0.work() + 12 * self.0.coordinates()
    }

    fn range(&self) -> [f64; 2] {
        self.0.raw_ends()
    }
}

struct Apply<'a, E, R: Real> {
    fused: &'a E,
    job: Job<'a, R>,
    tables: Option<Tables>,
    /// True in the first pass, that of [`Definition::begin`].
    begins: bool,
}

impl<R: Real, E: Evaluate<R>> WithSimd for Apply<'_, E, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.tables = tables(simd);
        let (points, stride) = (self.job.y.points, self.job.y.stride);
        if E::TOGETHER {
            across::<S, R>(simd, points, &mut self);
            self.fused.mix(simd, points, stride, &mut self.job.workspace.scratch);
            self.begins = false;
        }
        across::<S, R>(simd, points, &mut self);
        let Job { values, workspace, .. } = self.job;
        values.copy_from_slice(&workspace.values[..values.len()]);
    }
}

impl<R: Real, E: Evaluate<R>> Columns for Apply<'_, E, R> {
    #[inline(always)]
    fn work<S: Simd>(&mut self, simd: S, columns: Range<usize>) {
        let ([lo, hi], [minimum, maximum]) = (self.fused.domain(), self.fused.ends());
        // dF/df · du/dx, in the definition's units.
        let slope = (hi - lo) / (maximum - minimum);
        let constant = |value: f64| Lanes::splat(simd, R::of(value));
        match (self.job.map, self.job.update) {
            (Map::Logistic { gain }, Update::Step { step }) => {
                // What the odds grow by in the exponent: gain times the step of y, the other way round.
                let factor = step * slope * gain * gain;
                // |x (1 - x)| is at most a quarter.
                let largest = 0.25 * factor.abs() * self.fused.steepest();
                let factor = constant(factor);
                match R::GENTLE.iter().position(|&(bound, _)| largest <= bound) {
                    Some(0) => self.evaluate(simd, columns, Odds::<S, R, 0> { factor }),
                    Some(_) => self.evaluate(simd, columns, Odds::<S, R, 1> { factor }),
                    None => self.evaluate(simd, columns, Odds::<S, R, 2> { factor }),
                }
            }
            (Map::Logistic { gain }, Update::Gradient { factor }) => {
                let sigmoid = Sigmoid::new(simd, self.tables, gain);
                self.evaluate(simd, columns, Logistic { sigmoid, factor: constant(factor * slope * gain) });
            }
            (map, update) => {
                let (steps, factor) = match update {
                    Update::Step { step } => (true, -step),
                    Update::Gradient { factor } => (false, factor),
                };
                self.evaluate(
                    simd,
                    columns,
                    Plain { clamped: map == Map::Clamp, steps, factor: constant(factor * slope) },
                );
            }
        }
    }
}

impl<R: Real, E: Evaluate<R>> Apply<'_, E, R> {
    #[inline(always)]
    fn evaluate<S: Simd>(&mut self, simd: S, columns: Range<usize>, link: impl Link<S, R>) {
        let Self { fused, job: Job { y, best, workspace, .. }, begins, .. } = self;
        let Workspace { x, values, scratch } = &mut **workspace;
        let points = Points {
            simd,
            dimension: fused.coordinates(),
            width: y.stride / Lanes::<S, R>::COUNT,
            columns,
            y: R::registers_mut::<S>(y.rows),
            x: R::registers_mut::<S>(x),
            scratch,
            values: R::registers_mut::<S>(values),
            best,
            link,
            domain: fused.domain(),
            range: fused.ends(),
            bounded: fused.bounded(),
        };
        if E::TOGETHER && *begins { fused.begin(points) } else { fused.evaluate(points) }
    }
}

/// Through the sigmoid, for the gradient that the deep optimizer sends on.
#[derive(Clone, Copy)]
struct Logistic<S: Simd, R: Real> {
    sigmoid: Sigmoid<S, R>,
    factor: Lanes<S, R>,
}

impl<S: Simd, R: Real> Link<S, R> for Logistic<S, R> {
    #[inline(always)]
    fn x(self, a: Lanes<S, R>, b: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
        self.sigmoid.both(a, b)
    }

    #[inline(always)]
    fn replace(self, _: Lanes<S, R>, _: Lanes<S, R>, spread: Lanes<S, R>, slope: Lanes<S, R>) -> Lanes<S, R> {
        self.factor * slope * spread
    }
}

/// Through the sigmoid, for the shallow optimizer's step: the odds v = e^(-gain y) take the place of y, and a step of y multiplies
/// them. Where all steps are small enough for one of the series of [`Real::GENTLE`], number `SERIES`, that takes less than the
/// exponential of y itself.
#[derive(Clone, Copy)]
struct Odds<S: Simd, R: Real, const SERIES: usize> {
    factor: Lanes<S, R>,
}

impl<S: Simd, R: Real, const SERIES: usize> Link<S, R> for Odds<S, R, SERIES> {
    #[inline(always)]
    fn x(self, a: Lanes<S, R>, b: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
        Sigmoid::of_odds(a, b)
    }

    #[inline(always)]
    fn replace(self, odds: Lanes<S, R>, _: Lanes<S, R>, spread: Lanes<S, R>, slope: Lanes<S, R>) -> Lanes<S, R> {
        let step = self.factor * slope * spread;
        clamp_odds(match R::GENTLE.get(SERIES) {
            Some(&(_, terms)) => (odds * step).mul_add(gentle_growth(step, terms), odds),
            None => odds * exp_apart(step),
        })
    }
}

/// Without a squash: a step of projected descent, which starts from the clamped point, or a gradient.
#[derive(Clone, Copy)]
struct Plain<S: Simd, R: Real> {
    clamped: bool,
    steps: bool,
    factor: Lanes<S, R>,
}

impl<S: Simd, R: Real> Link<S, R> for Plain<S, R> {
    #[inline(always)]
    fn x(self, a: Lanes<S, R>, b: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>) {
        if self.clamped { (a.clamp(0.0, 1.0), b.clamp(0.0, 1.0)) } else { (a, b) }
    }

    #[inline(always)]
    fn replace(self, _: Lanes<S, R>, x: Lanes<S, R>, _: Lanes<S, R>, slope: Lanes<S, R>) -> Lanes<S, R> {
        if self.steps { self.factor.mul_add(slope, x) } else { self.factor * slope }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::points::{CENTERED, spread};
    use super::super::{Best, Extremes, rosenbrock::Rosenbrock, sphere::Sphere};
    use super::*;
    use crate::simd::tests::everywhere;

    const POINTS: usize = 50;
    const DIMENSION: usize = 7;

    /// A panel of points after [`Kernel::apply`]: of y for gradients, of odds for steps.
    struct Applied<'a, R: Real, F> {
        fused: &'a Fusion<Fused<F>>,
        y: &'a [R],
        gain: f64,
        update: Update,
    }

    impl<R: Real, F: Definition<R>> WithSimd for Applied<'_, R, F> {
        type Output = (Vec<R>, Vec<R>);

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> (Vec<R>, Vec<R>) {
            let Self { fused, y, gain, update } = self;
            let mut panels = Panels::from_packed(y, DIMENSION);
            let mut workspace = Kernel::<R>::workspace(fused, POINTS);
            let (mut best, mut values) = (Best::none(DIMENSION), vec![R::ZERO; POINTS]);
            for y in panels.iter_mut() {
                let sigmoid = Sigmoid::<S, R>::new(simd, tables(simd), gain);
                if matches!(update, Update::Step { .. }) {
                    for register in R::registers_mut::<S>(y.rows) {
                        *register = sigmoid.odds(Lanes::new(simd, *register)).register();
                    }
                }
                let (values, map) = (&mut values[y.first..][..y.points], Map::Logistic { gain });
                let job = Job { values, y, map, update, best: &mut best, workspace: &mut workspace };
                Apply { fused: &fused.0, job, tables: None, begins: F::TOGETHER }.with_simd(simd);
            }
            (values, panels.packed())
        }
    }

    /// A step of y and a step of the odds e^(-gain y) are the same, be it small or large.
    fn steps_agree<R: Real, F: Definition<R>>(step: f64, gain: f64, allowed: f64) {
        let Extremes { minimum, maximum, .. } = F::extremes(DIMENSION);
        let fused = Fusion(Fused { function: F::new(DIMENSION, 0), dimension: DIMENSION, range: [minimum, maximum] });
        let y: Vec<R> = (0..POINTS * DIMENSION).map(|i| R::of(4.0 * (i as f64 * 0.618).fract() - 2.0)).collect();
        let applied = |update| everywhere(|| Applied { fused: &fused, y: &y, gain, update });
        let slopes = applied(Update::Gradient { factor: 1.0 });
        for ((set, (values, odds)), (_, (same, slopes))) in applied(Update::Step { step }).into_iter().zip(slopes) {
            assert_eq!(values, same, "the same points to the bit, on {set}");
            for ((odds, y), slope) in odds.iter().zip(&y).zip(slopes) {
                let log_odds = -gain * (y.wide() - step * slope.wide());
                let expected = log_odds.clamp(-R::ODDS_LIMIT, R::ODDS_LIMIT).exp();
                let error = (odds.wide() / expected - 1.0).abs();
                assert!(error <= allowed, "{} {step} on {set}: odds {odds}, expected {expected:e}", R::NAME);
            }
        }
    }

    /// Values and points after a step, in panels of `stride` points.
    fn step_in_panels<R: Real>(kernel: &dyn Kernel<R>, y: &[R], stride: usize) -> (Vec<R>, Vec<R>) {
        let mut panels = Panels::with_stride(y, DIMENSION, stride);
        let (mut workspace, mut best) = (kernel.workspace(POINTS), Best::none(DIMENSION));
        let mut found = vec![R::ZERO; POINTS];
        for y in panels.iter_mut() {
            let (values, map) = (&mut found[y.first..][..y.points], Map::Logistic { gain: 1.0 });
            let job =
                Job { values, y, map, update: Update::Step { step: 0.3 }, best: &mut best, workspace: &mut workspace };
            kernel.apply(job);
        }
        assert!(found.contains(&best.value));
        (found, panels.packed())
    }

    #[test]
    fn points_that_fit_into_no_cache_are_in_narrow_panels_and_take_the_same_steps() {
        let kernel = build::<f64, Rosenbrock<f64>>(DIMENSION, 0, &|| false).unwrap();
        let usual = Panels::<f64>::stride(POINTS);
        assert_eq!((kernel.stride_alone(POINTS), kernel.stride_alone(1_000_000)), (usual, <f64 as Real>::BLOCK));
        assert!(kernel.stride(1_000_000) > <f64 as Real>::BLOCK);
        let odds: Vec<f64> = (0..POINTS * DIMENSION).map(|i| 0.1 + 3.0 * (i as f64 * 0.618).fract()).collect();
        let wide = step_in_panels(&*kernel, &odds, usual);
        assert_eq!(step_in_panels(&*kernel, &odds, <f64 as Real>::BLOCK), wide);
        assert_ne!(wide.1, odds);
    }

    #[test]
    fn steps_of_odds_are_steps_of_y() {
        for gain in [1.0, 1.7] {
            for step in [1e-6, 1e-3, 0.01, 0.1, 1.0, 30.0, 1e3] {
                steps_agree::<f64, Sphere<f64>>(step, gain, 1e-14 * (1.0 + step));
                steps_agree::<f64, Rosenbrock<f64>>(step, gain, 1e-14 * (1.0 + step));
                steps_agree::<f32, Sphere<f32>>(step, gain, 4e-6 * (1.0 + step));
                steps_agree::<f32, Rosenbrock<f32>>(step, gain, 4e-6 * (1.0 + step));
            }
        }
    }

    /// F over the square of what x is off the middle, by about `offset` in one of seven coordinates, on every instruction set.
    fn beside_the_middle<R: Real, F: Definition<R>>(offset: f64) -> Vec<(&'static str, f64)> {
        let Extremes { minimum, maximum, .. } = F::extremes(DIMENSION);
        let fused = Fusion(Fused { function: F::new(DIMENSION, 0), dimension: DIMENSION, range: [minimum, maximum] });
        // x = 1/(1 + v) with the odds v.
        let mut odds = vec![R::of(1.0); POINTS * DIMENSION];
        odds.chunks_exact_mut(DIMENSION).for_each(|point| point[3] = R::of(1.0 / (0.5 + offset) - 1.0));
        let found = everywhere(|| OfOdds { fused: &fused, odds: &odds });
        found.into_iter().map(|(set, (x, value))| (set, value.wide() / (x.wide() - 0.5).powi(2))).collect()
    }

    /// x of the coordinate beside the middle, and F.
    struct OfOdds<'a, R: Real, F> {
        fused: &'a Fusion<Fused<F>>,
        odds: &'a [R],
    }

    impl<R: Real, F: Definition<R>> WithSimd for OfOdds<'_, R, F> {
        type Output = (R, R);

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> (R, R) {
            let mut panels = Panels::from_packed(self.odds, DIMENSION);
            let mut workspace = Kernel::<R>::workspace(self.fused, POINTS);
            let (mut best, mut values) = (Best::none(DIMENSION), vec![R::ZERO; POINTS]);
            for y in panels.iter_mut() {
                let (values, map) = (&mut values[y.first..][..y.points], Map::Logistic { gain: 1.0 });
                let update = Update::Step { step: 0.0 };
                let job = Job { values, y, map, update, best: &mut best, workspace: &mut workspace };
                Apply { fused: &self.fused.0, job, tables: None, begins: F::TOGETHER }.with_simd(simd);
            }
            (best.x[3], values[0])
        }
    }

    /// Near the middle F is a parabola: its curvature is the same at any offset and on any instruction set.
    fn is_a_parabola<F: Definition<f64>>(curvature: f64) {
        for offset in [1e-12, 1e-10, 1e-8, 1e-6] {
            for (set, found) in beside_the_middle::<f64, F>(offset) {
                let error = (found / curvature - 1.0).abs();
                // The next term is of fourth order, with a factor of about 10³.
                assert!(error < 1e-12 + 1e4 * offset * offset, "{} at {offset:e} on {set}: {found}", F::TITLE);
            }
        }
    }

    #[test]
    fn values_near_the_middle_are_accurate_on_every_instruction_set() {
        use super::super::rastrigin::Rastrigin;
        let width = 10.24f64.powi(2);
        let highest = |extremes: Extremes| extremes.maximum;
        is_a_parabola::<Sphere>(width / highest(<Sphere as Definition<f64>>::extremes(DIMENSION)));
        let waves = 20.0 * std::f64::consts::PI.powi(2);
        is_a_parabola::<Rastrigin>(
            width * (1.0 + waves) / highest(<Rastrigin as Definition<f64>>::extremes(DIMENSION)),
        );
    }

    struct Spread<'a, R>(&'a [R]);

    impl<R: Real> WithSimd for Spread<'_, R> {
        type Output = Vec<R>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<R> {
            let spread = |&x: &R| spread(Lanes::<S, R>::splat(simd, x), CENTERED).scalars()[0];
            self.0.iter().map(spread).collect()
        }
    }

    fn spread_is_that_of_x<R: Real>(epsilon: f64) {
        let ends = (0..1_100).map(|n| 2f64.powi(-n)).flat_map(|x| [x, 1.0 - x]);
        let x: Vec<R> = ends.chain((0..100_000).map(|i| (f64::from(i) * 0.618).fract())).map(R::of).collect();
        for (set, found) in everywhere(|| Spread(&x)) {
            for (x, found) in x.iter().zip(found) {
                let expected = x.wide() * (1.0 - x.wide());
                let error = (found.wide() - expected).abs();
                assert!(found >= R::ZERO && error <= 0.25 * epsilon, "{x} on {set}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn in_a_centered_box_the_spread_is_within_an_ulp_of_a_quarter() {
        spread_is_that_of_x::<f32>(2f64.powi(-23));
        spread_is_that_of_x::<f64>(2f64.powi(-52));
    }

    /// However large a step, odds stay finite, and NaN stays NaN.
    fn odds_stay_in_bounds<R: Real>() {
        let fused = Fusion(Fused { function: Sphere::<R>::new(DIMENSION, 0), dimension: DIMENSION, range: [0.0, 1.0] });
        let mut y = vec![R::of(0.3); POINTS * DIMENSION];
        y[DIMENSION] = R::of(f64::NAN);
        for (step, bound) in [(1e30, R::ODDS[1]), (-1e30, R::ODDS[0])] {
            let update = Update::Step { step };
            for (set, (values, odds)) in everywhere(|| Applied { fused: &fused, y: &y, gain: 1.0, update }) {
                for (point, odds) in odds.chunks(DIMENSION).enumerate() {
                    let context = format!("point {point}, {} on {set}: {odds:?}", R::NAME);
                    if point == 1 {
                        assert!(odds[0].wide().is_nan() && values[1].wide().is_nan(), "{context}");
                    } else {
                        assert!(odds.iter().all(|&odds| odds == R::of(bound)), "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn odds_are_held_in_their_bounds() {
        odds_stay_in_bounds::<f32>();
        odds_stay_in_bounds::<f64>();
    }

    /// At corners, near them, in the middle, near it and in between.
    pub(in crate::objective) fn is_a_bound<F: Definition<f64>>(dimension: usize) {
        let kernel = build::<f64, F>(dimension, 0, &|| false).unwrap();
        let irregular = |i: usize| (i as f64 * 0.618_033_988_749_894_9).fract();
        let mut x: Vec<f64> = (0..2_000 * dimension).map(irregular).collect();
        x.extend((0..500 * dimension).map(|i| irregular(i).round()));
        x.extend((0..500 * dimension).map(|i| irregular(i).round().clamp(1e-3, 1.0 - 1e-3)));
        x.extend((0..500 * dimension).map(|i| 0.5 + 1e-9 * (irregular(i) - 0.5)));
        // One coordinate off the middle, as where a funnel is steepest.
        x.extend((0..dimension * dimension).map(|i| if i % (dimension + 1) == 0 { 0.5001 } else { 0.5 }));
        let found = super::super::scaled::evaluate(&*kernel, &x, dimension).expect("whole points");
        let [minimum, maximum] = kernel.range();
        let to_raw = (maximum - minimum) / (F::DOMAIN[1] - F::DOMAIN[0]);
        let largest = found.gradient.iter().fold(0.0f64, |largest, slope| largest.max(slope.abs())) * to_raw;
        let bound = F::steepest(dimension);
        assert!(largest <= bound * (1.0 + 1e-12), "{} in {dimension}: {largest} is beyond {bound}", F::TITLE);
        // Mixed points, those of the spin glass, make no use of a bound.
        assert!(bound <= 10.0 * largest || F::TOGETHER, "{} in {dimension}: {bound} is far above {largest}", F::TITLE);
    }

    #[test]
    fn no_slope_is_beyond_the_steepest() {
        for function in crate::objective::Function::ALL {
            for dimension in [2, 5, 50] {
                function.check_slope_bound(dimension);
            }
        }
    }
}
