//! This crate beside what a user could pick instead, beside what the processor can do, and at growing sizes.
//!
//! [`Comparison`] times the same descents here and in other frameworks ([`Peer`]), in turns, after it has seen them agree.
//! [`Peak`] is what a core does at best. [`scaling`] times growing shapes, each in a process of its own.
//! The results are tables; `figure::ratios` and `figure::scaling` draw them.

mod case;
mod comparison;
mod peer;
mod process;
mod roofline;
pub mod scaling;
mod statistics;
mod table;
mod target;

pub use case::{Case, Program};
pub use comparison::{Comparison, Measurement};
pub use peer::Peer;
pub use roofline::Peak;
pub use statistics::{Line, Times};
pub use table::{ratios, scalings};
pub use target::{Target, Verdict};

/// The most memory that this process has held, in bytes, where the system reports it.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kilobytes.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| 1024 * kilobytes)
}
