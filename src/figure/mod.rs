//! The figures of the paper, drawn from traces.
//!
//! A figure is a pure function of a table: what a run recorded goes in, a [`Figure`] comes out, and nothing here knows
//! how the numbers were obtained. Drawing is apart from writing, so that a notebook can show what the command line
//! saves: [`figure1`], [`figure2`] and [`figure3`] draw, an [`Exporter`] writes HTML, SVG and PNG, a [`Browser`]
//! renders images in memory.
//!
//! # The table
//! One row per recorded iteration, in any order. Function, optimizer and seed identify a run. The columns read are
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `function` | string | `ackley`, …, `styblinski-tang`, `spin-glass`; an unknown name gets a panel of its own |
//! | `optimizer` | string | `shallow` or `deep` |
//! | `seed` | integer | |
//! | `iteration` | integer | the first is 0 |
//! | `seconds` | float | wall-clock time since the start of the run |
//! | `objective_min` | float | smallest scaled objective F over the n embeddings at this iteration |
//! | `best` | float | smallest F so far |
//! | `raw_best` | float | the raw value at `best`; for the spin glass, the energy per spin |
//!
//! Other columns are ignored; a value that is null or not finite is left out of the picture, never an error.
//!
//! # Size
//! Figures 1 and 3 are one journal column wide (85 mm), figure 2 a page (180 mm), at 6 px per millimeter: the 15 px text
//! prints at 7 points, and the PNG, twice as fine, at 305 dots per inch.

mod browser;
mod descent;
mod export;
mod motivation;
mod panel;
mod plot;
mod race;
mod run;
mod scale;
mod series;
pub(crate) mod style;

pub use browser::{Browser, Images};
pub use descent::figure3;
pub use export::{Exporter, Written, html};
pub use motivation::figure1;
pub use plot::Figure;
pub use plotly::Plot;
pub use race::figure2;

use std::{io, path::PathBuf};

/// The function whose panels show energies.
const SPIN_GLASS: &str = "spin-glass";

/// A figure that could not be drawn or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A column the figure needs is not in the table.
    #[error("the traces have no column `{column}`; the columns are: {found}")]
    MissingColumn {
        /// The missing column.
        column: &'static str,
        /// The columns of the table, comma-separated.
        found: String,
    },
    /// A column of another type than the figure reads.
    #[error("column `{column}` of the traces should hold {expected}, but its type is {found}")]
    ColumnType {
        /// The column.
        column: &'static str,
        /// The values that the figure reads, such as "numbers".
        expected: &'static str,
        /// The type of the column.
        found: String,
    },
    /// The optimizer of a row is neither of the two.
    #[error("the traces name an optimizer `{0}`; expected `shallow` or `deep`")]
    UnknownOptimizer(String),
    /// The table has no rows, or none of the functions that the figure shows.
    #[error("nothing to draw: the traces hold no run of {0}")]
    NoRuns(&'static str),
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// There is no browser to draw images with, or it failed.
    #[error("no PNG or SVG: {0}")]
    Browser(String),
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        Self::Figure(Box::new(error))
    }
}
