//! The objectives against central differences, dfdx's tape, `argmin_testfunctions`, and what is known of their ranges.

use dfdx::prelude::{Const, Device, Rank0, TensorFromVec};
use overparam::prelude::*;
use overparam::{Element, Real};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::f64::consts::PI;

/// `$body` for `$d` = 1, 2, 3, 10, 50, 64 and 67.
macro_rules! each_dimension {
    ($d:ident => $body:expr) => {
        each_dimension!($d => $body; 1 2 3 10 50 64 67)
    };
    ($d:ident => $body:expr; $($n:literal)+) => {
        $({
            const $d: usize = $n;
            $body
        })+
    };
}

/// Coordinates of points inside the cube, on its faces and edges, in its corners and in its middle.
fn coordinates(count: usize) -> impl Strategy<Value = Vec<f64>> {
    let inside = prop::collection::vec(0.0..=1.0, count);
    let special = prop_oneof![4 => 0.0..=1.0, 1 => Just(0.0), 1 => Just(1.0), 1 => Just(0.5)];
    let boundary = prop::collection::vec(special, count);
    let corner = prop::collection::vec(prop_oneof![Just(0.0), Just(1.0)], count);
    prop_oneof![3 => inside, 3 => boundary, 1 => corner, 1 => Just(vec![0.5; count])]
}

/// Runs `check` on the same `cases` sets of `count` coordinates each time.
fn for_points(cases: u32, count: usize, check: impl Fn(Vec<f64>) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&coordinates(count), check) {
        panic!("{error}");
    }
}

/// The functions that are defined in `d` dimensions.
fn functions(d: usize) -> impl Iterator<Item = Function> {
    Function::ALL.into_iter().filter(move |function| d >= function.smallest_dimension())
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

fn wide<R: Real>(values: &[R]) -> Vec<f64> {
    values.iter().map(|value| value.wide()).collect()
}

/// The gradient of F by differences of fourth order. With a step of 10⁻⁵ their error is h⁴/30 times the fifth derivative, at
/// most about 10⁻⁷ (Michalewicz at d = 67), and the rounding of F over h, about 10⁻¹⁰.
fn differences<const D: usize>(objective: &Scaled<D, f64>, x: &[f64]) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut points = Vec::with_capacity(4 * D * D);
    for i in 0..D {
        for steps in [-2.0, -1.0, 1.0, 2.0] {
            points.extend_from_slice(x);
            let moved = points.len() - D + i;
            points[moved] += steps * STEP;
        }
    }
    let values = objective.evaluate(&points).unwrap().scaled;
    values.chunks_exact(4).map(|f| (8.0 * (f[2] - f[1]) - (f[3] - f[0])) / (12.0 * STEP)).collect()
}

/// How much the value and the gradient (its largest component) change when x moves by 10⁻⁶, 16 roundings of an `f32` near 1:
/// the scale of what rounding x does.
fn sensitivity<const D: usize>(objective: &Scaled<D, f64>, x: &[f64]) -> [f64; 2] {
    let here = objective.evaluate(x).unwrap();
    let mut change = [0.0f64; 2];
    for step in [-1e-6, 1e-6] {
        let moved: Vec<f64> = x.iter().map(|x| x + step).collect();
        let moved = objective.evaluate(&moved).unwrap();
        change[0] = change[0].max((moved.scaled[0] - here.scaled[0]).abs());
        for (a, b) in moved.gradient.iter().zip(&here.gradient) {
            change[1] = change[1].max((a - b).abs());
        }
    }
    change
}

fn agrees_with_differences<const D: usize>() {
    for function in functions(D) {
        let double = function.objective::<D, f64>(3);
        let single = function.objective::<D, f32>(3);
        for_points(24, D, |x| {
            // Points that single precision can hold.
            let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let x = wide(&narrow);
            let expected = differences(&double, &x);
            let found = double.evaluate(&x).unwrap();
            let found32 = single.evaluate(&narrow).unwrap();
            let [value_change, slope_change] = sensitivity(&double, &x);
            let value32 = found32.scaled[0].wide();
            prop_assert!((value32 - found.scaled[0]).abs() <= 1e-6 + value_change, "{function} in f32: F = {value32}");
            let scale = largest(&expected).max(1.0);
            for i in 0..D {
                let slope = found.gradient[i];
                // Schwefel's second derivative has a pole where u_i = 0, and the spin glass no gradient where all u are 0.
                let smooth = match function {
                    Function::Schwefel => (x[i] - 0.5).abs() > 0.01,
                    Function::SpinGlass => x.iter().any(|x| (x - 0.5).abs() > 0.01),
                    _ => true,
                };
                if smooth {
                    let difference = expected[i];
                    prop_assert!(
                        (slope - difference).abs() <= 1e-6 * scale,
                        "{function} in {D} dimensions: dF/dx{i} = {slope}, {difference} by differences"
                    );
                }
                let slope32 = found32.gradient[i].wide();
                prop_assert!(
                    (slope32 - slope).abs() <= 1e-5 * scale + 2.0 * slope_change,
                    "{function} in {D} dimensions: dF/dx{i} = {slope32} in f32, {slope} in f64"
                );
            }
            Ok(())
        });
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    each_dimension!(D => agrees_with_differences::<D>());
}

/// The values of two points by way of dfdx's tape, and twice the gradient of their mean.
fn on_the_tape<const D: usize, R: Element>(objective: &impl Objective<2, D, R>, x: &[R]) -> [Vec<f64>; 2]
where
    Cpu: Device<R>,
{
    let x = Cpu::default().tensor_from_vec(x.to_vec(), (Const::<2>, Const::<D>));
    let values = objective.values(x.leaky_trace());
    let found = wide(&values.as_vec());
    let mean: Tensor<Rank0, R, Cpu, _> = values.mean();
    let gradients = dfdx::prelude::Backward::backward(mean);
    [found, gradients.get(&x).as_vec().iter().map(|slope| 2.0 * slope.wide()).collect()]
}

/// The kernel against its operation on the tape, bit for bit, and against the chain of operations within `tolerance`, which
/// is for values, and for gradients in units of the largest component (or 1). In single precision the chain rounds its
/// arguments differently, and what that does is added.
fn agrees_with_the_tape<const D: usize, R: Element>(tolerance: f64)
where
    Cpu: Device<R>,
{
    for function in functions(D) {
        let objective = function.objective::<D, R>(4);
        let double = function.objective::<D, f64>(4);
        let composed = objective.composed();
        for_points(24, 2 * D, |x| {
            let x: Vec<R> = x.into_iter().map(R::of).collect();
            let found = objective.evaluate(&x).unwrap();
            let [values, slopes] = [wide(&found.scaled), wide(&found.gradient)];
            // Multiplying by ½ and by 2 is exact, but for the smallest of numbers.
            let [tape_values, tape_slopes] = on_the_tape(&objective, &x);
            let same = slopes.iter().zip(&tape_slopes).all(|(a, b)| (a - b).abs() < f64::from(f32::MIN_POSITIVE));
            prop_assert!(tape_values == values && same, "{function} in {D} dimensions, fused on the tape");
            let [chain_values, chain_slopes] = on_the_tape::<D, R>(&composed, &x);
            for (point, x) in x.chunks_exact(D).enumerate() {
                let change = if R::NAME == "f32" { sensitivity(&double, &wide(x)) } else { [0.0; 2] };
                let error = (values[point] - chain_values[point]).abs();
                prop_assert!(error <= tolerance + change[0], "{function} in {D} dimensions: F differs by {error:e}");
                let row = point * D..(point + 1) * D;
                let allowed = tolerance * largest(&slopes[row.clone()]).max(1.0) + 2.0 * change[1];
                for (slope, expected) in slopes[row.clone()].iter().zip(&chain_slopes[row]) {
                    let error = (slope - expected).abs();
                    prop_assert!(
                        error <= allowed,
                        "{function} in {D} dimensions, {}: {slope} in the gradient, {expected} by the chain",
                        R::NAME
                    );
                }
            }
            Ok(())
        });
    }
}

#[test]
fn fused_operations_agree_with_composed_ones_in_double_precision() {
    each_dimension!(D => agrees_with_the_tape::<D, f64>(1e-10); 1 2 10 50 67);
}

#[test]
fn fused_operations_agree_with_composed_ones_in_single_precision() {
    each_dimension!(D => agrees_with_the_tape::<D, f32>(1e-4); 1 2 10 50 67);
}

/// The summand of the Levy function's first coordinate that `argmin_testfunctions` 0.3.0 leaves out (its sum begins at the
/// second one), and the derivative.
fn missing_in_levy(u: &[f64]) -> (f64, f64) {
    let v = (u[0] - 1.0) / 4.0;
    let (sin, cos) = (PI * (v + 1.0) + 1.0).sin_cos();
    let wave = 1.0 + 10.0 * sin * sin;
    (v * v * wave, 0.25 * (2.0 * v * wave + v * v * 20.0 * PI * sin * cos))
}

/// A function of another crate and its derivative.
type Theirs = (Function, fn(&[f64]) -> f64, fn(&[f64]) -> Vec<f64>);

/// Its conventions and constants are ours in these six, but for the summand in Levy; it has no Michalewicz, no Schwefel and
/// no spin glass.
const THEIRS: [Theirs; 6] = {
    use argmin_testfunctions::*;
    [
        (Function::Ackley, ackley, ackley_derivative),
        (
            Function::Levy,
            |u| levy(u) + missing_in_levy(u).0,
            |u| {
                let mut slopes = levy_derivative(u);
                slopes[0] += missing_in_levy(u).1;
                slopes
            },
        ),
        (Function::Rastrigin, rastrigin, rastrigin_derivative),
        (Function::Rosenbrock, rosenbrock, rosenbrock_derivative),
        (Function::Sphere, sphere, sphere_derivative),
        (Function::StyblinskiTang, styblinski_tang, styblinski_tang_derivative),
    ]
};

fn agrees_with_argmin<const D: usize>() {
    for (function, value, derivative) in THEIRS {
        // Theirs asks for two coordinates in Levy, too.
        if D < 2 && [Function::Levy, Function::Rosenbrock].contains(&function) {
            continue;
        }
        let objective = function.objective::<D, f64>(0);
        let about = function.describe(D);
        let ([lo, hi], width) = (about.domain, about.maximum - about.minimum);
        for_points(32, D, |x| {
            let u: Vec<f64> = x.iter().map(|x| lo + (hi - lo) * x).collect();
            let found = objective.evaluate(&x).unwrap();
            // Scaling to [0, 1] and back rounds to 1e-16 of the range, and so does each of the sum's terms.
            let error = (found.raw[0] - value(&u)).abs();
            prop_assert!(error <= 1e-14 * width, "{function} in {D} dimensions: f differs by {error:e}");
            let slopes: Vec<f64> = found.gradient.iter().map(|slope| slope * width / (hi - lo)).collect();
            for (slope, expected) in slopes.iter().zip(derivative(&u)) {
                let error = (slope - expected).abs();
                let allowed = 1e-12 * largest(&slopes).max(1.0);
                prop_assert!(error <= allowed, "{function} in {D} dimensions: df/du = {slope}, not {expected}");
            }
            Ok(())
        });
    }
}

#[test]
fn values_and_derivatives_agree_with_argmin_testfunctions() {
    each_dimension!(D => agrees_with_argmin::<D>());
}

/// F and its gradient at the minimizer that a function describes are 0, up to these.
fn is_minimal<const D: usize, R: Element>(function: Function, value: f64, slope: f64) {
    if D < function.smallest_dimension() {
        return;
    }
    let about = function.describe(D);
    let Some(minimizer) = about.minimizer else {
        assert!([Function::Michalewicz, Function::SpinGlass].contains(&function), "{function} has no minimizer");
        return;
    };
    let [lo, hi] = about.domain;
    let x: Vec<R> = minimizer.iter().map(|u| R::of((u - lo) / (hi - lo))).collect();
    let found = function.objective::<D, R>(0).evaluate(&x).unwrap();
    let context = format!("{function} in {D} dimensions, {}: {found:?}", R::NAME);
    assert!(found.scaled[0].wide().abs() <= value, "{context}");
    assert!(largest(&wide(&found.gradient)) <= slope, "{context}");
    assert!((found.raw[0].wide() - about.minimum).abs() <= value * (about.maximum - about.minimum), "{context}");
}

#[test]
fn minima_are_where_they_are_said_to_be() {
    for function in Function::ALL {
        // x is rounded, and the gradient is that rounding times the second derivative in x, up to 10³.
        each_dimension!(D => is_minimal::<D, f64>(function, 1e-14, 1e-12));
        each_dimension!(D => is_minimal::<D, f32>(function, 2e-6, 2e-4));
    }
}

#[test]
fn known_minima_of_the_michalewicz_function() {
    for (d, expected, digits) in [(2, -1.801_303_4, 7), (5, -4.687_658, 6), (10, -9.660_15, 5), (50, -49.624_8, 4)] {
        let found = Function::Michalewicz.describe(d).minimum;
        assert!((found - expected).abs() < 10f64.powi(-digits), "d = {d}: {found}");
    }
}

/// Where there is no gradient, it is 0, the middle of its neighbors.
#[test]
fn kinks_have_a_gradient_of_0() {
    for function in [Function::Ackley, Function::Schwefel, Function::SpinGlass] {
        let found = function.objective::<10, f64>(0).evaluate(&[0.5; 10]).unwrap();
        assert_eq!(found.gradient, [0.0; 10], "{function}");
        let found = function.objective::<10, f32>(0).evaluate(&[0.5; 10]).unwrap();
        assert_eq!(found.gradient, [0.0; 10], "{function}");
    }
}

/// Projected ascent (`sign` = 1) or descent (-1) on F with a step that adapts. Returns the last F.
fn climb<const D: usize>(objective: &Scaled<D, f64>, mut x: Vec<f64>, sign: f64) -> f64 {
    let (mut here, mut length) = (objective.evaluate(&x).unwrap(), 0.1);
    for _ in 0..300 {
        let steepest = largest(&here.gradient);
        if steepest == 0.0 || length < 1e-12 {
            break;
        }
        let step = sign * length / steepest;
        let next: Vec<f64> = x.iter().zip(&here.gradient).map(|(x, g)| (x + step * g).clamp(0.0, 1.0)).collect();
        let there = objective.evaluate(&next).unwrap();
        if sign * there.scaled[0] > sign * here.scaled[0] {
            (x, here) = (next, there);
            length *= 1.5;
        } else {
            length *= 0.3;
        }
    }
    here.scaled[0]
}

/// Sets each coordinate in turn to the best of 4,001 values, then to the best of 4,001 values beside it.
fn search_lines<const D: usize>(objective: &Scaled<D, f64>, x: &mut [f64], sign: f64) {
    for i in 0..D {
        for (middle, reach) in [(Some(0.5), 0.5), (None, 1e-3)] {
            let middle = middle.unwrap_or(x[i]);
            let along = |step: u32| (middle + reach * (f64::from(step) / 2_000.0 - 1.0)).clamp(0.0, 1.0);
            let mut points = x.repeat(4_001);
            points.chunks_exact_mut(D).zip(0..).for_each(|(point, step)| point[i] = along(step));
            let values = objective.evaluate(&points).unwrap().scaled;
            let better = |&(_, a): &(u32, &f64), &(_, b): &(u32, &f64)| (sign * a).total_cmp(&(sign * b));
            x[i] = along((0..).zip(&values).max_by(better).unwrap().0);
        }
    }
}

fn stays_in_range<const D: usize>() {
    for function in functions(D) {
        // The range of the spin glass is that of infinitely many dimensions.
        if function == Function::SpinGlass {
            continue;
        }
        let objective = function.objective::<D, f64>(0);
        let check = |value: f64, how: &str| {
            assert!((-1e-9..=1.0 + 1e-9).contains(&value), "{function} in {D} dimensions, {how}: F = {value}");
        };
        for_points(500, D, |x| {
            check(objective.evaluate(&x).unwrap().scaled[0], "sampled");
            Ok(())
        });
        for (sign, bound) in [(-1.0, 0.0), (1.0, 1.0)] {
            for_points(20, D, |x| {
                check(climb(&objective, x, sign), "climbed");
                Ok(())
            });
            // Where no coordinate depends on another, searching each finds the extremum: bounds are reached, not only kept.
            let mut x = vec![0.3; D];
            search_lines(&objective, &mut x, sign);
            let found = climb(&objective, x, sign);
            check(found, "searched");
            let coupled = [Function::Ackley, Function::Rosenbrock].contains(&function);
            assert!(coupled || (found - bound).abs() < 1e-4, "{function} in {D} dimensions only reaches {found}");
        }
    }
}

#[test]
fn values_stay_between_0_and_1() {
    each_dimension!(D => stays_in_range::<D>(); 1 2 3 10 50);
}

/// The largest value of the Rosenbrock function is in a corner.
#[test]
fn rosenbrock_reaches_its_maximum() {
    let mut corner = [1.0; 10];
    corner[9] = 0.0;
    let found = Function::Rosenbrock.objective::<10, f64>(0).evaluate(&corner).unwrap();
    assert_eq!((found.scaled[0], found.raw[0]), (1.0, 810_081.0 * 8.0 + 1_102_581.0));
}

/// The maximum of the Ackley function is on the diagonal, in two dimensions as in one: ascent from the top of every wave.
#[test]
fn ackley_reaches_its_maximum_and_no_more() {
    fn highest<const D: usize>(tops: impl IntoIterator<Item = [f64; D]>) -> f64 {
        let objective = Function::Ackley.objective::<D, f64>(0);
        let x = |u: f64| ((u + 32.768) / 65.536).min(1.0);
        tops.into_iter().map(|u| climb(&objective, u.map(x).to_vec(), 1.0)).fold(0.0, f64::max)
    }
    let top = |k: u8| f64::from(k) + 0.5;
    let line = highest((0..=32).map(|k| [top(k)]));
    let plane = highest((0..=32).flat_map(|i| (0..=i).map(move |j| [top(i), top(j)])));
    let space = highest([[32.5; 50]]);
    for (d, found) in [(1, line), (2, plane), (50, space)] {
        assert!((found - 1.0).abs() < 1e-9, "{d} dimensions: {found}");
    }
}

#[test]
fn points_of_the_wrong_length_are_an_error_and_no_points_are_none() {
    let sphere = Function::Sphere.objective::<3, f64>(0);
    assert!(matches!(sphere.evaluate(&[0.5; 4]), Err(Error::Points { expected: 3, given: 4 })));
    assert!(sphere.evaluate(&[]).unwrap().scaled.is_empty());
}

/// A point is worth the same whatever it is evaluated with, and NaN does not pass for a number.
#[test]
fn points_are_evaluated_alike_alone_and_together() {
    alike::<7, f64>();
    alike::<12, f64>();
    alike::<7, f32>();
    alike::<12, f32>();
}

fn alike<const D: usize, R: Element>() {
    for function in Function::ALL {
        let objective = function.objective::<D, R>(1);
        // Registers of points that are full, filled up and all copies; one panel and more.
        for points in [1, 8, 9, 16, 17, 23, 65, 131] {
            let golden = 0.618_033_988_749_894_9;
            let x: Vec<R> = (0..D * points).map(|i| R::of((i as f64 * golden).fract())).collect();
            let together = objective.evaluate(&x).unwrap();
            for (i, x) in x.chunks_exact(D).enumerate() {
                let alone = objective.evaluate(x).unwrap();
                let (value, slopes) = (together.scaled[i], &together.gradient[D * i..][..D]);
                assert_eq!((alone.scaled[0], &alone.gradient[..]), (value, slopes), "{function}, {i} of {points}");
            }
        }
        let mut x = [R::of(0.4); D];
        x[3] = R::of(f64::NAN);
        assert!(objective.evaluate(&x).unwrap().scaled[0].wide().is_nan(), "{function}");
    }
}

#[test]
fn names_are_parsed_and_suggested() {
    for function in Function::ALL {
        assert_eq!(function.name().parse::<Function>().unwrap(), function);
    }
    let error = "rastrigen".parse::<Function>().unwrap_err().to_string();
    assert!(error.contains("did you mean 'rastrigin'?") && error.contains("styblinski-tang"), "{error}");
}
