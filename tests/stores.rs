//! Stores of runs, by the program: processes that are killed, many at once, disks that are full, read-only or broken, parts of a sweep,
//! and verification.
#![cfg(target_os = "linux")]

use overparam::polars::prelude::*;
use overparam::trace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_overparam");

/// A sweep of a second or so, of runs that are short.
const SWEEP: [&str; 10] =
    ["sweep", "rastrigin", "--rates", "1,0.1,0.01", "--seeds", "8", "--iterations", "2000", "--jobs", "2"];

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary folder is writable")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    // Images would take most of the time.
    command.current_dir(folder).args(arguments).env("BROWSER_PATH", "/nowhere");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn overparam(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("the program was just built")
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = overparam(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The error of a command that fails, which is one line.
fn fails(folder: &Path, arguments: &[&str], status: i32) -> String {
    let output = overparam(folder, arguments);
    error_of(&output, status, &format!("{arguments:?}"))
}

/// The last line that a command prints which ends with `status`: the only one that is an error.
fn error_of(output: &Output, status: i32, what: &str) -> String {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{what}: {error}");
    let errors: Vec<&str> = error.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && error.lines().last() == Some(errors[0]), "{what}: {error}");
    assert!(!error.contains("panicked"), "{what}: {error}");
    errors[0].to_owned()
}

/// All files below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn strays(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.to_string_lossy().contains(".overparam-")).collect()
}

/// A table without the column of times.
fn timeless(path: &Path) -> DataFrame {
    trace::read(path).unwrap_or_else(|error| panic!("{error}")).drop("seconds").unwrap()
}

fn assert_same(a: &Path, b: &Path, what: &str) {
    assert!(timeless(a).equals_missing(&timeless(b)), "{what}: {} and {} differ", a.display(), b.display());
}

/// Numbers that are the same in every run of a test (Knuth, MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Starts a command and kills it after a random time, so many times. Returns how many of them were killed before they were done.
fn kill(folder: &Path, arguments: &[&str], times: usize, longest: u64, numbers: &mut Numbers) -> usize {
    let mut killed = 0;
    for _ in 0..times {
        let mut child = command(folder, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(numbers.below(longest)));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        let _ = child.wait();
    }
    killed
}

/// `OVERPARAM_KILLS=200` for more than every commit is tested with.
#[test]
fn killed_at_any_time_and_started_again_the_tables_are_those_of_one_go() {
    let kills: usize = std::env::var("OVERPARAM_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let (whole, folder) = (folder(), folder());
    let (whole, folder) = (whole.path(), folder.path());
    let mut numbers = Numbers(kills as u64);
    let sweep = |more: &[&'static str]| [&SWEEP[..], more].concat();
    let figures =
        ["figures", "--quick", "--protocol", "deep-convexity", "--functions", "levy", "--seeds", "1", "--out", "f"];
    let gather = ["gather", "s", "--output", "g.parquet", "--traces", "t.parquet", "--points", "p.parquet"];
    let commands = [sweep(&["--store", "s"]), sweep(&["--output", "a.parquet"]), figures.to_vec(), gather.to_vec()];
    let clock = Instant::now();
    succeeds(whole, &commands[0]);
    let longest = (clock.elapsed().as_millis() as u64).clamp(50, 2_000);
    for arguments in &commands[1..] {
        succeeds(whole, arguments);
    }
    let (mut done, mut attempts) = (0, 0);
    let mut rounds = 0;
    while done < kills {
        rounds += 1;
        assert!(rounds < 50 + kills, "{done} of {attempts} attempts were killed");
        for (arguments, times) in commands.iter().zip([4, 4, 3, 2]) {
            let times = times.min(kills.saturating_sub(done)).max(1);
            // A gather needs something to gather, and is short.
            let is_gather = arguments[0] == "gather";
            if is_gather {
                succeeds(folder, &sweep(&["--store", "s"]));
            }
            done += kill(folder, arguments, times, if is_gather { 60 } else { longest }, &mut numbers);
            attempts += times;
        }
        for arguments in &commands {
            succeeds(folder, arguments);
        }
        for name in [
            "a.parquet",
            "a-points.parquet",
            "f/summary.parquet",
            "f/traces/levy.parquet",
            "f/points/levy.parquet",
            "g.parquet",
            "t.parquet",
            "p.parquet",
        ] {
            if ["a-points.parquet", "f/points/levy.parquet", "p.parquet"].contains(&name) {
                assert!(
                    trace::read(&folder.join(name)).unwrap().equals_missing(&trace::read(&whole.join(name)).unwrap())
                );
            } else {
                assert_same(&folder.join(name), &whole.join(name), name);
            }
        }
        assert!(!folder.join("a-unfinished").exists() && !folder.join("f/unfinished").exists());
        if done < kills {
            // From nothing again.
            for path in ["s", "f", "a-unfinished"] {
                let _ = fs::remove_dir_all(folder.join(path));
            }
            for path in ["a.parquet", "a-points.parquet", "g.parquet", "t.parquet", "p.parquet"] {
                let _ = fs::remove_file(folder.join(path));
            }
        }
    }
    // One that was killed between making a file and locking it is taken for stale some seconds later only.
    if !strays(folder).is_empty() {
        std::thread::sleep(Duration::from_secs(6));
        for arguments in &commands {
            succeeds(folder, arguments);
        }
    }
    assert_eq!(strays(folder), Vec::<PathBuf>::new());
    println!("{done} of {attempts} processes were killed in {rounds} rounds");
}

#[test]
fn twenty_processes_share_a_store() {
    let folder = folder();
    let folder = folder.path();
    let start = |number: usize| -> Child {
        // Some ask for fewer seeds, some for other rates, some for a part.
        let seeds = if number % 4 == 1 { "5" } else { "8" };
        let rates = if number % 4 == 2 { "1,0.3" } else { "1,0.1,0.01" };
        let shard = format!("{}/5", 1 + number / 4);
        let mut arguments = vec![
            "sweep",
            "levy",
            "--rates",
            rates,
            "--seeds",
            seeds,
            "--iterations",
            "3000",
            "--jobs",
            "1",
            "--store",
            "s",
        ];
        if number % 4 == 3 {
            arguments.extend(["--shard", &shard]);
        }
        command(folder, &arguments).spawn().unwrap()
    };
    let children: Vec<Child> = (0..20).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    succeeds(folder, &["verify", "s"]);
    succeeds(folder, &["gather", "s", "--output", "g.parquet"]);
    for (rates, seeds) in [("1,0.1,0.01", "8"), ("1,0.1,0.01", "5"), ("1,0.3", "8")] {
        let alone = ["sweep", "levy", "--rates", rates, "--seeds", seeds, "--iterations", "3000", "--store", "alone"];
        succeeds(folder, &alone);
    }
    succeeds(folder, &["gather", "alone", "--output", "alone.parquet"]);
    assert_same(&folder.join("g.parquet"), &folder.join("alone.parquet"), "20 processes");
    // Every run once: 3 rates and one more, 8 seeds, 2 optimizers.
    assert_eq!(timeless(&folder.join("g.parquet")).height(), 4 * 8 * 2);
    assert_eq!(strays(folder), Vec::<PathBuf>::new());
}

#[test]
fn parts_make_the_whole_and_are_done_once() {
    let folder = folder();
    let folder = folder.path();
    let mut runs = Vec::new();
    for part in ["2/3", "1/3", "3/3"] {
        let printed = succeeds(folder, &[&SWEEP[..], &["--store", "s", "--shard", part]].concat());
        let count = printed.strip_prefix(&format!("part {part}: ")).and_then(|rest| rest.strip_suffix(" runs in s\n"));
        runs.push(count.and_then(|count| count.parse::<usize>().ok()).unwrap_or_else(|| panic!("{printed}")));
        let error = overparam(folder, &["gather", "s", "--output", "g.parquet"]);
        assert_eq!(text(&error.stderr).contains("that were asked for are not there yet"), part != "3/3");
    }
    // By the environment of a task.
    let mut task = command(folder, &[&SWEEP[..], &["--store", "s", "--shard", "auto"]].concat());
    for (name, value) in [("ID", "6"), ("MIN", "5"), ("MAX", "7"), ("COUNT", "3")] {
        task.env(format!("SLURM_ARRAY_TASK_{name}"), value);
    }
    let output = task.output().unwrap();
    assert_eq!(runs.iter().sum::<usize>(), 48);
    let there = format!("{0} of {0} runs are in s already", runs[0]);
    assert!(text(&output.stdout).starts_with("part 2/3: "), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(&there), "{}", text(&output.stderr));
    let printed = succeeds(folder, &[&SWEEP[..], &["--output", "a.parquet"]].concat());
    let again = succeeds(folder, &[&SWEEP[..], &["--store", "s"]].concat());
    let ranking =
        |text: &str| text.lines().take_while(|line| !line.starts_with("best first")).collect::<Vec<_>>().join("\n");
    assert_eq!(ranking(&printed), ranking(&again));
    assert_same(&folder.join("a.parquet"), &folder.join("g.parquet"), "parts");
    assert!(fails(folder, &[&SWEEP[..], &["--store", "s", "--shard", "4/3"]].concat(), 2).contains("I/N"));
    assert!(
        fails(folder, &[&SWEEP[..], &["--store", "s", "--shard", "auto"]].concat(), 2).contains("SLURM_ARRAY_TASK_ID")
    );
}

#[test]
fn what_cannot_be_submitted_is_said_before() {
    let folder = folder();
    let folder = folder.path();
    let submit = |more: &[&'static str]| [&["submit"][..], &SWEEP, &["--store", "s"], more].concat();
    for (more, parts) in [
        (&["--tasks", "0"][..], &["--tasks must be", "1 to 1000000", "not 0"][..]),
        (&["--tasks", "1000001"], &["--tasks must be", "not 1000001"]),
        (&["--tasks", "2", "--output", "a.parquet"], &["--output must be given with --wait", "overparam gather"]),
        (&["--tasks", "2", "--points", "p.parquet"], &["--points must be given with --wait", "overparam gather"]),
    ] {
        let error = fails(folder, &submit(more), 2);
        assert!(parts.iter().all(|part| error.contains(part)), "{more:?}: {error}");
        assert_eq!(files(folder), Vec::<PathBuf>::new());
    }
}

/// Of a folder that has runs of other settings, too.
#[test]
fn figures_count_their_own_runs() {
    let folder = folder();
    let folder = folder.path();
    let others = ["sweep", "levy", "--rates", "0.5", "--seeds", "3", "--iterations", "100", "--store", "f/unfinished"];
    succeeds(folder, &others);
    // Some of its own.
    let own = ["sweep", "levy", "--rates", "1,0.1", "--seeds", "1", "--iterations", "1000", "--store", "f/unfinished"];
    succeeds(folder, &own);
    let output = overparam(folder, &["figures", "--quick", "--functions", "levy", "--seeds", "1", "--out", "f"]);
    let error = text(&output.stderr);
    assert!(output.status.success() && error.contains("note: 4 runs of levy are in f/unfinished already"), "{error}");
}

/// What was finished stays, whatever is asked for next, and the same is not done again.
#[test]
fn a_smaller_or_interrupted_sweep_replaces_nothing() {
    let folder = folder();
    let folder = folder.path();
    let long = ["sweep", "rastrigin", "--rates", "0.1", "--seeds", "100000", "--jobs", "1", "--output", "a.parquet"];
    let runs = || {
        files(&folder.join("a-unfinished")).iter().filter(|path| path.extension() == Some("parquet".as_ref())).count()
    };
    let mut child = command(folder, &long).spawn().unwrap();
    let clock = Instant::now();
    while runs() < 3 {
        assert!(clock.elapsed() < Duration::from_secs(300), "nothing is kept");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let kept = runs();
    assert!(kept >= 3 && !folder.join("a.parquet").exists());
    // A smaller one takes what it shares with the larger one, and leaves it there.
    let small =
        ["sweep", "rastrigin", "--rates", "0.1", "--seeds", "2", "--optimizer", "shallow", "--output", "a.parquet"];
    succeeds(folder, &small);
    assert!(runs() >= kept, "{} of {kept} files are left", runs());
    let output = overparam(folder, &["gather", "a-unfinished", "--output", "g.parquet"]);
    assert!(output.status.success() && text(&output.stderr).contains("are not there yet"), "{}", text(&output.stderr));
    assert!(trace::read(&folder.join("g.parquet")).unwrap().height() >= kept);
    assert_eq!(trace::metadata(&folder.join("g.parquet")).unwrap()["overparam.outcome"], "stopped");
}

/// The files of results are replaced by the same or larger ones alone.
#[test]
fn results_are_not_replaced_by_smaller_or_other_ones() {
    let folder = folder();
    let folder = folder.path();
    let rows = |name: &str| trace::read(&folder.join(name)).unwrap().height();
    let refused = |line: &str, part: &str| {
        let all = || files(folder).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect::<Vec<_>>();
        let before = all();
        let error = fails(folder, &line.split(' ').collect::<Vec<_>>(), 1);
        assert!(error.contains(part) && error.contains("write to another file, or remove this one"), "{line}: {error}");
        assert!(all() == before, "{line} has changed a file");
    };
    let sweep = "sweep levy --iterations 300 --output a.parquet --rates";
    let succeeds = |line: &str| succeeds(folder, &line.split(' ').collect::<Vec<_>>());
    succeeds(&format!("{sweep} 1,0.1 --seeds 3"));
    let whole = timeless(&folder.join("a.parquet"));
    for (rest, part) in [
        (
            "1,0.1 --seeds 2",
            "a.parquet: expected a file that the new results can replace, and this one has others (seeds 3, not 2)",
        ),
        ("1 --seeds 3", "(rates 0.1)"),
        ("0.5 --seeds 9", "(rates 1.0, 0.1)"),
        ("1,0.1 --seeds 3 --optimizer deep", "(optimizers shallow)"),
        ("1,0.1 --seeds 3 --target 0.1", "(target none, not 0.1)"),
        ("1,0.1 --seeds 3 --store s --d 7", "(d 50, not 7)"),
        ("1,0.1 --seeds 3 --points a-points.parquet --dtype f32", "(dtype f64, not f32)"),
    ] {
        refused(&format!("{sweep} {rest}"), part);
    }
    refused("sweep ackley --output a.parquet", "(function levy, not ackley)");
    refused("sweep levy --rates 1 --output b.parquet --points a-points.parquet", "a-points.parquet: expected");
    // The same, and more.
    succeeds(&format!("{sweep} 1,0.1 --seeds 3 --batched"));
    assert!(timeless(&folder.join("a.parquet")).equals_missing(&whole));
    succeeds(&format!("{sweep} 0.01,0.1,1 --seeds 4"));
    assert_eq!(rows("a.parquet"), 3 * 4 * 2);
    // One that another command has written meanwhile. The finished runs are kept.
    succeeds("sweep levy --rates 1 --seeds 3 --iterations 10 --output m.parquet");
    let long = "sweep levy --rates 1 --seeds 2 --iterations 200000 --output c.parquet".split(' ').collect::<Vec<_>>();
    let child = command(folder, &long).spawn().unwrap();
    let clock = Instant::now();
    while !folder.join("c-unfinished").exists() {
        assert!(clock.elapsed() < Duration::from_secs(60), "nothing is begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::copy(folder.join("m.parquet"), folder.join("c.parquet")).unwrap();
    let error = error_of(&child.wait_with_output().unwrap(), 1, "meanwhile");
    assert!(error.contains("(seeds 3, not 2)"), "{error}");
    succeeds("gather c-unfinished --output kept.parquet");
    assert_eq!((rows("c.parquet"), rows("kept.parquet")), (6, 4));
    // What is no result of this program is replaced, as ever.
    fs::write(folder.join("b.parquet"), "something").unwrap();
    succeeds("sweep levy --rates 1 --seeds 1 --iterations 10 --output b.parquet");
    let run = "run sphere --output r.parquet";
    succeeds(&format!("{run} --iterations 200"));
    refused(&format!("{run} --iterations 100"), "r.parquet: expected");
    refused(&format!("{run} --iterations 300 --seed 1"), "(seed 0, not 1)");
    refused("run sphere --iterations 300 --output a.parquet", "a.parquet: expected");
    refused("run sphere --iterations 100 --output t.parquet --point r-point.parquet", "r-point.parquet: expected");
    // The same computation, and another table of it.
    refused("run sphere --iterations 200 --output t.parquet --point r.parquet", "(table none, not point)");
    refused("run sphere --iterations 200 --output r-point.parquet --point t.parquet", "(table point, not none)");
    refused(
        &format!("{sweep} 0.01,0.1,1 --seeds 4 --points t.parquet").replace("a.parquet", "a-points.parquet"),
        "(table points, not none)",
    );
    for other in ["couplings --seed 0 --dimension 3", "evaluate levy --points a-points.parquet"] {
        refused(&format!("{other} --output r.parquet"), "(table none, not ");
    }
    // Values are as good as their points: those of others take their place.
    for function in ["levy --dtype f32", "levy"] {
        succeeds(&format!("evaluate {function} --points a-points.parquet --output v.parquet"));
    }
    succeeds(&format!("{run} --iterations 300 --every"));
    assert_eq!(rows("r.parquet"), 300);
    refused(&format!("{run} --iterations 300"), "(thinned false, not true)");
    // A table of a store, which grows, and of another one.
    let store = "sweep levy --iterations 50 --rates 1 --store";
    succeeds(&format!("{store} s --seeds 2 --shard 1/2"));
    succeeds("gather s --output g.parquet --traces t.parquet");
    succeeds(&format!("{store} s --seeds 3"));
    succeeds(&format!("{store} other --seeds 2"));
    succeeds("gather s --output g.parquet --traces t.parquet");
    assert_eq!(rows("g.parquet"), 6);
    refused("gather other --output g.parquet", "g.parquet: expected");
    refused("gather other --traces t.parquet", "t.parquet: expected");
    let one = files(&folder.join("s")).into_iter().find(|path| path.extension() == Some("parquet".as_ref()));
    fs::remove_file(one.unwrap()).unwrap();
    refused("gather s --output g.parquet", "(6 rows, not 4)");
    refused("gather s --traces t.parquet", "(all runs, not a part of them)");
}

#[test]
fn verify_finds_what_was_changed() {
    let folder = folder();
    let folder = folder.path();
    let expression = "sum(u^2 - 10*cos(2*pi*u) + 10)";
    fs::write(folder.join("b.csv"), "0.1\n0.2\n0.3\n").unwrap();
    for arguments in [
        &["sweep", "sphere", "--rates", "1,0.1", "--seeds", "2", "--iterations", "300", "--store", "s"][..],
        &[
            "sweep",
            "spin-glass",
            "--rates",
            "1",
            "--seeds",
            "1",
            "--iterations",
            "100",
            "--dtype",
            "f32",
            "--rule",
            "adam",
            "--store",
            "s",
        ],
        &[
            "sweep",
            "--expression",
            expression,
            "--box",
            "-5,5",
            "--rates",
            "0.01",
            "--seeds",
            "1",
            "--iterations",
            "200",
            "--store",
            "s",
        ],
        &[
            "sweep",
            "--expression",
            "sum((u - b)^2)",
            "--data",
            "b=b.csv",
            "--box",
            "-5,5",
            "--d",
            "3",
            "--rates",
            "0.1",
            "--seeds",
            "1",
            "--iterations",
            "200",
            "--schedule",
            "cosine",
            "--store",
            "s",
        ],
    ] {
        succeeds(folder, arguments);
    }
    let printed = succeeds(folder, &["verify", "s", "--again", "20"]);
    assert!(
        printed.contains("14 runs in") && printed.contains("0 of 14 missing, 14 made again bit for bit"),
        "{printed}"
    );
    let runs: Vec<PathBuf> =
        files(&folder.join("s")).into_iter().filter(|path| path.extension() == Some("parquet".as_ref())).collect();
    // Some forty bytes of a file, changed one at a time: nothing wrong is taken for right, nothing panics.
    let whole = fs::read(&runs[0]).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        fs::write(&runs[0], changed).unwrap();
        let output = overparam(folder, &["verify", "s", "--again", "0"]);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!said.contains("panicked"), "{said}");
        if output.status.success() {
            // A byte that no reader looks at.
            let table = trace::read(&runs[0]).unwrap();
            fs::write(folder.join("whole.parquet"), &whole).unwrap();
            assert!(table.equals_missing(&trace::read(&folder.join("whole.parquet")).unwrap()), "byte {at}: {said}");
        }
    }
    fs::write(&runs[0], &whole).unwrap();
    fs::remove_file(&runs[1]).unwrap();
    assert!(fails(folder, &["verify", "s"], 1).contains("runs missing"));
    assert!(fails(folder, &["verify", "b.csv"], 1).contains("b.csv"));
    fs::create_dir(folder.join("empty")).unwrap();
    assert!(fails(folder, &["verify", "empty"], 1).contains("expected a store of runs, or a folder"));
}

#[test]
fn verify_reads_the_folder_of_figures() {
    let folder = folder();
    let folder = folder.path();
    succeeds(folder, &["figures", "--quick", "--functions", "sphere,spin-glass", "--seeds", "1", "--out", "f"]);
    let printed = succeeds(folder, &["verify", "f", "--again", "5"]);
    assert!(printed.contains("0 of ") && printed.contains("5 made again bit for bit"), "{printed}");
    // Without the timed runs, beside a run that diverged.
    let tables = ["f/summary.parquet", "f/points/sphere.parquet"].map(|name| folder.join(name));
    let whole = tables.each_ref().map(|path| fs::read(path).unwrap());
    let [mut summary, mut points] = tables.each_ref().map(|path| trace::read(path).unwrap());
    let text_of = |table: &DataFrame, name: &str| -> Vec<String> {
        table.column(name).unwrap().str().unwrap().iter().map(|text| text.unwrap().to_owned()).collect()
    };
    let (stages, functions) = (text_of(&summary, "stage"), text_of(&summary, "function"));
    let row = |(stage, function): (&String, &String)| (function == "sphere", stage == "timed");
    let rows: Vec<(bool, bool)> = stages.iter().zip(&functions).map(row).collect();
    let kept: BooleanChunked = rows.iter().map(|(sphere, timed)| Some(!(*sphere && *timed))).collect();
    let swept: BooleanChunked = rows.iter().filter(|(sphere, _)| *sphere).map(|(_, timed)| Some(!timed)).collect();
    let mut outcomes = text_of(&summary, "outcome");
    outcomes[0] = "diverged".to_owned();
    summary.with_column(Column::new("outcome".into(), outcomes)).unwrap();
    (summary, points) = (summary.filter(&kept).unwrap(), points.filter(&swept).unwrap());
    for (table, path) in [&summary, &points].into_iter().zip(&tables) {
        let settings = trace::metadata(path).unwrap()["overparam.settings"].clone();
        trace::write(table, path, &settings).unwrap();
    }
    let output = overparam(folder, &["verify", "f", "--again", "0"]);
    assert!(text(&output.stdout).contains(" 2 of "), "{}{}", text(&output.stdout), text(&output.stderr));
    error_of(&output, 1, "verify");
    tables.iter().zip(whole).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    // One number of a trace, in a file that is whole.
    let path = folder.join("f/traces/sphere.parquet");
    let table = trace::read(&path).unwrap();
    let mut best: Vec<f64> = table.column("best").unwrap().f64().unwrap().iter().flatten().collect();
    best[5] *= 2.0;
    let mut changed = table.clone();
    changed.with_column(Column::new("best".into(), best)).unwrap();
    let settings = trace::metadata(&path).unwrap()["overparam.settings"].clone();
    trace::write(&changed, &path, &settings).unwrap();
    let output = overparam(folder, &["verify", "f"]);
    assert!(text(&output.stdout).contains("best rises"), "{}", text(&output.stdout));
    error_of(&output, 1, "verify");
}

#[test]
fn a_run_is_verified_on_another_instruction_set() {
    let folder = folder();
    let folder = folder.path();
    let sets = overparam::instruction_sets();
    let sweep = ["sweep", "levy", "--rates", "0.1", "--seeds", "2", "--iterations", "300", "--store", "s"];
    succeeds(folder, &sweep);
    for set in &sets {
        let printed = succeeds(folder, &["verify", "s", "--instruction-set", set]);
        let same = Some(set) == sets.last();
        let expected = if same { "3 made again bit for bit" } else { "3 on another instruction set" };
        assert!(printed.contains(expected), "{printed}");
    }
    // A store of a narrow one is verified with that.
    let narrow = [&sweep[..sweep.len() - 1], &["narrow", "--instruction-set", sets[0]]].concat();
    succeeds(folder, &narrow);
    let printed = succeeds(folder, &["verify", "narrow", "--again", "4"]);
    assert!(printed.contains("4 made again bit for bit"), "{printed}");
    // A set that is asked for is part of what a run is, and tables tell.
    for set in &sets {
        succeeds(folder, &[&sweep[..], &["--instruction-set", set]].concat());
    }
    succeeds(folder, &["gather", "s", "--output", "g.parquet"]);
    let table = trace::read(&folder.join("g.parquet")).unwrap();
    assert_eq!(table.height(), 4 * (1 + sets.len()));
    assert_eq!(table.column("instruction_set").unwrap().n_unique().unwrap(), sets.len());
}

/// A shared library that has calls fail, put before the C library's own.
const BROKEN: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Renames do not go through the C library. From the start on the kernel refuses all of them. */
__attribute__((constructor)) static void refuse_renames(void) {
    const char *wanted = getenv("BROKEN_CALL");
    if (!wanted || strcmp(wanted, "rename")) return;
#ifdef SYS_rename
    const unsigned plain = SYS_rename;
#else
    const unsigned plain = SYS_renameat2;
#endif
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, plain, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) abort();
}

static int due(const char *call, int fd) {
    static __thread int inside;
    static int left = -1;
    const char *wanted = getenv("BROKEN_CALL"), *count = getenv("BROKEN_AFTER");
    if (inside || !wanted || strcmp(wanted, call)) return 0;
    if (fd >= 0) {
        char link[64], path[4096];
        inside = 1;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        inside = 0;
        if (length < 0) return 0;
        path[length] = 0;
        if (!strstr(path, "/runs/")) return 0;
    }
    if (left < 0) left = count ? atoi(count) : 0;
    return left-- <= 0 ? (left = 0, 1) : 0;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (due("write", fd)) { errno = EIO; return -1; }
    return real(fd, bytes, length);
}

ssize_t read(int fd, void *bytes, size_t length) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "read");
    if (due("read", fd)) { errno = EIO; return -1; }
    return real(fd, bytes, length);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    if (due("fsync", fd)) { errno = EIO; return -1; }
    return real(fd);
}
"#;

#[test]
fn a_disk_that_fails_ends_with_one_line_and_loses_nothing() {
    let (folder, library) = (folder(), folder());
    let (folder, library) = (folder.path(), library.path());
    fs::write(library.join("broken.c"), BROKEN).unwrap();
    let compiled = Command::new("cc")
        .current_dir(library)
        .args(["-shared", "-fPIC", "-o", "broken.so", "broken.c", "-ldl"])
        .status()
        .expect("a C compiler is there");
    assert!(compiled.success());
    // Long enough that several files are written.
    let longer = SWEEP.map(|word| if word == "2000" { "8000" } else { word });
    let sweep = |store: &'static str| [&longer[..], &["--store", store]].concat();
    let broken = |arguments: &[&str], call: &str, after: u32| {
        let mut command = command(folder, arguments);
        command
            .env("LD_PRELOAD", library.join("broken.so"))
            .env("BROKEN_CALL", call)
            .env("BROKEN_AFTER", after.to_string());
        command.output().unwrap()
    };
    succeeds(folder, &sweep("whole"));
    succeeds(folder, &["gather", "whole", "--output", "whole.parquet"]);
    for (call, after) in [("write", 0), ("write", 2), ("fsync", 0), ("fsync", 3)] {
        let _ = fs::remove_dir_all(folder.join("s"));
        let output = broken(&sweep("s"), call, after);
        let error = error_of(&output, 1, call);
        assert!(error.contains("Input/output error") && error.contains("s/"), "{call}: {error}");
        // What is there is whole.
        let report = text(&overparam(folder, &["verify", "s", "--again", "0"]).stdout);
        assert!(report.lines().count() == 1, "{call}: {report}");
        succeeds(folder, &sweep("s"));
        succeeds(folder, &["verify", "s"]);
    }
    // Renaming, where a part of the runs is there already: what is there stays, and no other file appears.
    let _ = fs::remove_dir_all(folder.join("s"));
    succeeds(folder, &[&sweep("s")[..], &["--shard", "1/4"]].concat());
    let before = files(&folder.join("s")).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect::<Vec<_>>();
    for arguments in [&[&sweep("s")[..], &["--shard", "2/4"]].concat()[..], &["gather", "s", "--output", "g.parquet"]] {
        let error = error_of(&broken(arguments, "rename", 0), 1, "rename");
        assert!(error.contains("Input/output error"), "{error}");
        assert!(!folder.join("g.parquet").exists() && strays(folder).is_empty(), "{:?}", strays(folder));
    }
    for (bytes, path) in &before {
        assert!(fs::read(path).unwrap() == *bytes, "{}", path.display());
    }
    let runs = |path: &PathBuf| path.extension() == Some("parquet".as_ref());
    let there = before.iter().filter(|(_, path)| runs(path)).count();
    assert_eq!(files(&folder.join("s")).iter().filter(|path| runs(path)).count(), there);
    succeeds(folder, &sweep("s"));
    succeeds(folder, &["verify", "s"]);
    // Reading fails as well.
    for arguments in [&["gather", "s", "--output", "g.parquet"][..], &["verify", "s"]] {
        let output = broken(arguments, "read", 0);
        error_of(&output, 1, "read");
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(said.contains("Input/output error") || said.contains("cannot be read"), "{said}");
        assert!(!folder.join("g.parquet").exists());
    }
    succeeds(folder, &["gather", "s", "--output", "g.parquet"]);
    assert_same(&folder.join("g.parquet"), &folder.join("whole.parquet"), "after errors");
}

/// A file system of its own, in memory, that goes with this value.
struct Mounted(PathBuf);

impl Mounted {
    fn new(path: PathBuf, size: &str) -> Self {
        fs::create_dir_all(&path).unwrap();
        let options = format!("size={size},mode=0777");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).status();
        assert!(mounted.expect("mount is there").success());
        Self(path)
    }

    /// Mounts it once more with these options, as soon as nobody writes.
    fn again(&self, options: &str) {
        let clock = Instant::now();
        loop {
            let mut mount = Command::new("mount");
            mount.args(["-o", &format!("remount,{options}")]).arg(&self.0).stderr(Stdio::null());
            if mount.status().unwrap().success() {
                return;
            }
            assert!(clock.elapsed() < Duration::from_secs(60), "the file system stays busy");
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_and_one_that_becomes_read_only_end_with_one_line_and_lose_nothing() {
    let folder = folder();
    let folder = folder.path();
    let sweep = [&SWEEP[..], &["--store", "small/s"]].concat();
    let whole = [&SWEEP[..], &["--store", "whole"]].concat();
    succeeds(folder, &whole);
    succeeds(folder, &["gather", "whole", "--output", "whole.parquet"]);
    let small = Mounted::new(folder.join("small"), "200k");
    let error = fails(folder, &sweep, 1);
    assert!(error.contains("No space left on device"), "{error}");
    // Every process on it.
    let children: Vec<Child> = (0..5).map(|_| command(folder, &sweep).spawn().unwrap()).collect();
    for child in children {
        let error = error_of(&child.wait_with_output().unwrap(), 1, "one of five");
        assert!(error.contains("No space left on device"), "{error}");
    }
    let report = text(&overparam(folder, &["verify", "small/s", "--again", "0"]).stdout);
    assert_eq!(report.lines().count(), 1, "what is there is whole: {report}");
    small.again("size=100m");
    // Longer runs, which come one by one.
    let long = [
        "sweep",
        "levy",
        "--rates",
        "0.1,0.01",
        "--seeds",
        "20",
        "--iterations",
        "20000",
        "--store",
        "small/s",
        "--jobs",
        "1",
    ];
    let child = command(folder, &long).spawn().unwrap();
    let before = files(&small.0).len();
    let clock = Instant::now();
    while files(&small.0).len() < before + 4 {
        assert!(clock.elapsed() < Duration::from_secs(60), "nothing is written");
        std::thread::sleep(Duration::from_millis(10));
    }
    small.again("ro");
    let error = error_of(&child.wait_with_output().unwrap(), 1, "read-only");
    assert!(error.contains("Read-only file system"), "{error}");
    let error = fails(folder, &long, 1);
    assert!(error.contains("Read-only file system"), "{error}");
    // Reading needs no writing.
    assert!(overparam(folder, &["gather", "small/s", "--output", "g.parquet"]).status.success());
    small.again("rw");
    succeeds(folder, &sweep);
    succeeds(folder, &long);
    succeeds(folder, &["verify", "small/s"]);
    assert_eq!(strays(folder), Vec::<PathBuf>::new());
}

#[test]
#[ignore = "needs root"]
fn a_trace_that_the_disk_has_no_room_for_is_thinned() {
    let folder = folder();
    let small = Mounted::new(folder.path().join("small"), "400k");
    let path = small.0.join("r.parquet");
    let run = ["run", "sphere", "--every", "--seconds", "2", "--rate", "1e-3", "--output", "small/r.parquet"];
    let output = overparam(folder.path(), &run);
    let error = text(&output.stderr);
    assert!(
        output.status.success() && error.contains("the disk has no room for a trace of every iteration"),
        "{error}"
    );
    let table = trace::read(&path).unwrap();
    let iterations: Vec<u64> = table.column("iteration").unwrap().u64().unwrap().into_no_null_iter().collect();
    assert!(iterations.is_sorted_by(|a, b| a < b) && iterations[..10] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(iterations.len() < 5_000 && iterations[iterations.len() - 1] > 20_000, "{:?}", iterations.last());
    assert_eq!(trace::metadata(&path).unwrap()["overparam.thinned_from"], "0");
    assert!(small.0.join("r-point.parquet").is_file() && strays(&small.0).is_empty());
}
