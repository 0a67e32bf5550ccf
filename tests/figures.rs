//! Figures as files: drawn by a browser that may be missing, hang or be killed, from tables that hold odd values.

use overparam::figure::{Browser, Error, Exporter, Figure, figure2, figure3};
use polars::df;
use polars::prelude::DataFrame;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A command that draws two figures after a second of runs, with a temporary folder of its own.
struct Scene {
    folder: TempDir,
    temporary: PathBuf,
}

impl Scene {
    fn new(temporary: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join(temporary);
        fs::create_dir(&temporary).unwrap();
        Self { folder, temporary }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overparam"));
        command.args(["figures", "--quick", "--seeds", "1", "--functions", "sphere", "--out"]).arg(self.path("out"));
        command.env("TMPDIR", &self.temporary).stdin(Stdio::null()).process_group(0);
        command
    }

    /// A browser that notes its process and a child's in `pids` and does not end, whatever it is asked politely.
    fn hanging_browser(&self) -> PathBuf {
        let (program, pids) = (self.path("browser"), self.path("pids"));
        let script = format!(
            "#!/bin/sh\ntrap '' TERM INT HUP\necho $$ >>'{0}'\n(sleep 1000 & echo $! >>'{0}'; wait) &\nwhile :; do sleep 1000; done\n",
            pids.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    /// Starts the command with [`hanging_browser`](Self::hanging_browser) and returns once that hangs.
    fn hang(&self) -> Child {
        let mut command = self.command();
        command.env("BROWSER_PATH", self.hanging_browser()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        within(60.0, "the browser starts", || self.pids().len() == 2);
        child
    }

    fn pids(&self) -> Vec<String> {
        let pids = fs::read_to_string(self.path("pids")).unwrap_or_default();
        pids.lines().map(str::to_owned).collect()
    }

    /// Nothing is left of the browser, neither processes nor files, and the pages are there.
    fn assert_clean(&self) {
        within(10.0, "the browser's processes end", || !self.pids().iter().any(|pid| runs(pid)));
        within(10.0, "the temporary folder is empty", || fs::read_dir(&self.temporary).unwrap().count() == 0);
        assert!(fs::read_to_string(self.path("out/figures/figure2.html")).unwrap().ends_with("</html>\n"));
    }

    fn assert_images(&self, output: &Output) {
        assert!(output.status.success() && notes(output).is_empty(), "{output:?}");
        // The layout of one panel is 510 pixels wide, that of figure 1 is, too.
        for figure in ["figure1", "figure2"] {
            let path = self.path("out/figures").join(figure);
            assert_eq!(png_size(&path.with_extension("png")).0, 2 * 510);
            assert!(fs::read_to_string(path.with_extension("svg")).unwrap().starts_with("<svg"));
        }
        assert_eq!(fs::read_dir(&self.temporary).unwrap().count(), 0);
    }
}

/// What the command says beside its progress.
fn notes(output: &Output) -> Vec<String> {
    let error = String::from_utf8_lossy(&output.stderr);
    error.lines().filter(|line| !line.contains("% ")).map(str::to_owned).collect()
}

fn within(seconds: f64, what: &str, mut done: impl FnMut() -> bool) {
    let clock = Instant::now();
    while !done() {
        assert!(clock.elapsed().as_secs_f64() < seconds, "{what} within {seconds} seconds");
        sleep(Duration::from_millis(20));
    }
}

fn runs(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn send(signal: &str, to: &str) {
    let kill = ["-c", r#"kill -s "$1" -- "$2""#, "sh", signal, to];
    assert!(Command::new("/bin/sh").args(kill).status().unwrap().success());
}

fn png_size(path: &Path) -> (u32, u32) {
    let png = fs::read(path).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// Whether there is a browser. Where there is none, the tests that draw say so and pass.
fn there_is_a_browser() -> bool {
    match Browser::find() {
        Ok(_) => true,
        Err(reason) => {
            eprintln!("nothing is drawn: {reason}");
            false
        }
    }
}

#[test]
fn without_a_browser_there_are_pages_and_one_line_of_advice() {
    let scene = Scene::new("tmp");
    fs::create_dir_all(scene.path("out/figures")).unwrap();
    fs::write(scene.path("out/figures/figure2.png"), "of an earlier figure").unwrap();
    for (variable, value) in [("BROWSER_PATH", "/no/such/browser"), ("PATH", "/no/such/folder")] {
        let output = scene.command().env_remove("BROWSER_PATH").env(variable, value).output().unwrap();
        let [note] = &notes(&output)[..] else { panic!("{output:?}") };
        assert!(output.status.success() && note.starts_with("note: no PNG or SVG: "), "{note}");
        assert!(note.contains("apt-get install chromium"), "{note}");
        scene.assert_clean();
        assert_eq!(fs::read_dir(scene.path("out/figures")).unwrap().count(), 2);
    }
}

#[test]
fn an_interrupt_ends_the_drawing_at_once() {
    for signal in ["INT", "TERM", "HUP"] {
        let scene = Scene::new("tmp");
        let child = scene.hang();
        let clock = Instant::now();
        send(signal, &child.id().to_string());
        let output = child.wait_with_output().unwrap();
        // A minute is the time that a browser has.
        assert!(clock.elapsed().as_secs() < 20, "{:?}", clock.elapsed());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains("interrupted"), "{error}");
        scene.assert_clean();
    }
}

#[test]
fn nothing_outlives_a_command_that_is_killed() {
    for group in ["", "-"] {
        let scene = Scene::new("tmp");
        let mut child = scene.hang();
        send("KILL", &format!("{group}{}", child.id()));
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        scene.assert_clean();
    }
}

#[test]
fn a_temporary_folder_may_have_any_name() {
    if !there_is_a_browser() {
        return;
    }
    let long = "l".repeat(200);
    let middle = "m".repeat(30);
    for name in ["a b", "it's \"é\" $HOME `x`", "100%#?&;%41", &middle, &long] {
        let scene = Scene::new(name);
        scene.assert_images(&scene.command().output().unwrap());
    }
    // One that does not exist.
    let scene = Scene::new("tmp");
    let output = scene.command().env("TMPDIR", scene.path("nowhere")).output().unwrap();
    let [note] = &notes(&output)[..] else { panic!("{output:?}") };
    assert!(output.status.success() && note.contains("nowhere"), "{note}");
}

#[test]
fn a_home_folder_is_not_needed() {
    if !there_is_a_browser() {
        return;
    }
    let scene = Scene::new("tmp");
    scene.assert_images(&scene.command().env_remove("HOME").output().unwrap());
    scene.assert_images(&scene.command().env("HOME", "/proc").env("XDG_CONFIG_HOME", "/proc").output().unwrap());
}

/// One row per iteration: function, optimizer, seed, and the best value at iterations 0, 1, 2, …, of which one takes a millisecond.
fn traces(runs: &[(&str, &str, u64, &[Option<f64>])]) -> DataFrame {
    let rows: Vec<_> = runs
        .iter()
        .flat_map(|&(f, o, s, best)| best.iter().enumerate().map(move |(i, &b)| (f, o, s, i as u64, b)))
        .collect();
    let best: Vec<_> = rows.iter().map(|r| r.4).collect();
    df!(
        "function" => rows.iter().map(|r| r.0).collect::<Vec<_>>(),
        "optimizer" => rows.iter().map(|r| r.1).collect::<Vec<_>>(),
        "seed" => rows.iter().map(|r| r.2).collect::<Vec<_>>(),
        "iteration" => rows.iter().map(|r| r.3).collect::<Vec<_>>(),
        "seconds" => rows.iter().map(|r| 1e-3 * r.3 as f64).collect::<Vec<_>>(),
        "objective_min" => best.clone(),
        "best" => best.clone(),
        "raw_best" => best,
    )
    .unwrap()
}

/// `count` values from `first`, each `factor` times the one before.
fn falling(first: f64, factor: f64, count: i32) -> Vec<Option<f64>> {
    (0..count).map(|i| Some(first * factor.powi(i))).collect()
}

/// Tables with what a custom objective, a single seed or an unfinished run may lead to.
fn odd_tables() -> Vec<(&'static str, DataFrame)> {
    let slow = falling(0.8, 0.99, 100);
    let fast = falling(0.9, 0.8, 100);
    let names: Vec<String> = (0..12).map(|n| format!("made-up function {n}")).collect();
    let values: Vec<_> = (0..12).map(|n| falling(1.0, 1.0 - 0.02 * f64::from(n), 60)).collect();
    let mut twelve: Vec<(&str, &str, u64, &[Option<f64>])> = Vec::new();
    for (name, values) in names.iter().zip(&values) {
        twelve.push((name, "shallow", 0, &slow));
        twelve.push((name, "deep", 0, values));
        twelve.push((name, "deep", 1, &fast));
    }
    let to_zero: Vec<_> = fast.iter().take(60).copied().chain([Some(0.0); 40]).collect();
    let rounding: Vec<_> = fast.iter().take(50).copied().chain([Some(-2e-17); 40]).collect();
    let holes: Vec<_> = slow.iter().enumerate().map(|(i, v)| v.filter(|_| i % 3 > 0)).chain([Some(f64::NAN)]).collect();
    let negative: Vec<_> = slow.iter().map(|v| v.map(|v| v - 0.6)).collect();
    let tiny = falling(3e-5, 0.995, 100);
    let zeros = traces(&[
        ("one seed reaches 0", "shallow", 0, &slow),
        ("one seed reaches 0", "deep", 0, &to_zero),
        ("one seed reaches 0", "deep", 1, &fast),
        ("one seed reaches 0", "deep", 2, &fast),
        ("a median reaches 0", "shallow", 0, &slow),
        ("a median reaches 0", "deep", 0, &rounding),
        ("all are 0", "shallow", 0, &[Some(0.0); 9]),
    ]);
    let odd = traces(&[
        ("negative", "shallow", 0, &slow),
        ("negative", "deep", 0, &negative),
        ("holes", "deep", 0, &holes),
        ("equal", "shallow", 0, &[Some(1e-5); 50]),
        ("equal", "deep", 0, &[Some(1e-5); 50]),
        ("one point", "shallow", 0, &[Some(0.5)]),
        ("nothing", "shallow", 0, &[None, Some(f64::INFINITY)]),
        ("tiny", "shallow", 0, &tiny),
        ("a decade", "deep", 0, &falling(2e-4, 0.97, 100)),
        ("many decades", "deep", 0, &falling(1.0, 1e-3, 100)),
        ("large", "deep", 0, &falling(3e9, 0.995, 100)),
    ]);
    let descent = traces(&[
        ("rastrigin", "deep", 0, &to_zero),
        ("rastrigin", "deep", 1, &fast),
        ("rastrigin", "shallow", 0, &slow),
        ("spin-glass", "deep", 0, &slow),
    ]);
    vec![("twelve", traces(&twelve)), ("zeros", zeros), ("odd", odd), ("descent", descent)]
}

#[test]
fn odd_tables_are_drawn() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("odd-figures");
    let mut exporter = Exporter::new(&folder).unwrap();
    let mut sizes = Vec::new();
    for (name, table) in odd_tables() {
        let figure = if name == "descent" { figure3(&table) } else { figure2(&table) }.unwrap();
        sizes.push((name, figure.size()));
        exporter.add(figure, name).unwrap();
    }
    let written = exporter.finish().unwrap();
    if there_is_a_browser() {
        assert!(written.skipped.is_empty(), "{:?}", written.skipped);
        for (name, (width, height)) in sizes {
            let size = png_size(&folder.join(name).with_extension("png"));
            assert_eq!((f64::from(size.0), f64::from(size.1)), (2.0 * width, 2.0 * height));
        }
    }
}

#[test]
fn a_figure_that_cannot_be_drawn_leaves_the_others() {
    let Ok(browser) = Browser::find() else { return };
    let mut huge = overparam::plotly::Plot::new();
    huge.set_layout(overparam::plotly::Layout::new().width(100_000).height(100_000));
    let good = overparam::plotly::Plot::new();
    let figures = [Figure::from(huge), Figure::from(good)];
    let images = browser.draw(&figures.iter().collect::<Vec<_>>(), 2).unwrap();
    assert!(matches!(&images[0], Err(Error::Browser(reason)) if reason.contains("200000")), "{:?}", images[0]);
    assert!(images[1].is_ok());
}
