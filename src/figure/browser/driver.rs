//! chromedriver: found, started on a free port, and gone in the end together with its browser.
//!
//! A browser that outlives its program is the usual flaw of such exports: killing chromedriver leaves Chromium running,
//! and a program that is killed itself cannot even do that. So a shell stands between: it starts chromedriver in a
//! process group of its own, waits for its standard input to end, which happens when we close it and also when we die,
//! and then ends the whole group and removes the temporary files.

use std::{
    env,
    io::{BufRead, BufReader, PipeReader, pipe},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use tempfile::TempPath;

const INSTALL: &str = "on Debian or Ubuntu: apt-get install chromium chromium-driver";
const DRIVERS: [&str; 1] = ["chromedriver"];
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// `$0` is chromedriver; port 0 lets the system choose, so that no two programs collide. Past the second line only
/// chromedriver holds the pipe to us, so that its end is seen.
const SUPERVISE: &str = r#"
"$0" --port=0 --log-level=INFO </dev/null &
exec >/dev/null 2>&1
cat
trap '' TERM
kill -TERM 0
wait
rm -rf "$TMPDIR" || { sleep 1; rm -rf "$TMPDIR"; }
"#;
const STARTED: &str = "started successfully on port ";
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A running chromedriver.
pub(super) struct Driver {
    port: u16,
    supervisor: Child,
    /// `None` only while it is dropped.
    reader: Option<JoinHandle<()>>,
}

impl Driver {
    /// Starts chromedriver. The error is a sentence for the user.
    pub(super) fn start() -> Result<Self, String> {
        let program = find("WEBDRIVER_PATH", &DRIVERS)?;
        find("BROWSER_PATH", &BROWSERS)?;
        let failed = |e: std::io::Error| format!("cannot run {}: {e}", program.display());

        let (output, input) = pipe().map_err(failed)?;
        let temporary = tempfile::Builder::new().prefix("overparam-").tempdir().map_err(failed)?;
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISE])
            .arg(&program)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::piped())
            .stdout(input.try_clone().map_err(failed)?)
            .stderr(input)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        // From here on the shell removes it.
        let _ = temporary.keep();

        let (sender, port) = channel();
        let reader = Some(thread::spawn(move || read_log(output, &sender)));
        let mut driver = Self { port: 0, supervisor, reader };
        driver.port = match port.recv_timeout(START_TIMEOUT) {
            Ok(started) => {
                started.map_err(|log| format!("{} did not start; its log ends with {log:?}", program.display()))?
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(format!("{} did not start within {START_TIMEOUT:?}", program.display()));
            }
        };
        Ok(driver)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
        let _ = self.reader.take().map(JoinHandle::join);
    }
}

/// Reads chromedriver's log to its end: reports the port it listens on, or its last line if there is none, and removes
/// the pages that plotly_static 0.1 writes (8 MB for every image) and leaves in the temporary folder, each once it is
/// loaded.
fn read_log(log: PipeReader, port: &Sender<Result<u16, String>>) {
    let mut last = String::new();
    let mut page = None;
    for line in BufReader::new(log).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if let Some((_, number)) = line.split_once(STARTED) {
            // Nobody listens any more if the start timed out.
            let _ = number.trim_end_matches('.').parse().map(|number| port.send(Ok(number)));
        }
        if let Some(path) = line.strip_prefix(r#""url": "file://"#).and_then(|rest| rest.strip_suffix('"'))
            && path.contains("/plotly_")
        {
            page = TempPath::try_from_path(path).ok();
        } else if line.contains("RESPONSE Navigate") {
            page = None;
        }
        last = line;
    }
    drop(page);
    let _ = port.send(Err(last));
}

/// The program that `variable` names, else the first of `names` on `PATH` or in `/usr/bin`.
fn find(variable: &str, names: &[&str]) -> Result<PathBuf, String> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        let missing = format!("{variable} is {}, where no file is; {INSTALL}", path.display());
        return path.is_file().then_some(path).ok_or(missing);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/bin")])
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("no {} found on PATH ({INSTALL}; or set {variable})", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_comes_with_advice() {
        let advice = find("OVERPARAM_NO_SUCH_VARIABLE", &["no-such-program"]).unwrap_err();
        assert!(
            advice.contains("no-such-program") && advice.contains("apt-get install chromium chromium-driver"),
            "{advice}"
        );
        assert!(find("OVERPARAM_NO_SUCH_VARIABLE", &["sh"]).is_ok());
    }
}
