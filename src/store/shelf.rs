//! The runs about one subject, as files.

use super::manifest::{Manifest, read_record, write_record};
use super::rows;
use super::subject::{Naming, RunId, Subject, text};
use crate::device::Backend;
use crate::error::Error;
use crate::experiment::{Run, Stage};
use crate::output::{self, Output};
use crate::trace::{self, Provenance};
use polars::prelude::{Column, DataFrame};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Runs that end within this time of each other go into one file: writing a file takes about as long as a short run.
const GROUP: Duration = Duration::from_millis(200);

/// The most runs in one file.
const MOST: usize = 4096;

/// The least time between two looks for what other processes have finished, and the share of the time that looking may take.
const LOOK: Duration = Duration::from_secs(1);
const SHARE: u32 = 20;

/// The record of the subject, the folder of the requests, and that of the runs.
const SUBJECT: &str = "subject.json";
const ASKED: &str = "asked";
const RUNS: &str = "runs";

/// The runs about one subject: those in files, and those that this process has finished and not yet written.
///
/// It stays usable when writing fails. [`Shelf::failure`] hands out the first error, once.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    subject: Subject,
    naming: Naming,
    index: Mutex<Index>,
    waiting: Mutex<Waiting>,
    failure: Mutex<Option<Error>>,
}

/// The known files and their runs.
#[derive(Debug, Default)]
struct Index {
    /// The files by number, relative to the folder of runs.
    files: Vec<String>,
    names: HashSet<String>,
    /// The number of the file that has a run.
    runs: HashMap<RunId, u32>,
    /// When the folder was looked at, and how long that took.
    looked: Option<(Instant, Duration)>,
}

/// Finished runs that are in no file.
#[derive(Debug)]
struct Waiting {
    runs: Vec<(RunId, Stage, Run)>,
    written: Instant,
}

/// A run that was read.
pub(crate) type Loaded = (Stage, Run);

/// The runs in a file, or its fault.
pub(crate) type InFile = Result<Vec<(RunId, Loaded)>, Error>;

impl Shelf {
    /// The shelf of `subject` in the store `store`, to add to. It is made where it is missing, and files that killed processes left are removed.
    ///
    /// # Errors
    /// If it cannot be written or read.
    pub(super) fn open(store: &Path, subject: Subject) -> Result<Self, Error> {
        let folder = store.join(subject.folder());
        for name in [ASKED, RUNS] {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(|source| Error::file("make", &path, source))?;
        }
        // Whether files can be written and replaced there is found out before anything is computed.
        let runs = folder.join(RUNS);
        Output::prepare(runs.join("trial.parquet")).map_err(|error| match error {
            Error::File { source, .. } => Error::file("write to", &runs, source),
            other => other,
        })?;
        write_record(&folder, SUBJECT, &text(&subject))?;
        output::list(&folder).map_err(|source| Error::file("read", &folder, source))?;
        output::list(&folder.join(ASKED)).map_err(|source| Error::file("read", &folder, source))?;
        output::sync_folder(store).map_err(|source| Error::file("write", store, source))?;
        let shelf = Self::at(folder, subject);
        shelf.look(false)?;
        Ok(shelf)
    }

    /// The shelf in `folder`, to read.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub(super) fn read(folder: PathBuf) -> Result<Self, Error> {
        let subject: Subject = read_record(&folder.join(SUBJECT))?;
        let shelf = Self::at(folder, subject);
        shelf.look(true)?;
        Ok(shelf)
    }

    /// True if `folder` has a shelf.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(SUBJECT).is_file()
    }

    fn at(folder: PathBuf, subject: Subject) -> Self {
        let naming = subject.naming();
        let waiting = Waiting { runs: Vec::new(), written: Instant::now() };
        let (index, waiting, failure) = (Mutex::default(), Mutex::new(waiting), Mutex::default());
        Self { folder, subject, naming, index, waiting, failure }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The subject of its runs.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Names its runs.
    pub(super) fn naming(&self) -> &Naming {
        &self.naming
    }

    /// Adds a request.
    pub(super) fn ask(&self, manifest: &Manifest) -> Result<(), Error> {
        let (text, name) = manifest.file();
        write_record(&self.folder.join(ASKED), &name, &text)
    }

    /// Everything that was asked for, in the order of the files' names.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn asked(&self) -> Result<Vec<Manifest>, Error> {
        let folder = self.folder.join(ASKED);
        let mut names = output::list(&folder).map_err(|source| Error::file("read", &folder, source))?;
        names.retain(|name| name.ends_with(".json"));
        names.sort();
        names.iter().map(|name| read_record(&folder.join(name))).collect()
    }

    /// Takes back a request. With the last one the whole shelf goes, with its runs.
    pub(super) fn take_back(&self, manifest: &Manifest) {
        // A file that cannot be removed takes some room and does no harm.
        let _ = fs::remove_file(self.folder.join(ASKED).join(manifest.file().1));
        let others = match output::list(&self.folder.join(ASKED)) {
            Err(error) => error.kind() != ErrorKind::NotFound,
            Ok(names) => !names.is_empty(),
        };
        if !others {
            let _ = fs::remove_dir_all(&self.folder);
            // Whoever waits for this process to be gone waits for its folder, too.
            let _ = self.folder.parent().map(fs::remove_dir);
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks which runs there are. Files of several that cannot be read are an error if it is to be `strict`, and otherwise as good as none.
    ///
    /// # Errors
    /// If the folder cannot be read.
    fn look(&self, strict: bool) -> Result<(), Error> {
        let begun = Instant::now();
        let folder = self.folder.join(RUNS);
        let failed = |source| Error::file("read", &folder, source);
        let parts = match output::list(&folder) {
            // Another process has finished all that was asked for, and removed it.
            Err(error) if error.kind() == ErrorKind::NotFound && !strict => Vec::new(),
            parts => parts.map_err(failed)?,
        };
        let list = |part: &String| -> Vec<String> {
            // A part that has gone meanwhile has nothing.
            let names = output::list(&folder.join(part)).unwrap_or_default();
            names.into_iter().map(|name| format!("{part}/{name}")).collect()
        };
        let new: Vec<String> = {
            let index = self.index();
            let found = parts.iter().filter(|part| part.len() == 2).flat_map(list);
            found.filter(|name| !index.names.contains(name)).collect()
        };
        // The file of one run has its name; one of several has to be read.
        let ids = |file: &String| -> Result<Option<Vec<RunId>>, Error> {
            let name = file.get(3..).and_then(|name| name.strip_suffix(".parquet")).unwrap_or_default();
            match (RunId::parse(name), name.split_once('-').map(|(name, _)| RunId::parse(name))) {
                (Some(id), _) => Ok(Some(vec![id])),
                (None, Some(Some(_))) => match names_in(&folder.join(file)) {
                    Err(error) if strict => Err(error),
                    ids => Ok(ids.ok()),
                },
                _ => Ok(None),
            }
        };
        let found = new.par_iter().map(ids).collect::<Result<Vec<_>, Error>>()?;
        let mut index = self.index();
        for (file, ids) in new.into_iter().zip(found) {
            if let Some(ids) = ids {
                index.add(file, ids);
            }
        }
        index.looked = Some((Instant::now(), begun.elapsed()));
        Ok(())
    }

    /// True if the run is there, in a file or finished by this process. Looks again what others have finished, now and then.
    pub fn has(&self, id: RunId) -> bool {
        let has = |index: &Index| index.runs.contains_key(&id);
        let due = {
            let mut index = self.index();
            if has(&index) {
                return true;
            }
            let due = index.looked.is_none_or(|(looked, took)| looked.elapsed() >= LOOK.max(SHARE * took));
            if due {
                // One thread looks at a time.
                index.looked = Some((Instant::now(), Duration::ZERO));
            }
            due
        };
        if due {
            // A run that cannot be read now is computed.
            let _ = self.look(false);
        }
        has(&self.index()) || self.waiting().runs.iter().any(|(waiting, ..)| *waiting == id)
    }

    /// The number of runs in files.
    pub fn len(&self) -> usize {
        self.index().runs.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of all runs in files.
    pub(crate) fn ids(&self) -> Vec<RunId> {
        self.index().runs.keys().copied().collect()
    }

    /// Reads every file of runs, on all threads, and hands what is in it to `look`. A file without runs is an error as well.
    pub(crate) fn check<T: Send>(&self, look: &(dyn Fn(&Path, InFile) -> T + Sync)) -> Vec<T> {
        let folder = self.folder.join(RUNS);
        let mut files: Vec<PathBuf> = {
            let index = self.index();
            let known = index.files.iter().map(|file| folder.join(file));
            let parts = output::list(&folder).unwrap_or_default();
            let names = parts.iter().flat_map(|part| {
                let names = output::list(&folder.join(part)).unwrap_or_else(|_| vec![String::new()]);
                names.into_iter().map(move |name| format!("{part}/{name}"))
            });
            known.chain(names.filter(|name| !index.names.contains(name)).map(|name| folder.join(name))).collect()
        };
        files.sort();
        let check = |path: &PathBuf| look(path, self.runs_in(path, None, true));
        files.par_iter().map(check).collect()
    }

    /// The number of runs that were asked for, and of those that are missing.
    ///
    /// # Errors
    /// If the record of a request cannot be read.
    pub(crate) fn count(&self) -> Result<(usize, usize), Error> {
        let mut asked = HashSet::new();
        for manifest in self.asked()? {
            asked.extend(manifest.trials(&self.naming).map(|trial| trial.id));
        }
        let index = self.index();
        let missing = asked.iter().filter(|id| !index.runs.contains_key(id)).count();
        Ok((asked.len(), missing))
    }

    /// Takes a finished run. It is in a file when this returns, unless it took so short a time that it waits for others, up to
    /// [`Shelf::flush`].
    pub(super) fn keep(&self, id: RunId, stage: Stage, run: &Run) {
        let group = {
            let mut waiting = self.waiting();
            waiting.runs.push((id, stage, run.clone()));
            let long = Duration::try_from_secs_f64(run.seconds).is_ok_and(|seconds| seconds >= GROUP);
            if !long && waiting.written.elapsed() < GROUP {
                return;
            }
            waiting.written = Instant::now();
            std::mem::take(&mut waiting.runs)
        };
        self.put(group);
    }

    /// Writes the waiting runs.
    pub(super) fn flush(&self) {
        let group = std::mem::take(&mut self.waiting().runs);
        self.put(group);
    }

    /// Writes a group of runs. Without a lock: a thread that waits for Polars may take up another run meanwhile, and come here with it.
    pub(super) fn put(&self, group: Vec<(RunId, Stage, Run)>) {
        let mut rest = group;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(MOST));
            match self.write(&rest) {
                Ok(file) => self.index().add(file, rest.iter().map(|(id, ..)| *id).collect()),
                Err(error) => {
                    rest.extend(later);
                    self.waiting().runs.extend(rest);
                    self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    return;
                }
            }
            rest = later;
        }
    }

    fn write(&self, group: &[(RunId, Stage, Run)]) -> Result<String, Error> {
        let (name, id) = match group {
            [(id, ..)] => (format!("{id}.parquet"), *id),
            _ => {
                let mut ids: Vec<RunId> = group.iter().map(|(id, ..)| *id).collect();
                ids.sort();
                let id = RunId::of_all(ids);
                (format!("{id}-{}.parquet", group.len()), id)
            }
        };
        let part = id.to_string()[..2].to_owned();
        let runs = self.folder.join(RUNS);
        let folder = runs.join(&part);
        if !folder.is_dir() {
            fs::create_dir_all(&folder).map_err(|source| Error::file("make", &folder, source))?;
            output::sync_folder(&runs).map_err(|source| Error::file("write", &runs, source))?;
        }
        let mut table = rows::table(group.iter().map(|(_, stage, run)| (*stage, run)))?;
        let ids: Vec<String> = group.iter().map(|(id, ..)| id.to_string()).collect();
        table
            .insert_column(0, Column::new("run".into(), ids))
            .map_err(|source| Error::table("tabulate the finished runs", source))?;
        let backend: Backend = self.subject.device.parse()?;
        let provenance = Provenance { backend, ..Provenance::new(self.subject.identity()) };
        let output = Output::inside(&folder, &name);
        // First all of it in memory, so that there is a temporary file for as short a time as can be.
        let bytes = trace::encode(output.path(), table, &provenance)?;
        output.write(|sink| sink.write_all(&bytes).map_err(|source| Error::file("write", output.path(), source)))?;
        Ok(format!("{part}/{name}"))
    }

    /// The run of this name, if it is there and can be read.
    pub(crate) fn one(&self, id: RunId, whole: bool) -> Option<Loaded> {
        self.load(&HashSet::from([id]), whole).ok()?.remove(&id)
    }

    /// Takes the first error of writing a run, if there was one since the last call.
    pub fn failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// True if there was an error that nobody has taken.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The runs of these names that are there, without their samples unless they are to be `whole`. Each file is read once.
    ///
    /// # Errors
    /// If a file cannot be read, or its runs are not those that were written.
    pub(crate) fn load(&self, ids: &HashSet<RunId>, whole: bool) -> Result<HashMap<RunId, Loaded>, Error> {
        let mut wanted: Vec<(PathBuf, usize)> = {
            let index = self.index();
            let mut counts: HashMap<u32, usize> = HashMap::new();
            for id in ids {
                if let Some(&file) = index.runs.get(id) {
                    *counts.entry(file).or_default() += 1;
                }
            }
            let path = |(file, count): (u32, usize)| (self.folder.join(RUNS).join(&index.files[file as usize]), count);
            counts.into_iter().map(path).collect()
        };
        wanted.sort();
        let read = |(path, _): &(PathBuf, usize)| match self.runs_in(path, Some(ids), whole) {
            // A file may have been removed since the folder was listed.
            Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            runs => runs,
        };
        let found = wanted.par_iter().map(read).collect::<Result<Vec<_>, Error>>()?;
        let mut runs: HashMap<RunId, Loaded> = found.into_iter().flatten().collect();
        self.index().runs.retain(|id, _| !ids.contains(id) || runs.contains_key(id));
        for (id, stage, run) in &self.waiting().runs {
            if ids.contains(id) {
                runs.entry(*id).or_insert_with(|| (*stage, run.clone()));
            }
        }
        Ok(runs)
    }

    /// The runs of these names in a file, or all of them. The file is checked as a whole.
    ///
    /// # Errors
    /// If it cannot be read, or its runs are not those that were written.
    pub(super) fn runs_in(&self, path: &Path, ids: Option<&HashSet<RunId>>, whole: bool) -> InFile {
        let remedy = "; remove it, and the same command computes its runs again";
        let wrong = |problem: String| Error::Data { path: path.to_owned(), problem: problem + remedy };
        let (table, metadata) = trace::read_with_metadata(path)?;
        trace::ensure_whole(&table, &metadata).map_err(wrong)?;
        // Runs of an older version of the same subject would be in another folder.
        let identity = metadata.get(trace::SETTINGS).cloned().unwrap_or_default();
        if identity != self.subject.identity() {
            return Err(wrong("expected runs about the subject of the folder, and these are about another".to_owned()));
        }
        let names = names_of(&table).map_err(wrong)?;
        let named = path.file_stem().and_then(|name| RunId::parse(&name.to_string_lossy()));
        if named.is_some_and(|name| names != [name]) {
            return Err(wrong("expected the run that the file is named after, and it has another".to_owned()));
        }
        let mut runs = Vec::new();
        let wanted = |id: &RunId| ids.is_none_or(|ids| ids.contains(id));
        for (row, id) in names.into_iter().enumerate().filter(|(_, id)| wanted(id)) {
            let (stage, run) = rows::run(&table, row, whole).map_err(wrong)?;
            if self.naming.id(stage, run.optimizer, run.seed, &run.settings) != id {
                return Err(wrong(format!("the run in row {} is not the one that its name stands for", row + 1)));
            }
            runs.push((id, (stage, run)));
        }
        Ok(runs)
    }
}

impl Index {
    fn add(&mut self, file: String, ids: Vec<RunId>) {
        if !self.names.insert(file.clone()) {
            return;
        }
        let number = self.files.len() as u32;
        self.files.push(file);
        self.runs.extend(ids.into_iter().map(|id| (id, number)));
    }
}

/// The names of the runs in a file of several.
fn names_in(path: &Path) -> Result<Vec<RunId>, Error> {
    let table = trace::read_some(path, &|name| name == "run")?;
    names_of(&table).map_err(|problem| Error::Data { path: path.to_owned(), problem })
}

/// The names of the runs of a table.
fn names_of(table: &DataFrame) -> Result<Vec<RunId>, String> {
    let names = table.column("run").and_then(|column| column.str());
    let names = names.map_err(|error| format!("expected a file of runs: {error}"))?;
    let ids = names.iter().map(|name| RunId::parse(name.unwrap_or_default())).collect::<Option<_>>();
    ids.ok_or_else(|| "expected the names of runs in the column 'run'".to_owned())
}
