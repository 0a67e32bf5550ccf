//! Limits on memory and threads: what does not fit is refused or thinned, in one line, and nothing is killed.
#![cfg(target_os = "linux")]

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

/// The kilobytes that the program takes at most, by the system's own count.
fn peak(folder: &TempDir, arguments: &[&str]) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_overparam"))
        .current_dir(folder)
        .args(arguments)
        .stdout(std::process::Stdio::null())
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
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
fn a_trace_takes_the_memory_that_is_counted() {
    let folder = folder();
    let run = |iterations: &str| {
        let arguments = ["run", "sphere", "--optimizer", "shallow", "--every", "--iterations", iterations];
        peak(&folder, &[&arguments[..], &["--output", "a.parquet"]].concat())
    };
    let (few, many) = (run("500000"), run("2500000"));
    let per_sample = (many - few) as f64 * 1024.0 / 2e6;
    // 48 bytes of a sample, and pages.
    assert!((40.0..60.0).contains(&per_sample), "{per_sample} bytes");
    assert!(few < 150 << 10, "{few} kB for 500,000 iterations");
}

/// Runs of unknown length go on where the memory ends: with a thinned trace, and a word on it.
#[test]
fn every_iteration_of_a_timed_run_is_kept_until_the_memory_ends() {
    let folder = folder();
    for limit in ["-v 300000", "-d 200000"] {
        // A settled run goes through its iterations at a nanosecond each.
        let arguments =
            ["run", "sphere", "--optimizer", "shallow", "--every", "--seconds", "1000", "--output", "a.parquet"];
        let arguments = [&arguments[..], &["--rate", "3e6"]].concat();
        let output = limited(&folder, limit, &arguments);
        let error = text(&output.stderr);
        assert!(output.status.success(), "{limit}: {error}");
        assert_eq!(error.lines().count(), 1, "{limit}: {error}");
        assert!(error.starts_with("note: the memory ended: from iteration "), "{limit}: {error}");
        let path = folder.path().join("a.parquet");
        let from: u64 = trace::metadata(&path).unwrap()["overparam.thinned_from"].parse().unwrap();
        assert!(error.contains(&format!("from iteration {from} on")), "{error}");
        let table = trace::read(&path).unwrap();
        let iterations: Vec<u64> = table.column("iteration").unwrap().u64().unwrap().iter().flatten().collect();
        assert!(from > 100_000, "{from}");
        assert!(iterations.iter().copied().take(from as usize).eq(0..from), "every iteration before");
        assert!((1..2_000).contains(&(iterations.len() - from as usize)), "{} after {from}", iterations.len());
        let extrapolated = table.column("extrapolated").unwrap().bool().unwrap();
        assert_eq!(extrapolated.iter().last().flatten(), Some(true));
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
