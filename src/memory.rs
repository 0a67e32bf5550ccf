//! The memory that this process may still take: the least that the machine and any limit on the process leave.
//!
//! Batch systems and containers limit a job to a part of its machine, and kill a process that takes more; `ulimit -v` has
//! allocations fail. So the limits of all control groups that the process is in count, of both versions, and those of
//! `ulimit`, each less what is taken already.

use crate::error::Error;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The share of the free memory that plans may take: allocations are rounded up, and other programs allocate as well.
const SHARE: f64 = 0.9;

/// Bytes that are left for tabulating and compressing a part of a table while it is written.
const WRITING: u64 = 64 << 20;

/// Free memory, and the limit that leaves no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Free {
    /// Bytes; `u64::MAX` where the system does not say.
    pub bytes: u64,
    /// The limit in words, such as "ulimit -v".
    pub limit: &'static str,
}

impl Free {
    /// The memory that this process may take now.
    pub(crate) fn now() -> Self {
        Self::below(Path::new("/"))
    }

    /// [`Free::now`] by the files of Linux below `root`.
    fn below(root: &Path) -> Self {
        let read = |path: &str| read_to_string(root.join(path)).unwrap_or_default();
        let machine = kilobytes(&read("proc/meminfo"), "MemAvailable:").unwrap_or(u64::MAX);
        let (limits, status) = (read("proc/self/limits"), read("proc/self/status"));
        let left = |limit: &str, taken: &str| {
            soft_limit(&limits, limit).saturating_sub(kilobytes(&status, taken).unwrap_or_default())
        };
        let group = groups(&read("proc/self/cgroup"), &read("proc/self/mountinfo"))
            .iter()
            .flat_map(|group| group.levels().map(|folder| group.version.free(&root.join(folder))))
            .min();
        let candidates = [
            Self { bytes: machine, limit: "the machine" },
            Self { bytes: group.unwrap_or(u64::MAX), limit: "the control group" },
            Self { bytes: left("Max address space", "VmSize:"), limit: "ulimit -v" },
            Self { bytes: left("Max data size", "VmData:"), limit: "ulimit -d" },
        ];
        candidates.into_iter().min_by_key(|free| free.bytes).unwrap_or(candidates[0])
    }

    /// The bytes that plans may take of it.
    pub(crate) fn available(self) -> u64 {
        (SHARE * self.bytes as f64) as u64
    }
}

/// Finds out whether `bytes` are free for `what`, and says what to do if they are not.
///
/// # Errors
/// If they are not.
pub(crate) fn ensure(what: impl FnOnce() -> String, bytes: u64, remedy: &'static str) -> Result<(), Error> {
    let free = Free::now();
    if bytes <= free.available() {
        return Ok(());
    }
    Err(Error::Memory { what: what(), needed: bytes, free: free.available(), limit: free.limit, remedy })
}

/// Bytes that records have reserved and may not have touched: the system counts memory as free until it is touched.
static RESERVED: AtomicU64 = AtomicU64::new(0);

/// The last piece by which a record has grown.
#[derive(Debug, Default)]
pub(crate) struct Reservation {
    bytes: u64,
}

impl Reservation {
    /// Reserves the next `bytes`, the last piece being filled. Returns false, with nothing reserved any more, if they are
    /// not free beside what all others have reserved.
    pub(crate) fn renew(&mut self, bytes: u64) -> bool {
        self.give_back();
        let reserved = RESERVED.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bytes = bytes;
        let granted = reserved.saturating_add(WRITING) <= Free::now().available();
        if !granted {
            self.give_back();
        }
        granted
    }

    fn give_back(&mut self) {
        RESERVED.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The most memory that this process has held, in bytes, where the system reports it.
pub fn peak() -> Option<u64> {
    kilobytes(&read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// The number of kilobytes behind `name` in /proc/meminfo or /proc/self/status, in bytes.
fn kilobytes(table: &str, name: &str) -> Option<u64> {
    let kilobytes = table.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))?;
    Some(kilobytes.trim().parse::<u64>().ok()?.saturating_mul(1024))
}

/// The soft limit `name` in /proc/self/limits, in bytes.
fn soft_limit(limits: &str, name: &str) -> u64 {
    let limit = limits.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    limit.and_then(|limit| limit.parse().ok()).unwrap_or(u64::MAX)
}

/// The two versions of Linux's control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// The bytes that the group in `folder` has left. Files that were read once and may be dropped from memory count as free.
    fn free(self, folder: &Path) -> u64 {
        let read = |name: &str| read_to_string(folder.join(name)).unwrap_or_default();
        let number = |name: &str| read(name).trim().parse::<u64>().ok();
        let (limits, taken, dropped) = match self {
            Self::One => (&["memory.limit_in_bytes"][..], "memory.usage_in_bytes", "total_inactive_file "),
            Self::Two => (&["memory.max", "memory.high"][..], "memory.current", "inactive_file "),
        };
        // A limit of "max" is none.
        let Some(limit) = limits.iter().filter_map(|name| number(name)).min() else { return u64::MAX };
        let statistics = read("memory.stat");
        let dropped = statistics.lines().find_map(|line| line.strip_prefix(dropped)?.trim().parse().ok());
        limit.saturating_sub(number(taken).unwrap_or_default().saturating_sub(dropped.unwrap_or_default()))
    }
}

/// A control group that this process is in, and that limits memory.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    version: Version,
    /// The folder at which the groups are mounted, relative to the root.
    mount: PathBuf,
    /// The group's folder, relative to the mount.
    path: PathBuf,
}

impl Group {
    /// The folders of the group and of all groups around it: each has limits of its own.
    fn levels(&self) -> impl Iterator<Item = PathBuf> {
        self.path.ancestors().map(|path| self.mount.join(path))
    }
}

/// The groups of /proc/self/cgroup, found by the mounts of /proc/self/mountinfo.
fn groups(memberships: &str, mounts: &str) -> Vec<Group> {
    let membership = |line: &str| -> Option<Group> {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match controllers {
            "" => Version::Two,
            _ if controllers.split(',').any(|controller| controller == "memory") => Version::One,
            _ => return None,
        };
        let (root, mount) = mounts.lines().find_map(|line| mount_of(version, line))?;
        // In a container the path may be that of the host, of which only the part below `root` is mounted.
        let path = path.strip_prefix(root.trim_end_matches('/')).unwrap_or_default();
        let relative = |path: &str| PathBuf::from(path.trim_start_matches('/'));
        Some(Group { version, mount: relative(&mount), path: relative(path) })
    };
    memberships.lines().filter_map(membership).collect()
}

/// The group that a line of /proc/self/mountinfo mounts and the folder it is mounted to, if it mounts groups of `version`.
fn mount_of(version: Version, line: &str) -> Option<(String, String)> {
    let (mount, system) = line.split_once(" - ")?;
    let mut system = system.split(' ');
    let (kind, options) = (system.next()?, system.nth(1)?);
    let fits = match version {
        Version::One => kind == "cgroup" && options.split(',').any(|option| option == "memory"),
        Version::Two => kind == "cgroup2",
    };
    let mut fields = mount.split(' ').skip(3).map(|path| path.replace("\\040", " "));
    fits.then_some((fields.next()?, fields.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const GIB: u64 = 1 << 30;

    /// A folder with these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn free(files: &[(&str, &str)]) -> (u64, &'static str) {
        let Free { bytes, limit } = Free::below(system(files).path());
        (bytes, limit)
    }

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\n");

    #[test]
    fn without_limits_it_is_what_the_machine_has() {
        assert_eq!(free(&[MACHINE]), (8 * GIB, "the machine"));
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max data size             unlimited            unlimited            bytes     \n\
                      Max address space         unlimited            unlimited            bytes     \n";
        assert_eq!(free(&[MACHINE, ("proc/self/limits", limits)]), (8 * GIB, "the machine"));
        assert_eq!(free(&[]), (u64::MAX, "the machine"), "a system that does not say");
    }

    #[test]
    fn limits_of_the_process_count_less_what_it_has() {
        let status = "Name:\toverparam\nVmSize:\t 1048576 kB\nVmData:\t  524288 kB\n";
        let limits = |name: &str, soft: u64| format!("{name:<26}{soft:<21}unlimited            bytes     \n");
        for (name, limit, left) in
            [("Max address space", "ulimit -v", 2 * GIB), ("Max data size", "ulimit -d", 2 * GIB + GIB / 2)]
        {
            let limits = limits(name, 3 * GIB);
            let files = [MACHINE, ("proc/self/limits", &limits), ("proc/self/status", status)];
            assert_eq!(free(&files), (left, limit));
        }
        let below = limits("Max address space", GIB / 2);
        assert_eq!(free(&[MACHINE, ("proc/self/limits", &below), ("proc/self/status", status)]).0, 0);
    }

    const TWO: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_tightest_of_nested_groups_counts() {
        let base = [
            MACHINE,
            ("proc/self/cgroup", "0::/batch/job 7/step\n"),
            ("proc/self/mountinfo", TWO),
            ("sys/fs/cgroup/batch/job 7/step/memory.max", "max\n"),
            ("sys/fs/cgroup/batch/job 7/step/memory.current", "1073741824\n"),
            ("sys/fs/cgroup/batch/memory.max", "6442450944\n"),
            ("sys/fs/cgroup/batch/memory.current", "1073741824\n"),
        ];
        assert_eq!(free(&base), (5 * GIB, "the control group"));
        let job = [
            ("sys/fs/cgroup/batch/job 7/memory.max", "4294967296\n"),
            ("sys/fs/cgroup/batch/job 7/memory.current", "2147483648\n"),
            ("sys/fs/cgroup/batch/job 7/memory.stat", "anon 5\ninactive_file 1073741824\nactive_file 7\n"),
        ];
        assert_eq!(free(&[&base[..], &job].concat()), (3 * GIB, "the control group"));
        let high = ("sys/fs/cgroup/batch/job 7/memory.high", "2147483648\n");
        assert_eq!(free(&[&base[..], &job, &[high]].concat()), (GIB, "the control group"));
    }

    #[test]
    fn groups_of_the_first_version_count() {
        let files = [
            MACHINE,
            ("proc/self/cgroup", "5:cpu:/\n4:hugetlb,memory:/user/a\n0::/\n"),
            (
                "proc/self/mountinfo",
                "30 29 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                 33 29 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/user/a/memory.limit_in_bytes", "3221225472\n"),
            ("sys/fs/cgroup/memory/user/a/memory.usage_in_bytes", "2147483648\n"),
            ("sys/fs/cgroup/memory/user/a/memory.stat", "inactive_file 1\ntotal_inactive_file 1073741824\n"),
        ];
        assert_eq!(free(&files), (2 * GIB, "the control group"));
    }

    /// The path is that of the host, of which a container sees its own group only.
    #[test]
    fn a_container_finds_its_own_group() {
        let files = |path| {
            [
                MACHINE,
                ("proc/self/cgroup", path),
                ("proc/self/mountinfo", "29 23 0:26 /docker/4f /sys/fs/cgroup rw - cgroup2 cgroup rw\n"),
                ("sys/fs/cgroup/memory.max", "2147483648\n"),
                ("sys/fs/cgroup/inner/memory.max", "1073741824\n"),
            ]
        };
        assert_eq!(free(&files("0::/docker/4f\n")), (2 * GIB, "the control group"));
        assert_eq!(free(&files("0::/docker/4f/inner\n")), (GIB, "the control group"));
        assert_eq!(free(&files("0::/../elsewhere\n")), (2 * GIB, "the control group"));
    }

    #[test]
    fn the_memory_of_this_process_is_known() {
        if cfg!(target_os = "linux") {
            let free = Free::now();
            assert!((1 << 20..1 << 50).contains(&free.bytes), "{free:?}");
        }
    }

    #[test]
    fn reservations_add_up_and_are_given_back() {
        // More than any machine has, whatever other threads give back meanwhile.
        let all = 1 << 60;
        let (mut first, mut second) = (Reservation::default(), Reservation::default());
        assert!(first.renew(1 << 20) && !second.renew(all));
        assert_eq!(second.bytes, 0);
        assert!(first.renew(2 << 20) && second.renew(1 << 20));
        drop((first, second));
        let error = ensure(|| "this".to_owned(), u64::MAX, "take less").unwrap_err().to_string();
        assert!(error.contains("this takes") && error.contains("take less"), "{error}");
    }
}
