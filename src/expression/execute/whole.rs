//! Instructions that work on whole vectors.

use super::split;
use super::step::step;
use crate::expression::plan::{Code, Instruction, Program};
use crate::simd::matrix::{Grouped, Into, Onto, product};
use crate::simd::{Lanes, Real, Simd};

/// Does an instruction that works on whole vectors.
#[inline(always)]
pub(super) fn whole<S: Simd, R: Real>(
    simd: S,
    program: &Program<R>,
    instruction: &Instruction,
    memory: &mut [R::Register<S>],
) {
    let Instruction { code, result, operands, extra, count, .. } = *instruction;
    let (count, extra) = (count as usize, extra as usize);
    let (result, [a, b, ..]) = (result.at(0), operands.map(|place| place.at(0)));
    let lanes = |register: R::Register<S>| Lanes::<S, R>::new(simd, register);
    match code {
        Code::Zero => memory[result..][..count].fill(R::splat(simd, R::ZERO)),
        Code::AddOnto => {
            let (result, rest) = split(memory, result, count);
            let factor = lanes(rest.get(b, 1)[0]);
            for (result, &x) in result.iter_mut().zip(rest.get(a, count)) {
                *result = lanes(x).mul_add(factor, lanes(*result)).register();
            }
        }
        Code::Scatter => {
            let factor = lanes(memory[b]);
            let (begins, elements) = program.lists[extra..].split_at(count + 1);
            for (place, ends) in begins.windows(2).enumerate() {
                let mut sum = lanes(memory[result + place]);
                for &element in &elements[ends[0] as usize..ends[1] as usize] {
                    sum = lanes(memory[a + element as usize]).mul_add(factor, sum);
                }
                memory[result + place] = sum.register();
            }
        }
        Code::SumRowsMul => {
            let (result, rest) = split(memory, result, count);
            let rows =
                rest.get(a, count * extra).chunks_exact(extra).zip(rest.get(b, count * extra).chunks_exact(extra));
            for (result, (a, b)) in result.iter_mut().zip(rows) {
                let mut sum = Lanes::<S, R>::splat(simd, R::ZERO);
                for (&a, &b) in a.iter().zip(b) {
                    sum = lanes(a).mul_add(lanes(b), sum);
                }
                *result = sum.register();
            }
        }
        Code::SumRows => {
            let (result, rest) = split(memory, result, count);
            for (result, row) in result.iter_mut().zip(rest.get(a, count * extra).chunks_exact(extra)) {
                let mut sum = Lanes::<S, R>::splat(simd, R::ZERO);
                for &x in row {
                    sum += lanes(x);
                }
                *result = sum.register();
            }
        }
        Code::SumColumns => {
            let (result, rest) = split(memory, result, extra);
            result.fill(R::splat(simd, R::ZERO));
            for row in rest.get(a, count * extra).chunks_exact(extra) {
                for (result, &x) in result.iter_mut().zip(row) {
                    *result = (lanes(*result) + lanes(x)).register();
                }
            }
        }
        Code::Cumulate | Code::CumulateReverse => {
            let (result, rest) = split(memory, result, count);
            let mut sum = Lanes::<S, R>::splat(simd, R::ZERO);
            let mut add = |(result, &x): (&mut R::Register<S>, &R::Register<S>)| {
                sum += lanes(x);
                *result = sum.register();
            };
            let both = result.iter_mut().zip(rest.get(a, count));
            if code == Code::Cumulate { both.for_each(&mut add) } else { both.rev().for_each(&mut add) }
        }
        Code::Others => {
            let (result, rest) = split(memory, result, count);
            let of = rest.get(a, count);
            let mut before = Lanes::<S, R>::splat(simd, R::of(1.0));
            for (result, &x) in result.iter_mut().zip(of) {
                *result = before.register();
                before = before * lanes(x);
            }
            let mut after = Lanes::<S, R>::splat(simd, R::of(1.0));
            for (result, &x) in result.iter_mut().zip(of).rev() {
                *result = (lanes(*result) * after).register();
                after = after * lanes(x);
            }
        }
        Code::Product => {
            let Some(matrix) = program.matrices.get(extra) else { return };
            let (rows, columns) = (matrix.rows, matrix.columns);
            let (result, rest) = split(memory, result, count * rows);
            let blocks = result.chunks_exact_mut(rows).zip(rest.get(a, count * columns).chunks_exact(columns));
            let stride = Lanes::<S, R>::COUNT;
            for (result, of) in blocks {
                let target = Into { onto: Onto::Zero, result: bytemuck::cast_slice_mut(result), stride };
                let left = Grouped { data: &matrix.data };
                product(simd, left, rows, bytemuck::cast_slice(of), stride, stride, target);
            }
        }
        _ => step::<S, R>(simd, program, instruction, memory, 0, count),
    }
}
