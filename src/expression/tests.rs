//! Expressions held to a plain interpreter of their graphs, to central differences and to the built-in functions.

#![expect(clippy::reversed_empty_ranges, reason = "ends below 0 count from the end")]

use super::plan::Program;
use super::*;
use crate::graph::tape::chain;
use crate::graph::{Graph, Id, Op, gradient, interval};
use crate::objective::{Evaluation, Function, Kernels as _, Problem, evaluate};
use crate::simd::tests::everywhere;
use crate::simd::{Lanes, Real, Simd, WithSimd};
use dfdx::prelude::{Backward as _, Const, Cpu, Rank0, SumTo as _, TensorFromVec as _, Trace as _};

/// The numbers of node `value`, in double precision, one operation after the other.
pub(super) fn interpret(graph: &Graph, value: Id, input: &[f64]) -> Vec<f64> {
    let mut found: Vec<Vec<f64>> = Vec::with_capacity(value.index() + 1);
    for node in &graph.nodes()[..=value.index()] {
        let of = |id: &Id| &found[id.index()];
        let at = |id: &Id, k: usize| if of(id).len() == 1 { of(id)[0] } else { of(id)[k] };
        let values: Vec<f64> = match &node.op {
            Op::Input => input.to_vec(),
            Op::Scalar(bits) => vec![f64::from_bits(*bits)],
            Op::Data(data) => data.0.to_vec(),
            Op::Unary(operation, a) => of(a).iter().map(|&x| operation.of(x)).collect(),
            Op::Binary(operation, a, b) => (0..node.len).map(|k| operation.of(at(a, k), at(b, k))).collect(),
            Op::SelectLess([a, b, c, d]) => {
                (0..node.len).map(|k| if at(a, k) < at(b, k) { at(c, k) } else { at(d, k) }).collect()
            }
            Op::Reduce(reduction, a) => {
                vec![of(a).iter().fold(reduction.start(), |so_far, &x| reduction.step().of(so_far, x))]
            }
            Op::SumRows { of: a, columns } => of(a).chunks(*columns).map(|row| row.iter().sum()).collect(),
            Op::SumColumns { of: a, columns } => {
                (0..*columns).map(|j| of(a)[j..].iter().step_by(*columns).sum()).collect()
            }
            Op::Gather(a, indices) => (0..node.len).map(|k| of(a)[indices.at(k)]).collect(),
            Op::Scatter { base, parts } => {
                let mut sums = base.as_ref().map_or(vec![0.0; node.len], |base| of(base).clone());
                for (part, indices) in parts {
                    of(part).iter().enumerate().for_each(|(k, x)| sums[indices.at(k)] += x);
                }
                sums
            }
            Op::Concat(parts) => parts.iter().flat_map(|part| of(part).clone()).collect(),
            Op::Cumulate { of: a, reverse } => {
                let mut sums: Vec<f64> = (0..node.len)
                    .map(|k| if *reverse { of(a)[k..].iter().sum() } else { of(a)[..=k].iter().sum() })
                    .collect();
                sums.truncate(node.len);
                sums
            }
            Op::Others(a) => {
                let product = |k: usize| of(a).iter().enumerate().filter(|&(i, _)| i != k).map(|(_, x)| x).product();
                (0..node.len).map(product).collect()
            }
            Op::Product { matrix, columns, of: a, .. } => of(a)
                .chunks(*columns)
                .flat_map(|block| {
                    matrix.0.chunks(*columns).map(move |row| row.iter().zip(block).map(|(a, b)| a * b).sum())
                })
                .collect(),
            Op::Detach(a) => of(a).clone(),
        };
        assert_eq!(values.len(), node.len, "{:?}", node.op);
        found.push(values);
    }
    found.pop().unwrap_or_default()
}

/// The result of a program at points of the box: values, and gradients point by point.
struct Evaluated<'a, R: Real> {
    program: &'a Program<R>,
    points: &'a [R],
}

impl<R: Real> WithSimd for Evaluated<'_, R> {
    type Output = (Vec<R>, Vec<R>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (Vec<R>, Vec<R>) {
        let Self { program, points } = self;
        let (d, lanes) = (program.dimension, Lanes::<S, R>::COUNT);
        let (mut values, mut gradients) = (Vec::new(), Vec::new());
        let mut memory = vec![R::splat(simd, R::of(f64::NAN)); program.registers];
        program.start(simd, &mut memory);
        for points in points.chunks(d * lanes) {
            let count = points.len() / d;
            {
                let scalars: &mut [R] = bytemuck::cast_slice_mut(&mut memory[program.input..][..d]);
                for (k, scalar) in scalars.iter_mut().enumerate() {
                    *scalar = points[(k % lanes).min(count - 1) * d + k / lanes];
                }
            }
            program.run(simd, &mut memory);
            let scalars: &[R] = bytemuck::cast_slice(&memory);
            let (gradient, step) = program.gradient;
            for point in 0..count {
                let [value_factor, slope_factor] = program.factors;
                let times = |x: R, factor: f64| R::of(x.wide() * factor);
                values.push(times(scalars[program.value * lanes + point], value_factor));
                gradients.extend((0..d).map(|i| times(scalars[(gradient + i * step) * lanes + point], slope_factor)));
            }
        }
        (values, gradients)
    }
}

/// Numbers between the bounds without a pattern.
pub(super) fn irregular(count: usize, [lo, hi]: [f64; 2], salt: usize) -> Vec<f64> {
    (0..count).map(|i| lo + (hi - lo) * ((i * 7 + salt) as f64 * 0.618_033_988_749_894_9).fract()).collect()
}

/// Holds the program of an expression to the interpreter: values and gradients within `tolerance` of the largest number on the way.
pub(super) fn agrees<R: Real>(expression: &Expression, d: usize, points: usize, tolerance: f64) {
    let recorded = expression.record(d).unwrap_or_else(|error| panic!("{error}"));
    let mut graph = recorded.graph.clone();
    let value = recorded.value;
    let slope = gradient::gradient(&mut graph, value).unwrap_or_else(|| graph.scalar(0.0));
    let program = Program::<R>::new(recorded.clone()).expect("everything has a place");
    let u: Vec<R> = irregular(points * d, recorded.domain, d).into_iter().map(R::of).collect();
    for (set, (values, gradients)) in everywhere(|| Evaluated { program: &program, points: &u }) {
        assert_eq!((values.len(), gradients.len()), (points, points * d));
        for (point, u) in u.chunks(d).enumerate() {
            let u: Vec<f64> = u.iter().map(|u| u.wide()).collect();
            let expected = interpret(&graph, value, &u)[0];
            let slopes = interpret(&graph, slope, &u);
            let context = format!("{} of {d}, point {point}, {} on {set}", expression.name(), R::NAME);
            close(values[point].wide(), expected, tolerance, expected.abs(), &context);
            let largest = slopes.iter().fold(0.0f64, |largest, slope| largest.max(slope.abs()));
            for (i, found) in gradients[point * d..][..d].iter().enumerate() {
                let expected = if slopes.len() == 1 { slopes[0] } else { slopes[i] };
                close(found.wide(), expected, tolerance, largest, &format!("{context}, slope {i}"));
            }
        }
    }
}

fn close(found: f64, expected: f64, tolerance: f64, scale: f64, context: &str) {
    let same = found == expected || found.is_nan() && expected.is_nan();
    let near = (found - expected).abs() <= tolerance * (1.0 + scale);
    assert!(same || near, "{context}: {found:e}, expected {expected:e}");
}

/// Holds the gradient of an expression to central differences of the interpreter.
pub(super) fn differentiates(expression: &Expression, d: usize) {
    let Recorded { mut graph, value, domain, .. } = expression.record(d).unwrap_or_else(|error| panic!("{error}"));
    let slope = gradient::gradient(&mut graph, value).unwrap_or_else(|| graph.scalar(0.0));
    for salt in 0..3 {
        let u = irregular(d, domain, 10 * salt + d);
        let slopes = interpret(&graph, slope, &u);
        let largest = slopes.iter().fold(0.0f64, |largest, slope| largest.max(slope.abs()));
        for i in 0..d {
            let at = |h: f64| {
                let mut beside = u.clone();
                beside[i] += h;
                interpret(&graph, value, &beside)[0]
            };
            // Of fourth order.
            let h = 1e-3 * (domain[1] - domain[0]).min(1.0);
            let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            let expected = if slopes.len() == 1 { slopes[0] } else { slopes[i] };
            close(difference, expected, 1e-6, largest, &format!("{} of {d}, difference {i}", expression.name()));
        }
    }
}

const POINTS: [usize; 5] = [1, 7, 50, 65, 130];

#[test]
fn the_classical_functions_agree_with_the_interpreter() {
    for expression in Function::ALL.into_iter().filter_map(Function::expression) {
        for d in [2, 3, 5, 50, 130] {
            differentiates(&expression, d.min(5));
            for points in POINTS {
                agrees::<f64>(&expression, d, points, 1e-11);
                agrees::<f32>(&expression, d, points, 2e-3);
            }
        }
    }
}

/// Numbers without a pattern, for choices.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's linear congruential generator, of which the upper bits count.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn number(&mut self) -> f64 {
        self.roll(2_001) as f64 / 500.0 - 2.0
    }

    fn numbers(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.number()).collect()
    }

    fn pick(&mut self, pool: &[Array]) -> Array {
        pool[self.roll(pool.len())]
    }

    /// One of the pool with the shape of `like`, or a scalar.
    fn fitting(&mut self, pool: &[Array], like: Array) -> Array {
        let fitting: Vec<Array> =
            pool.iter().copied().filter(|array| array.shape() == like.shape() || array.len() == 1).collect();
        if fitting.is_empty() || self.roll(4) == 0 { Array::scalar(self.number()) } else { self.pick(&fitting) }
    }
}

/// A random expression of all operations, each kept where it is defined and its slope is moderate; with those that have steps where `steps`.
pub(crate) fn random(seed: u64, u: Array, steps: bool) -> Array {
    let mut dice = Dice(seed);
    let mut pool = vec![u, u.index() * 0.1];
    for _ in 0..4 + dice.roll(14) {
        let a = dice.pick(&pool);
        let b = dice.fitting(&pool, a);
        let one = a.tanh();
        let made = match dice.roll(52) {
            26 | 27 | 31 | 32 if !steps => a - 0.5 * b,
            0 => a + b,
            1 => a - b,
            2 => b - a,
            3 => a * b,
            4 => a / (b.square() + 0.7),
            5 => 1.0 / (a.square() + 0.5),
            6 => -a,
            7 => one.powi(dice.roll(9) as i32 - 4 + 5),
            8 => (a.square() + 0.5).powi(-(dice.roll(5) as i32)),
            9 => (a.square() + 0.5).powf(dice.number()),
            10 => (a.square() + 0.5).powf(b.tanh()),
            11 => (a.square() + 0.1).sqrt(),
            12 => one.exp(),
            13 => one.exp_m1(),
            14 => (a.abs() + 0.5).ln(),
            15 => a.square().ln_1p(),
            16 => a.sin(),
            17 => (std::f64::consts::PI * 2.0 * a).cos(),
            18 => one.tan(),
            19 => (0.9 * one).asin(),
            20 => (0.9 * one).acos(),
            21 => a.atan(),
            22 => one.sinh(),
            23 => one.cosh(),
            24 => a.tanh(),
            25 => a.abs(),
            26 => a.sign() * b,
            27 => a.floor() + b,
            28 => a.minimum(b),
            29 => a.maximum(b),
            30 => a.clamp(-1.0, 0.8),
            31 => a.less(b).select(a, b * 2.0),
            32 => a.greater_equal(b).select(a.square(), 0.3),
            33 => a.relu(),
            34 => a.softplus(),
            35 => a.sigmoid(),
            36 => a.erf(),
            37 => a.sum() * 0.2,
            38 => a.mean(),
            39 => (0.7 + 0.5 * one).product(),
            40 => a.min() + a.max(),
            41 => (a + 0.3).norm(),
            42 => a.log_sum_exp(),
            43 => a.dot(b),
            44 if a.len() > 2 => a.flatten().slice(1..-1),
            45 if a.len() > 2 => a.flatten().slice_step(.., [2, -1, 3, -2][dice.roll(4)]),
            46 if a.len() > 1 => a.flatten().at(dice.roll(a.len()) as isize),
            47 => {
                let indices: Vec<usize> = (0..1 + dice.roll(9)).map(|_| dice.roll(a.len())).collect();
                if a.len() > 1 { a.flatten().gather(&indices) } else { a.sin() }
            }
            48 => Array::concatenate(&[a.flatten(), b.flatten()]),
            49 => a.cumulative_sum() * 0.3,
            50 => {
                let rows = 1 + dice.roll(6);
                let values = dice.numbers(rows * a.len());
                if a.len() > 1 { Array::matrix(rows, a.len(), &values).matmul(a.flatten()) * 0.3 } else { a.cos() }
            }
            _ => {
                let columns = (2..=a.len()).find(|columns| a.len().is_multiple_of(*columns)).unwrap_or(1);
                let matrix = a.flatten().reshape(a.len() / columns, columns);
                match dice.roll(6) {
                    0 => matrix.sum_axis(0),
                    1 => (matrix * matrix).sum_axis(1),
                    2 if a.len() / columns > 1 => {
                        let (p, q) = matrix.pairs();
                        (p - q).square().sum_axis(1)
                    }
                    3 => matrix.transpose() * 0.5,
                    4 => matrix.matmul(matrix.transpose()).mean_axis(1) * 0.2,
                    _ => matrix * Array::vector(&dice.numbers(columns)),
                }
            }
        };
        if made.len() <= 400 {
            pool.push(made);
        }
    }
    let ends = [dice.pick(&pool), pool[pool.len() - 1], pool[pool.len() / 2]];
    ends[0].sin().sum() + ends[1].tanh().sum() + (0.1 * ends[2]).sum()
}

/// All values on the way, and the last one.
fn everything(graph: &Graph, value: Id, input: &[f64]) -> (Vec<f64>, f64) {
    let found = interpret(graph, value, input);
    let largest = found.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    (found, largest)
}

/// Holds a random expression to the interpreter and its gradient to differences; gives how many slopes were compared, of how many.
fn holds<R: Real>(seed: u64, d: usize, points: usize, epsilon: f64, differences: bool) -> [usize; 2] {
    let expression =
        Expression::new(format!("random {seed}"), [-1.5, 1.5], move |u| random(seed, u, size_of::<R>() == 8));
    let recorded = expression.record(d).unwrap_or_else(|error| panic!("{seed}: {error}"));
    let (mut graph, value) = (recorded.graph.clone(), recorded.value);
    let slope = gradient::gradient(&mut graph, value).unwrap_or_else(|| graph.scalar(0.0));
    let program = Program::<R>::new(recorded).expect("everything has a place");
    let u: Vec<R> = irregular(points * d, [-1.5, 1.5], d + seed as usize % 1_000).into_iter().map(R::of).collect();
    let steepest = interval::magnitudes(&graph, [-1.5, 1.5])[slope.index()];
    let element = |slopes: &[f64], i: usize| if slopes.len() == 1 { slopes[0] } else { slopes[i] };
    // What a point gives, and by how much that changes where the point is moved by some rounding.
    let reference: Vec<_> = u
        .chunks(d)
        .map(|u| {
            let u: Vec<f64> = u.iter().map(|u| u.wide()).collect();
            let [at, beside] = [0.0, 8.0 * epsilon].map(|shift| {
                let u: Vec<f64> = u.iter().enumerate().map(|(i, u)| u + shift * [1.0, -1.0][i % 2]).collect();
                (interpret(&graph, value, &u)[0], everything(&graph, slope, &u))
            });
            (u, at, beside)
        })
        .collect();
    let mut compared = [0, 0];
    for (set, (values, gradients)) in everywhere(|| Evaluated { program: &program, points: &u }) {
        for (point, (u, (value_at, (slopes, largest)), (value_beside, (slopes_beside, _)))) in
            reference.iter().enumerate()
        {
            let context = format!("random {seed} of {d}, point {point}, {} on {set}", R::NAME);
            let allowed = 2e3 * epsilon * (1.0 + value_at.abs()) + 20.0 * (value_at - value_beside).abs();
            let error = (values[point].wide() - value_at).abs();
            assert!(error <= allowed || !allowed.is_finite(), "{context}: {} for {value_at}, {u:?}", values[point]);
            for i in 0..d {
                let (expected, beside) = (element(slopes, i), element(slopes_beside, i));
                let found = gradients[point * d + i].wide();
                let allowed = 2e4 * epsilon * (1.0 + largest) + 50.0 * (expected - beside).abs();
                let error = (found - expected).abs();
                assert!(error <= allowed || !allowed.is_finite(), "{context}: slope {i} {found} for {expected}, {u:?}");
                assert!(expected.abs() <= steepest || expected.is_nan(), "{context}: {expected} beyond {steepest}");
            }
        }
    }
    if differences {
        for (u, (_, (slopes, largest)), _) in reference.iter().take(2) {
            let central = |i: usize, h: f64| {
                let at = |h: f64| {
                    let mut beside = u.clone();
                    beside[i] += h;
                    interpret(&graph, value, &beside)[0]
                };
                (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
            };
            for i in 0..d {
                // Where two steps do not agree, there is a kink in between.
                let (wide, narrow, expected) = (central(i, 1e-4), central(i, 5e-5), element(slopes, i));
                compared[1] += 1;
                if (wide - narrow).abs() <= 1e-7 * (1.0 + largest) {
                    compared[0] += 1;
                    let error = (narrow - expected).abs();
                    assert!(
                        error <= 1e-5 * (1.0 + largest),
                        "random {seed}: slope {i} {expected}, difference {narrow}"
                    );
                }
            }
        }
    }
    compared
}

#[test]
fn random_expressions_agree_with_the_interpreter_and_with_differences() {
    let mut compared = [0, 0];
    for seed in 0..600 {
        let d = [1, 2, 3, 6, 7, 12, 70][seed as usize % 7];
        let points = POINTS[seed as usize % POINTS.len()];
        let [few, all] = holds::<f64>(1_000 * seed + 17, d, points, 2f64.powi(-52), d <= 12);
        holds::<f32>(1_000 * seed + 17, d, points, 2f64.powi(-23), false);
        compared = [compared[0] + few, compared[1] + all];
    }
    assert!(compared[0] > compared[1] * 4 / 5, "{compared:?}: most slopes are compared");
}

/// Holds value and gradient of a random expression to dfdx's tape; true if dfdx has all of its operations.
fn agrees_with_the_tape<const D: usize>(seed: u64) -> bool {
    let expression = Expression::new(format!("random {seed}"), [-1.5, 1.5], move |u| random(seed, u, false));
    let recorded = expression.record(D).unwrap();
    let mut graph = recorded.graph.clone();
    let slope = gradient::gradient(&mut graph, recorded.value).unwrap_or_else(|| graph.scalar(0.0));
    let u = irregular(3 * D, recorded.domain, D + seed as usize % 1_000);
    let points = Cpu::default().tensor_from_vec(u.clone(), (Const::<3>, Const::<D>));
    let Some(values) = chain(&recorded, points.leaky_trace()) else { return false };
    let found = values.as_vec();
    let mut gradients = values.sum::<Rank0, _>().backward();
    let gradients = f64::slice(gradients.get_or_alloc_mut(&points).unwrap());
    for (point, u) in u.chunks(D).enumerate() {
        let context = format!("{} of {D}, point {point}", expression.name());
        let (slopes, largest) = everything(&graph, slope, u);
        close(found[point], interpret(&graph, recorded.value, u)[0], 1e-10, 1.0, &context);
        for (i, &found) in gradients[point * D..][..D].iter().enumerate() {
            let expected = if slopes.len() == 1 { slopes[0] } else { slopes[i] };
            close(found, expected, 1e-9, largest, &format!("{context}, slope {i}"));
        }
    }
    true
}

#[test]
fn gradients_of_random_expressions_are_those_of_the_tape() {
    let compared = (0..600).filter(|&seed| {
        let salt = 1_000 * seed + 29;
        match seed % 5 {
            0 => agrees_with_the_tape::<1>(salt),
            1 => agrees_with_the_tape::<2>(salt),
            2 => agrees_with_the_tape::<3>(salt),
            3 => agrees_with_the_tape::<6>(salt),
            _ => agrees_with_the_tape::<12>(salt),
        }
    });
    let compared = compared.count();
    assert!(compared >= 100, "dfdx has all operations of {compared} expressions");
}

#[test]
fn operations_with_steps_agree_with_the_interpreter() {
    let steps = Expression::new("steps", [-3.0, 3.0], |u| {
        let chosen = u.less(0.3).select(u, 2.0 * u) + u.greater_equal(u.square() - 1.0).select(0.5, u);
        let equal = u.floor().equal(1.0) + u.floor().not_equal(-2.0);
        (chosen + equal + u.floor() - 2.0 * u.sign() + u.floor() * u).sum()
    });
    for points in POINTS {
        agrees::<f32>(&steps, 5, points, 1e-5);
        agrees::<f64>(&steps, 5, points, 1e-13);
    }
}

#[test]
fn slopes_that_are_constant_or_the_coordinates_are_found() {
    let weights = [0.5, -1.0, 2.0];
    type Closure = fn(Array) -> Array;
    let all: [(&str, Closure); 6] = [
        ("sum", |u| u.sum()),
        ("nothing", |u| u.len() as f64 * Array::scalar(2.0)),
        ("parabola", |u| 0.5 * u.square().sum()),
        ("coordinate", |u| u.at(1)),
        ("mean", |u| u.mean() + u.at(-1)),
        ("slice", |u| u.slice(1..).sum()),
    ];
    for (name, closure) in all {
        agrees::<f64>(&Expression::new(name, [-3.0, 3.0], closure), 3, 9, 1e-13);
    }
    agrees::<f64>(&Expression::new("linear", [-3.0, 3.0], move |u| u.dot(&weights[..])), 3, 9, 1e-13);
}

#[test]
fn a_power_of_zero_has_no_slope_in_its_exponent() {
    let power = Expression::new("power", [-1.0, 1.0], |u| u.at(0).abs().powf(u.at(1) + 2.0));
    // u = (0, 0.5) and (0.5, 0), in a box of width 2.
    let found = Problem::from(&power).evaluate(2, 0, &[0.5, 0.75, 0.75, 0.5]).unwrap();
    let expected = [0.0, 0.0, 2.0, 2.0 * 0.25 * 0.5f64.ln()];
    for (found, expected) in found.gradient.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-14, "{found} is not {expected}");
    }
}

#[test]
fn gradients_are_checked_by_differences() {
    for expression in Function::ALL.into_iter().filter_map(Function::expression) {
        let error = Problem::from(&expression).gradient_error(7, 0).unwrap();
        assert!(error < 1e-6, "{}: {error:e}", expression.name());
    }
}

#[test]
fn ten_thousand_nested_operations_are_computed() {
    let nested = |sum: bool| {
        Expression::new("nested", [-1.0, 1.0], move |u| {
            let start = if sum { u.sum() } else { u };
            (0..10_000).fold(start, |a, i| if i % 2 == 0 { (a + 0.1).sin() } else { 1.0 - a * 0.9 }).sum()
        })
    };
    for sum in [false, true] {
        agrees::<f64>(&nested(sum), 3, 9, 1e-9);
    }
}

#[test]
fn mistakes_are_one_line_that_says_where() {
    let of = |closure: fn(Array) -> Array, d: usize| {
        let message = Expression::new("wrong", [-1.0, 1.0], closure).check(d).unwrap_err().to_string();
        assert!(!message.contains('\n') && message.contains("tests.rs:"), "{message}");
        message
    };
    assert!(of(|u| (u.slice(1..) + u).sum(), 5).contains("the sum of a vector of 4 and a vector of 5"));
    assert!(of(|u| u * 2.0, 5).contains("must be a scalar, not a vector of 5"));
    assert!(of(|u| u.at(7), 5).contains("a vector of 5 has no element 7"));
    assert!(of(|u| u.reshape(2, 3).sum(), 5).contains("does not fill 2 × 3"));
    assert!(of(|u| u.slice(4..2).sum(), 5).contains("holds nothing"));
    assert!(of(|u| (u - &vec![1.0, f64::NAN]).sum(), 2).contains("finite numbers, not NaN as element 1"));
    assert!(of(|u| Array::matrix(2, 3, &[0.0; 6]).matmul(u).sum(), 5).contains("the 3 columns on the left"));
    assert!(of(|u| Array::matrix(2, 3, &[0.0; 5]).sum() + u.sum(), 5).contains("takes 6 numbers, not 5"));
    // The first mistake is the one reported.
    assert!(of(|u| (u.at(9) + u.reshape(7, 7)).sum(), 5).contains("no element 9"));
    for (bounds, part) in [([1.0, -1.0], "lo < hi"), ([0.0, f64::INFINITY], "finite"), ([f64::NAN, 1.0], "not NaN")] {
        let message = Expression::new("box", bounds, |u| u.sum()).check(2).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    let each = Expression::new("each", vec![[0.0, 1.0], [2.0, 3.0]], |u| u.sum());
    assert!(each.check(2).is_ok() && each.check(3).is_err() && each.clone().range(1.0, 1.0).check(2).is_err());
}

#[test]
fn arrays_of_another_recording_are_refused() {
    static KEPT: std::sync::Mutex<Option<Array>> = std::sync::Mutex::new(None);
    let keeps = Expression::new("keeps", [0.0, 1.0], |u| {
        *KEPT.lock().unwrap() = Some(u);
        u.sum()
    });
    keeps.check(3).unwrap();
    let uses = Expression::new("uses", [0.0, 1.0], |u| (u + KEPT.lock().unwrap().unwrap()).sum());
    assert!(uses.check(3).unwrap_err().to_string().contains("two recordings"));
    let gives = Expression::new("gives", [0.0, 1.0], |_| KEPT.lock().unwrap().unwrap());
    assert!(gives.check(3).is_err());
    // One inside another is none of its business, and outside of all nothing is recorded.
    let outer = Expression::new("outer", [0.0, 1.0], move |u| {
        assert!(keeps.check(2).is_ok());
        u.sum()
    });
    assert!(outer.check(3).is_ok());
    assert!(Array::scalar(1.0).is_undefined());
}

#[test]
fn each_coordinate_has_its_box() {
    let bounds = vec![[-1.0, 3.0], [0.0, 10.0], [5.0, 6.0]];
    let each = Expression::with_cube("each", bounds.clone(), |u, x| Ok(u.dot(&vec![1.0, 2.0, 3.0]) + 7.0 * x.at(1)));
    let x: Vec<f64> = irregular(3 * 20, [0.0, 1.0], 5);
    let Evaluation { scaled: values, gradient: gradients, .. } =
        evaluate(&*each.kernel::<f64>(3).unwrap(), &x, 3).unwrap();
    for ((x, value), slopes) in x.chunks(3).zip(values).zip(gradients.chunks(3)) {
        let u: Vec<f64> = x.iter().zip(&bounds).map(|(x, [lo, hi])| lo + (hi - lo) * x).collect();
        close(value, u[0] + 2.0 * u[1] + 3.0 * u[2] + 7.0 * x[1], 1e-13, 50.0, "value");
        for (found, expected) in slopes.iter().zip([4.0, 27.0, 3.0]) {
            close(*found, expected, 1e-13, 1.0, "slope");
        }
    }
    // x of a box for all, and a range.
    let all = Expression::with_cube("all", [-2.0, 6.0], |u, x| Ok(u.sum() + x.sum())).range(2.0, 4.0);
    let Evaluation { scaled: values, gradient: gradients, .. } =
        evaluate(&*all.kernel::<f64>(2).unwrap(), &[0.25, 0.5], 2).unwrap();
    close(values[0], (0.0 + 2.0 + 0.75 - 2.0) / 2.0, 1e-14, 1.0, "value");
    close(gradients[1], 4.5, 1e-14, 1.0, "slope");
}

/// Constant gradients, single numbers in place of vectors, and parts that occur twice: whatever is not computed element by element.
#[test]
fn single_numbers_constants_and_repetitions_are_what_they_say() {
    for (text, d) in [
        ("sum(i*u)", 5),
        ("dot([1, 2], u)", 2),
        ("sum(cumsum(u))", 6),
        ("sum(u)", 1),
        ("u[0]", 3),
        ("sum(u[1:])", 4),
        ("sum(2*u)", 3),
        ("c = concatenate([sum(u), 2]); c = c[:1]; sum(u*exp(take(c, [0, 0, 0])))", 3),
        ("c = concatenate([sum(u), 2]); c = c[:1]; sum(exp(take(c, [0, 0, 0])))", 3),
        ("c = concatenate([sum(u), 2])[:1]; sum(sin(take(c, [0, 0, 0])) * cos(2*pi*take(c, [0, 0, 0])))", 3),
        ("c = concatenate([sum(u), 2])[:1]; sum(take(c, [0, 0]) * 3 + u[:2])", 3),
        ("c = concatenate([sum(u), 2])[:1]; sum(3 - take(c, [0, 0]) * take(c, [0, 0]))", 3),
        ("c = concatenate([sum(u), 2])[:1]; sum(where(take(c, [0, 0]) < 0.3, take(c, [0, 0]), 2))", 3),
        ("c = concatenate([sum(u), 2])[:1]; sum(take(c, [0, 0])**3)", 3),
        ("sum(concatenate([3*u[1:], u[:1]]))^2", 4),
        ("m = reshape(u[1:], 2, 2); sum(m * u[:1]^2)", 5),
        ("sum(concatenate([u[0]*u[1:], u[:1]]))^2", 4),
        ("v = u^2; sum(concatenate([v, v])^3)", 3),
        ("v = u^2; w = concatenate([v, u, v, v]); sum(w*cumsum(w))", 3),
        ("prod(concatenate([u, u]))", 3),
        ("sum(u)*sum(u) + sum(u)", 3),
        ("sum(reshape(u, 2, 3), axis=0)[1] * sum(reshape(u, 2, 3), axis=1)[0]", 6),
        ("5", 2),
        ("sum(0*u)", 2),
    ] {
        for bounds in [Bounds::All([-1.5, 1.5]), Bounds::Each((0..d).map(|i| [-1.5, 1.5 + i as f64]).collect())] {
            let expression = Expression::parse(text, bounds, []).unwrap();
            let recorded = expression.record(d).unwrap_or_else(|error| panic!("{text}: {error}"));
            let x: Vec<f64> = irregular(9 * d, [0.0, 1.0], d);
            let u: Vec<f64> = x.iter().enumerate().map(|(at, &x)| expression.bounds().to_box(at % d, x)).collect();
            let found = Problem::from(&expression).evaluate(d, 0, &x);
            let found = found.unwrap_or_else(|error| panic!("{text}, {:?}: {error}", expression.bounds()));
            let inputs = if matches!(expression.bounds(), Bounds::All(_)) { &u } else { &x };
            for (value, input) in found.scaled.iter().zip(inputs.chunks(d)) {
                let expected = interpret(&recorded.graph, recorded.value, input)[0];
                assert!((value - expected).abs() <= 1e-13 * (1.0 + expected.abs()), "{text}: {value}, not {expected}");
            }
            let error = Problem::from(&expression).gradient_error(d, 3).unwrap();
            assert!(error < 1e-6, "{text}, {:?}: {error}", expression.bounds());
        }
    }
}
