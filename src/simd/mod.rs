//! Arithmetic at the width of the processor that runs it.
//!
//! Every hot loop of the crate is written once, as plain Rust over slices, generic in the scalar ([`Real`]) and in
//! the instruction set ([`pulp::Simd`]). [`dispatch`] compiles it for each instruction set (AVX-512, AVX2 with FMA, the
//! baseline; NEON on Arm) and picks one when the program runs, so that a plain `cargo build --release` and a
//! notebook both get the widest vectors. What it trades away: the compiler, not the author, turns the loops into
//! vectors, hence loops here have no branches, no calls that do not inline, and lengths that are whole numbers of vectors
//! ([`padded`]).
//!
//! There is no `unsafe` in this crate: the only code that needs it, entering a function compiled for an instruction
//! set the processor was seen to have, is pulp's.

pub(crate) mod math;
pub(crate) mod matrix;
pub(crate) mod peak;
mod real;

pub(crate) use pulp::{Simd, WithSimd};
pub use real::Real;

use bytemuck::Zeroable;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

static ARCH: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);

/// Runs `kernel` compiled for the widest instruction set that this processor has.
#[inline]
pub(crate) fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    ARCH.dispatch(kernel)
}

/// The instruction set that kernels run on, for the metadata of results.
pub fn instruction_set() -> &'static str {
    struct Name;
    impl WithSimd for Name {
        type Output = &'static str;
        fn with_simd<S: Simd>(self, _: S) -> &'static str {
            match (S::IS_SCALAR, S::F64_LANES) {
                (true, _) => "baseline",
                (_, 8) => "AVX-512",
                (_, 4) => "AVX2+FMA",
                _ => "NEON",
            }
        }
    }
    dispatch(Name)
}

/// `length` rounded up to a whole number of 64-byte vectors.
pub(crate) const fn padded<R: Real>(length: usize) -> usize {
    length.next_multiple_of(R::LANES)
}

/// Rows of scalars, each padded with zeros to a whole number of vectors and aligned to them.
#[derive(Clone, Debug)]
pub(crate) struct Rows<R: Real> {
    vectors: Vec<R::Vector>,
    stride: usize,
}

impl<R: Real> Rows<R> {
    /// `rows` × `columns` zeros.
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        let stride = padded::<R>(columns);
        Self { vectors: vec![Zeroable::zeroed(); rows * stride / R::LANES], stride }
    }

    /// The rows of the row-major matrix `values` of `columns` columns.
    pub(crate) fn from_packed(values: &[R], columns: usize) -> Self {
        let mut rows = Self::zeros(values.len() / columns, columns);
        rows.pack_from(values, columns);
        rows
    }

    /// Overwrites the rows with the row-major matrix `values` of `columns` columns.
    pub(crate) fn pack_from(&mut self, values: &[R], columns: usize) {
        let stride = self.stride;
        for (row, packed) in self.chunks_exact_mut(stride).zip(values.chunks_exact(columns)) {
            row[..columns].copy_from_slice(packed);
        }
    }

    /// The row-major matrix of the first `columns` columns.
    pub(crate) fn packed(&self, columns: usize) -> Vec<R> {
        self.chunks_exact(self.stride).flat_map(|row| &row[..columns]).copied().collect()
    }

    /// All rows as the vectors that they are made of.
    #[inline(always)]
    pub(crate) fn vectors(&self) -> &[R::Vector] {
        &self.vectors
    }

    /// All rows as the vectors that they are made of.
    #[inline(always)]
    pub(crate) fn vectors_mut(&mut self) -> &mut [R::Vector] {
        &mut self.vectors
    }

    /// The distance from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }
}

impl<R: Real> Deref for Rows<R> {
    type Target = [R];
    #[inline(always)]
    fn deref(&self) -> &[R] {
        bytemuck::cast_slice(&self.vectors)
    }
}

impl<R: Real> DerefMut for Rows<R> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [R] {
        bytemuck::cast_slice_mut(&mut self.vectors)
    }
}

/// `a * b + c`, in one rounding where the instruction set has it.
#[inline(always)]
pub(crate) fn mul_add<S: Simd, R: Real>(a: R, b: R, c: R) -> R {
    if S::IS_SCALAR { a * b + c } else { a.fused_mul_add(b, c) }
}

/// The vector of `lane(0)`, `lane(1)`, …: the loop that becomes instructions.
#[inline(always)]
pub(crate) fn lanes<R: Real>(mut lane: impl FnMut(usize) -> R) -> R::Vector {
    let mut vector: R::Vector = Zeroable::zeroed();
    for (index, value) in vector.as_mut().iter_mut().enumerate() {
        *value = lane(index);
    }
    vector
}

/// `vector` with zeros after its first `count` lanes.
#[inline(always)]
pub(crate) fn keep_first<R: Real>(vector: R::Vector, count: usize) -> R::Vector {
    lanes::<R>(|lane| if lane < count { vector.as_ref()[lane] } else { R::ZERO })
}

/// The scalars of some vectors.
#[inline(always)]
pub(crate) fn flat<R: Real>(vectors: &[R::Vector]) -> &[R] {
    bytemuck::cast_slice(vectors)
}

/// The scalars of some vectors.
#[inline(always)]
pub(crate) fn flat_mut<R: Real>(vectors: &mut [R::Vector]) -> &mut [R] {
    bytemuck::cast_slice_mut(vectors)
}

/// The sum of the first `count` scalars of `row`, all of them but for some of the last vector's, always taken in the same
/// order.
#[inline(always)]
pub(crate) fn sum_first<R: Real>(row: &[R::Vector], count: usize) -> R {
    let Some((last, full)) = row.split_last() else { return R::ZERO };
    let mut sum = keep_first::<R>(*last, count - full.len() * R::LANES);
    for terms in full {
        let before = sum;
        sum = lanes::<R>(|lane| before.as_ref()[lane] + terms.as_ref()[lane]);
    }
    add_lanes::<R>(sum)
}

/// The sum of the products of `a` and `b`, always taken in the same order.
#[inline(always)]
pub(crate) fn dot<S: Simd, R: Real>(a: &[R::Vector], b: &[R::Vector]) -> R {
    let mut sum: R::Vector = Zeroable::zeroed();
    for (a, b) in a.iter().zip(b) {
        let before = sum;
        sum = lanes::<R>(|lane| mul_add::<S, R>(a.as_ref()[lane], b.as_ref()[lane], before.as_ref()[lane]));
    }
    add_lanes::<R>(sum)
}

/// Adds the lanes pairwise: a tree, not a chain.
#[inline(always)]
fn add_lanes<R: Real>(mut lanes: R::Vector) -> R {
    let lanes = lanes.as_mut();
    let mut width = R::LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What `kernel` gives on each instruction set that this machine has.
    pub(crate) fn everywhere<K: WithSimd>(kernel: impl Fn() -> K) -> Vec<(&'static str, K::Output)> {
        let mut found =
            vec![(instruction_set(), dispatch(kernel())), ("baseline", kernel().with_simd(pulp::Scalar::new()))];
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            found.push(("AVX2+FMA", Simd::vectorize(simd, kernel())));
        }
        found
    }
}
