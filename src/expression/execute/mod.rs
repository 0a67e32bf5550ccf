//! Instructions at the width of the processor.

mod functions;
mod step;
mod whole;

use super::plan::Program;
use crate::simd::{Real, Simd, WithSimd};
use step::step;
use whole::whole;

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
            for &(place, reduction) in &pass.reductions {
                memory[place] = R::splat(simd, R::of(reduction.start()));
            }
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

/// Memory but for the registers that an instruction writes.
struct Rest<'a, T> {
    before: &'a [T],
    after: &'a [T],
    from: usize,
}

impl<'a, T> Rest<'a, T> {
    /// The registers from `place` on, none of which is written, as far as those go.
    #[inline(always)]
    fn onwards(&self, place: usize) -> &'a [T] {
        match place.checked_sub(self.from) {
            Some(place) => &self.after[place..],
            None => &self.before[place..],
        }
    }

    /// `count` registers from `place` on, none of which is written.
    #[inline(always)]
    fn get(&self, place: usize, count: usize) -> &'a [T] {
        &self.onwards(place)[..count]
    }
}

#[inline(always)]
fn split<T>(memory: &mut [T], place: usize, count: usize) -> (&mut [T], Rest<'_, T>) {
    let (before, rest) = memory.split_at_mut(place);
    let (written, after) = rest.split_at_mut(count);
    (written, Rest { before, after, from: place + count })
}
