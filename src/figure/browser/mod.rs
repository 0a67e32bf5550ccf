//! A headless browser that turns figures into images.
//!
//! One start draws all figures that are asked for: plotly.js and the figures are one page (`page`), which the browser loads
//! from a temporary folder (`scratch`) and prints with the images in place of its text (`process`).

mod page;
mod process;
mod scratch;

use std::{env, path::PathBuf, time::Duration};

use super::{Error, Figure};

const INSTALL: &str = "on Debian or Ubuntu: apt-get install chromium";
const VARIABLE: &str = "BROWSER_PATH";
const NAMES: [&str; 6] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"];

/// Three figures take about four seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(28);

/// The images of one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    /// An SVG document in the size of the figure's layout.
    pub svg: String,
    /// The bytes of a PNG with as many pixels as the layout has, times the scale, along each side.
    pub png: Vec<u8>,
}

/// A Chromium, Chrome or Edge on this machine.
///
/// It runs only while [`draw`](Self::draw) does. When that returns, its processes have been killed and its files removed; they
/// are, too, when this process is killed meanwhile.
#[derive(Clone, Debug)]
pub struct Browser {
    program: PathBuf,
    limit: Duration,
}

impl Browser {
    /// The program that the environment variable `BROWSER_PATH` names; without it the first on `PATH` of chromium,
    /// chromium-browser, google-chrome, google-chrome-stable, chrome and microsoft-edge.
    ///
    /// # Errors
    /// [`Error::Browser`] if there is none, with what to install.
    pub fn find() -> Result<Self, Error> {
        let program = match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => given(path.into()),
            None => search(&NAMES),
        };
        Ok(Self { program: program.map_err(Error::Browser)?, limit: LIMIT })
    }

    /// Draws `figures`, each as an SVG and as a PNG with `scale` pixels to every pixel of the layout, along each side. A figure
    /// that plotly.js cannot draw is an error of its own.
    ///
    /// # Errors
    /// [`Error::Browser`] if the browser does not start, ends without the images, takes longer than a minute, or if an
    /// [interrupt](crate::interrupt) is requested meanwhile.
    pub fn draw(&self, figures: &[&Figure], scale: usize) -> Result<Vec<Result<Images, Error>>, Error> {
        if figures.is_empty() {
            return Ok(Vec::new());
        }
        let output = process::print(&self.program, &page::write(figures, scale), self.limit).map_err(Error::Browser)?;
        let images = page::read(&output.text, figures, scale).map_err(|what| {
            let log = output.log.map(|line| format!("; its log ends with {line:?}")).unwrap_or_default();
            Error::Browser(format!("{} {what}{log}", self.program.display()))
        })?;
        Ok(images.into_iter().map(|image| image.map_err(Error::Browser)).collect())
    }
}

/// The program at `path`, or on `PATH` if it is a bare name.
fn given(path: PathBuf) -> Result<PathBuf, String> {
    let bare = path.components().count() == 1 && !path.is_absolute() && !path.starts_with(".");
    let found = if bare { path.to_str().and_then(|name| search(&[name]).ok()) } else { None };
    found.or_else(|| is_program(&path).then(|| path.clone())).ok_or_else(|| {
        format!("{VARIABLE} is `{}`, which is not a program; set it to a browser's path, or {INSTALL}", path.display())
    })
}

/// The first of `names` on `PATH`.
fn search(names: &[&str]) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| is_program(file))
        .ok_or_else(|| format!("no {} on PATH; {INSTALL}, or set {VARIABLE} to a browser", names.join(", ")))
}

fn is_program(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::{super::figure1, *};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;
    use tempfile::TempDir;

    /// A shell script in the place of a browser; `$0` is its path.
    fn fake(folder: &TempDir, script: &str) -> Browser {
        let program = folder.path().join("browser");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Browser { program, limit: LIMIT }
    }

    /// Runs `script` as the browser within `seconds`; returns the reason for which there are no images. Nothing is left then.
    fn failure_within(seconds: u64, script: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut browser = fake(&folder, script);
        browser.limit = Duration::from_secs(seconds);
        let reason = browser.draw(&[&figure1()], 2).unwrap_err().to_string();
        // Every process that the script started noted its number; none may be left.
        for pid in fs::read_to_string(folder.path().join("pids")).unwrap_or_default().lines() {
            let clock = Instant::now();
            while runs(pid) {
                assert!(clock.elapsed().as_secs() < 5, "{script}: {pid} is left");
            }
        }
        assert!(!reason.contains('\n'), "{reason}");
        reason
    }

    fn failure(script: &str) -> String {
        failure_within(LIMIT.as_secs(), script)
    }

    fn runs(pid: &str) -> bool {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    const NOTE: &str = r#"echo $$ >>"$(dirname "$0")/pids";"#;

    #[test]
    fn a_missing_browser_comes_with_advice() {
        let advice = search(&["no-such-program"]).unwrap_err();
        assert!(advice.contains("no-such-program") && advice.contains("apt-get install chromium"), "{advice}");
        let advice = given("/no/such/program".into()).unwrap_err();
        assert!(advice.contains("/no/such/program") && advice.contains(INSTALL), "{advice}");
        assert!(given("/tmp".into()).is_err() && given("/etc/passwd".into()).is_err());
        assert!(given("sh".into()).is_ok() && search(&["no-such-program", "sh"]).is_ok());
    }

    #[test]
    fn a_browser_that_never_answers_is_killed_with_its_children() {
        for script in ["sleep 1000", "trap '' TERM INT HUP; while :; do sleep 1000; done"] {
            let script =
                format!("{NOTE} sh -c 'echo $$ >>\"$1\"; sleep 1000' sh \"$(dirname \"$0\")/pids\" & {script}");
            let reason = failure_within(2, &script);
            assert!(reason.contains("2 seconds"), "{reason}");
        }
    }

    #[test]
    fn a_browser_that_fails_is_quoted() {
        let reason = failure("echo no such display >&2; exit 3");
        assert!(reason.contains("exit status: 3") && reason.contains("no such display"), "{reason}");
        let reason = failure("kill -SEGV $$");
        assert!(reason.contains("signal: 11"), "{reason}");
        let folder = tempfile::tempdir().unwrap();
        let browser = Browser { program: folder.path().join("gone"), limit: LIMIT };
        assert!(browser.draw(&[&figure1()], 2).unwrap_err().to_string().contains("gone"));
    }

    #[test]
    fn a_browser_that_prints_something_else_is_an_error() {
        let end = page::END;
        for script in [
            "".to_owned(),
            "echo garbage".to_owned(),
            r"printf '\377\376'".to_owned(),
            format!("printf '{}svg AAAA\\npng AA'", page::BEGIN),
            format!("printf '{}svg AAAA\\n{end}'", page::BEGIN),
            format!("printf '{}svg AAAA\\npng AAAA\\n{end}'", page::BEGIN),
            format!("printf '{}svg ????\\npng ????\\n{end}'", page::BEGIN),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let drawn = fake(&folder, &script).draw(&[&figure1()], 2);
            assert!(drawn.is_err() || drawn.is_ok_and(|images| images.iter().all(Result::is_err)), "{script}");
        }
    }

    #[test]
    fn a_browser_that_floods_its_output_is_stopped() {
        for stream in ["", ">&2"] {
            let reason = failure(&format!("{NOTE} exec yes overparam {stream}"));
            assert!(reason.contains("MB"), "{reason}");
        }
    }

    /// The request for all of the process would end what other tests draw.
    #[test]
    fn an_interrupt_ends_the_browser_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let browser = fake(&folder, "sleep 1000");
        let clock = Instant::now();
        let reason = process::print_until(&browser.program, "", browser.limit, || clock.elapsed().as_millis() > 300);
        assert!(reason.unwrap_err().contains("interrupted") && clock.elapsed() < LIMIT / 2);
    }

    /// Draws for real where there is a browser; elsewhere the reason says what to install.
    #[test]
    fn images_have_the_pixels_of_the_layout_times_the_scale() {
        let browser = match Browser::find() {
            Ok(browser) => browser,
            Err(reason) => return assert!(reason.to_string().contains("apt-get install"), "{reason}"),
        };
        let mut broken = figure1();
        broken.set("width", 0.into());
        let images = browser.draw(&[&figure1(), &broken, &figure1()], 2).unwrap();
        let [Ok(first), Err(reason), Ok(last)] = &images[..] else { panic!("{images:?}") };
        assert!(!reason.to_string().is_empty());
        let (width, height) = figure1().size();
        let number = |at: usize| u32::from_be_bytes(first.png[at..at + 4].try_into().unwrap());
        assert_eq!((f64::from(number(16)), f64::from(number(20))), (2.0 * width, 2.0 * height));
        assert!(first.svg.starts_with("<svg") && first.svg.contains("steepest descent") && first.svg.contains("x²"));
        assert_eq!(first.png, last.png);
    }
}
