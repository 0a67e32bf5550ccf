//! `overparam time`, and the memory that its processes take.

use overparam::prelude::*;
use serde_json::{Value, json};
use std::process::{Command, Output};
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
        ("dimensions", json!({"n": 10, "k": 5, "widths": [5], "d": 10})),
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
fn bad_settings_of_time_are_refused() {
    let timed = ["time", "--function", "levy", "--optimizer", "deep"];
    assert!(
        refused(&[&timed[..], &["--repeats", "0"]].concat(), 2).contains("the number of repeats must be 1 or more")
    );
    assert!(refused(&["time", "--function", "levi", "--optimizer", "deep"], 2).contains("did you mean 'levy'"));
}

#[cfg(unix)]
#[test]
fn a_run_that_diverges_is_not_timed() {
    let folder = tempfile::tempdir().unwrap();
    let output = overparam(&folder, &["time", "--function", "sphere", "--optimizer", "deep", "--rate", "1e300"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("which diverges at iteration"), "{}", text(&output.stderr));
}

/// Whether a shape fits into memory is decided by a formula. Here it is held to what processes take of the system.
#[cfg(target_os = "linux")]
#[test]
fn a_plan_counts_the_memory_that_a_run_takes() {
    let smallest = ["--function=sphere", "--optimizer=shallow", "--iterations=1", "--repeats=1", "--n=10", "--d=10"];
    let idle = time(&smallest)["peak_memory_bytes"].as_u64().unwrap();
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
