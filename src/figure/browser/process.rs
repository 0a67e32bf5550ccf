//! Runs the browser, and ends it with everything that it started.
//!
//! A browser is many processes, and killing the first leaves the others. So it has a process group of its own, which ends as a
//! whole: when the page is printed, when the time is over, when an interrupt is requested, and when this process is killed
//! itself. For the last of these a shell stands by (`GUARD`), in another group. It waits for the end of its standard input,
//! which comes when we close it and also when we die.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::scratch::{Scratch, file_url};
use crate::interrupt;

/// No network: every name is unknown. `--no-sandbox` because Chromium refuses to run as root without, and shows nothing here but
/// our own figures; `--disable-dev-shm-usage` because containers have little of it.
const ARGUMENTS: [&str; 15] = [
    "--headless",
    "--dump-dom",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-breakpad",
    "--no-first-run",
    "--no-default-browser-check",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

/// The browser starts on a signal: not before the guard is there, and not at all if we die first.
const GATE: &str = r#"read -r go && exec "$@" </dev/null"#;

/// `$1` is the process group to kill and `$2` the folder to remove. A process that is being killed may still write a file.
const GUARD: &str =
    r#"PATH=$PATH:/usr/bin:/bin; read -r end; kill -s KILL -- "-$1"; rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }"#;

/// Bytes of a path under which a socket of the browser still has a name that the system takes: of 108, less those of the name.
const MOST_PATH: usize = 60;

/// Another name of the folder that a process is in, where the system has it.
const HERE: &str = "/proc/self/cwd";

/// The time between two looks at the browser.
const POLL: Duration = Duration::from_millis(10);

/// Bytes that the page or the log may have: a figure has a few MB.
const MOST_BYTES: u64 = 128 << 20;

/// The browser's output.
#[derive(Debug)]
pub(super) struct Output {
    pub text: Vec<u8>,
    /// The last line of its log.
    pub log: Option<String>,
}

/// Prints `page` with the browser `program`, within `limit`. The error is a sentence for the user.
pub(super) fn print(program: &Path, page: &str, limit: Duration) -> Result<Output, String> {
    print_until(program, page, limit, interrupt::requested)
}

/// [`print`] that ends early when `interrupted` says so.
pub(super) fn print_until(
    program: &Path,
    page: &str,
    limit: Duration,
    interrupted: impl Fn() -> bool,
) -> Result<Output, String> {
    let clock = Instant::now();
    let scratch = Scratch::new().map_err(|e| format!("cannot use the temporary folder: {e}"))?;
    let file = |name: &str| scratch.path().join(name);
    let failed = |e: io::Error| format!("cannot run {}: {e}", program.display());
    fs::write(file("page.html"), page).map_err(|e| format!("cannot write into {}: {e}", scratch.path().display()))?;
    let mut group = Group::start(program, &scratch).map_err(failed)?;
    let status = loop {
        if let Some(status) = group.browser.try_wait().map_err(failed)? {
            break status;
        }
        if interrupted() {
            return Err("interrupted while drawing".to_owned());
        }
        if clock.elapsed() > limit {
            let seconds = limit.as_secs();
            return Err(format!("{} did not draw within {seconds} seconds and was ended", program.display()));
        }
        if ["page", "log"].iter().any(|name| file(name).metadata().is_ok_and(|file| file.len() > MOST_BYTES)) {
            let most = MOST_BYTES >> 20;
            return Err(format!("{} printed more than {most} MB and was ended", program.display()));
        }
        thread::sleep(POLL);
    };
    let log = last_line(&fs::read(file("log")).unwrap_or_default());
    if !status.success() {
        let log = log.map(|line| format!("; its log ends with {line:?}")).unwrap_or_default();
        return Err(format!("{} ended with {status}{log}", program.display()));
    }
    Ok(Output { text: fs::read(file("page")).map_err(failed)?, log })
}

/// The last line of `log` that says something, shortened.
fn last_line(log: &[u8]) -> Option<String> {
    let log = String::from_utf8_lossy(&log[log.len().saturating_sub(4096)..]).into_owned();
    let line = log.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().take(200).collect())
}

/// The processes of a running browser. They end when this is dropped, and the temporary folder is gone then.
struct Group {
    browser: Child,
    guard: Child,
}

impl Group {
    fn start(program: &Path, scratch: &Scratch) -> io::Result<Self> {
        let long = scratch.path().as_os_str().len() > MOST_PATH && Path::new(HERE).exists();
        let mut profile = std::ffi::OsString::from("--user-data-dir=");
        profile.push(scratch.path().join("profile"));
        let mut gate = Command::new("/bin/sh")
            .args(["-c", GATE, "sh"])
            .arg(std::path::absolute(program)?)
            .args(ARGUMENTS)
            .arg(profile)
            .arg(file_url(&scratch.path().join("page.html")))
            // Nothing is read from or written to the user's own settings.
            .env("HOME", scratch.path())
            .env("TMPDIR", if long { Path::new(HERE) } else { scratch.path() })
            .current_dir(scratch.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::piped())
            .stdout(File::create(scratch.path().join("page"))?)
            .stderr(File::create(scratch.path().join("log"))?)
            .process_group(0)
            .spawn()?;
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "sh"])
            .arg(gate.id().to_string())
            .arg(scratch.path())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let go = gate.stdin.take();
        let group = match guard {
            Ok(guard) => Self { browser: gate, guard },
            Err(error) => {
                // The gate never opens.
                drop(go);
                let _ = gate.wait();
                return Err(error);
            }
        };
        // A gate that is gone already is seen by its exit status.
        let _ = go.map(|mut go| go.write_all(b"go\n"));
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        let _ = self.browser.wait();
    }
}
