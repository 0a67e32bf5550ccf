//! Errors, in sentences that say what was expected, what was given and what to do.

use std::path::{Path, PathBuf};

/// Every error of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is not one of the valid ones.
    #[error("unknown {kind} '{given}'{}; the valid ones are {valid}", suggestion(.nearest))]
    Unknown {
        /// The kind of the thing that was to be named, such as "function".
        kind: &'static str,
        /// The name given.
        given: String,
        /// The valid names, comma-separated.
        valid: String,
        /// The valid name that looks most like it.
        nearest: Option<String>,
    },

    /// A setting outside its range.
    #[error("{name} must be {expected}, not {given}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// The values it may have.
        expected: &'static str,
        /// The value given.
        given: String,
    },

    /// Threads of a run that cannot be started.
    #[error("cannot start {threads} threads for a run: {reason}; take fewer threads per run")]
    Threads {
        /// Their number.
        threads: usize,
        /// The error of the system.
        reason: String,
    },

    /// Points whose number of coordinates is not the objective's.
    #[error(
        "expected points of {expected} coordinates each, got {given} coordinates in all, which is no multiple of that"
    )]
    Points {
        /// Coordinates of one point.
        expected: usize,
        /// Coordinates given.
        given: usize,
    },

    /// An [`Expression`](crate::Expression) that cannot be evaluated.
    #[error("the expression '{name}': {problem}")]
    Expression {
        /// The name of the expression.
        name: String,
        /// The problem, with its place in the source where it has one.
        problem: String,
    },

    /// A mistake in the text of an [`Expression`](crate::Expression).
    #[error("{problem}{excerpt}")]
    Text {
        /// What was expected, and what was found.
        problem: String,
        /// A line of the text and a line of carets under the place, each after the end of a line; nothing of an empty text.
        excerpt: String,
    },

    /// Input data that cannot be used.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// The problem, and what was expected.
        problem: String,
    },

    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// "read", "write", …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// A table that cannot be made, read or written.
    #[error("cannot {action}: {source}")]
    Table {
        /// The action, such as "write traces.parquet".
        action: String,
        /// The error of Polars.
        source: polars::error::PolarsError,
    },

    /// A device that this program cannot compute on.
    #[error("cannot compute on the device cuda: {problem}; {remedy}")]
    Backend {
        /// The reason.
        problem: String,
        /// The advice: what to do.
        remedy: &'static str,
    },

    /// More memory than there is.
    #[error("{what} takes {}, and {} of memory is free, limited by {limit}; {remedy}", size(*.needed), size(*.free))]
    Memory {
        /// The thing that does not fit.
        what: String,
        /// The bytes it takes.
        needed: u64,
        /// The bytes that are free.
        free: u64,
        /// The limit on memory, such as "the machine" or "ulimit -v".
        limit: &'static str,
        /// The advice: what to do.
        remedy: &'static str,
    },

    /// An [interrupt](crate::interrupt) was requested before there was anything to keep.
    #[error("interrupted before there was a result")]
    Interrupted,

    /// A computation that failed on its device.
    #[error("the device failed: {0}")]
    Device(String),

    /// Figures that cannot be drawn.
    #[error(transparent)]
    Figure(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn unknown(kind: &'static str, given: &str, valid: &[&str]) -> Self {
        // A part of the name, or three edits away: near enough to have been meant.
        let part = valid.iter().find(|name| !given.is_empty() && name.contains(&given.to_lowercase()));
        let distance = |name: &&&str| strsim::damerau_levenshtein(&given.to_lowercase(), name);
        let nearest = valid.iter().min_by_key(distance).filter(|name| distance(name) <= 3.min(name.len() / 2));
        let nearest = part.or(nearest).filter(|_| !given.is_empty()).map(|name| (*name).to_owned());
        Self::Unknown { kind, given: excerpt(given), valid: valid.join(", "), nearest }
    }

    pub(crate) fn file(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    pub(crate) fn table(action: impl Into<String>, source: polars::error::PolarsError) -> Self {
        Self::Table { action: action.into(), source }
    }
}

/// Bytes in the largest unit of which there is one.
pub(crate) fn size(bytes: u64) -> String {
    let power = (bytes.max(1).ilog2() / 10).min(3);
    let unit = ["B", "KiB", "MiB", "GiB"][power as usize];
    if power == 0 { format!("{bytes} B") } else { format!("{:.1} {unit}", bytes as f64 / f64::from(1 << (10 * power))) }
}

/// `text` from a file as an error shows it: control characters escaped, and cut after 40 characters.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    let escaped = |c: char| if matches!(c, '\'' | '"' | '\\') { c.to_string() } else { c.escape_debug().to_string() };
    let mut shown: String = text.chars().take(LONGEST).map(escaped).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default()
}
