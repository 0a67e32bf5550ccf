//! Instructions that work on a chunk of elements.

use super::functions::*;
use super::split;
use crate::expression::plan::{Code, Instruction, Place, Program};
use crate::graph::operation::{Reduction, Unary};
use crate::simd::elementary::sign;
use crate::simd::{Lanes, Real, Simd};

/// Does an instruction for the `count` elements from `start` on.
#[inline(always)]
pub(super) fn step<S: Simd, R: Real>(
    simd: S,
    program: &Program<R>,
    instruction: &Instruction,
    memory: &mut [R::Register<S>],
    start: usize,
    count: usize,
) {
    let Instruction { code, result, second, operands, extra, .. } = *instruction;
    let [a, b, c, d] = operands.map(|place: Place| place.at(start));
    let lanes = |register: R::Register<S>| Lanes::<S, R>::new(simd, register);
    // Loops over the elements of the result and of the operands that are vectors, four at a time; the others are read before.
    macro_rules! fours {
        ($result:ident; $a:expr => $x:ident; $value:expr) => {{
            let (results, rest) = $result.as_chunks_mut::<4>();
            let (a, a_rest) = $a.as_chunks::<4>();
            for (result, a) in results.iter_mut().zip(a) {
                for (result, &$x) in result.iter_mut().zip(a) {
                    let $x = lanes($x);
                    *result = $value.register();
                }
            }
            for (result, &$x) in rest.iter_mut().zip(a_rest) {
                let $x = lanes($x);
                *result = $value.register();
            }
        }};
        ($result:ident; $a:expr => $x:ident, $b:expr => $y:ident; $value:expr) => {{
            let (results, rest) = $result.as_chunks_mut::<4>();
            let ((a, a_rest), (b, b_rest)) = ($a.as_chunks::<4>(), $b.as_chunks::<4>());
            for ((result, a), b) in results.iter_mut().zip(a).zip(b) {
                for ((result, &$x), &$y) in result.iter_mut().zip(a).zip(b) {
                    let ($x, $y) = (lanes($x), lanes($y));
                    *result = $value.register();
                }
            }
            for ((result, &$x), &$y) in rest.iter_mut().zip(a_rest).zip(b_rest) {
                let ($x, $y) = (lanes($x), lanes($y));
                *result = $value.register();
            }
        }};
        ($result:ident; $a:expr => $x:ident, $b:expr => $y:ident, $c:expr => $z:ident; $value:expr) => {{
            let (results, rest) = $result.as_chunks_mut::<4>();
            let ((a, a_rest), (b, b_rest), (c, c_rest)) =
                ($a.as_chunks::<4>(), $b.as_chunks::<4>(), $c.as_chunks::<4>());
            for ((result, a), (b, c)) in results.iter_mut().zip(a).zip(b.iter().zip(c)) {
                for ((result, &$x), (&$y, &$z)) in result.iter_mut().zip(a).zip(b.iter().zip(c)) {
                    let ($x, $y, $z) = (lanes($x), lanes($y), lanes($z));
                    *result = $value.register();
                }
            }
            for ((result, &$x), (&$y, &$z)) in rest.iter_mut().zip(a_rest).zip(b_rest.iter().zip(c_rest)) {
                let ($x, $y, $z) = (lanes($x), lanes($y), lanes($z));
                *result = $value.register();
            }
        }};
    }
    macro_rules! each {
        (V $x:ident => $value:expr) => {{
            let (result, rest) = split(memory, result.at(start), count);
            fours!(result; rest.get(a, count) => $x; $value)
        }};
        (VV $x:ident $y:ident => $value:expr) => {{
            let (result, rest) = split(memory, result.at(start), count);
            fours!(result; rest.get(a, count) => $x, rest.get(b, count) => $y; $value)
        }};
        (VS $x:ident $y:ident => $value:expr) => {{
            let (result, rest) = split(memory, result.at(start), count);
            let $y = lanes(rest.get(b, 1)[0]);
            fours!(result; rest.get(a, count) => $x; $value)
        }};
        (SV $x:ident $y:ident => $value:expr) => {{
            let (result, rest) = split(memory, result.at(start), count);
            let $x = lanes(rest.get(a, 1)[0]);
            fours!(result; rest.get(b, count) => $y; $value)
        }};
        (VVV $x:ident $y:ident $z:ident => $value:expr) => {{
            let (result, rest) = split(memory, result.at(start), count);
            fours!(result; rest.get(a, count) => $x, rest.get(b, count) => $y, rest.get(c, count) => $z; $value)
        }};
        (VVS $x:ident $y:ident $z:ident => $value:expr) => {{
            let (result, rest) = split(memory, result.at(start), count);
            let $z = lanes(rest.get(c, 1)[0]);
            fours!(result; rest.get(a, count) => $x, rest.get(b, count) => $y; $value)
        }};
        (VSV $x:ident $y:ident $z:ident => $value:expr) => {{
            let (result, rest) = split(memory, result.at(start), count);
            let $y = lanes(rest.get(b, 1)[0]);
            fours!(result; rest.get(a, count) => $x, rest.get(c, count) => $z; $value)
        }};
        (VSS $x:ident $y:ident $z:ident => $value:expr) => {{
            let (result, rest) = split(memory, result.at(start), count);
            let ($y, $z) = (lanes(rest.get(b, 1)[0]), lanes(rest.get(c, 1)[0]));
            fours!(result; rest.get(a, count) => $x; $value)
        }};
    }
    // Adds up, or the like, in four sums side by side: one alone waits for what it was before.
    macro_rules! onto {
        ($reduction:ident, $one:ident $other:ident => $joined:expr) => {{
            let (result, rest) = split(memory, result.at(start), 1);
            #[inline(always)]
            fn join<S: Simd, R: Real>($one: Lanes<S, R>, $other: Lanes<S, R>) -> Lanes<S, R> {
                $joined
            }
            let mut sums = [Lanes::splat(simd, R::of(Reduction::$reduction.start())); 4];
            let (fours, others) = rest.get(a, count).as_chunks::<4>();
            for four in fours {
                for (sum, &x) in sums.iter_mut().zip(four) {
                    *sum = join(*sum, lanes(x));
                }
            }
            for (sum, &x) in sums.iter_mut().zip(others) {
                *sum = join(*sum, lanes(x));
            }
            let sum = join(join(sums[0], sums[1]), join(sums[2], sums[3]));
            result[0] = join(lanes(result[0]), sum).register();
        }};
    }
    match code {
        Code::AddVV => each!(VV x y => (x + y)),
        Code::AddVS => each!(VS x y => (x + y)),
        Code::SubVV => each!(VV x y => (x - y)),
        Code::SubVS => each!(VS x y => (x - y)),
        Code::SubSV => each!(SV x y => (x - y)),
        Code::MulVV => each!(VV x y => (x * y)),
        Code::MulVS => each!(VS x y => (x * y)),
        Code::DivVV => each!(VV x y => (x / y)),
        Code::DivVS => each!(VS x y => (x / y)),
        Code::DivSV => each!(SV x y => (x / y)),
        Code::MinVV => each!(VV x y => smaller(x, y)),
        Code::MinVS => each!(VS x y => smaller(x, y)),
        Code::MaxVV => each!(VV x y => larger(x, y)),
        Code::MaxVS => each!(VS x y => larger(x, y)),
        Code::MulAddVVV => each!(VVV x y z => x.mul_add(y, z)),
        Code::MulAddVVS => each!(VVS x y z => x.mul_add(y, z)),
        Code::MulAddVSV => each!(VSV x y z => x.mul_add(y, z)),
        Code::MulAddVSS => each!(VSS x y z => x.mul_add(y, z)),
        Code::MulSubVVV => each!(VVV x y z => x.mul_add(y, -z)),
        Code::MulSubVVS => each!(VVS x y z => x.mul_add(y, -z)),
        Code::MulSubVSV => each!(VSV x y z => x.mul_add(y, -z)),
        Code::MulSubVSS => each!(VSS x y z => x.mul_add(y, -z)),
        Code::SubMulVVV => each!(VVV x y z => x.mul_sub_from(y, z)),
        Code::SubMulVVS => each!(VVS x y z => x.mul_sub_from(y, z)),
        Code::SubMulVSV => each!(VSV x y z => x.mul_sub_from(y, z)),
        Code::SubMulVSS => each!(VSS x y z => x.mul_sub_from(y, z)),
        Code::MulMulVVS => each!(VVS x y z => (x * y * z)),
        Code::MulMulVSS => each!(VSS x y z => (x * (y * z))),
        Code::Unary(Unary::Abs) => each!(V x => x.abs()),
        Code::Unary(Unary::Sqrt) => each!(V x => x.sqrt()),
        Code::Unary(Unary::Reciprocal) => {
            let one = Lanes::<S, R>::splat(simd, R::of(1.0));
            each!(V x => (one / x));
        }
        Code::Unary(Unary::RootSlope) => {
            let half = Lanes::<S, R>::splat(simd, R::of(0.5));
            let zero = Lanes::<S, R>::splat(simd, R::ZERO);
            each!(V x => zero.less_than(x, half / x, x * zero));
        }
        Code::Unary(Unary::Sign) => each!(V x => sign(x)),
        Code::Unary(operation) => {
            let (result, rest) = split(memory, result.at(start), count);
            let of = rest.get(a, count);
            match operation {
                Unary::Exp => map::<S, R, Exp>(simd, result, of),
                Unary::ExpM1 => map::<S, R, ExpM1>(simd, result, of),
                Unary::Ln => map::<S, R, Ln>(simd, result, of),
                Unary::Ln1p => map::<S, R, Ln1p>(simd, result, of),
                Unary::Tan => map::<S, R, Tan>(simd, result, of),
                Unary::Asin => map::<S, R, Asin>(simd, result, of),
                Unary::Acos => map::<S, R, Acos>(simd, result, of),
                Unary::Atan => map::<S, R, Atan>(simd, result, of),
                Unary::Sinh => map::<S, R, Sinh>(simd, result, of),
                Unary::Cosh => map::<S, R, Cosh>(simd, result, of),
                Unary::Tanh => map::<S, R, Tanh>(simd, result, of),
                Unary::Floor => map::<S, R, Floor>(simd, result, of),
                Unary::Softplus => map::<S, R, Softplus>(simd, result, of),
                Unary::Sigmoid => map::<S, R, Sigmoid>(simd, result, of),
                Unary::Erf => map::<S, R, Erf>(simd, result, of),
                // These have instructions of their own.
                Unary::Abs
                | Unary::Sqrt
                | Unary::RootSlope
                | Unary::Reciprocal
                | Unary::Sign
                | Unary::Sin
                | Unary::Cos => {}
            }
        }
        Code::SinCos | Code::SinCosNear | Code::SinCosPi => {
            let argument = match code {
                Code::SinCos => Argument::Any,
                Code::SinCosNear => Argument::Near,
                _ => Argument::Turns(lanes(memory[b]).scalars()[0]),
            };
            waves::<S, R>(simd, memory, [result.at(start), a, count], second.map(|second| second.at(start)), argument);
        }
        Code::Power(vectors) => {
            let (result, rest) = split(memory, result.at(start), count);
            let [a, b] = [(a, vectors[0]), (b, vectors[1])]
                .map(|(place, vector)| rest.get(place, if vector { count } else { 1 }));
            let (base, exponent): (&[R], &[R]) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
            simd.vectorize(Powers::<R> { result: bytemuck::cast_slice_mut(result), base, exponent });
        }
        Code::SelectLess(vectors) => {
            let (result, rest) = split(memory, result.at(start), count);
            let get = |place: usize, vector: bool| rest.get(place, if vector { count } else { 1 });
            let [va, vb, vc, vd] = vectors;
            let operands = [get(a, va), get(b, vb), get(c, vc), get(d, vd)];
            match vectors {
                [true, true, true, true] => select::<S, R, true, true, true, true>(simd, result, operands),
                [true, true, true, false] => select::<S, R, true, true, true, false>(simd, result, operands),
                [true, true, false, true] => select::<S, R, true, true, false, true>(simd, result, operands),
                [true, false, true, false] => select::<S, R, true, false, true, false>(simd, result, operands),
                [true, false, false, true] => select::<S, R, true, false, false, true>(simd, result, operands),
                [true, false, true, true] => select::<S, R, true, false, true, true>(simd, result, operands),
                [false, true, true, false] => select::<S, R, false, true, true, false>(simd, result, operands),
                [false, true, false, true] => select::<S, R, false, true, false, true>(simd, result, operands),
                _ => {
                    let element = |of: &[R::Register<S>], k: usize| lanes(of[k.min(of.len() - 1)]);
                    let [a, b, c, d] = operands;
                    for (k, result) in result.iter_mut().enumerate() {
                        *result = element(a, k).less_than(element(b, k), element(c, k), element(d, k)).register();
                    }
                }
            }
        }
        Code::Fill => {
            let (result, rest) = split(memory, result.at(start), count);
            result.fill(rest.get(a, 1)[0]);
        }
        Code::Copy => {
            let (result, rest) = split(memory, result.at(start), count);
            result.copy_from_slice(rest.get(a, count));
        }
        Code::Constants => {
            let from = extra as usize + start;
            for (result, &constant) in memory[result.at(start)..][..count].iter_mut().zip(&program.constants[from..]) {
                *result = R::splat(simd, constant);
            }
        }
        Code::Gather => {
            let list = &program.lists[extra as usize + start..][..count];
            let (result, rest) = split(memory, result.at(start), count);
            let of = rest.onwards(a);
            for (result, &place) in result.iter_mut().zip(list) {
                *result = of[place as usize];
            }
        }
        Code::Reduce(Reduction::Sum) => onto!(Sum, x y => x + y),
        Code::Reduce(Reduction::Product) => onto!(Product, x y => x * y),
        Code::Reduce(Reduction::Min) => onto!(Min, x y => smaller(x, y)),
        Code::Reduce(Reduction::Max) => onto!(Max, x y => larger(x, y)),
        Code::SumMul => {
            let (result, rest) = split(memory, result.at(start), 1);
            let mut sums = [Lanes::<S, R>::splat(simd, R::ZERO); 4];
            let (a_fours, a_others) = rest.get(a, count).as_chunks::<4>();
            let (b_fours, b_others) = rest.get(b, count).as_chunks::<4>();
            for (a, b) in a_fours.iter().zip(b_fours) {
                for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                    *sum = lanes(a).mul_add(lanes(b), *sum);
                }
            }
            for ((sum, &a), &b) in sums.iter_mut().zip(a_others).zip(b_others) {
                *sum = lanes(a).mul_add(lanes(b), *sum);
            }
            result[0] = (lanes(result[0]) + ((sums[0] + sums[1]) + (sums[2] + sums[3]))).register();
        }
        Code::SumMulAdd(vectors) => {
            let (result, rest) = split(memory, result.at(start), 1);
            let get = |place: usize, vector: bool| rest.get(place, if vector { count } else { 1 });
            let (a, b, c) = (rest.get(a, count), get(b, vectors[0]), get(c, vectors[1]));
            let sum = match vectors {
                [true, true] => sum_mul_add::<S, R, true, true>(simd, a, b, c),
                [true, false] => sum_mul_add::<S, R, true, false>(simd, a, b, c),
                [false, true] => sum_mul_add::<S, R, false, true>(simd, a, b, c),
                [false, false] => sum_mul_add::<S, R, false, false>(simd, a, b, c),
            };
            result[0] = (lanes(result[0]) + sum).register();
        }
        // Those of whole vectors.
        _ => {}
    }
}
