//! Arrays of a Slurm cluster of one node, which `make test-slurm` sets up: see `tests/slurm/cluster.sh`.
#![cfg(target_os = "linux")]

use overparam::trace;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_overparam");

/// Eight runs of some tenths of a second for each of eight tasks.
const SWEEP: [&str; 8] = ["sweep", "levy", "--rates", "1,0.1,0.01,0.001", "--seeds", "8", "--iterations", "60000"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The tasks of a job by number, each with its state.
fn tasks(job: &str) -> BTreeMap<usize, String> {
    let listed =
        Command::new("squeue").args(["--noheader", "--array", "--format=%K %T", "--jobs", job]).output().unwrap();
    let line = |line: &str| {
        let (task, state) = line.trim().split_once(' ')?;
        Some((task.parse().ok()?, state.to_owned()))
    };
    text(&listed.stdout).lines().filter_map(line).collect()
}

fn slurm(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {}", text(&done.stderr));
}

/// Waits until a task runs that has not been seen. Returns its number.
fn next_running(job: &str, seen: &[usize]) -> usize {
    let clock = Instant::now();
    loop {
        let running = tasks(job).into_iter().find(|(task, state)| state == "RUNNING" && !seen.contains(task));
        if let Some((task, _)) = running {
            return task;
        }
        assert!(clock.elapsed() < Duration::from_secs(120), "no task runs: {:?}", tasks(job));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn assert_same(a: &Path, b: &Path) {
    let [a, b] = [a, b].map(|path| trace::read(path).unwrap().drop("seconds").unwrap());
    assert!(a.equals_missing(&b), "{a} {b}");
}

#[test]
#[ignore = "needs Slurm"]
fn an_array_whose_tasks_are_killed_and_requeued_gives_what_one_process_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let clock = Instant::now();
    let alone =
        Command::new(PROGRAM).current_dir(&folder).args(SWEEP).args(["--output", "one.parquet"]).output().unwrap();
    assert!(alone.status.success(), "{}", text(&alone.stderr));
    println!("one process: {:.1} s", clock.elapsed().as_secs_f64());
    let clock = Instant::now();
    let submit = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.current_dir(&folder).arg("submit").args(SWEEP);
        command.args(["--store", "a store", "--output", "array.parquet", "--tasks", "8"]).args(more);
        command.stdout(Stdio::from(fs::File::create(path("out")).unwrap()));
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = submit(&["--wait", "--time", "10:00", "--sbatch=--nice=1"]);
    let job = loop {
        let out = fs::read_to_string(path("out")).unwrap();
        if let Some(job) = out.split("the array ").nth(1).and_then(|rest| rest.split(' ').next()) {
            break job.to_owned();
        }
        assert!(clock.elapsed() < Duration::from_secs(60), "nothing is submitted");
        std::thread::sleep(Duration::from_millis(50));
    };
    // Two are killed, one is taken off its node and queued again.
    let mut seen = Vec::new();
    for _ in 0..2 {
        let task = next_running(&job, &seen);
        std::thread::sleep(Duration::from_millis(500));
        slurm("scancel", &["--full", "--signal=KILL", &format!("{job}_{task}")]);
        seen.push(task);
    }
    let task = next_running(&job, &seen);
    std::thread::sleep(Duration::from_millis(500));
    slurm("scontrol", &["requeue", &format!("{job}_{task}")]);
    // Slurm lets a requeued task wait for two minutes, unless its start time is set anew.
    let requeued = Instant::now();
    while tasks(&job).get(&task).is_none_or(|state| state != "PENDING") {
        assert!(requeued.elapsed() < Duration::from_secs(60), "the task is not queued again: {:?}", tasks(&job));
        std::thread::sleep(Duration::from_millis(100));
    }
    slurm("scontrol", &["update", &format!("JobId={job}_{task}"), "StartTime=now"]);
    println!("killed {seen:?}, requeued {task}");
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    println!("array of 8: {:.1} s\n{}{error}", clock.elapsed().as_secs_f64(), fs::read_to_string(path("out")).unwrap());
    assert_eq!(output.status.code(), Some(1), "two tasks were killed: {error}");
    seen.sort_unstable();
    let mark = if seen[0] + 1 == seen[1] { '-' } else { ',' };
    assert!(error.contains(&format!("tasks {}{mark}{} did not finish", seen[0], seen[1])), "{error}");
    assert!(trace::read(&path("array.parquet")).unwrap().height() < 64);
    // The command that is given does the rest.
    let again = error.rsplit_once("these alone again: ").unwrap().1.trim();
    let script = format!("overparam() {{ '{PROGRAM}' \"$@\"; }}; {again}");
    let clock = Instant::now();
    let output = Command::new("bash").current_dir(&folder).args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
    println!("the rest: {:.1} s\n{}", clock.elapsed().as_secs_f64(), text(&output.stdout));
    assert_same(&path("array.parquet"), &path("one.parquet"));
    // What was finished before was not done again: the tasks say so.
    let logs: Vec<String> = fs::read_dir(path("a store/logs"))
        .unwrap()
        .map(|log| fs::read_to_string(log.unwrap().path()).unwrap())
        .collect();
    assert!(logs.iter().any(|log| log.contains(" runs are in ") && log.contains(" already")), "{logs:?}");
    let verified = Command::new(PROGRAM).current_dir(&folder).args(["verify", "a store"]).output().unwrap();
    assert!(verified.status.success(), "{}", text(&verified.stdout));
}

#[test]
#[ignore = "needs Slurm"]
fn a_job_that_slurm_refuses_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.current_dir(&folder).arg("submit").args(SWEEP);
    let output = command.args(["--store", "s", "--tasks", "2", "--partition", "nowhere"]).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains("sbatch refused the job: ") && error.contains("nowhere"), "{error}");
    assert_eq!(error.matches("error").count(), 1, "{error}");
}
