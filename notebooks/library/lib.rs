//! The crate `overparam` for the cells of a notebook, as one shared library.
//!
//! A cell is a library of its own. With the crate compiled into each of them, each would have its own thread pools, its own flag for an interrupt
//! and its own seeds of hash tables, so that a column of a table made in one cell would not be found in the next. `build.rs` makes one shared
//! library, from what `cargo build --release` has compiled, and all cells link to it.

#[cfg(not(feature = "sources"))]
extern crate overparam_shared as shared;

#[cfg(feature = "sources")]
pub use sources::*;

#[cfg(not(feature = "sources"))]
pub use shared::*;
