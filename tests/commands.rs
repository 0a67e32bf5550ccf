//! `overparam time` and `overparam bench`, with programs that stand in for those that it compares with; the measurements at
//! growing shapes, which start processes of `overparam time`; and how much memory such a process takes.

use overparam::bench::scaling::{Point, Series, idle_memory};
use overparam::prelude::*;
use overparam::trace;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const OVERPARAM: &str = env!("CARGO_BIN_EXE_overparam");

fn overparam(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(OVERPARAM).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The line that `overparam time` prints.
fn time(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = overparam(&folder, &[&["time"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line = text(&output.stdout);
    assert_eq!(line.lines().count(), 1, "{line}");
    serde_json::from_str(&line).unwrap()
}

#[test]
fn time_prints_one_line_of_json() {
    let timed = |optimizer, dtype| {
        let given = ["--function", "levy", "--optimizer", optimizer, "--dtype", dtype, "--iterations", "200"];
        time(&[&given[..], &["--repeats", "3", "--n", "10", "--d", "10", "--k", "5", "--hidden", "5"]].concat())
    };
    let (deep, shallow) = (timed("deep", "f64"), timed("shallow", "f32"));
    let expected = [
        ("function", json!("levy")),
        ("optimizer", json!("deep")),
        ("dtype", json!("f64")),
        ("dimensions", json!({"n": 10, "k": 5, "hidden": 5, "layers": 1, "d": 10})),
        ("iterations", json!(200)),
        ("repeats", json!(3)),
        ("instruction_set", json!(overparam::instruction_set())),
    ];
    for (name, value) in expected {
        assert_eq!(deep[name], value, "{name}");
    }
    let settings: Settings = serde_json::from_value(deep["settings"].clone()).unwrap();
    assert_eq!(settings, Protocol::paper().settings(Function::Levy).learning_rate(1e-3).iterations(200));
    assert_eq!((&shallow["optimizer"], &shallow["dtype"]), (&json!("shallow"), &json!("f32")));
    for line in [&deep, &shallow] {
        let number = |name: &str| line[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {line}"));
        assert!(0.0 < number("least_us_per_iteration"), "{line}");
        assert!(number("least_us_per_iteration") <= number("us_per_iteration"), "{line}");
        let speed = number("flop_per_iteration") / number("us_per_iteration") * 1e-3;
        assert!((number("gflop_per_s") / speed - 1.0).abs() < 1e-12, "{line}");
        assert!(number("peak_memory_bytes") > 1e6, "{line}");
    }
    // The network: three products a layer, of a multiplication and an addition each.
    let flop = |line: &Value| line["flop_per_iteration"].as_u64().unwrap();
    assert_eq!(flop(&deep) - flop(&shallow), 6 * 10 * (5 * 5 + 5 * 10));
}

/// The errors of a command, which must be one line after exit code `code`.
fn refused(arguments: &[&str], code: i32) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = overparam(&folder, arguments);
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(code), 1), "{arguments:?}: {error}");
    assert!(error.len() < 1_000 && !error.trim_end().contains(char::is_control), "{arguments:?}: {error:?}");
    error
}

#[test]
fn bad_settings_of_time_and_bench_are_refused() {
    let timed = ["time", "--function", "levy", "--optimizer", "deep"];
    assert!(
        refused(&[&timed[..], &["--repeats", "0"]].concat(), 2).contains("the number of repeats must be 1 or more")
    );
    assert!(refused(&["time", "--function", "levi", "--optimizer", "deep"], 2).contains("did you mean 'levy'"));
    for seconds in ["0", "-1", "NaN", "inf", "1e300"] {
        let error = refused(&["bench", "--peer-timeout", seconds], 2);
        assert!(error.contains("the peer timeout must be a positive finite number of seconds"), "{error}");
    }
}

/// A peer with prepared answers: what this program finds, moved by `error`, and times of 1 and 2 ms an iteration.
#[cfg(unix)]
fn peer(folder: &Path, error: f64) -> String {
    let protocol = Protocol { dtype: Dtype::F64, ..Protocol::paper() };
    let mut cases = String::new();
    for function in [Function::Rastrigin, Function::Sphere, Function::SpinGlass] {
        for optimizer in Optimizer::ALL {
            let settings = protocol.settings(function).learning_rate(0.01).iterations(100);
            let run = protocol.run(function, optimizer, 0, &Settings { thinned: false, ..settings }).unwrap();
            let last = run.samples.last().unwrap();
            let found = json!({"best": last.best, "min_last": last.min, "mean_last": last.mean + error,
                "peak_memory_bytes": 4096, "versions": {"fake": "1.0"}});
            let pattern = format!(r#"*'"function":"{function}","optimizer":"{optimizer}"'*)"#);
            cases.push_str(&format!("    {pattern} rest='{}' ;;\n", found.to_string().trim_start_matches('{')));
        }
    }
    let path = folder.join("a peer.sh");
    let script = format!(
        "while read -r line; do\n  case $line in *'\"repeats\":1,'*) times=1000.0 ;; *) times=1000.0,2000.0 ;; esac\n  \
         case $line in\n{cases}  esac\n  echo \"{{\\\"us_per_iteration\\\":[$times],$rest\"\ndone\n"
    );
    std::fs::write(&path, script).unwrap();
    format!("sh '{}'", path.display())
}

#[cfg(unix)]
#[test]
fn a_run_that_diverges_is_not_timed() {
    let folder = tempfile::tempdir().unwrap();
    let output = overparam(&folder, &["time", "--function", "sphere", "--optimizer", "deep", "--rate", "1e300"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("which diverges at iteration"), "{}", text(&output.stderr));
}

#[test]
fn bench_compares_with_a_peer_that_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let output = overparam(&folder, &["bench", "--quick", "--jax", &peer(folder.path(), 0.0), "--out", "out"]);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    assert!(printed.contains("PyTorch eager is left out: --torch does not say how to start it"), "{printed}");
    assert_eq!(printed.matches("| JAX 1500.0 (").count(), 12, "{printed}");
    let table = trace::read(&folder.path().join("out/bench-quick-jax.parquet")).unwrap();
    assert_eq!(table.height(), 24, "three functions, two optimizers, two dtypes, two programs");
    let words = |name: &str| -> Vec<String> {
        table.column(name).unwrap().str().unwrap().iter().map(|word| word.unwrap().to_owned()).collect()
    };
    let numbers =
        |name: &str| -> Vec<f64> { table.column(name).unwrap().f64().unwrap().iter().map(Option::unwrap).collect() };
    let (programs, versions) = (words("program"), words("version"));
    let (times, least) = (numbers("us_per_iteration"), numbers("least_us_per_iteration"));
    let (ratios, least_ratios) = (numbers("ratio"), numbers("least_ratio"));
    for row in (0..24).step_by(2) {
        assert_eq!(programs[row..row + 2], ["overparam", "JAX"]);
        assert_eq!(versions[row..row + 2], [env!("CARGO_PKG_VERSION"), "fake 1.0"]);
        assert_eq!((times[row + 1], least[row + 1], ratios[row]), (1500.0, 1000.0, 1.0));
        assert_eq!((ratios[row + 1], least_ratios[row + 1]), (1500.0 / times[row], 1000.0 / least[row]));
    }
    assert!(folder.path().join("out/figures/bench-quick-jax.html").exists());
}

#[cfg(unix)]
#[test]
fn bench_refuses_a_peer_that_does_not_do_what_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let bench = |peer: &str, seconds: &str| {
        let clock = Instant::now();
        let error = refused(&["bench", "--quick", "--torch", peer, "--peer-timeout", seconds], 1);
        assert!(clock.elapsed() < Duration::from_secs(60), "{:?}", clock.elapsed());
        error
    };
    let error = bench(&peer(folder.path(), 1e-6), "600");
    assert!(error.contains("PyTorch eager: after 100 iterations of rastrigin, shallow, f64 its mean is"), "{error}");
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
fn peers_do_not_outlive_a_bench_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let peer = "sleep 600 & echo $$ $! >ids.new; mv ids.new ids; sleep 600; sleep 600";
    let mut bench = Command::new(OVERPARAM);
    bench.current_dir(&folder).args(["bench", "--quick", "--jax", peer]);
    let mut bench = bench.stdout(std::process::Stdio::null()).spawn().unwrap();
    let clock = Instant::now();
    let until = |done: &dyn Fn() -> bool, what: &str| {
        while !done() {
            assert!(clock.elapsed() < Duration::from_secs(120), "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let ids = folder.path().join("ids");
    until(&|| ids.exists(), "the peer does not start");
    let ids = std::fs::read_to_string(ids).unwrap();
    let ends =
        |id: &str| std::fs::read_to_string(format!("/proc/{id}/stat")).map_or(true, |stat| stat.contains(") Z "));
    assert!(ids.split_whitespace().count() == 2 && !ids.split_whitespace().any(ends), "{ids}");
    bench.kill().unwrap();
    bench.wait().unwrap();
    until(&|| ids.split_whitespace().all(ends), "the peer is alive");
}

#[test]
fn a_series_is_measured_in_processes_of_its_own() {
    let shape = |d| Dimensions { d, ..Dimensions::PAPER };
    let shapes = vec![shape(50), shape(1_000)];
    let series = Series { name: "d".to_owned(), function: Function::Sphere, optimizer: Optimizer::Shallow, shapes };
    let mut reported = Vec::new();
    let points = series
        .measure(Path::new(OVERPARAM), Dtype::F64, &mut |point| reported.push((point.dimensions, point.times)))
        .unwrap();
    assert_eq!(reported, points.iter().map(|point| (point.dimensions, point.times)).collect::<Vec<_>>());
    let [small, large] = &points[..] else { panic!("{points:?}") };
    for (point, d) in [(small, 50), (large, 1_000)] {
        assert_eq!((point.dimensions.d, point.data_bytes), (d, 8 * 2 * 50 * d as u64));
        assert!(point.times.least > 0.0 && point.times.least <= point.times.median, "{point:?}");
        // Two processes do at most twice as much as one, but for noise.
        assert!(point.us_side_by_side > 0.25 * point.times.least, "{point:?}");
        let idle = idle_memory(Path::new(OVERPARAM)).unwrap().unwrap_or_default();
        assert!(point.peak_memory_bytes.is_none_or(|bytes| bytes + (1 << 20) > idle), "{point:?}");
    }
    assert_eq!(large.flop_per_iteration as f64 / small.flop_per_iteration as f64, 20.0);
    assert!((0.5..1.5).contains(&Point::growth(&points).exponent), "{:?}", Point::growth(&points));

    let fails = |program: &str| series.measure(Path::new(program), Dtype::F64, &mut |_| {}).unwrap_err().to_string();
    assert!(fails("no-such-program").starts_with("overparam time: cannot start no-such-program"));
    assert!(fails("false").starts_with("overparam time: it failed (exit status: 1)"));
    assert!(fails("true").starts_with("overparam time: expected JSON"));
}

/// Whether a shape fits into memory is decided by a formula. Here it is held to what processes take of the system.
#[cfg(target_os = "linux")]
#[test]
fn a_plan_counts_the_memory_that_a_run_takes() {
    let idle = idle_memory(Path::new(OVERPARAM)).unwrap().unwrap();
    let paper = Dimensions::PAPER;
    let [descent, .., adam, _, lbfgs] = Rule::ALL;
    for (function, optimizer, dimensions, iterations, rule) in [
        (Function::Rastrigin, Optimizer::Shallow, Dimensions { d: 100_000, ..paper }, 2, descent),
        (Function::Rastrigin, Optimizer::Deep, Dimensions { d: 100_000, ..paper }, 2, descent),
        (Function::Sphere, Optimizer::Deep, Dimensions { n: 10_000, ..paper }, 130, descent),
        (Function::SpinGlass, Optimizer::Shallow, Dimensions { d: 400, ..paper }, 2, descent),
        (Function::Rastrigin, Optimizer::Shallow, Dimensions { d: 50_000, ..paper }, 3, adam),
        (Function::Rastrigin, Optimizer::Deep, Dimensions { d: 50_000, ..paper }, 3, adam),
        (Function::Rastrigin, Optimizer::Shallow, Dimensions { d: 10_000, ..paper }, 25, lbfgs),
    ] {
        let settings = Settings::default().rule(rule).iterations(iterations);
        let sweep = Sweep {
            problem: function.into(),
            dimensions,
            rates: vec![1e-3],
            seeds: vec![0],
            optimizers: vec![optimizer],
            settings,
        };
        let planned = sweep.plan::<f64>(Backend::Cpu).unwrap().needed as f64;
        let sizes =
            [format!("--n={}", dimensions.n), format!("--d={}", dimensions.d), format!("--iterations={iterations}")];
        let rule_option = format!("--rule={rule}");
        let sizes: Vec<&str> = sizes.iter().chain([&rule_option]).map(String::as_str).collect();
        let given =
            ["--function", function.name(), "--optimizer", optimizer.name(), "--dtype", "f64", "--repeats", "1"];
        let taken =
            time(&[&given[..], &sizes].concat())["peak_memory_bytes"].as_u64().unwrap().saturating_sub(idle) as f64;
        println!("{function}, {optimizer}, {rule}, {dimensions}: {planned:e} bytes planned, {taken:e} taken");
        assert!(
            taken <= 1.1 * planned + 4e6,
            "{function}, {optimizer}, {dimensions}: {taken:e} of {planned:e} bytes planned"
        );
        assert!(
            planned <= 2.0 * taken + 4e6,
            "{function}, {optimizer}, {dimensions}: only {taken:e} of {planned:e} bytes"
        );
    }
}
