//! Expressions held to a plain interpreter of their graphs, to central differences and to the built-in functions.

use super::graph::{Graph, Id, Op};
use super::operation::{Binary, Reduction, Unary};
use super::plan::Program;
use super::*;
use crate::objective::{Best, Job, Kernel, Update};
use crate::simd::tests::everywhere;
use crate::simd::{Lanes, Panels, Real, Simd, WithSimd};
use crate::squash::Map;

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

/// What a program gives at points of the box: values, and gradients point by point.
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
                values.push(scalars[program.value * lanes + point]);
                gradients.extend((0..d).map(|i| scalars[(gradient + i * step) * lanes + point]));
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
    let program = Program::<R>::new(recorded.clone());
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
    for expression in classical::all() {
        for d in [2, 3, 5, 50, 130] {
            differentiates(&expression, d.min(5));
            for points in POINTS {
                agrees::<f64>(&expression, d, points, 1e-11);
                agrees::<f32>(&expression, d, points, 2e-3);
            }
        }
    }
}

/// F and its gradient in x at the rows of `x`.
pub(super) fn applied<R: Real>(kernel: &dyn Kernel<R>, x: &[R], d: usize) -> (Vec<R>, Vec<R>) {
    let points = x.len() / d;
    let mut panels = Panels::from_packed(x, d);
    let mut values = vec![R::ZERO; points];
    let (mut best, mut workspace) = (Best::none(d), kernel.workspace(points));
    for y in panels.iter_mut() {
        let (map, update) = (Map::Identity, Update::Gradient { factor: 1.0 });
        let values = &mut values[y.first..][..y.points];
        kernel.apply(Job { values, y, map, update, best: &mut best, workspace: &mut workspace });
    }
    let smallest = values.iter().fold(R::INFINITY, |a, &b| if b < a { b } else { a });
    assert!(best.value == smallest);
    (values, panels.packed())
}
