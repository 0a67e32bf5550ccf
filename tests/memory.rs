//! Limits on memory and threads: what does not fit is refused or thinned, in one line, and nothing is killed.
#![cfg(target_os = "linux")]

use overparam::prelude::*;
use overparam::trace;
use std::process::{Command, Output};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary folder is writable")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the program under the `limit` of bash's ulimit.
fn limited(folder: &TempDir, limit: &str, arguments: &[&str]) -> Output {
    let script = format!("ulimit {limit}; exec \"$0\" \"$@\"");
    let mut bash = Command::new("bash");
    bash.current_dir(folder).args(["-c", &script, env!("CARGO_BIN_EXE_overparam")]).args(arguments);
    bash.output().expect("bash is there")
}

/// The kilobytes that the program takes at most, by the system's own count, and what it prints.
fn peak(folder: &TempDir, arguments: &[&str]) -> (u64, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_overparam"))
        .current_dir(folder)
        .args(arguments)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program was just built");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let table = std::fs::read_to_string(&status).unwrap_or_default();
        let line = table.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // A few lines, which a pipe holds.
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    (peak, text(&output.stdout))
}

#[test]
fn a_trace_takes_the_memory_that_is_counted() {
    let folder = folder();
    let run = |iterations: &str| {
        let arguments = ["run", "sphere", "--optimizer", "shallow", "--every", "--iterations", iterations];
        peak(&folder, &[&arguments[..], &["--output", "a.parquet"]].concat()).0
    };
    let (few, many) = (run("500000"), run("2500000"));
    let per_sample = (many - few) as f64 * 1024.0 / 2e6;
    // 48 bytes of a sample, and pages.
    assert!((40.0..60.0).contains(&per_sample), "{per_sample} bytes");
    assert!(few < 150 << 10, "{few} kB for 500,000 iterations");
}

/// The trace of a run with a time limit takes the memory of a part of it, however long the limit is.
#[test]
fn every_iteration_of_a_timed_run_goes_to_disk() {
    let folder = folder();
    // A settled run goes through its iterations at a nanosecond each.
    let run = |seconds: f64, name: &str| {
        let (seconds, arguments) = (seconds.to_string(), ["run", "sphere", "--optimizer", "shallow", "--every"]);
        let more = ["--rate", "3e6", "--seconds", &seconds, "--output", name];
        let (kilobytes, printed) = peak(&folder, &[&arguments[..], &more].concat());
        let iterations = printed.lines().find_map(|line| line.split_once(" iterations in ")?.0.parse::<u64>().ok());
        (kilobytes, iterations.unwrap_or_else(|| panic!("{printed}")))
    };
    let (_, short) = run(1.0, "a.parquet");
    // How many iterations there are hangs on the pace of the first few. In memory these would have 144 MB, at 48 bytes each.
    let enough =
        [4.0, 16.0, 64.0].into_iter().map(|seconds| run(seconds, "b.parquet")).find(|(_, long)| *long > 3_000_000);
    let (kilobytes, long) = enough.expect("an iteration takes some microseconds");
    assert!(kilobytes < 100 << 10, "{kilobytes} kB for {long} iterations");
    let path = folder.path().join("a.parquet");
    let table = trace::read(&path).unwrap();
    let iterations = table.column("iteration").unwrap().u64().unwrap();
    assert!(iterations.iter().eq((0..short).map(Some)), "every iteration");
    let seconds: Vec<f64> = table.column("seconds").unwrap().f64().unwrap().iter().flatten().collect();
    assert!(seconds.is_sorted() && seconds.len() as u64 == short);
    let extrapolated = table.column("extrapolated").unwrap().bool().unwrap();
    assert_eq!((extrapolated.get(0), extrapolated.iter().last().flatten()), (Some(false), Some(true)));
    assert!(!trace::metadata(&path).unwrap().contains_key("overparam.thinned_from"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4, "two traces and two points");
}

/// Set for [`a_run_that_fills_the_memory`], which is to be within a limit.
const LIMITED: &str = "OVERPARAM_LIMITED";

#[test]
#[ignore = "is run by the test after it, within a limit"]
fn a_run_that_fills_the_memory() {
    if std::env::var_os(LIMITED).is_none() {
        return;
    }
    let protocol = Protocol::paper();
    let settings = protocol.settings(Function::Sphere).learning_rate(3e6).seconds(1000.0);
    let settings = Settings { thinned: false, ..settings };
    let run = protocol.run(Function::Sphere, Optimizer::Shallow, 0, &settings).unwrap();
    let from = run.thinned_from.expect("the memory ends");
    assert!(from > 100_000, "{from}");
    let (every, thinned) = run.samples.split_at(from as usize);
    assert!(every.iter().map(|sample| sample.iteration).eq(0..from), "every iteration before");
    assert!((1..2_000).contains(&thinned.len()), "{} after {from}", thinned.len());
    assert_eq!(thinned.last().map(|sample| sample.iteration + 1), Some(run.iterations));
}

/// Runs of unknown length that are not streamed go on where the memory ends: with a thinned trace.
#[test]
fn every_iteration_of_a_timed_run_is_kept_until_the_memory_ends() {
    for limit in ["-v 300000", "-d 200000"] {
        let script = format!("ulimit {limit}; exec \"$0\" \"$@\"");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).arg(std::env::current_exe().unwrap());
        bash.args(["--exact", "a_run_that_fills_the_memory", "--ignored", "--test-threads", "1"]).env(LIMITED, "1");
        let output = bash.output().expect("bash is there");
        assert!(output.status.success(), "{limit}: {}{}", text(&output.stdout), text(&output.stderr));
        assert!(text(&output.stdout).contains("1 passed"), "{limit}: {}", text(&output.stdout));
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_computed() {
    let folder = folder();
    for (limit, arguments, parts) in [
        ("-v 600000", &["run", "sphere", "--every", "--iterations", "1e8"][..], &["ulimit -v", "thin the traces"][..]),
        ("-d 600000", &["run", "sphere", "--every", "--iterations", "1e8"], &["ulimit -d", "thin the traces"]),
        ("-v 100000", &["run", "sphere", "--every", "--iterations", "1e6"], &["ulimit -v", "thin the traces"]),
        ("-v 400000", &["sweep", "sphere", "--seeds", "1e5", "--jobs", "1"], &["ulimit -v", "thin the traces"]),
        ("-v 400000", &["figures", "--functions", "sphere", "--seeds", "1e5", "--jobs", "1"], &["ulimit -v"]),
        (
            "-v 400000",
            &["sweep", "sphere", "--seeds", "1e5", "--batched", "--jobs", "1"],
            &["ulimit -v", "thin the traces"],
        ),
    ] {
        let output = limited(&folder, limit, arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{limit}, {arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{limit}, {arguments:?}: {error}");
        for part in parts {
            assert!(error.contains(part), "{limit}, {arguments:?}: '{part}' is missing in {error}");
        }
    }
}

/// A user may start so few threads that none are left for the program. Root may start any number, and become another user.
#[test]
#[ignore = "needs root"]
fn too_few_threads_are_one_line() {
    let folder = folder();
    let open = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    open(folder.path());
    let program = folder.path().join("overparam");
    std::fs::copy(env!("CARGO_BIN_EXE_overparam"), &program).unwrap();
    open(&program);
    // A user of its own, who has no other processes.
    let run = |limit: u32, arguments: &[&str]| {
        let script = format!("ulimit -u {limit}; exec \"$0\" \"$@\"");
        let mut command = Command::new("setpriv");
        command.args(["--reuid=64321", "--clear-groups", "bash", "-c", &script]).arg(&program).args(arguments);
        command.current_dir(&folder).output()
    };
    let enough = run(100, &["list"]).expect("setpriv is there, of util-linux");
    assert!(enough.status.success(), "{}", text(&enough.stderr));
    let stored = run(100, &["sweep", "sphere", "--iterations", "10", "--seeds", "1", "--store", "store"]).unwrap();
    assert!(stored.status.success(), "{}", text(&stored.stderr));
    let mut refused = 0;
    for arguments in [
        &["run", "sphere", "--iterations", "10"][..],
        &["sweep", "sphere", "--iterations", "10", "--seeds", "1", "--jobs", "3"],
        &["sweep", "sphere", "--iterations", "10", "--seeds", "1", "--jobs", "3", "--batched"],
        &["time", "--function", "sphere", "--optimizer", "deep", "--iterations", "10"],
        &["couplings", "--seed", "1", "--dimension", "3", "--output", "j.parquet"],
        &["gather", "store", "--output", "g.parquet"],
        &["verify", "store"],
    ] {
        for limit in 1..6 {
            let output = run(limit, arguments).unwrap();
            if output.status.success() {
                continue;
            }
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{limit}, {arguments:?}: {error}");
            // Without a terminal, progress is lines as well.
            let errors = error.lines().filter(|line| line.starts_with("error")).count();
            assert_eq!(errors, 1, "{limit}, {arguments:?}: {error}");
            assert!(!error.contains("panicked"), "{limit}, {arguments:?}: {error}");
            assert!(error.contains("thread") && error.contains("ulimit -u"), "{limit}, {arguments:?}: {error}");
            assert!(error.matches("os error").count() <= 1, "{error}");
            refused += 1;
        }
    }
    assert!(refused >= 3, "{refused} were refused");
}
