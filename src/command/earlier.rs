//! The results of an earlier `overparam figures` in a folder, and whether they may be replaced.

use overparam::prelude::*;
use overparam::trace::Provenance;
use overparam::{Error, trace};
use polars::prelude::BooleanChunked;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The results of functions that are not computed again.
#[derive(Default)]
pub struct Earlier {
    functions: Vec<String>,
    summary: Option<DataFrame>,
    traces: Vec<PathBuf>,
}

impl Earlier {
    /// Finds in the folder `out` what is kept when `functions` are computed there by `protocol`.
    ///
    /// # Errors
    /// If results there would be lost: they are of other settings, unless those are smaller and every function is computed again.
    pub fn find(
        out: &Path,
        provenance: &Provenance,
        protocol: &Protocol,
        functions: &[Problem],
    ) -> Result<Self, Error> {
        let path_of = |function: &str| out.join(format!("traces/{function}.parquet"));
        for function in functions {
            match Found::in_file(&path_of(function.name()), provenance, protocol) {
                Some(Found::Other(problem)) => return Err(problem),
                Some(Found::Same | Found::Smaller) | None => {}
            }
        }
        let path = out.join("summary.parquet");
        let Some(found) = Found::in_file(&path, provenance, protocol) else { return Ok(Self::default()) };
        let summary = trace::read(&path)?;
        let mut others: Vec<String> = Vec::new();
        for name in names(&summary) {
            if !others.contains(&name) && !functions.iter().any(|function| function.name() == name) {
                others.push(name);
            }
        }
        let problem = |problem: String| Err(Error::Data { path: path.clone(), problem: problem + REMEDY });
        match found {
            Found::Other(problem) => Err(problem),
            _ if others.is_empty() => Ok(Self::default()),
            Found::Smaller => problem(format!(
                "expected results of the same settings to add to, and these of {} are of smaller ones",
                others.join(", ")
            )),
            Found::Same => {
                let traces: Vec<PathBuf> = others.iter().map(|name| path_of(name)).collect();
                let usable = |path: &PathBuf| {
                    matches!(Found::in_file(path, provenance, protocol), Some(Found::Same))
                        && trace::read(path).is_ok_and(|table| trace::traces([]).is_ok_and(|now| alike(&table, &now)))
                };
                if let Some(missing) = traces.iter().find(|path| !usable(path)) {
                    return problem(format!(
                        "expected the traces of all its functions beside it, and {} is missing or another's",
                        missing.display()
                    ));
                }
                if !alike(&summary, &trace::summary([])?) {
                    return problem("expected the columns of a summary of this version".to_owned());
                }
                let kept: BooleanChunked = names(&summary).iter().map(|name| Some(others.contains(name))).collect();
                let summary = summary.filter(&kept).map_err(failed)?;
                Ok(Self { functions: others, summary: Some(summary), traces })
            }
        }
    }

    /// The functions that are kept.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(String::as_str)
    }

    /// The rows that are kept and those of `summary`.
    ///
    /// # Errors
    /// If Polars cannot allocate the columns.
    pub fn with_summary(&self, summary: DataFrame) -> Result<DataFrame, Error> {
        match &self.summary {
            Some(kept) => kept.vstack(&summary).map_err(failed),
            None => Ok(summary),
        }
    }

    /// The traces of the functions that are kept, and `traces`.
    ///
    /// # Errors
    /// If one cannot be read any more.
    pub fn with_traces(&self, traces: DataFrame) -> Result<DataFrame, Error> {
        self.traces.iter().try_fold(traces, |all, path| all.vstack(&trace::read(path)?).map_err(failed))
    }
}

/// The remedy for results that would be lost.
const REMEDY: &str = ": write to another folder with --out, or remove what is there";

/// The contents of a file in comparison with the results that are going to be computed.
enum Found {
    /// Results of the same settings, the same version and the same machine.
    Same,
    /// Results that the new ones may replace.
    Smaller,
    /// Others.
    Other(Error),
}

impl Found {
    /// The contents of the file `path`, if it can be read.
    fn in_file(path: &Path, provenance: &Provenance, protocol: &Protocol) -> Option<Self> {
        let found = trace::metadata(path).ok()?;
        if let Err(problem) = trace::ensure_known_format(&found) {
            return Some(Self::Other(Error::Data { path: path.to_owned(), problem: problem + REMEDY }));
        }
        let settings = found.get("overparam.settings").and_then(|text| serde_json::from_str(text).ok());
        let settings =
            settings.and_then(|settings: BTreeMap<String, serde_json::Value>| settings.get("protocol").cloned());
        let now: BTreeMap<&str, String> = provenance.metadata().into_iter().collect();
        let same = |key: &&str| found.get(*key) == now.get(key);
        let Some(settings) = settings.filter(|_| same(&"overparam.device")) else {
            return Some(Self::other(path, "on another device or by another command"));
        };
        let Ok(earlier) = serde_json::from_value::<Protocol>(settings) else {
            let version = found.get("overparam.version").map_or("unknown", |version| version);
            return Some(Self::other(path, &format!("with the settings of another version (overparam {version})")));
        };
        // Written and read back as well: a number may be off by a bit then.
        let again = serde_json::to_string(protocol).ok().and_then(|text| serde_json::from_str::<Protocol>(&text).ok());
        let machine = ["overparam.version", "overparam.cpu", "overparam.instruction_set"];
        let Protocol { iterations, seeds, glass_iterations, glass_seeds, .. } = *protocol;
        let sizes = [iterations, seeds, glass_iterations, glass_seeds];
        let before = [earlier.iterations, earlier.seeds, earlier.glass_iterations, earlier.glass_seeds];
        let resized = Protocol { iterations, seeds, glass_iterations, glass_seeds, ..earlier.clone() };
        Some(if Some(resized) != again {
            Self::other(path, &format!("of other settings (protocol {}, {})", earlier.name, earlier.dtype.name()))
        } else if sizes == before && machine.iter().all(same) {
            Self::Same
        } else if sizes.iter().zip(&before).all(|(now, before)| now >= before) {
            Self::Smaller
        } else {
            let [iterations, seeds, glass_iterations, glass_seeds] = before;
            let size = format!(
                "larger ({seeds} seeds of {iterations} iterations, of the spin glass {glass_seeds} of {glass_iterations})"
            );
            Self::other(path, &size)
        })
    }

    fn other(path: &Path, what: &str) -> Self {
        let problem = format!("expected results that the new ones can replace, and these are {what}{REMEDY}");
        Self::Other(Error::Data { path: path.to_owned(), problem })
    }
}

/// The function of every row.
pub fn names(table: &DataFrame) -> Vec<String> {
    let column = table.column("function").and_then(|column| column.str());
    column.map(|names| names.iter().map(|name| name.unwrap_or_default().to_owned()).collect()).unwrap_or_default()
}

/// True if two tables have the same columns.
fn alike(a: &DataFrame, b: &DataFrame) -> bool {
    let of = |column: &polars::prelude::Column| (column.name().clone(), column.dtype().clone());
    a.columns().iter().map(of).eq(b.columns().iter().map(of))
}

fn failed(source: polars::error::PolarsError) -> Error {
    Error::Table { action: "join the earlier results and the new ones".to_owned(), source }
}
