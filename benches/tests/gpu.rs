//! `overparam-bench gpu` on the driver and the NVRTC of the library's tests, which run kernels on the host.

#![cfg(target_os = "linux")]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder with both libraries.
fn machine() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/mock/build.sh");
    for (source, library) in [("driver.c", "libcuda.so"), ("nvrtc.c", "libnvrtc.so.13")] {
        assert!(Command::new(&build).arg(source).arg(folder.path().join(library)).status().unwrap().success());
    }
    folder
}

fn check(folder: &TempDir, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overparam-bench"));
    command
        .current_dir(folder)
        .env("LD_LIBRARY_PATH", folder.path())
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .env("BROWSER_PATH", "/nowhere")
        .args(["gpu", "--seeds", "1", "--iterations", "10", "--hamiltonian", "5,8,10", "--out", "results"])
        .args(arguments);
    command
}

/// A program that ends as tests do.
fn script(folder: &TempDir, name: &str, last: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\necho 'test one ... FAILED'\necho '{last}'\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_check_writes_its_table_its_profile_and_a_figure() {
    let folder = machine();
    let tests = script(&folder, "passed", "test result: ok. 7 passed; 0 failed");
    let jax = r#"while read -r line; do echo '{"seconds": 2.0, "runs": 11, "best": 0.5, "version": "JAX 1", "device": "cpu"}'; done"#;
    let output = check(&folder, &["--tests", &tests, "--jax", jax]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = std::fs::read_to_string(folder.path().join("results/gpu.json")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&record["gpu"], &record["left_out"]), (&"Mock GPU".into(), &Value::Array(vec![])), "{record:#}");
    let rows = record["rows"].as_array().unwrap();
    let of = |program: &str| rows.iter().filter(|row| row["program"] == program).collect::<Vec<_>>();
    // Rastrigin in four variants, three Hamiltonians, and eight other functions by both optimizers.
    assert_eq!((of("gpu").len(), of("cores").len(), of("jax").len()), (4 + 3 + 16, 4, 4), "{record:#}");
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap();
        let speed = number("runs") * number("iterations") / number("descent_seconds");
        assert!((number("run_iterations_per_second") / speed - 1.0).abs() < 1e-9, "{row}");
        assert_eq!(number("runs"), 11.0, "{row}");
    }
    assert_eq!(of("jax")[0]["run_iterations_per_second"], 55.0);
    for kernel in record["kernels"].as_array().unwrap() {
        assert!(kernel["registers"].as_u64() == Some(80) && kernel["threads"].as_u64().unwrap() >= 64, "{kernel}");
        assert!(kernel["resident_blocks"].as_u64() >= kernel["planned_blocks"].as_u64(), "{kernel}");
    }
    for (row, times) in of("gpu").iter().zip(of("jax")) {
        let ratio =
            row["run_iterations_per_second"].as_f64().unwrap() / times["run_iterations_per_second"].as_f64().unwrap();
        assert!((row["times_jax"].as_f64().unwrap() / ratio - 1.0).abs() < 1e-9, "{row}");
        assert!(row["share_of_peak"].as_f64() > Some(0.0) && row["times_cores"].as_f64() > Some(0.0), "{row}");
        assert!(row["descent_seconds"].as_f64() < row["seconds"].as_f64(), "{row}");
    }
    assert!(record["all_functions_seconds"].as_f64() > Some(0.0) && record["jax"] == "JAX 1, cpu", "{record:#}");
    assert_eq!((&record["seeds"], &record["iterations"]), (&1.into(), &10.into()), "{record:#}");
    let log = std::fs::read_to_string(folder.path().join("results/tests.txt")).unwrap();
    assert!(log.contains("test result: ok"), "{log}");
    assert!(folder.path().join("results/figures/gpu.html").exists(), "{said}");
}

#[test]
fn what_fails_and_what_there_is_no_time_for_is_said() {
    let folder = machine();
    let tests = script(&folder, "failed", "test result: FAILED. 6 passed; 1 failed");
    let output = check(&folder, &["--tests", &tests, "--jax", "echo early; cat", "--seconds", "0.000001"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("the tests failed") && said.contains("test one"), "{said}");
    assert!(said.contains("by JAX:") && said.contains("no time"), "{said}");
}

#[test]
fn what_is_timed_is_written_before_the_comparison_with_jax_ends() {
    let folder = machine();
    // This JAX never answers.
    let mut check = command(&folder, &["--jax", "cat >/dev/null"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(check.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = lines.take_while(|line| !line.contains(", cores:")).collect();
    // A line is printed before its row is written; that of the GPU is the one before the cores'.
    check.kill().unwrap();
    check.wait().unwrap();
    let text = std::fs::read_to_string(folder.path().join("results/gpu.json")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    assert!(record["rows"][0]["program"] == "gpu" && record["kernels"][0]["case"].is_string(), "{record:#}, {said:?}");
}

#[test]
fn without_a_gpu_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(&folder, &[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    // Where there is one it would be checked.
    if !output.status.success() {
        assert!(error.contains("device cuda") && error.lines().count() == 1, "{error}");
        assert!(!folder.path().join("results/gpu.json").exists());
    }
}
