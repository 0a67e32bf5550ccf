//! The temporary folder of a browser: removed after use, and if that was not possible, by the next one that is made.

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    os::unix::ffi::OsStrExt,
    path::Path,
    time::Duration,
};

use tempfile::TempDir;

const PREFIX: &str = "overparam-browser-";

/// Locked for as long as the folder's owner lives.
const LOCK: &str = "lock";

/// A folder without a lock is being made, unless it is this old.
const STALE: Duration = Duration::from_secs(3600);

/// A folder of our own.
pub(super) struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes a folder in the system's temporary folder, and removes those whose owners are dead.
    pub(super) fn new() -> io::Result<Self> {
        Self::new_in(&env::temp_dir())
    }

    fn new_in(parent: &Path) -> io::Result<Self> {
        let parent =
            parent.canonicalize().map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", parent.display())))?;
        sweep(&parent);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        // Under its name only once it is locked.
        let unlocked = folder.path().join("unlocked");
        let lock = File::create(&unlocked)?;
        // Where nothing can be locked, `is_left` finds that out, too, and removes nothing.
        let _ = lock.lock();
        fs::rename(unlocked, folder.path().join(LOCK))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what killed processes left in `parent`, as far as it is ours to remove.
fn sweep(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().as_bytes().starts_with(PREFIX.as_bytes())) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_left(&entry.path()) {
            // Of another user, perhaps.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock | TryLockError::Error(_))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let age = folder.metadata().and_then(|folder| folder.modified()).map(|time| time.elapsed());
            age.is_ok_and(|age| age.is_ok_and(|age| age > STALE))
        }
        Err(_) => false,
    }
}

/// `path`, which is absolute, as a URL.
pub(super) fn file_url(path: &Path) -> String {
    let encode = |byte: &u8| match byte {
        b'/' | b'-' | b'_' | b'.' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let path: String = path.as_os_str().as_bytes().iter().map(encode).collect();
    format!("file://{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_plain() {
        assert_eq!(file_url(Path::new("/a b/#é%'/x.html")), "file:///a%20b/%23%C3%A9%25%27/x.html");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| parent.path().join(name);
        let left = folder("overparam-browser-left");
        fs::create_dir_all(left.join("profile")).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        // Just made, not locked yet; another program's; a link to a folder that looks abandoned.
        fs::create_dir(folder("overparam-browser-new")).unwrap();
        fs::create_dir(folder("overparam-other")).unwrap();
        fs::write(folder("overparam-other").join(LOCK), "").unwrap();
        std::os::unix::fs::symlink(folder("overparam-other"), folder("overparam-browser-link")).unwrap();
        let alive = Scratch::new_in(parent.path()).unwrap();
        assert!(!left.exists());
        let second = Scratch::new_in(parent.path()).unwrap();
        for path in [alive.path(), second.path(), &folder("overparam-browser-new"), &folder("overparam-other/lock")] {
            assert!(path.exists(), "{}", path.display());
        }
        drop((alive, second));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 3);
    }
}
