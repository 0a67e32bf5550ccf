//! `overparam-bench measure`, with scripts in place of the programs that it compares with.

#![cfg(unix)]

use overparam::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_overparam-bench");

fn bench(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The error of a command, which must be one line after exit code `code`.
fn refused(folder: &TempDir, arguments: &[&str], code: i32) -> String {
    let output = bench(folder, arguments);
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(code), 1), "{arguments:?}: {error}");
    assert!(error.len() < 1_000 && !error.trim_end().contains(char::is_control), "{arguments:?}: {error:?}");
    error
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let clock = Instant::now();
    while !done() {
        assert!(clock.elapsed() < Duration::from_secs(120), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A process that is killed when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn bad_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for seconds in ["0", "-1", "NaN", "inf", "1e300"] {
        let error = refused(&folder, &["measure", "--peer-timeout", seconds], 2);
        assert!(error.contains("the peer timeout must be a positive finite number of seconds"), "{error}");
    }
    let error = refused(&folder, &["measure", "--rule", "adams"], 2);
    assert!(error.contains("unknown rule 'adams' (did you mean 'adam'?)"), "{error}");
    let error = refused(&folder, &["measure", "--instruction-set", "avx3"], 2);
    assert!(error.contains("unknown instruction set of this processor 'avx3'"), "{error}");
}

#[test]
fn the_name_of_a_file_says_what_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    for (file, more) in [
        ("scaling.json", &["--only-scaling"][..]),
        ("figures/scaling.svg", &["--only-scaling"]),
        ("scaling.json", &["--quick", "--scaling"]),
        ("bench-alone.json", &[]),
        ("bench-alone-adam-lbfgs.json", &["--rule", "lbfgs,adam"]),
        ("bench-quick-alone.json", &["--quick"]),
        ("bench-quick-jax.json", &["--quick", "--jax", "true"]),
        ("figures/bench-torch-torch-compiled.png", &["--torch", "true", "--torch-compiled", "true"]),
        ("bench.json", &["--jax", "true", "--torch", "true", "--torch-compiled", "true"]),
    ] {
        // A folder of this name is in the way, which is found out before anything is timed.
        fs::create_dir_all(folder.path().join("out").join(file)).unwrap();
        let error = refused(&folder, &[&["measure", "--out", "out"], more].concat(), 1);
        assert!(error.contains(file), "{error}");
        fs::remove_dir(folder.path().join("out").join(file)).unwrap();
    }
}

/// A peer with prepared answers by gradient descent and momentum: the results of this crate, the mean moved by `error`, and times of 1 and
/// 2 ms per iteration.
fn peer(folder: &Path, error: f64) -> String {
    let protocol = Protocol { dtype: Dtype::F64, ..Protocol::paper() };
    let mut cases = String::new();
    for function in [Function::Rastrigin, Function::Sphere, Function::SpinGlass] {
        for (optimizer, rule) in
            Optimizer::ALL.into_iter().flat_map(|by| [Rule::ALL[0], Rule::ALL[1]].map(|rule| (by, rule)))
        {
            let settings = protocol.settings(function).rule(rule).learning_rate(0.01).iterations(100);
            let run = protocol.run(function, optimizer, 0, &Settings { thinned: false, ..settings }).unwrap();
            let last = run.samples.last().unwrap();
            let found = json!({"best": last.best, "min_last": last.min, "mean_last": last.mean + error,
                "peak_memory_bytes": 4096, "versions": {"fake": "1.0"}});
            let pattern =
                format!(r#"*'"function":"{function}","optimizer":"{optimizer}"'*'"rule":{{"name":"{rule}"'*)"#);
            cases.push_str(&format!("    {pattern} rest='{}' ;;\n", found.to_string().trim_start_matches('{')));
        }
    }
    let path = folder.join("a peer.sh");
    let script = format!(
        "while read -r line; do\n  case $line in *'\"repeats\":1,'*) times=1000.0 ;; *) times=1000.0,2000.0 ;; esac\n  \
         case $line in\n{cases}  esac\n  echo \"{{\\\"us_per_iteration\\\":[$times],$rest\"\ndone\n"
    );
    fs::write(&path, script).unwrap();
    format!("sh '{}'", path.display())
}

#[test]
fn a_peer_that_agrees_is_compared_with() {
    let folder = tempfile::tempdir().unwrap();
    let peer = peer(folder.path(), 0.0);
    let given = ["measure", "--quick", "--rule", "momentum,gradient-descent", "--jax", &peer, "--torch", &peer];
    let output = bench(&folder, &[&given[..], &["--out", "out"]].concat());
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    assert!(
        printed.contains("PyTorch compiled is left out: --torch-compiled does not say how to start it"),
        "{printed}"
    );
    assert_eq!(printed.matches("| JAX 1500.0 (").count(), 24, "{printed}");
    assert_eq!(
        printed.matches("| PyTorch eager 1500.0 (").count(),
        12,
        "PyTorch knows gradient descent alone: {printed}"
    );
    let name = "out/bench-quick-jax-torch-gradient-descent-momentum.json";
    let record: Value = serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap();
    let machine = &record["machine"];
    assert_eq!(machine["version"], env!("CARGO_PKG_VERSION"));
    assert!(machine["cpu"].is_string() && machine["date"].as_str().unwrap().starts_with("20"), "{machine}");
    let rows = record["rows"].as_array().unwrap();
    // Three functions, two optimizers, two dtypes; two rules, of which one by a third program; and one more of the glass.
    assert_eq!(rows.len(), 12 * (3 + 2) + 2, "{rows:?}");
    for row in rows {
        let ours = rows.iter().find(|ours| {
            let same = |column: &&str| ours[*column] == row[*column];
            ours["program"] == "overparam" && ["function", "optimizer", "rule", "dtype"].iter().all(|c| same(c))
        });
        let number = |row: &Value, column: &str| row[column].as_f64().unwrap();
        if row["program"] == "overparam" {
            assert_eq!((&row["version"], number(row, "ratio")), (&json!(env!("CARGO_PKG_VERSION")), 1.0), "{row}");
        } else {
            assert_eq!((&row["version"], number(row, "us_per_iteration")), (&json!("fake 1.0"), 1500.0), "{row}");
            let ratio = 1500.0 / number(ours.unwrap(), "us_per_iteration");
            let least_ratio = 1000.0 / number(ours.unwrap(), "least_us_per_iteration");
            assert!((number(row, "ratio") / ratio - 1.0).abs() < 1e-12, "{row}");
            assert!((number(row, "least_ratio") / least_ratio - 1.0).abs() < 1e-12, "{row}");
        }
    }
    assert!(folder.path().join(name.replace("out/", "out/figures/").replace(".json", ".html")).exists());
}

#[test]
fn a_peer_that_does_not_do_its_task_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bench = |peer: &str, seconds: &str| {
        let clock = Instant::now();
        let error = refused(&folder, &["measure", "--quick", "--torch", peer, "--peer-timeout", seconds], 1);
        assert!(clock.elapsed() < Duration::from_secs(60), "{:?}", clock.elapsed());
        error
    };
    let near = peer(folder.path(), 1e-10);
    let check = ["measure", "--quick", "--check", "--rule", "momentum", "--jax", &near];
    let check = text(&Command::new(PROGRAM).current_dir(&folder).args(check).output().unwrap().stdout);
    assert_eq!(check.lines().filter(|line| line.ends_with(": overparam, JAX agree")).count(), 6, "{check}");
    assert!(!folder.path().join("data").exists());
    let error = bench(&peer(folder.path(), 1e-6), "600");
    assert!(
        error.contains("PyTorch eager: after 100 iterations of rastrigin, shallow, gradient-descent, f64 its mean is"),
        "{error}"
    );
    let error = bench("read -r _; tr '\\0' '\\33' </dev/zero", "600");
    assert_eq!(error, "error: PyTorch eager: it wrote more than 65536 bytes without the end of a line\n");
    let error = bench("yes warning >&2", "1");
    assert_eq!(error, "error: PyTorch eager: it did not answer within 1 s; its last message: warning\n");
    let error = bench("read -r _; echo no such module >&2; exit 3", "600");
    assert!(error.contains("it ended without an answer (exit status: 3); its last message: no such module"), "{error}");
}

/// No code runs in a process that is killed, and still its peers do not go on computing.
#[cfg(target_os = "linux")]
#[test]
fn peers_do_not_outlive_a_process_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let peer = "sleep 600 & echo $$ $! >ids.new; mv ids.new ids; sleep 600; sleep 600";
    let mut command = Command::new(PROGRAM);
    command.current_dir(&folder).args(["measure", "--quick", "--jax", peer]).stdout(Stdio::null());
    let mut child = Killed(command.spawn().unwrap());
    let ids = folder.path().join("ids");
    wait_until("the peer does not start", || ids.exists());
    let ids = fs::read_to_string(ids).unwrap();
    let ends = |id: &str| fs::read_to_string(format!("/proc/{id}/stat")).map_or(true, |stat| stat.contains(") Z "));
    assert!(ids.split_whitespace().count() == 2 && !ids.split_whitespace().any(ends), "{ids}");
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    wait_until("the peer is alive", || ids.split_whitespace().all(ends));
}

#[test]
fn a_comparison_that_waits_for_a_peer_ends_at_a_signal_and_leaves_no_folder() {
    let (folder, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let asked = folder.path().join("asked");
    let peer = format!("read request; : >'{}'; read more", asked.display());
    let mut command = Command::new(PROGRAM);
    command.current_dir(&folder).args(["measure", "--quick", "--jax", &peer]).env("TMPDIR", temporary.path());
    let mut child = Killed(command.stdout(Stdio::null()).spawn().unwrap());
    wait_until("the peer is not asked", || asked.exists());
    assert_ne!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    let sent = Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().unwrap();
    assert!(sent.success());
    wait_until("it goes on", || child.0.try_wait().unwrap().is_some());
    assert_eq!(child.0.wait().unwrap().code(), Some(143));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn the_help_names_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let help = text(&bench(&folder, &["measure", "--help"]).stdout);
    for word in ["bench.json", "scaling.json", "--only-scaling"] {
        assert!(help.contains(word), "'{word}' is missing in\n{help}");
    }
}
