//! Files that appear under their names whole or not at all.
//!
//! An [`Output`] is tried before the work that is to fill it, so that a file that cannot be written is found out at the start.
//! It is written under a temporary name beside the file, synced, and renamed: a reader sees the old file or the new one. A link
//! stays a link, and the file that it leads to is replaced; permissions are kept, and owner and group where that is allowed.
//! A rename breaks hard links: other names of the old file keep the old content.
//!
//! While it is written a temporary file is locked. What a killed process left is not locked, and is removed when the next
//! output is prepared in the same folder, or the folder is listed.

use crate::error::Error;
use crate::interrupt;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;
use tempfile::{NamedTempFile, TempDir};

/// The prefix of the names of temporary files, and the number of letters and digits that follow.
const PREFIX: &str = ".overparam-";
const RANDOM: usize = 6;

/// A temporary file that is empty and not locked may be one that is about to be locked, unless nobody has changed it for this long.
const STALE: Duration = Duration::from_secs(5);

/// Links that are followed at most, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Read by everyone who has a temporary file, written by [`pause`].
static WRITING: RwLock<()> = RwLock::new(());

/// The temporary folders that there are.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file to write, which could be written when it was [prepared](Output::prepare).
#[derive(Clone, Debug)]
pub struct Output {
    /// The path that was given.
    path: PathBuf,
    /// The file that links lead to.
    target: PathBuf,
}

impl Output {
    /// Tries what writing `path` will take, and leaves an existing file as it is: a temporary file is made beside it and removed,
    /// and the file is opened for writing. Missing folders are made, and temporary files of killed processes removed.
    ///
    /// # Errors
    /// If `path` could not be written: its name is too long or names a folder, it is read-only, a mount point or a device, its
    /// folder cannot be written, or its links go round in circles.
    pub fn prepare(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let failed = |source| Error::file("write", &path, source);
        let folder_named = || refused(&path, "this names a folder");
        if names_a_folder(&path) {
            return Err(folder_named());
        }
        let other_than_file = || refused(&path, "this is a folder or a device");
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(other_than_file());
        }
        let target = target_of(&path).map_err(failed)?;
        if names_a_folder(&target) {
            return Err(folder_named());
        }
        if path == Path::new("-") || leads_out_of_devices(&path, &target) {
            return Err(refused(&path, "this stands for an open stream"));
        }
        fs::create_dir_all(folder_of(&target)).map_err(failed)?;
        // The same file has the same target, whatever links its folder is reached by.
        let target = resolved(&target).map_err(failed)?;
        let folder = folder_of(&target);
        remove_stale(folder);
        let _writing = begin();
        drop(create(folder, true).map_err(failed)?);
        match fs::metadata(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(before) if !before.is_file() => return Err(other_than_file()),
            Ok(before) if is_read_only(&before) => {
                let problem = "expected a file that may be replaced, and this one is read-only: name another one, or make it writable";
                return Err(Error::Data { path, problem: problem.to_owned() });
            }
            Ok(_) if is_mount_point(&target) => return Err(refused(&path, "this is a mount point")),
            Ok(_) => {
                File::options().write(true).open(&target).map_err(failed)?;
                try_to_replace(&target, folder).map_err(failed)?;
            }
        }
        Ok(Self { path, target })
    }

    /// The file `name` in `folder`, both of which this program has chosen and nobody else writes: nothing is tried beforehand.
    pub(crate) fn inside(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        Self { target: path.clone(), path }
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An empty file without a name in the same folder, which goes with the process however that ends.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn scratch(&self) -> Result<File, Error> {
        let folder = folder_of(&self.target);
        tempfile::tempfile_in(folder).map_err(|error| Error::file("write to", folder, without_path(error)))
    }

    /// True if `path` is the file that this output writes, by whatever links it is reached.
    pub fn leads_to(&self, path: &Path) -> bool {
        target_of(path).and_then(|target| resolved(&target)).is_ok_and(|target| target == self.target)
    }

    /// Replaces the file by what `fill` writes.
    ///
    /// # Errors
    /// That of `fill`, or if the disk is full or the folder can no longer be written; the file then is what it was before. Or if
    /// the disk fails when the folder is synced, and the new name of the file may not outlive a loss of power.
    pub fn write(&self, fill: impl FnOnce(&mut Sink<'_>) -> Result<(), Error>) -> Result<(), Error> {
        self.put(false, fill)
    }

    /// [`Output::write`], but given up as soon as an [interrupt] is requested.
    ///
    /// # Errors
    /// As [`Output::write`], and [`Error::Interrupted`].
    pub fn write_unless_interrupted(&self, fill: impl FnOnce(&mut Sink<'_>) -> Result<(), Error>) -> Result<(), Error> {
        self.put(true, fill)
    }

    fn put(&self, interruptible: bool, fill: impl FnOnce(&mut Sink<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let failed = |source| Error::file("write", &self.path, source);
        let _writing = begin();
        let folder = folder_of(&self.target);
        fs::create_dir_all(folder).map_err(failed)?;
        let before = fs::metadata(&self.target).ok();
        let file = create(folder, before.is_some()).map_err(failed)?;
        let filled = {
            let mut sink = Sink { file: BufWriter::new(file.as_file()), interruptible };
            let filled = fill(&mut sink).and_then(|()| sink.flush().map_err(failed));
            // What is in the buffer after a failure is not to be written.
            drop(sink.file.into_parts());
            filled
        };
        if interruptible && interrupt::requested() {
            return Err(Error::Interrupted);
        }
        filled?;
        if let Some(before) = before {
            keep_attributes(file.as_file(), &before);
        }
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.target).map_err(|error| failed(error.error))?;
        sync_folder(folder).map_err(failed)
    }

    /// Removes the file, if there is one. A link to it stays.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self) -> Result<(), Error> {
        match fs::remove_file(&self.target) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", &self.path, source)),
            _ => Ok(()),
        }
    }
}

/// Makes sure that every output writes a file of its own.
///
/// # Errors
/// If two of them lead to one file.
pub fn ensure_distinct<'a>(outputs: impl IntoIterator<Item = &'a Output>) -> Result<(), Error> {
    let mut seen: Vec<&Output> = Vec::new();
    for output in outputs {
        if seen.iter().any(|earlier| earlier.target == output.target) {
            let problem = "expected two files to write, and both are this one: name another".to_owned();
            return Err(Error::Data { path: output.path.clone(), problem });
        }
        seen.push(output);
    }
    Ok(())
}

/// The file beside `path` whose name ends in `ending` before the extension: `a-point.parquet` for `a.parquet` and `-point`.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(ending);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The writer through which an [`Output`] is filled.
pub struct Sink<'a> {
    file: BufWriter<&'a File>,
    interruptible: bool,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.interruptible && interrupt::requested() {
            return Err(io::Error::other("interrupted"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A folder of the system's temporary files, removed when it is dropped or the process is ended after [`pause`].
#[derive(Debug)]
pub struct TemporaryFolder(TempDir);

impl TemporaryFolder {
    /// A new one.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new() -> io::Result<Self> {
        let _writing = begin();
        let folder = tempfile::Builder::new().prefix("overparam-").tempdir()?;
        folders().push(folder.path().to_owned());
        Ok(Self(folder))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        folders().retain(|path| path != self.0.path());
    }
}

fn folders() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no file is being written and removes the temporary folders. Until the guard is dropped no file is begun: the
/// process can be ended and leaves nothing behind.
pub fn pause() -> RwLockWriteGuard<'static, ()> {
    let guard = WRITING.write().unwrap_or_else(PoisonError::into_inner);
    for folder in folders().drain(..) {
        // Nobody is left to hear of a failure.
        let _ = fs::remove_dir_all(folder);
    }
    guard
}

fn begin() -> std::sync::RwLockReadGuard<'static, ()> {
    WRITING.read().unwrap_or_else(PoisonError::into_inner)
}

fn refused(path: &Path, found: &str) -> Error {
    let problem = format!("expected the name of a file to write, and {found}");
    Error::Data { path: path.to_owned(), problem }
}

/// The target of links that a rename would replace, whether or not there is a file already.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match target.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        match fs::read_link(&target) {
            Ok(link) => target = folder_of(&target).join(link),
            Err(_) => return Ok(target),
        }
    }
    // Asked once more for its error.
    target.canonicalize()
}

/// The file `target` in its folder as the system names it, without links. The folder has to be there, the file has not.
fn resolved(target: &Path) -> io::Result<PathBuf> {
    Ok(folder_of(target).canonicalize()?.join(target.file_name().unwrap_or_default()))
}

/// True if `path` ends as no name of a file does: `folder/`, `.`, `..`, or nothing at all.
fn names_a_folder(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    let last = name.rsplit(|&byte| std::path::is_separator(char::from(byte))).next();
    matches!(last, None | Some(b"" | b"." | b".."))
}

/// True if `path` is one of the names in /dev and /proc of a file that some process has open, such as /dev/stdout: others write to
/// it still, and it is not to be replaced under their hands.
fn leads_out_of_devices(path: &Path, target: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_default();
    ["/dev", "/proc"].iter().any(|devices| path.starts_with(devices) && !target.starts_with(devices))
}

/// The folder that the file `path` is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A temporary file in `folder`, locked: `private`, or with the permissions that new files have.
fn create(folder: &Path, private: bool) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // What File::create would ask for; the umask takes its part from it.
    #[cfg(unix)]
    if !private {
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    let file = builder.prefix(PREFIX).rand_bytes(RANDOM).tempfile_in(folder).map_err(without_path)?;
    // Without locks on this file system nothing is ever taken for stale there.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// The error of the system inside one with the name of a temporary file, which means nothing to the user.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.rsplit_once(" at path ") {
        Some((cause, _)) => io::Error::new(error.kind(), cause),
        None => error,
    }
}

/// Removes what killed processes left in `folder`.
fn remove_stale(folder: &Path) {
    // A folder that cannot be read is found out about when it is written.
    let _ = list(folder);
}

/// The names in `folder` that are no temporary files. What killed processes left there is removed.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let random = name.strip_prefix(PREFIX);
        let ours = random.is_some_and(|r| r.len() == RANDOM && r.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if !ours {
            names.push(name);
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
        // It is locked before anything is written to it.
        let locked_by_now = metadata.is_file() && metadata.len() > 0;
        if !locked_by_now && age.is_none_or(|age| age < STALE) {
            continue;
        }
        // What cannot be removed, or has gone meanwhile, is no reason not to write.
        if metadata.is_dir() {
            let _ = fs::remove_dir(entry.path());
        } else if metadata.is_file()
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(names)
}

/// True if the owner of a file made it read-only, which root's rights and a rename would pass over.
fn is_read_only(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::mode(metadata) & 0o200 == 0;
    #[cfg(not(unix))]
    metadata.permissions().readonly()
}

/// True if something is mounted on the file `path`, as far as Linux reports it: it cannot be renamed onto.
fn is_mount_point(path: &Path) -> bool {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let name = path.as_os_str().as_encoded_bytes();
    mounts.split(|&byte| byte == b'\n').any(|line| {
        let field = line.split(|&byte| byte == b' ').nth(4).unwrap_or_default();
        unescaped(field) == name
    })
}

/// `\040` and other octal numbers as the bytes that they stand for.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(field.len()), field);
    while let [first, after @ ..] = rest {
        match after {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if *first == b'\\' => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// Finds out whether the system lets `target` be replaced, which immutable files and folders with the sticky bit forbid. A file
/// cannot be renamed to the name of a folder: if that is all that is wrong, it may be replaced.
fn try_to_replace(target: &Path, folder: &Path) -> io::Result<()> {
    let onto = tempfile::Builder::new().prefix(PREFIX).rand_bytes(RANDOM).tempdir_in(folder).map_err(without_path)?;
    match fs::rename(target, onto.path()) {
        Err(error) if cfg!(unix) && error.kind() != io::ErrorKind::IsADirectory => Err(error),
        Err(_) => Ok(()),
        // A system on which that works: back again.
        Ok(()) => fs::rename(onto.path(), target),
    }
}

/// Has the disk keep the names in `folder`, after a rename.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // A folder that may be written and not read cannot be opened.
    let Ok(opened) = File::open(folder) else { return Ok(()) };
    match opened.sync_all() {
        // Some file systems have no such operation on folders.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives `file` the permissions of the file that it is to replace, and its owner and group where that is allowed.
#[cfg(unix)]
fn keep_attributes(file: &File, before: &Metadata) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let mut mode = before.mode() & 0o777;
    let same = file.metadata().is_ok_and(|now| (now.uid(), now.gid()) == (before.uid(), before.gid()));
    let group = Some(before.gid());
    if !same && fchown(file, Some(before.uid()), group).is_err() && fchown(file, None, group).is_err() {
        // Another group gets no more rights than everybody.
        mode = mode & !0o070 | (mode & 0o007) << 3;
    }
    // A file system without permissions has nothing to keep, and the temporary file is private.
    let _ = file.set_permissions(PermissionsExt::from_mode(mode));
}

#[cfg(not(unix))]
fn keep_attributes(_: &File, _: &Metadata) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_numbers_are_bytes() {
        assert_eq!(unescaped(br"/a\040b\134c\9"), br"/a b\c\9");
        assert_eq!(unescaped(b""), b"");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_root_is_a_mount_point() {
        assert!(is_mount_point(Path::new("/proc")));
        assert!(!is_mount_point(Path::new("/proc/self/mountinfo")));
    }
}
