//! Compiled kernels on disk, in the user's cache folder: `$XDG_CACHE_HOME/overparam` or `~/.cache/overparam`.
//!
//! A file has everything that its kernel depends on, beside the kernel: a file of another kernel, or one that was damaged, is found out
//! and replaced. Where the folder cannot be written, kernels are compiled in every process.

use crate::output::Output;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::PathBuf;
use std::{env, fs};

/// The first bytes of every file.
const MAGIC: &[u8] = b"overparam kernel 2\n";

/// The bytes of a checksum, which is SHA-256.
const SUM: usize = 32;

/// The bytes of a checksum that name a file.
const NAMED: usize = 8;

/// A kernel's place in the cache.
pub(super) struct Entry {
    /// Everything that the kernel depends on.
    key: String,
    path: PathBuf,
}

impl Entry {
    /// The place of the kernel of `key`, if the user has a folder for caches.
    pub(super) fn of(key: String) -> Option<Self> {
        let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
        let caches = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
        let name: String = hash(key.as_bytes())[..NAMED].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = caches.join("overparam").join(name + ".kernel");
        Some(Self { key, path })
    }

    /// The kernel, if it is there whole.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let file = fs::read(&self.path).ok()?;
        let (content, sum) = file.split_at_checked(file.len().checked_sub(SUM)?)?;
        let rest = content.strip_prefix(MAGIC)?.strip_prefix(&length(&self.key))?.strip_prefix(self.key.as_bytes())?;
        (sum == hash(content)).then(|| rest.to_vec())
    }

    /// Keeps the kernel. What goes wrong costs compiling it once more, and is not reported.
    pub(super) fn write(&self, kernel: &[u8]) {
        let content = [MAGIC, &length(&self.key), self.key.as_bytes(), kernel].concat();
        let sum = hash(&content);
        let _ = Output::prepare(&self.path).and_then(|output| {
            output.write(|file| {
                let written = file.write_all(&content).and_then(|()| file.write_all(&sum));
                written.map_err(|error| crate::error::Error::file("write", &self.path, error))
            })
        });
    }
}

fn length(key: &str) -> [u8; size_of::<u64>()] {
    (key.len() as u64).to_le_bytes()
}

fn hash(bytes: &[u8]) -> [u8; SUM] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_kernel_of_the_same_key_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |key: &str| Entry { key: key.to_owned(), path: folder.path().join("new").join("one.kernel") };
        assert_eq!(entry("a").read(), None);
        entry("a").write(b"image");
        assert_eq!(entry("a").read().as_deref(), Some(&b"image"[..]));
        // Another key that has come to the same name.
        assert_eq!(entry("b").read(), None);
        assert_eq!(entry("ai").read(), None);
        let path = entry("a").path;
        let whole = fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert_eq!(entry("a").read(), None, "byte {place}");
            fs::write(&path, &whole[..place]).unwrap();
            assert_eq!(entry("a").read(), None, "{place} bytes");
        }
        entry("b").write(b"other");
        assert_eq!((entry("a").read(), entry("b").read().as_deref()), (None, Some(&b"other"[..])));
    }
}
