//! Parquet files that say where they come from.

use super::checksum::{Checksum, checksum};
use super::parquet::{self, Writer};
use crate::descent::Outcome;
use crate::device::Backend;
use crate::error::{Error, excerpt};
use crate::memory;
use crate::output::Output;
use crate::simd;
use ::parquet::errors::ParquetError;
use polars::prelude::DataFrame;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The origin of a table, in the metadata of its file.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The settings, as JSON.
    pub settings: String,
    /// The device that it was computed on.
    pub backend: Backend,
    /// [`Outcome::Stopped`] for a part of what was asked for, after an interruption.
    pub outcome: Outcome,
    /// The iteration from which on a trace is thinned, if memory ran out for recording every iteration.
    pub thinned_from: Option<u64>,
}

impl Provenance {
    /// A finished table, computed on the CPU.
    pub fn new(settings: impl Into<String>) -> Self {
        Self { settings: settings.into(), backend: Backend::Cpu, outcome: Outcome::Finished, thinned_from: None }
    }

    /// The same with the name of the table among the settings, where one computation has several: none takes the place of another.
    #[must_use]
    pub fn of_table(mut self, name: &str) -> Self {
        if let Ok(serde_json::Value::Object(mut settings)) = serde_json::from_str(&self.settings) {
            settings.insert("table".to_owned(), name.into());
            self.settings = serde_json::Value::Object(settings).to_string();
        }
        self
    }

    /// The metadata of a file that is written now, as keys and values.
    pub fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut metadata = vec![
            (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
            (FORMAT, NEWEST_FORMAT.to_string()),
            (SETTINGS, self.settings.clone()),
            (OUTCOME, self.outcome.name().to_owned()),
            (DEVICE, self.backend.describe()),
            ("overparam.cpu", cpu()),
            ("overparam.instruction_set", simd::instruction_set().to_owned()),
        ];
        metadata.extend(self.thinned_from.map(|iteration| (THINNED_FROM, iteration.to_string())));
        metadata
    }
}

/// Tries a file that Parquet is to be written to, see [`Output::prepare`].
///
/// # Errors
/// If the file could not be written, or its name ends as that of text or JSON does.
pub fn prepare(path: impl Into<PathBuf>) -> Result<Output, Error> {
    let path = path.into();
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    if matches!(ending.as_deref(), Some("csv" | "tsv" | "txt" | "json")) {
        let problem = "expected a file to write that is named .parquet".to_owned();
        return Err(Error::Data { path, problem });
    }
    Output::prepare(path)
}

/// The format of the files that are written, and the newest that is read.
const NEWEST_FORMAT: u32 = 1;

/// Makes sure that a file with this `metadata` is of a format that this version knows. One without a number is, whoever wrote it.
///
/// # Errors
/// A sentence for the user, if the file is of a newer format.
pub fn ensure_known_format(metadata: &BTreeMap<String, String>) -> Result<(), String> {
    match metadata.get(FORMAT) {
        Some(format) if !format.parse().is_ok_and(|number: u32| number <= NEWEST_FORMAT) => {
            let version = metadata.get(VERSION).map_or("unknown", |version| version);
            Err(format!(
                "expected a file of format {NEWEST_FORMAT} or older, and this is of format {} (overparam {}): use that version or newer",
                excerpt(format),
                excerpt(version)
            ))
        }
        _ => Ok(()),
    }
}

/// Keys of the metadata.
pub(super) const VERSION: &str = "overparam.version";
const FORMAT: &str = "overparam.format";
pub(crate) const SETTINGS: &str = "overparam.settings";
const CHECKSUM: &str = "overparam.checksum";
pub(super) const OUTCOME: &str = "overparam.outcome";
const THINNED_FROM: &str = "overparam.thinned_from";
pub(super) const DEVICE: &str = "overparam.device";

/// Writes `table`, computed on the CPU, to `path` as Parquet compressed with zstd. `settings` (JSON) go into the file's metadata
/// under `overparam.settings`, beside the crate's version, the format, the outcome, the device, the CPU and its instruction set.
///
/// # Errors
/// If the file cannot be written or the disk is full; `path` then is what it was before.
pub fn write(table: &DataFrame, path: &Path, settings: &str) -> Result<(), Error> {
    write_to(&Output::prepare(path)?, table, &Provenance::new(settings))
}

/// [`write()`] to an output prepared before, for results that are not those of a finished computation on the CPU.
///
/// # Errors
/// As [`write()`].
pub fn write_to(output: &Output, table: &DataFrame, provenance: &Provenance) -> Result<(), Error> {
    write_all(output, [Ok(table.clone())], provenance)
}

/// Writes tables of the same columns, one below the other, whatever is requested meanwhile.
pub(super) fn write_all(
    output: &Output,
    parts: impl IntoIterator<Item = Result<DataFrame, Error>>,
    provenance: &Provenance,
) -> Result<(), Error> {
    output.write(|sink| fill(sink, output.path(), parts, provenance))
}

/// Writes tables of the same columns, one below the other, each made when the ones before it are written. Ends without a file as
/// soon as an [interrupt](crate::interrupt) is requested.
///
/// # Errors
/// As [`write()`], that of a part, or [`Error::Interrupted`]; also if there is no part, or one has other columns than the first.
pub fn write_parts(
    output: &Output,
    parts: impl IntoIterator<Item = Result<DataFrame, Error>>,
    provenance: &Provenance,
) -> Result<(), Error> {
    output.write_unless_interrupted(|sink| fill(sink, output.path(), parts, provenance))
}

/// The bytes of the file that [`write_to`] would write, for small files: `path` is what it will be called.
///
/// # Errors
/// If there is no memory for it, or a column is of a type that is not written.
pub(crate) fn encode(path: &Path, table: DataFrame, provenance: &Provenance) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    fill(&mut bytes, path, [Ok(table)], provenance)?;
    Ok(bytes)
}

/// Bytes that are taken to encode and compress one of a part that is written.
const ENCODED: u64 = 3;

/// Writes `parts`.
///
/// # Errors
/// If there is none, or one has other columns than the first.
fn fill(
    sink: &mut (impl Write + Send),
    path: &Path,
    parts: impl IntoIterator<Item = Result<DataFrame, Error>>,
    provenance: &Provenance,
) -> Result<(), Error> {
    let failed = |error| failure(path, error);
    let mut parts = parts.into_iter();
    let Some(first) = parts.next().transpose()? else {
        let problem = "expected at least one table to write, and there is none".to_owned();
        return Err(Error::Data { path: path.to_owned(), problem });
    };
    let bytes = ENCODED * first.estimated_size() as u64;
    memory::ensure(|| format!("writing {}", path.display()), bytes, "allow more, or end what else takes memory")?;
    let alone = parts.size_hint().1 == Some(0);
    let mut writer = Writer::new(sink, &first, alone, &provenance.metadata()).map_err(failed)?;
    let mut checksum = Checksum::new(&first);
    let mut put = |part: DataFrame| -> Result<(), Error> {
        writer.write(&part).map_err(failed)?;
        checksum.add(&part).map_err(|source| Error::table(format!("write {}", path.display()), source))
    };
    put(first)?;
    for part in parts {
        put(part?)?;
    }
    writer.finish(CHECKSUM, checksum.finish()).map_err(failed)
}

/// The reason why a table could not be written.
fn failure(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::file("write", path, *source),
            Err(source) => Error::Data { path: path.to_owned(), problem: source.to_string() },
        },
        ParquetError::General(problem) => Error::Data { path: path.to_owned(), problem },
        other => Error::Data { path: path.to_owned(), problem: other.to_string() },
    }
}

/// Reads a Parquet file: columns of numbers, truth values and text. Integers of 8 and 16 bits become 32, half precision and decimals f64.
///
/// # Errors
/// If it is missing or damaged, is of a newer format than this version knows, or has a column of another kind.
pub fn read(path: &Path) -> Result<DataFrame, Error> {
    read_some(path, &|_| true)
}

/// [`read()`] with the metadata of the file.
///
/// # Errors
/// As [`read()`].
pub(crate) fn read_with_metadata(path: &Path) -> Result<(DataFrame, BTreeMap<String, String>), Error> {
    let refused = |problem| Error::Data { path: path.to_owned(), problem };
    let (table, metadata) = parquet::read_with_metadata(open(path)?).map_err(refused)?;
    ensure_known_format(&metadata).map_err(refused)?;
    Ok((table, metadata))
}

/// Makes sure that `table`, read from a file with this `metadata`, is as it was written.
///
/// # Errors
/// A sentence for the user, if it is not, or the file has no checksum.
pub(crate) fn ensure_whole(table: &DataFrame, metadata: &BTreeMap<String, String>) -> Result<(), String> {
    match metadata.get(CHECKSUM) {
        None => Err("expected a file with a checksum, as this version writes them".to_owned()),
        Some(expected) if checksum(table).is_ok_and(|found| found == *expected) => Ok(()),
        Some(_) => Err("its values are not those that were written: the checksum is another".to_owned()),
    }
}

/// [`read()`] of all Parquet files of a folder by name, one below the other: of the traces that `overparam figures` writes to `data/traces`.
///
/// # Errors
/// As [`read()`], and if there is no file, or one has other columns than the first.
pub fn read_folder(folder: &Path) -> Result<DataFrame, Error> {
    let failed = |source| Error::file("read", folder, source);
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    let mut paths: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    paths.sort();
    let mut all: Option<DataFrame> = None;
    for path in paths {
        let table = read(&path)?;
        match &mut all {
            None => all = Some(table),
            Some(all) => {
                all.vstack_mut(&table).map_err(|source| Error::table(format!("add {}", path.display()), source))?;
            }
        }
    }
    let problem = "expected a folder with Parquet files, and there is none".to_owned();
    all.ok_or_else(|| Error::Data { path: folder.to_owned(), problem })
}

/// [`read()`] of the columns whose names `keep` keeps.
///
/// # Errors
/// As [`read()`].
pub(crate) fn read_some(path: &Path, keep: &(dyn Fn(&str) -> bool + Sync)) -> Result<DataFrame, Error> {
    let refused = |problem| Error::Data { path: path.to_owned(), problem };
    ensure_known_format(&metadata(path)?).map_err(refused)?;
    parquet::read(open(path)?, keep).map_err(refused)
}

/// The metadata in the footer of a Parquet file, by key: for files of this crate `overparam.version`, `overparam.settings` and others.
///
/// # Errors
/// If it is missing or damaged.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    parquet::read_metadata(open(path)?).map_err(|problem| Error::Data { path: path.to_owned(), problem })
}

/// Opens the file `path`, unless it cannot be read to its end: a pipe could wait for ever.
///
/// # Errors
/// If it is missing, a folder, a pipe or a device.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let failed = |source| Error::file("read", path, source);
    let kind = std::fs::metadata(path).map_err(failed)?;
    if !kind.is_file() {
        let found = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
        let problem = format!("expected a file to read, and this is {found}");
        return Err(Error::Data { path: path.to_owned(), problem });
    }
    File::open(path).map_err(failed)
}

/// The number of rows of a Parquet file.
pub(super) fn rows(path: &Path) -> Result<usize, Error> {
    parquet::read_rows(open(path)?).map_err(|problem| Error::Data { path: path.to_owned(), problem })
}

/// True if the file `path` begins as Parquet does, or cannot be read.
pub(super) fn is_parquet(path: &Path) -> bool {
    const MAGIC: [u8; 4] = *b"PAR1";
    let mut start = [0; MAGIC.len()];
    match open(path) {
        Ok(mut file) => file.read_exact(&mut start).is_ok() && start == MAGIC,
        Err(_) => path.metadata().is_ok(),
    }
}

/// The processor's name, where the system reports it.
fn cpu() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}
