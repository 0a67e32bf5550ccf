//! How the program ends: by signals, by closed or full streams, and what it leaves behind.
#![cfg(target_os = "linux")]

use overparam::trace;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_overparam");

/// A sweep that takes far longer than any test, of runs that are short.
const ENDLESS_SWEEP: [&str; 11] =
    ["sweep", "rastrigin", "--rates", "0.1", "--seeds", "100000", "--jobs", "1", "--optimizer", "deep", "--output"];
/// A run that takes far longer than any test.
const ENDLESS_RUN: [&str; 6] = ["run", "rastrigin", "--rate", "0.1", "--seconds", "1000"];

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary folder is writable")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn start(folder: &TempDir, arguments: &[&str]) -> Child {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program was just built")
}

/// Starts the program as `script` does, in which `$0` is the program.
fn start_by(folder: &TempDir, script: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new("bash");
    command.current_dir(folder).args(["-c", script, PROGRAM]).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash is there")
}

fn send(child: &Child, signal: &str) {
    let killed = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(killed.unwrap().success(), "the process is there still");
}

/// Waits until `ready` says so, for some minutes at most: other tests may keep the machine busy.
fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let clock = Instant::now();
    while !ready() {
        assert!(clock.elapsed() < Duration::from_secs(300), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the process responds to the signals that it watches for.
fn wait_for_watch(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let caught = || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim().to_owned();
        // SIGTERM, the one that no test has ignored.
        u64::from_str_radix(&mask, 16).unwrap_or(0) >> 14 & 1 == 1
    };
    wait_until("the program watches for signals", caught);
}

/// Waits until the process responds to signals and has computed for half a second, by the processor's time rather than the clock: it
/// has tried its output, and has a result.
fn wait_for_work(child: &Child) {
    wait_for_watch(child);
    let stat = format!("/proc/{}/stat", child.id());
    let worked = || {
        let stat = fs::read_to_string(&stat).unwrap_or_default();
        // Behind the name, which may have blanks: the twelfth field is the time in user mode, in hundredths of a second.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().nth(11).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0) >= 50
    };
    wait_until("the program has computed", worked);
}

fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), text(&output.stderr))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The remains of an interrupted sweep into `a.parquet`: the folder of its finished runs.
const PARTS: [&str; 1] = ["a-unfinished"];

/// The files of finished runs in a store.
fn runs(store: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(store).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(runs(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_signal_leaves_an_unfinished_result_and_its_own_exit_status() {
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        for (arguments, parts) in [
            ([&ENDLESS_SWEEP[..], &["a.parquet"]].concat(), &PARTS[..]),
            (
                [&ENDLESS_RUN[..], &["--output", "b.parquet"]].concat(),
                &["b-point-unfinished.parquet", "b-unfinished.parquet"],
            ),
        ] {
            let folder = folder();
            let child = start(&folder, &arguments);
            wait_for_work(&child);
            send(&child, signal);
            let (code, error) = end(child);
            assert_eq!(code, Some(status), "{arguments:?}: {error}");
            assert!(error.contains("interrupted") && parts.iter().all(|part| error.contains(part)), "{error}");
            assert_eq!(names(folder.path()), parts);
            let kept = runs(&folder.path().join(PARTS[0]));
            assert_eq!(kept.is_empty(), parts != PARTS, "finished runs are kept");
            for path in kept {
                assert_eq!(trace::metadata(&path).unwrap()["overparam.outcome"], "finished");
                assert!(trace::read(&path).unwrap().height() > 0);
            }
            for part in parts.iter().filter(|part| part.ends_with("parquet")) {
                let path = folder.path().join(part);
                assert_eq!(trace::metadata(&path).unwrap()["overparam.outcome"], "stopped");
                assert!(trace::read(&path).unwrap().height() > 0);
            }
        }
    }
}

/// A terminal that closes sends two; a supervisor may send as many as it likes.
#[test]
fn repeated_signals_do_not_cut_the_writing_short() {
    for signals in [&["HUP", "HUP"][..], &["TERM", "TERM", "TERM", "HUP"], &["INT", "INT", "INT"]] {
        let folder = folder();
        let child = start(&folder, &[&ENDLESS_SWEEP[..], &["a.parquet"]].concat());
        wait_for_work(&child);
        for signal in signals {
            let pid = child.id().to_string();
            // One that comes when all is done finds nobody.
            let _ = Command::new("kill").args([&format!("-{signal}"), &pid]).stderr(Stdio::null()).status();
            std::thread::sleep(Duration::from_millis(2));
        }
        let (code, error) = end(child);
        assert!(matches!(code, Some(129 | 130 | 143)), "{signals:?}: {code:?} {error}");
        assert_eq!(names(folder.path()), PARTS, "{signals:?}");
    }
}

/// A reader that does not read holds the program up when all is written.
#[test]
fn a_second_request_ends_at_once_if_it_comes_a_second_later() {
    ["INT", "TERM"].into_iter().for_each(ends_at_once);
}

fn ends_at_once(second: &str) {
    let folder = folder();
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, &[b' '; 1 << 16]).unwrap();
    let mut child = Command::new(PROGRAM)
        .current_dir(&folder)
        .args(ENDLESS_SWEEP)
        .arg("a.parquet")
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_work(&child);
    let pressed = Instant::now();
    send(&child, "INT");
    std::thread::sleep(Duration::from_millis(20));
    for signal in ["INT", "TERM", "HUP"] {
        send(&child, signal);
    }
    wait_until("the runs are written", || !runs(folder.path()).is_empty());
    std::thread::sleep(Duration::from_millis(1500).saturating_sub(pressed.elapsed()));
    send(&child, "HUP");
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "a terminal that closes is not meant to hurry");
    send(&child, second);
    let (code, error) = end(child);
    assert_eq!(code, Some(130), "{error}");
    assert_eq!(names(folder.path()), PARTS);
    drop(reader);
}

#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    for (script, signal) in [
        ("exec nohup \"$0\" \"$@\"", "HUP"),
        ("trap '' HUP; exec \"$0\" \"$@\"", "HUP"),
        // As the shell of a script starts what ends in &.
        ("trap '' INT; exec \"$0\" \"$@\"", "INT"),
    ] {
        let folder = folder();
        let arguments = ["run", "sphere", "--seconds", "5", "--output", "a.parquet"];
        let child = start_by(&folder, script, &arguments);
        wait_for_watch(&child);
        send(&child, signal);
        let (code, error) = end(child);
        assert_eq!(code, Some(0), "{script}: {error}");
        assert_eq!(trace::metadata(&folder.path().join("a.parquet")).unwrap()["overparam.outcome"], "finished");
    }
}

#[test]
fn couplings_cut_short_leave_nothing_at_once() {
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let folder = folder();
        let child = start(&folder, &["couplings", "--seed", "1", "--dimension", "512", "--output", "j.parquet"]);
        wait_for_watch(&child);
        wait_until("it writes", || !names(folder.path()).is_empty());
        let clock = Instant::now();
        send(&child, signal);
        let (code, error) = end(child);
        assert_eq!(code, Some(status), "{error}");
        assert!(clock.elapsed() < Duration::from_secs(60), "{signal}: {:?}", clock.elapsed());
        assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    }
}

#[test]
fn drawing_the_couplings_of_a_large_glass_can_be_interrupted() {
    for arguments in [
        &["run", "spin-glass", "--d", "1000", "--dtype", "f32", "--output", "a.parquet"][..],
        &[
            "sweep",
            "spin-glass",
            "--d",
            "1000",
            "--dtype",
            "f32",
            "--jobs",
            "1",
            "--seeds",
            "1",
            "--output",
            "a.parquet",
        ],
    ] {
        let folder = folder();
        let child = start(&folder, arguments);
        wait_for_work(&child);
        let clock = Instant::now();
        send(&child, "INT");
        let (code, error) = end(child);
        if error.contains("memory is free") {
            eprintln!("not tested, for want of memory: {error}");
            continue;
        }
        assert_eq!(code, Some(130), "{error}");
        assert!(clock.elapsed() < Duration::from_secs(60), "{arguments:?}: {:?}", clock.elapsed());
        assert!(names(folder.path()).is_empty(), "there is nothing to keep: {:?}", names(folder.path()));
    }
}

#[test]
fn what_a_killed_process_left_is_removed_and_nothing_else() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let mut child = start(&folder, &["couplings", "--seed", "1", "--dimension", "512", "--output", "j.parquet"]);
    let left = || names(folder.path()).iter().find(|name| name.starts_with(".overparam-")).map(|name| path(name));
    wait_for_watch(&child);
    wait_until("it writes", || left().is_some());
    child.kill().unwrap();
    child.wait().unwrap();
    let stray = left().expect("a process that is killed cannot tidy up");
    let others =
        [".overparam-notes.txt", ".overparam-abc", "overparam-abcdef", ".overparam-abcdef", ".overparam-new000"];
    for name in others {
        fs::write(path(name), "").unwrap();
    }
    // One is still being written by somebody, one was begun just now.
    let written = File::options().write(true).open(path(".overparam-abcdef")).unwrap();
    written.lock().unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    for file in others.iter().filter(|name| !name.contains("new")).map(|name| path(name)).chain([stray.clone()]) {
        File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
    }
    let output = start(&folder, &["couplings", "--seed", "1", "--dimension", "3", "--output", "j.parquet"]);
    assert_eq!(end(output).0, Some(0));
    assert!(!stray.exists());
    let mut expected: Vec<String> =
        others.iter().map(|&name| name.to_owned()).chain(["j.parquet".to_owned()]).collect();
    expected.sort();
    assert_eq!(names(folder.path()), expected);
}

/// The exit status of `script`, in which `$0` is the program, and what it prints on standard output and error.
fn shell(folder: &TempDir, script: &str) -> (i32, String, String) {
    let script = format!("set -o pipefail; {script}");
    let Output { status, stdout, stderr } = start_by(folder, &script, &[]).wait_with_output().unwrap();
    (status.code().unwrap_or(-1), text(&stdout), text(&stderr))
}

#[test]
fn standard_error_that_is_closed_full_or_gone_changes_no_status() {
    let folder = folder();
    fs::write(folder.path().join("closed"), "").unwrap();
    for stream in ["2>/dev/full", "2>&-", "2> >(true)"] {
        for (arguments, status) in [
            ("", 2),
            ("run", 2),
            ("run nothing", 2),
            ("run sphere --rate -1", 2),
            ("run sphere --iterations 50 --output closed/a.parquet", 1),
            ("run sphere --iterations 50", 0),
            ("sweep sphere --rates 1 --seeds 1 --iterations 50 --batched", 0),
            ("sweep sphere --rates 1 --seeds 9 --iterations 50", 0),
            ("figures --quick --functions sphere --seeds 1 --device auto", 0),
            ("evaluate sphere --points none.csv --output v.parquet", 1),
            ("couplings --seed 1 --dimension 0 --output j.parquet", 2),
        ] {
            // The reader of the pipe is to be gone.
            let (found, out, _) = shell(&folder, &format!("{{ sleep 0.1; \"$0\" {arguments}; }} {stream}"));
            assert_eq!(found, status, "{arguments} {stream}: {out}");
        }
    }
}

#[test]
fn standard_output_that_is_full_is_an_error_and_one_that_is_closed_is_none() {
    let folder = folder();
    let long = "sweep sphere --rates 1,0.1,0.01,0.001 --seeds 1 --iterations 50";
    for arguments in [
        "--help",
        "--version",
        "list",
        "run sphere --iterations 50",
        long,
        "time --function sphere --optimizer deep --iterations 9",
    ] {
        let (code, _, error) = shell(&folder, &format!("\"$0\" {arguments} >/dev/full"));
        assert_eq!(code, 1, "{arguments}: {error}");
        assert_eq!(error.lines().filter(|line| line.starts_with("error")).count(), 1, "{arguments}: {error}");
        assert!(!error.contains("panicked"), "{error}");
        for stream in ["| true", ">&-", "| head -n 1 >/dev/null"] {
            let (code, _, error) = shell(&folder, &format!("{{ sleep 0.1; \"$0\" {arguments}; }} {stream}"));
            assert_eq!(code, 0, "{arguments} {stream}: {error}");
            assert!(!error.contains("panicked") && !error.contains("error"), "{arguments} {stream}: {error}");
        }
    }
}

#[test]
fn a_result_is_printed_where_it_cannot_be_written() {
    let folder = folder();
    for (arguments, printed) in [
        ("run sphere --iterations 3000 --every --output a.parquet", "best objective"),
        ("sweep sphere --rates 1,0.1 --seeds 100 --iterations 9 --output a.parquet", "1.000e0"),
        // Nothing is drawn from runs that cannot be kept.
        ("figures --quick --functions sphere --seeds 1 --out b", ""),
    ] {
        // A limit on the size of files stands in for a full disk.
        let (code, out, error) = shell(&folder, &format!("trap '' XFSZ; ulimit -f 4; exec \"$0\" {arguments}"));
        assert_eq!(code, 1, "{arguments}: {error}");
        assert!(out.contains(printed), "{arguments}: {out} {error}");
        let left: Vec<PathBuf> = ["a.parquet", "a-unfinished.parquet", "b/summary.parquet"].map(PathBuf::from).to_vec();
        assert!(left.iter().all(|path| !folder.path().join(path).exists()), "{arguments}");
    }
}
