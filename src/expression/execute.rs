//! Instructions at the width of the processor.

use super::operation::{Reduction, Unary};
use super::plan::{Code, Instruction, Place, Program};
use crate::simd::elementary::{
    acos, asin, atan, cosh, erf, exp, exp_m1, floor, ln, ln_1p, powf, sign, sin_cos, sinh, softplus, tan, tanh,
};
use crate::simd::math::{self, sin_cos_pi};
use crate::simd::matrix::{Grouped, Into, Onto, product};
use crate::simd::{Lanes, Real, Simd, WithSimd};
use std::marker::PhantomData;

impl<R: Real> Program<R> {
    /// Writes the single numbers where they lie.
    #[inline(always)]
    pub(crate) fn start<S: Simd>(&self, simd: S, memory: &mut [R::Register<S>]) {
        for (register, &scalar) in memory.iter_mut().zip(&self.scalars) {
            *register = R::splat(simd, scalar);
        }
    }

    /// Computes value and gradient of a register of points, whose coordinates lie at [`Program::input`].
    #[inline(always)]
    pub(crate) fn run<S: Simd>(&self, simd: S, memory: &mut [R::Register<S>]) {
        simd.vectorize(Run { program: self, memory: bytemuck::cast_slice_mut(memory) });
    }
}

/// One evaluation, as a function of its own that is compiled for the instruction set.
struct Run<'a, R: Real> {
    program: &'a Program<R>,
    memory: &'a mut [R],
}

impl<R: Real> WithSimd for Run<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let memory = R::registers_mut::<S>(self.memory);
        for pass in &self.program.passes {
            let Some(instructions) = self.program.instructions.get(pass.instructions.clone()) else { return };
            if pass.whole {
                for instruction in instructions {
                    whole::<S, R>(simd, self.program, instruction, memory);
                }
                continue;
            }
            begin::<S, R>(simd, instructions, memory);
            let mut start = 0;
            while start < pass.len {
                let count = pass.chunk.min(pass.len - start);
                for instruction in instructions {
                    step::<S, R>(simd, self.program, instruction, memory, start, count);
                }
                start += count;
            }
        }
    }
}

/// Sets what a pass reduces to to what nothing is reduced to.
#[inline(always)]
fn begin<S: Simd, R: Real>(simd: S, instructions: &[Instruction], memory: &mut [R::Register<S>]) {
    for instruction in instructions {
        let reduction = match instruction.code {
            Code::Reduce(reduction) => reduction,
            Code::SumMul | Code::SumMulAdd(_) => Reduction::Sum,
            _ => continue,
        };
        memory[instruction.result.at(0)] = R::splat(simd, R::of(reduction.start()));
    }
}

/// Memory but for the registers that an instruction writes.
struct Rest<'a, T> {
    before: &'a [T],
    after: &'a [T],
    from: usize,
}

impl<'a, T> Rest<'a, T> {
    /// `count` registers from `place` on, none of which is written.
    #[inline(always)]
    fn get(&self, place: usize, count: usize) -> &'a [T] {
        match place.checked_sub(self.from) {
            Some(place) => &self.after[place..place + count],
            None => &self.before[place..place + count],
        }
    }
}

#[inline(always)]
fn split<T>(memory: &mut [T], place: usize, count: usize) -> (&mut [T], Rest<'_, T>) {
    let (before, rest) = memory.split_at_mut(place);
    let (written, after) = rest.split_at_mut(count);
    (written, Rest { before, after, from: place + count })
}

/// A function of one register as a function of its own that is compiled for the instruction set.
struct Map<'a, R: Real, F> {
    result: &'a mut [R],
    of: &'a [R],
    function: PhantomData<F>,
}

/// An elementary function.
trait Elementary {
    fn of<S: Simd, R: Real>(x: Lanes<S, R>) -> Lanes<S, R>;
}

impl<R: Real, F: Elementary> WithSimd for Map<'_, R, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (result, &x) in R::registers_mut::<S>(self.result).iter_mut().zip(R::registers::<S>(self.of)) {
            *result = F::of(Lanes::<S, R>::new(simd, x)).register();
        }
    }
}

macro_rules! elementary {
    ($($name:ident $x:ident: $value:expr),+ $(,)?) => {$(
        struct $name;

        impl Elementary for $name {
            #[inline(always)]
            fn of<S: Simd, R: Real>($x: Lanes<S, R>) -> Lanes<S, R> {
                $value
            }
        }
    )+};
}

elementary!(
    Exp x: exp(x),
    ExpM1 x: exp_m1(x),
    Ln x: ln(x),
    Ln1p x: ln_1p(x),
    Tan x: tan(x),
    Asin x: asin(x),
    Acos x: acos(x),
    Atan x: atan(x),
    Sinh x: sinh(x),
    Cosh x: cosh(x),
    Tanh x: tanh(x),
    Floor x: floor(x),
    Softplus x: softplus(x),
    Sigmoid x: Lanes::splat(x.simd(), R::ONE) / (exp(-x) + 1.0),
    Erf x: erf(x),
);

/// A power, where each operand is a vector or a single number.
struct Powers<'a, R: Real> {
    result: &'a mut [R],
    base: &'a [R],
    exponent: &'a [R],
}

impl<R: Real> WithSimd for Powers<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (base, exponent) = (R::registers::<S>(self.base), R::registers::<S>(self.exponent));
        for (k, result) in R::registers_mut::<S>(self.result).iter_mut().enumerate() {
            let [x, y] = [base, exponent].map(|of| Lanes::<S, R>::new(simd, of[k.min(of.len() - 1)]));
            *result = powf(x, y).register();
        }
    }
}

/// Sine and cosine of the same argument.
struct Waves<'a, R: Real> {
    sin: &'a mut [R],
    cos: Option<&'a mut [R]>,
    of: &'a [R],
    argument: Argument<R>,
}

/// What the sine and the cosine are taken of.
#[derive(Clone, Copy)]
enum Argument<R> {
    Any,
    Near,
    /// π times so many times what is given, which is near.
    Turns(R),
}

impl<R: Real> WithSimd for Waves<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let sin = R::registers_mut::<S>(self.sin);
        let of = R::registers::<S>(self.of);
        let cos = self.cos.map(R::registers_mut::<S>);
        macro_rules! waves {
            ($x:ident => $both:expr) => {
                match cos {
                    Some(cos) => {
                        for ((sin, cos), &x) in sin.iter_mut().zip(cos).zip(of) {
                            let $x = Lanes::<S, R>::new(simd, x);
                            let (s, c) = $both;
                            (*sin, *cos) = (s.register(), c.register());
                        }
                    }
                    None => {
                        for (sin, &x) in sin.iter_mut().zip(of) {
                            let $x = Lanes::<S, R>::new(simd, x);
                            *sin = $both.0.register();
                        }
                    }
                }
            };
        }
        match self.argument {
            Argument::Any => waves!(x => sin_cos(x)),
            Argument::Near => waves!(x => math::sin_cos(x)),
            Argument::Turns(turns) => {
                let turns = Lanes::<S, R>::splat(simd, turns);
                waves!(x => sin_cos_pi(x * turns))
            }
        }
    }
}

#[inline(always)]
fn map<S: Simd, R: Real, F: Elementary>(simd: S, result: &mut [R::Register<S>], of: &[R::Register<S>]) {
    let (result, of) = (bytemuck::cast_slice_mut(result), bytemuck::cast_slice(of));
    simd.vectorize(Map::<R, F> { result, of, function: PhantomData });
}

/// The smaller one; NaN comes through.
#[inline(always)]
fn smaller<S: Simd, R: Real>(a: Lanes<S, R>, b: Lanes<S, R>) -> Lanes<S, R> {
    let smaller = b.less_than(a, b, a);
    Lanes::splat(a.simd(), -R::INFINITY).less_than(b, smaller, b)
}

/// The larger one; NaN comes through.
#[inline(always)]
fn larger<S: Simd, R: Real>(a: Lanes<S, R>, b: Lanes<S, R>) -> Lanes<S, R> {
    let larger = a.less_than(b, b, a);
    b.less_than(Lanes::splat(a.simd(), R::INFINITY), larger, b)
}

/// Does an instruction for the `count` elements from `start` on.
#[inline(always)]
fn step<S: Simd, R: Real>(
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
            if a < rest.from {
                for (result, &place) in result.iter_mut().zip(list) {
                    *result = rest.before[a + place as usize];
                }
            } else {
                for (result, &place) in result.iter_mut().zip(list) {
                    *result = rest.after[a - rest.from + place as usize];
                }
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

/// The sum of a b + c; of b and c, whether they have an element for each of a.
#[inline(always)]
fn sum_mul_add<S: Simd, R: Real, const B: bool, const C: bool>(
    simd: S,
    a: &[R::Register<S>],
    b: &[R::Register<S>],
    c: &[R::Register<S>],
) -> Lanes<S, R> {
    let lanes = |register: R::Register<S>| Lanes::<S, R>::new(simd, register);
    let (first_b, first_c, count) = (lanes(b[0]), lanes(c[0]), a.len());
    let (b, c) = (if B { &b[..count] } else { b }, if C { &c[..count] } else { c });
    let mut sums = [Lanes::splat(simd, R::ZERO); 4];
    let term = |k: usize| {
        let b = if B { lanes(b[k]) } else { first_b };
        let c = if C { lanes(c[k]) } else { first_c };
        lanes(a[k]).mul_add(b, c)
    };
    let fours = count - count % 4;
    for k in (0..fours).step_by(4) {
        for (part, sum) in sums.iter_mut().enumerate() {
            *sum += term(k + part);
        }
    }
    for k in fours..count {
        sums[0] += term(k);
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Selections by a comparison; of each operand whether it has an element for each of the result.
#[inline(always)]
fn select<S: Simd, R: Real, const A: bool, const B: bool, const C: bool, const D: bool>(
    simd: S,
    result: &mut [R::Register<S>],
    [a, b, c, d]: [&[R::Register<S>]; 4],
) {
    let count = result.len();
    let first = |of: &[R::Register<S>]| Lanes::<S, R>::new(simd, of[0]);
    let alone = [first(a), first(b), first(c), first(d)];
    // Slices as long as the result need no check in the loop.
    let whole = |of: &'_ [R::Register<S>], vector: bool| if vector { count } else { of.len() };
    let (a, b, c, d) = (&a[..whole(a, A)], &b[..whole(b, B)], &c[..whole(c, C)], &d[..whole(d, D)]);
    let element = |of: &[R::Register<S>], k: usize, vector: bool, alone: Lanes<S, R>| {
        if vector { Lanes::new(simd, of[k]) } else { alone }
    };
    for (k, result) in result.iter_mut().enumerate() {
        let (a, b) = (element(a, k, A, alone[0]), element(b, k, B, alone[1]));
        let (c, d) = (element(c, k, C, alone[2]), element(d, k, D, alone[3]));
        *result = a.less_than(b, c, d).register();
    }
}

/// The sine and the cosine of the elements at `a`.
#[inline(always)]
fn waves<S: Simd, R: Real>(
    simd: S,
    memory: &mut [R::Register<S>],
    [result, a, count]: [usize; 3],
    second: Option<usize>,
    argument: Argument<R>,
) {
    match second {
        Some(second) => {
            let ranges = [result..result + count, second..second + count, a..a + count];
            let Ok([sin, cos, of]) = memory.get_disjoint_mut(ranges) else { return };
            let (sin, cos, of) =
                (bytemuck::cast_slice_mut(sin), bytemuck::cast_slice_mut(cos), bytemuck::cast_slice(of));
            simd.vectorize(Waves { sin, cos: Some(cos), of, argument });
        }
        None => {
            let (sin, rest) = split(memory, result, count);
            let (sin, of) = (bytemuck::cast_slice_mut(sin), bytemuck::cast_slice(rest.get(a, count)));
            simd.vectorize(Waves { sin, cos: None, of, argument });
        }
    }
}

/// Does an instruction that works on whole vectors.
#[inline(always)]
fn whole<S: Simd, R: Real>(simd: S, program: &Program<R>, instruction: &Instruction, memory: &mut [R::Register<S>]) {
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
            for (k, &place) in program.lists[extra..][..count].iter().enumerate() {
                let place = result + place as usize;
                memory[place] = lanes(memory[a + k]).mul_add(factor, lanes(memory[place])).register();
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
