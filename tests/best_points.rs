//! The best points as files, and evaluating them.

use overparam::objective::Description;
use overparam::prelude::*;
use overparam::trace;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn overparam(folder: &TempDir, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_overparam")).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary folder is writable")
}

fn real(table: &DataFrame, name: &str, row: usize) -> f64 {
    table.column(name).unwrap().f64().unwrap().get(row).unwrap_or_else(|| panic!("{name} is null"))
}

/// The coordinates called `letter` of a row.
fn coordinates(table: &DataFrame, letter: char, row: usize) -> Vec<f64> {
    let names = (0..).map(|i| format!("{letter}{i}"));
    names.take_while(|name| table.column(name).is_ok()).map(|name| real(table, &name, row)).collect()
}

/// What the objective is at the points of a row, beside what the row says: how far they are apart, in units of the precision.
fn distance(table: &DataFrame, function: Function, row: usize, dtype: &str) -> [f64; 2] {
    let x = coordinates(table, 'x', row);
    let seed = table.column("seed").unwrap().u64().unwrap().get(row).unwrap();
    let (scaled, raw, unit) = if dtype == "f32" {
        let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        assert!(
            narrow.iter().zip(&x).all(|(&narrow, &x)| f64::from(narrow) == x),
            "x is the f32 that was computed with"
        );
        let found = function.evaluate::<f32>(x.len(), seed, &narrow).unwrap();
        (f64::from(found.scaled[0]), f64::from(found.raw[0]), f64::from(f32::EPSILON))
    } else {
        let found = function.evaluate::<f64>(x.len(), seed, &x).unwrap();
        (found.scaled[0], found.raw[0], f64::EPSILON)
    };
    let (best, raw_best) = (real(table, "best", row), real(table, "raw_best", row));
    let Description { minimum, maximum, domain: [lower, upper], .. } = function.describe(x.len());
    for (u, x) in coordinates(table, 'u', row).iter().zip(&x) {
        assert!((u - (lower + (upper - lower) * x)).abs() <= 1e-13 * upper.abs().max(lower.abs()), "{u} for {x}");
    }
    // Of the raw value, the offset and the width are added and multiplied besides.
    [(scaled - best).abs() / unit, (raw - raw_best).abs() / (unit * (maximum - minimum).max(minimum.abs()))]
}

#[test]
fn a_run_writes_the_point_that_has_its_best() {
    let folder = folder();
    let mut exact = 0;
    for function in Function::ALL {
        for optimizer in Optimizer::ALL {
            for dtype in ["f64", "f32"] {
                let name = function.name();
                let arguments = ["run", name, "--optimizer", optimizer.name(), "--dtype", dtype, "--seed", "2"];
                // Another run would not replace them.
                for earlier in ["a.parquet", "a-point.parquet"] {
                    let _ = std::fs::remove_file(folder.path().join(earlier));
                }
                let printed =
                    overparam(&folder, &[&arguments[..], &["--iterations", "300", "--output", "a.parquet"]].concat());
                assert!(printed.contains("a-point.parquet"), "{printed}");
                let table = trace::read(&folder.path().join("a-point.parquet")).unwrap();
                let trace = trace::read(&folder.path().join("a.parquet")).unwrap();
                assert_eq!(table.height(), 1);
                assert_eq!(
                    real(&table, "best", 0),
                    real(&trace, "best", trace.height() - 1),
                    "{name}, {optimizer}, {dtype}"
                );
                assert_eq!(coordinates(&table, 'u', 0).len(), 50);
                let [scaled, raw] = distance(&table, function, 0, dtype);
                assert!(
                    scaled <= 4.0 && raw <= 4.0,
                    "{name}, {optimizer}, {dtype}: {scaled} and {raw} units of precision"
                );
                exact += u32::from(scaled == 0.0);
            }
        }
    }
    assert!(exact >= 18, "{exact} of 36 are the same bit for bit");
}

#[test]
fn sweeps_and_figures_write_one_point_per_run() {
    let folder = folder();
    let arguments =
        ["sweep", "levy", "--seeds", "2", "--rates", "1, 0.1", "--iterations", "100", "--output", "s.parquet"];
    overparam(&folder, &[&arguments[..], &["--points", "p.parquet"]].concat());
    overparam(&folder, &["figures", "--quick", "--seeds", "1", "--functions", "levy , spin-glass", "--out", "f"]);
    let read = |path: &str| trace::read(&folder.path().join(path)).unwrap();
    for (summary, points, functions) in [
        (read("s.parquet"), vec![read("p.parquet")], vec![Function::Levy]),
        (
            read("f/summary.parquet"),
            vec![read("f/points/levy.parquet"), read("f/points/spin-glass.parquet")],
            vec![Function::Levy, Function::SpinGlass],
        ),
    ] {
        assert_eq!(points.iter().map(DataFrame::height).sum::<usize>(), summary.height());
        let mut first = 0;
        for (table, function) in points.iter().zip(functions) {
            for name in ["function", "optimizer", "seed", "learning_rate", "best", "raw_best"] {
                let of_summary = summary.column(name).unwrap().slice(first, table.height());
                assert!(table.column(name).unwrap().equals_missing(&of_summary), "{name}");
            }
            first += table.height() as i64;
            for row in 0..table.height() {
                let [scaled, raw] = distance(table, function, row, "f64");
                assert!(scaled <= 4.0 && raw <= 4.0, "{function}, row {row}: {scaled} and {raw} units of precision");
            }
        }
    }
}

#[test]
fn one_file_is_not_written_twice() {
    let folder = folder();
    for arguments in [
        ["run", "sphere", "--output", "a.parquet", "--point", "./a.parquet"],
        ["sweep", "sphere", "--output", "a.parquet", "--points", "a.parquet"],
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_overparam")).current_dir(&folder).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains("expected two files"), "{error}");
    }
    assert!(!Path::new(&folder.path().join("a.parquet")).exists());
}

/// A diverged rate is what its runs reached before, in the table and in the file.
#[test]
fn the_table_says_what_the_file_says() {
    let folder = folder();
    let arguments =
        ["sweep", "rosenbrock", "--protocol", "paper", "--optimizer", "deep", "--seeds", "1", "--iterations", "400"];
    let printed = overparam(&folder, &[&arguments[..], &["--rates", "1e200,0.1", "--output", "s.parquet"]].concat());
    assert!(!printed.contains("inf"), "{printed}");
    let summary = trace::read(&folder.path().join("s.parquet")).unwrap();
    let outcomes: Vec<&str> = summary.column("outcome").unwrap().str().unwrap().iter().flatten().collect();
    assert_eq!(outcomes, ["diverged", "finished"]);
    for row in 0..2 {
        let best = format!("{:.6e}", real(&summary, "best", row));
        assert!(printed.contains(&best), "{best} is missing in\n{printed}");
    }
    let rows: Vec<&str> = printed.lines().filter(|line| line.starts_with("deep")).collect();
    assert!(rows[0].contains("1.000e-1") && rows[1].contains("1.000e200"), "the diverged rate comes last\n{printed}");
}

#[test]
fn lists_and_numbers_are_read_as_people_write_them() {
    let folder = folder();
    let sweep = ["sweep", "sphere", "--seeds", " 1", "--iterations", "1e1", "--optimizer", "shallow"];
    let sweep = |rest: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_overparam")).current_dir(&folder).args(sweep).args(rest).output().unwrap()
    };
    for (rates, runs) in [("1, 0.1", 2), ("1 ,0.1", 2), (" 1,1.0,1e0", 1), ("1e-3,+0.5", 2)] {
        let output = sweep(&["--rates", rates, "--output", "s.parquet"]);
        assert!(output.status.success(), "'{rates}': {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(trace::read(&folder.path().join("s.parquet")).unwrap().height(), runs, "'{rates}'");
        // Other rates would not replace them.
        for name in ["s.parquet", "s-points.parquet"] {
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
    for arguments in [
        &["--rates", "1,,0.1"][..],
        &["--rates", "1,0.1,"],
        &["--rates", ","],
        &["--rates", ""],
        &["--rates", "1;0.1"],
        &["--rates", "1 0.1"],
        &["--rates", "-1"],
        &["--rates", "nan"],
        &["--jobs", "-1"],
        &["--jobs", "two"],
        &["--d", "1.5"],
    ] {
        let output = sweep(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
        assert!(error.contains("expected") || error.contains("must be"), "{arguments:?}: {error}");
    }
}
