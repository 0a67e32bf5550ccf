//! Everything that `overparam` has, once for all cells of a notebook.

pub use overparam::*;
