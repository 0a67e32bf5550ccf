//! Objectives of one's own on the command line.

use overparam::prelude::*;
use overparam::trace;
use polars::prelude::Column;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const OVERPARAM: &str = env!("CARGO_BIN_EXE_overparam");

const RASTRIGIN: &str = "sum(u^2 - 10*cos(2*pi*u) + 10)";

/// Small runs.
const SMALL: [&str; 8] = ["--n", "8", "--d", "6", "--hidden", "4", "--k", "4"];

fn overparam(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(OVERPARAM).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The standard output of a command that must succeed.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = overparam(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The message of a command that is refused as one that was not understood, which leaves nothing behind.
fn refused(arguments: &[&str]) -> String {
    let folder = folder();
    refused_in(folder.path(), arguments, 2, 0)
}

fn refused_in(folder: &Path, arguments: &[&str], code: i32, files: usize) -> String {
    let output = overparam(folder, arguments);
    let message = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), String::new()), "{arguments:?}: {message}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), files, "{arguments:?} leaves files");
    message
}

/// A number of the table that `overparam evaluate` wrote.
fn numbers(table: &DataFrame, name: &str) -> Vec<f64> {
    let column: &Column = table.column(name).unwrap();
    column.f64().unwrap().iter().map(Option::unwrap).collect()
}

#[test]
fn expressions_are_evaluated_as_the_functions_that_they_are() {
    let folder = folder();
    std::fs::write(folder.path().join("points.csv"), "x0,x1,x2\n0.5,0.5,0.5\n0.25,0.75,0.1\n1,0,0.125\n").unwrap();
    let evaluate = |objective: &[&str], output: &str| {
        let files = ["--points", "points.csv", "--output", output];
        printed(folder.path(), &[&["evaluate"], objective, &files].concat());
        trace::read(&folder.path().join(output)).unwrap()
    };
    let function = evaluate(&["rastrigin"], "function.parquet");
    let [lo, hi] = Problem::from(Function::Rastrigin).range(3).unwrap();
    let range = format!("{lo},{hi}");
    let expression = ["--expression", RASTRIGIN, "--box", "-5.12,5.12", "--range", &range, "--name", "own"];
    let expression = evaluate(&expression, "expression.parquet");
    for name in ["raw", "scaled", "g0", "g1", "g2", "x0", "u2"] {
        for (a, b) in numbers(&function, name).into_iter().zip(numbers(&expression, name)) {
            assert!((a - b).abs() <= 1e-11 * a.abs().max(1.0), "{name}: {a}, {b}");
        }
    }
    // Without a range it is not scaled.
    let raw = evaluate(&["--expression", RASTRIGIN, "--box=-5.12,5.12"], "raw.parquet");
    assert_eq!(numbers(&raw, "raw"), numbers(&raw, "scaled"));
    // The file says what it is of.
    let metadata = trace::metadata(&folder.path().join("expression.parquet")).unwrap();
    let settings: Value = serde_json::from_str(&metadata["overparam.settings"]).unwrap();
    assert_eq!(settings["function"], "own");
    assert_eq!(settings["expression"]["text"], RASTRIGIN);
    assert_eq!(settings["expression"]["box"], serde_json::json!([-5.12, 5.12]));
}

#[test]
fn expressions_are_run_swept_timed_and_listed() {
    let folder = folder();
    let objective = ["--expression", RASTRIGIN, "--box", "-5.12,5.12", "--range", "0,300"];
    let with = |command: &str, rest: &[&str]| {
        let arguments = [&[command][..], &objective, rest].concat();
        printed(folder.path(), &arguments)
    };
    for optimizer in ["shallow", "deep"] {
        for dtype in ["f32", "f64"] {
            let rest = ["--optimizer", optimizer, "--dtype", dtype, "--iterations", "30", "--name", "own"];
            let found = with("run", &[&rest[..], &SMALL].concat());
            assert!(found.contains("own"), "{found}");
        }
    }
    let runs = folder.path().join("data/runs");
    // The digits tell it from other expressions of the same name.
    let names: Vec<String> =
        std::fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let is_own =
        |name: &String| name.starts_with("own-") && name.ends_with("-deep-0-n-8-d-6-widths-4-iterations-30.parquet");
    assert_eq!(names.iter().filter(|name| is_own(name)).count(), 1, "{names:?}");
    let swept = with(
        "sweep",
        &[&["--rates", "1,0.1", "--seeds", "2", "--iterations", "20", "--jobs", "1"][..], &SMALL].concat(),
    );
    assert_eq!(
        swept.lines().filter(|line| line.starts_with("shallow") || line.starts_with("deep")).count(),
        4,
        "{swept}"
    );
    let sweeps: Vec<_> = std::fs::read_dir(folder.path().join("data/sweeps")).unwrap().collect();
    let named = |entry: &std::io::Result<std::fs::DirEntry>| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("expression-")
    };
    assert!(sweeps.len() == 2 && sweeps.iter().all(named), "{sweeps:?}");
    let batched = ["--batched", "--rates", "1", "--seeds", "1", "--iterations", "20", "--name", "batch"];
    assert!(with("sweep", &[&batched[..], &SMALL].concat()).contains("best first"));
    let timed = with("time", &[&["--optimizer", "deep", "--iterations", "50", "--repeats", "1"][..], &SMALL].concat());
    let timed: Value = serde_json::from_str(&timed).unwrap();
    assert!(timed["flop_per_iteration"].as_u64().unwrap() > 0 && timed["expression"]["text"] == RASTRIGIN, "{timed}");
    let listed = with("list", &["--d", "4"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 5, "{listed}");
    assert!(lines[0].starts_with("name        expression-") && lines[1] == "box         [-5.12, 5.12]^4", "{listed}");
    let range: Vec<f64> =
        lines[4].split_whitespace().filter_map(|word| word.trim_end_matches(',').parse().ok()).collect();
    // Rastrigin of four coordinates goes from 0 to 161.4.
    assert!(range[0] >= -1e-9 && range[0] < 40.0 && range[1] > 120.0 && range[1] < 161.5, "{listed}");
    assert!(lines[4].ends_with("an estimate by sampling and steps along the gradient"), "{listed}");
}

#[test]
fn data_comes_from_csv_and_parquet() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("points.csv", "u0,u1\n1,2\n0.5,-1\n");
    write("matrix.csv", "1,2\n3,4\n5,6.5\n");
    write("named.csv", "# a comment\na;b\n1;2\n3;4\n5;6.5\n");
    write("indexed.csv", ",a,b\n0,1,2\n1,3,4\n2,5,6.5\n");
    write("blanks.csv", "1 2\r\n3 4\r\n5 6.5\r\n");
    write("vector.csv", "v\n1\n-1\n0.5\n");
    let table =
        DataFrame::new(3, vec![Column::new("a".into(), [1i32, 3, 5]), Column::new("b".into(), [2.0f64, 4.0, 6.5])])
            .unwrap();
    trace::write(&table, &folder.path().join("matrix.parquet"), "{}").unwrap();
    for matrix in ["matrix.csv", "named.csv", "indexed.csv", "blanks.csv", "matrix.parquet"] {
        let matrix = format!("A={matrix}");
        let arguments = ["evaluate", "--expression", "sum((A @ u - v)^2)", "--box", "-3,3", "--data", &matrix];
        let files = ["--data", "v=vector.csv", "--points", "points.csv", "--output", "found.parquet"];
        printed(folder.path(), &[&arguments[..], &files].concat());
        let found = numbers(&trace::read(&folder.path().join("found.parquet")).unwrap(), "raw");
        // (5 - 1, 11 + 1, 18 - 0.5), (-1.5 - 1, -2.5 + 1, -4 - 0.5)
        assert!((found[0] - 466.25).abs() < 1e-9 && (found[1] - 28.75).abs() < 1e-9, "{matrix}: {found:?}");
    }
}

#[test]
fn files_of_other_things_than_numbers_are_refused() {
    let folder = folder();
    let refused = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        let data = format!("A={name}");
        let arguments = ["list", "--expression", "sum(A @ u)", "--box", "0,1", "--data", &data];
        let message = refused_in(folder.path(), &arguments, 1, 1);
        std::fs::remove_file(folder.path().join(name)).unwrap();
        message
    };
    let cases = [
        ("", "expected at least one number, and there is none"),
        ("# nothing\n", "expected at least one number, and there is none"),
        ("a,b\n", "expected at least one number, and there is none"),
        ("1,2\n3,NaN\n", "column 2, row 2 (line 2): expected a finite number, not NaN"),
        ("a,b\n3,1\n-inf,2\n", "column a, row 2 (line 3): expected a finite number, not -inf"),
        ("a,b\n3,1\n4,\n", "column b, row 2 (line 3): expected a number, and the value is missing"),
        ("1,2\n3,x\n", "column 2, row 2 (line 2): expected a number, not 'x'"),
        ("1,2\n3\n", "line 2 has 1 value, and the line of names has 2 names: expected one value for every name"),
        (
            "1;2\n0,5;1\n",
            "column 1, row 2 (line 2): '0,5' has a decimal comma, and the columns are separated by semicolons: \
                          expected decimal points, and commas between columns",
        ),
        ("PAR1", "expected a CSV file, and this is a Parquet file: name it .parquet"),
    ];
    for (text, problem) in cases {
        assert_eq!(refused("data.csv", text), format!("error: data.csv: {problem}\n"), "{text:?}");
    }
    assert!(refused("data.txt", "1\n").contains("data.txt: expected a file named .parquet or .csv"));
    let table = DataFrame::new(2, vec![Column::new("a".into(), [Some(1.0), None])]).unwrap();
    let parquet = |table: &DataFrame| {
        trace::write(table, &folder.path().join("data.parquet"), "{}").unwrap();
        let arguments = ["list", "--expression", "sum(A @ u)", "--box", "0,1", "--data", "A=data.parquet"];
        refused_in(folder.path(), &arguments, 1, 1)
    };
    let expected = "error: data.parquet: column 'a', row 2: expected a number, and the value is missing\n";
    assert_eq!(parquet(&table), expected);
    let table = DataFrame::new(2, vec![Column::new("a".into(), [1.0, f64::NAN])]).unwrap();
    assert_eq!(parquet(&table), "error: data.parquet: column 'a', row 2: expected a finite number, not NaN\n");
    let table = DataFrame::new(1, vec![Column::new("a".into(), ["one"])]).unwrap();
    assert_eq!(parquet(&table), "error: data.parquet: column 'a' is text: expected numbers\n");
    let missing = ["list", "--expression", "sum(u)", "--box", "0,1", "--data", "A=missing.csv"];
    assert!(refused_in(folder.path(), &missing, 1, 1).contains("cannot read missing.csv"));
}

#[test]
fn mistakes_in_an_expression_are_shown_in_its_text() {
    let shown = |text: &str| refused(&["run", "--expression", text, "--box", "-1,1", "--d", "5"]);
    // One of a word, one of the grammar, one of shapes: all of them are in the tests of the parser.
    let cases = [
        ("sum(u^2 - 10*cso(2*pi*u))", "unknown function 'cso': did you mean 'cos'?", 13..16),
        ("sum(u) +", "expected a number, a name, a function or '(', found the end", 8..9),
        (
            "sum(u[1:] - u)",
            "the difference of a vector of 4 and a vector of 5: the shapes must be the same, or one a scalar",
            10..11,
        ),
    ];
    for (text, problem, place) in cases {
        let expected =
            format!("error: {problem}\n  {text}\n  {}{}\n", " ".repeat(place.start), "^".repeat(place.len()));
        assert_eq!(shown(text), expected);
    }
    assert_eq!(shown(""), "error: expected a number, a name, a function or '(', found nothing\n");
    let deep = format!("{}u[0]{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(shown(&deep).starts_with("error: the expression is nested more than 200 deep: name parts of it\n"));
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let line = |arguments: &[&str]| {
        let message = refused(arguments);
        assert_eq!(message.lines().count(), 1, "{message}");
        message.trim_end().to_owned()
    };
    let expression = ["run", "--expression", "sum(u)"];
    let with = |rest: &[&str]| line(&[&expression[..], rest].concat());
    assert_eq!(with(&[]), "error: --box must be given as LO,HI with an --expression, not left out");
    let ends = "must be two finite numbers LO,HI with LO < HI and a finite difference";
    assert_eq!(with(&["--box", "2,-1"]), format!("error: --box {ends}, not 2,-1"));
    assert_eq!(with(&["--box", "1,1"]), format!("error: --box {ends}, not 1,1"));
    assert_eq!(with(&["--box", "-1,inf"]), format!("error: --box {ends}, not -1,inf"));
    assert_eq!(with(&["--box", "-1,1", "--range", "3,2"]), format!("error: --range {ends}, not 3,2"));
    assert!(with(&["--box", "-1"]).contains("expected two numbers LO,HI such as -5.12,5.12"));
    assert!(with(&["--box", "--range", "0,1"]).contains("expected two numbers LO,HI such as -5.12,5.12"));
    let boxed = |rest: &[&str]| with(&[&["--box", "-1,1"], rest].concat());
    let other = "error: --name must be another name than that of a built-in function, not 'levy'";
    assert_eq!(boxed(&["--name", "levy"]), other);
    let letters = "error: --name must be of at most 60 letters, digits, -, _ and .";
    assert_eq!(boxed(&["--name", "a/b"]), format!("{letters}, not 'a/b'"));
    assert_eq!(boxed(&["--name", ""]), format!("{letters}, not ''"));
    assert!(boxed(&["--data", "A"]).contains("expected NAME=FILE such as A=matrix.csv"));
    let both = "error: the objective must be either a function or an --expression, not both 'levy' and an expression";
    assert_eq!(boxed(&["levy"]), both);
    let none =
        "error: the objective must be a function, see `overparam list`, or --expression TEXT --box LO,HI, not none";
    assert_eq!(line(&["run"]), none);
    assert_eq!(line(&["sweep"]), none);
    let alone =
        "error: the objective must be an --expression; --box, --range, --name and --data are for one alone, not --box";
    assert_eq!(line(&["run", "levy", "--box", "-1,1"]), alone);
    assert_eq!(line(&["list", "--box", "-1,1"]), alone);
}

#[test]
fn names_of_data_are_refused_where_they_are_taken() {
    let folder = folder();
    std::fs::write(folder.path().join("v.csv"), "1\n2\n").unwrap();
    let named = |names: &[&str]| {
        let data: Vec<String> = names.iter().map(|name| format!("--data={name}=v.csv")).collect();
        let data: Vec<&str> = data.iter().map(String::as_str).collect();
        let objective = ["run", "--expression", "sum(u)", "--box", "0,1"];
        refused_in(folder.path(), &[&objective[..], &data].concat(), 2, 1)
    };
    assert_eq!(named(&["A", "B", "A"]), "error: the name of data must be different for each, not A twice\n");
    assert_eq!(named(&["u"]), "error: the name of data must be one that has no meaning in expressions, not u\n");
    assert_eq!(named(&["sum"]), "error: the name of data must be one that has no meaning in expressions, not sum\n");
    assert_eq!(named(&["2"]), "error: the name of data must be a letter, then letters, digits and _, not 2\n");
}

#[test]
fn a_division_by_zero_at_the_start_is_a_run_that_diverged() {
    let folder = folder();
    let objective = ["run", "--expression", "sum(1 / (u - u))", "--box", "-1,1", "--iterations", "10"];
    let found = printed(folder.path(), &[&objective[..], &SMALL].concat());
    assert!(found.contains("diverged"), "{found}");
}

#[test]
fn what_is_written_never_replaces_data_or_another_objective() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("b.csv", "b\n1\n0.5\n");
    write("p.csv", "u0,u1\n0.5,0.25\n");
    let apart = ["--expression", "sum((u-b)^2)", "--box=-1,1", "--data", "b=b.csv"];
    for rest in [
        &["evaluate", "--points", "p.csv", "--output", "b.parquet.csv"][..],
        &["run", "--d", "2", "--iterations", "5", "--output", "o.json"],
    ] {
        let output = overparam(folder.path(), &[rest, &apart].concat());
        assert!(!output.status.success() && text(&output.stderr).contains("named .parquet"), "{output:?}");
    }
    // A link to the data is the data.
    #[cfg(unix)]
    std::os::unix::fs::symlink("b.csv", folder.path().join("link.parquet")).unwrap();
    #[cfg(unix)]
    for rest in [
        &["evaluate", "--points", "p.csv", "--output", "link.parquet"][..],
        &["run", "--d", "2", "--iterations", "5", "--point", "link.parquet"],
        &["sweep", "--d", "2", "--iterations", "5", "--rates", "1", "--output", "link.parquet"],
    ] {
        let output = overparam(folder.path(), &[rest, &apart].concat());
        assert!(!output.status.success() && text(&output.stderr).contains("with data"), "{output:?}");
        assert!(std::fs::read_to_string(folder.path().join("b.csv")).unwrap().starts_with("b\n1"));
    }
    // Other numbers in a file of the same name, and another expression of the same name, are other files.
    let run = |rest: &[&str]| {
        printed(folder.path(), &[&["run", "--d", "2", "--iterations", "5", "--optimizer", "shallow"], rest].concat())
    };
    run(&apart);
    write("b.csv", "b\n1\n0.75\n");
    run(&apart);
    run(&["--expression", "sum(u^2)", "--box=-1,1", "--name", "foo"]);
    run(&["--expression", "sum(u^4)", "--box=-1,1", "--name", "foo"]);
    let files = std::fs::read_dir(folder.path().join("data/runs")).unwrap().count();
    assert_eq!(files, 8, "a trace and a point each");
    // Points of another expression are refused.
    let point = std::fs::read_dir(folder.path().join("data/runs")).unwrap().map(|entry| entry.unwrap().path());
    let point = point
        .filter(|path| path.to_string_lossy().contains("expression-"))
        .find(|path| path.to_string_lossy().ends_with("-point.parquet"));
    let point = point.unwrap();
    let evaluated = ["evaluate", "--expression", "sum(u^2)", "--box=-1,1", "--output", "v.parquet", "--points"];
    let output = overparam(folder.path(), &[&evaluated[..], &[point.to_str().unwrap()]].concat());
    assert!(!output.status.success() && text(&output.stderr).contains("expected points of"), "{output:?}");
}

#[test]
fn sizes_beyond_any_memory_are_refused() {
    let folder = folder();
    for objective in [&["levy"][..], &["--expression", "sum(u^2)", "--box=-1,1"]] {
        let arguments = [&["run"][..], objective, &["--d", "1000000000000", "--n", "1", "--iterations", "2"]].concat();
        let output = overparam(folder.path(), &arguments);
        let message = text(&output.stderr);
        assert!(
            !output.status.success() && message.starts_with("error: ") && !message.contains("backtrace"),
            "{message}"
        );
    }
}
