//! Parquet files that appear whole or not at all, and say where they come from.

use super::parquet::{self, Writer};
use crate::backend::Backend;
use crate::error::Error;
use crate::simd;
use ::parquet::errors::ParquetError;
use polars::prelude::DataFrame;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes `table` to `path` as Parquet compressed with zstd. `settings` (JSON) go into the file's metadata under
/// `overparam.settings`, beside the crate's version, the device, the CPU and its instruction set.
///
/// # Errors
/// If the folder cannot be written or the disk is full; `path` then is what it was before.
pub fn write(table: &DataFrame, path: &Path, settings: &str) -> Result<(), Error> {
    write_from(Backend::Cpu, table, path, settings)
}

/// [`write()`] for results that were computed on `backend`.
///
/// # Errors
/// As [`write()`].
pub fn write_from(backend: Backend, table: &DataFrame, path: &Path, settings: &str) -> Result<(), Error> {
    let metadata = [
        ("overparam.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("overparam.settings", settings.to_owned()),
        ("overparam.device", backend.describe()),
        ("overparam.cpu", cpu()),
        ("overparam.instruction_set", simd::instruction_set().to_owned()),
    ];
    write_whole(path, |file| {
        let written = Writer::new(file, table, &metadata).and_then(|mut writer| {
            writer.write(table)?;
            writer.finish()
        });
        written.map_err(|error| failure(path, error))
    })
}

/// Why a table could not be written.
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

/// Finds out whether a file `path` could be written, before the work that is to fill it begins. Missing folders are made.
///
/// # Errors
/// If it could not.
pub fn check(path: &Path) -> Result<(), Error> {
    refuse_other_than_file(path)?;
    let failed = |source| Error::file("write", path, source);
    let target = target_of(path);
    let folder = folder_of(&target);
    std::fs::create_dir_all(folder).map_err(failed)?;
    tempfile::tempfile_in(folder).map_err(failed)?;
    Ok(())
}

/// A rename would replace a device, and fail on a folder only once everything is computed.
fn refuse_other_than_file(path: &Path) -> Result<(), Error> {
    if path.exists() && !path.is_file() {
        let problem = "expected the name of a file to write, and this is a folder or a device".to_owned();
        return Err(Error::Data { path: path.to_owned(), problem });
    }
    Ok(())
}

/// Where a link leads that a rename would replace; other paths as they are.
fn target_of(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The folder that the file `path` is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Reads a Parquet file: columns of numbers, truth values and text. Integers of 8 and 16 bits become 32, half precision and decimals f64.
///
/// # Errors
/// If it is missing or damaged, or has a column of another kind.
pub fn read(path: &Path) -> Result<DataFrame, Error> {
    read_some(path, &|_| true)
}

/// [`read()`] of the columns whose names `keep` keeps.
///
/// # Errors
/// As [`read()`].
pub(crate) fn read_some(path: &Path, keep: &(dyn Fn(&str) -> bool + Sync)) -> Result<DataFrame, Error> {
    parquet::read(open(path)?, keep).map_err(|problem| Error::Data { path: path.to_owned(), problem })
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

/// Creates the file `path` with what `fill` writes: under a temporary name beside it, synced, then renamed. Missing
/// folders are made.
fn write_whole(path: &Path, fill: impl FnOnce(&mut BufWriter<&File>) -> Result<(), Error>) -> Result<(), Error> {
    let failed = |source| Error::file("write", path, source);
    refuse_other_than_file(path)?;
    let target = target_of(path);
    let folder = folder_of(&target);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    // What File::create would ask for; the umask takes its part from it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.prefix(".overparam-").tempfile_in(folder).map_err(failed)?;
    let mut buffer = BufWriter::new(file.as_file());
    fill(&mut buffer)?;
    buffer.flush().map_err(failed)?;
    drop(buffer);
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// The processor's name, where the system tells it.
fn cpu() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}
