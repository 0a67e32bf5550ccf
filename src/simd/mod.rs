//! Arithmetic at the width of the processor that runs it.
//!
//! Every hot loop of the crate is written once, over registers ([`Lanes`]), generic in the scalar ([`Real`]) and in the
//! instruction set ([`pulp::Simd`]). [`dispatch`] compiles it for each instruction set (AVX-512, AVX2 with FMA, the
//! baseline; NEON on Arm) and picks one when the program runs, so that a plain `cargo build --release` and a
//! notebook both get the widest vectors; only `transpose.rs` has a second form, of shuffles that a compiler does not find.
//! Points lie side by side in a register ([`Panels`]), so a formula over registers is the formula for one point, and a sum over
//! coordinates adds registers.
//!
//! There is no `unsafe` here, nor anywhere in this crate but where a GPU's driver and compiler are called: the only code that needs it,
//! entering a function compiled for an instruction set the processor was seen to have, is pulp's.

pub(crate) mod cache;
mod columns;
pub(crate) mod elementary;
mod lanes;
pub(crate) mod math;
pub(crate) mod matrix;
mod panels;
mod real;
mod rows;
pub(crate) mod transpose;

pub(crate) use columns::{Columns, across};
pub(crate) use lanes::Lanes;
pub(crate) use panels::{Panel, Panels};
pub(crate) use pulp::{Simd, WithSimd};
pub use real::Real;
pub(crate) use real::{Tables, tables};
pub(crate) use rows::Rows;

use crate::error::Error;
use pulp::Arch;
use std::sync::OnceLock;

static ARCH: OnceLock<Arch> = OnceLock::new();

/// The name given to [`use_instruction_set`].
static CHOSEN: OnceLock<&str> = OnceLock::new();

/// Runs `kernel` compiled for the instruction set in use.
#[inline]
pub fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    #[cfg(test)]
    if tests::ON_THE_BASELINE.get() {
        return kernel.with_simd(pulp::Scalar::new());
    }
    ARCH.get_or_init(Arch::new).dispatch(kernel)
}

/// The instruction sets in tables and metadata.
pub(crate) const TITLES: [&str; 4] = ["baseline", "AVX2+FMA", "AVX-512", "NEON"];

/// The names by which they are chosen.
const NAMES: [&str; 4] = ["baseline", "avx2", "avx512", "neon"];

/// The names of the instruction sets that kernels are compiled for, the narrowest first, each with the means to use it where the
/// processor has it.
fn choices() -> Vec<(&'static str, Option<Arch>)> {
    let mut choices = vec![(NAMES[0], Some(Arch::Scalar))];
    #[cfg(target_arch = "x86_64")]
    choices.extend([
        (NAMES[1], pulp::x86::V3::try_new().map(Arch::V3)),
        (NAMES[2], pulp::x86::V4::try_new().map(Arch::V4)),
    ]);
    #[cfg(target_arch = "aarch64")]
    choices.push((NAMES[3], pulp::aarch64::Neon::try_new().map(Arch::Neon)));
    choices
}

/// The instruction sets that this processor has and kernels are compiled for, the narrowest first: `baseline` and some of `avx2`,
/// `avx512` and `neon`. The last one is used unless [`use_instruction_set`] chooses another.
pub fn instruction_sets() -> Vec<&'static str> {
    choices().into_iter().filter_map(|(name, arch)| arch.map(|_| name)).collect()
}

/// Has all kernels of this process use the instruction set called `name`, such as to compute the same bits as a narrower processor.
///
/// # Errors
/// If `name` is not one of [`instruction_sets`], or kernels use another one already.
pub fn use_instruction_set(name: &str) -> Result<(), Error> {
    let names = instruction_sets();
    let found = choices().into_iter().find_map(|(known, arch)| Some((known, arch.filter(|_| known == name)?)));
    let Some((known, arch)) = found else {
        return Err(Error::unknown("instruction set of this processor", name, &names));
    };
    let used = ARCH.get_or_init(|| arch);
    if std::mem::discriminant(used) == std::mem::discriminant(&arch) {
        let _ = CHOSEN.set(known);
        return Ok(());
    }
    let expected = "chosen before anything is computed";
    Err(Error::Setting { name: "the instruction set", expected, given: format!("{name} after {}", instruction_set()) })
}

/// Uses the instruction set with this title, where the processor has it and none is used yet.
pub(crate) fn prefer(title: &str) {
    let found = TITLES.iter().position(|known| *known == title).map(|place| NAMES[place]);
    let found = choices().into_iter().find_map(|(name, arch)| arch.filter(|_| found == Some(name)));
    if let Some(arch) = found {
        ARCH.get_or_init(|| arch);
    }
}

/// The instruction set that somebody asked for by name, if anybody did.
pub(crate) fn chosen_instruction_set() -> Option<&'static str> {
    CHOSEN.get().copied()
}

/// The instruction set that kernels use, for the metadata of results.
pub fn instruction_set() -> &'static str {
    struct Name;
    impl WithSimd for Name {
        type Output = &'static str;
        fn with_simd<S: Simd>(self, _: S) -> &'static str {
            match (S::IS_SCALAR, S::F64_LANES) {
                (true, _) => TITLES[0],
                (_, 8) => TITLES[2],
                (_, 4) => TITLES[1],
                _ => TITLES[3],
            }
        }
    }
    dispatch(Name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::descent::Optimizer;
    use crate::experiment::{Dimensions, Dtype, Protocol};
    use crate::objective::Function;
    use std::cell::Cell;

    thread_local! {
        /// True if this thread dispatches to the baseline, whatever the processor has.
        pub(super) static ON_THE_BASELINE: Cell<bool> = const { Cell::new(false) };
    }

    /// A descent that is compiled without its instruction set, as where a function on the way is no longer inlined, takes the
    /// time of the baseline. Both are timed in turns, and the fastest of each counts: noise only adds time.
    #[test]
    fn descents_are_at_least_twice_as_fast_as_on_the_baseline() {
        if instruction_set() == "baseline" {
            return;
        }
        for (function, optimizer, dtype) in Function::ALL.into_iter().flat_map(|of| {
            Optimizer::ALL.into_iter().flat_map(move |by| [Dtype::F32, Dtype::F64].map(|dtype| (of, by, dtype)))
        }) {
            let protocol = Protocol { dimensions: Dimensions::DEEP_CONVEXITY, dtype, ..Protocol::paper() };
            let settings = protocol.settings(function).learning_rate(1e-3).iterations(30);
            let time = |baseline| {
                ON_THE_BASELINE.set(baseline);
                let timing = protocol.time(function, optimizer, &settings, 3).unwrap();
                ON_THE_BASELINE.set(false);
                timing.least_us_per_iteration
            };
            let [mut fast, mut slow] = [f64::INFINITY; 2];
            for _ in 0..5 {
                (fast, slow) = (fast.min(time(false)), slow.min(time(true)));
                if 2.0 * fast < slow {
                    break;
                }
            }
            println!("{:5.1} times: {function}, {optimizer}, {dtype:?}", slow / fast);
            assert!(2.0 * fast < slow, "{function}, {optimizer}, {dtype:?}: {fast} us, {slow} us on the baseline");
        }
    }

    /// A function of one number, on registers.
    pub(crate) trait Elementwise: Copy {
        fn of<S: Simd, R: Real>(self, x: Lanes<S, R>) -> Lanes<S, R>;
    }

    /// The values of a function at numbers.
    pub(crate) struct Each<'a, F, R>(pub F, pub &'a [R]);

    impl<F: Elementwise, R: Real> WithSimd for Each<'_, F, R> {
        type Output = Vec<R>;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<R> {
            let mut rows = Rows::<R>::zeros(1, self.1.len());
            rows[..self.1.len()].copy_from_slice(self.1);
            for register in R::registers_mut::<S>(&mut rows) {
                *register = self.0.of(Lanes::<S, R>::new(simd, *register)).register();
            }
            rows[..self.1.len()].to_vec()
        }
    }

    /// The results of `kernel` on every instruction set that this machine has.
    pub(crate) fn everywhere<K: WithSimd>(kernel: impl Fn() -> K) -> Vec<(&'static str, K::Output)> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "there is no third"))]
        let mut found =
            vec![(instruction_set(), dispatch(kernel())), ("baseline", kernel().with_simd(pulp::Scalar::new()))];
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            found.push(("AVX2+FMA", Simd::vectorize(simd, kernel())));
        }
        found
    }
}
