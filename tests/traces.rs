//! What runs leave behind: tables, Parquet files that explain themselves, and no half-written ones.

use overparam::prelude::*;
use overparam::trace;
use std::fs;

fn runs() -> Vec<Run> {
    let glass = Function::SpinGlass.objective::<5, f32>(3);
    let sphere = Function::Sphere.objective::<5, f64>(0);
    let settings = Settings::default().iterations(300);
    vec![
        Shape::<6, 3, 4, 2, 5>::run(&glass, Optimizer::Shallow, 3, &settings).unwrap(),
        Shape::<6, 3, 4, 2, 5>::run(&sphere, Optimizer::Deep, 1, &settings).unwrap(),
    ]
}

#[test]
fn tables_come_back_from_parquet_with_their_metadata() {
    let runs = runs();
    let folder = tempfile::tempdir().unwrap();
    for (name, table) in [
        ("traces.parquet", trace::traces(&runs).unwrap()),
        ("summary.parquet", trace::summary(runs.iter().map(|run| ("sweep", run))).unwrap()),
    ] {
        let path = folder.path().join("made/on/the/way").join(name);
        trace::write(&table, &path, r#"{"rate":1.0}"#).unwrap();
        assert!(trace::read(&path).unwrap().equals_missing(&table), "{name}");
        let metadata = trace::metadata(&path).unwrap();
        assert_eq!(metadata["overparam.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(metadata["overparam.settings"], r#"{"rate":1.0}"#);
        assert_eq!(metadata["overparam.format"], "1");
        assert_eq!(metadata["overparam.instruction_set"], overparam::instruction_set());
        assert!(!metadata["overparam.cpu"].is_empty());
        let beside = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(beside.into_iter().all(|file| !file.to_string_lossy().starts_with('.')), "a temporary file is left");
    }
}

#[test]
fn tables_hold_what_the_runs_found() {
    let runs = runs();
    let traces = trace::traces(&runs).unwrap();
    assert_eq!(traces.height(), runs.iter().map(|run| run.samples.len()).sum::<usize>());
    let column = |name: &str| traces.column(name).unwrap().f64().unwrap().into_no_null_iter().collect::<Vec<_>>();
    let samples: Vec<(&Run, &trace::Sample)> =
        runs.iter().flat_map(|run| run.samples.iter().map(move |sample| (run, sample))).collect();
    let expect = |name: &str, value: &dyn Fn(&Run, &trace::Sample) -> f64| {
        assert_eq!(column(name), samples.iter().map(|&(run, sample)| value(run, sample)).collect::<Vec<_>>(), "{name}");
    };
    expect("objective_min", &|_, sample| sample.min);
    expect("objective_mean", &|_, sample| sample.mean);
    expect("best", &|_, sample| sample.best);
    expect("raw_best", &|run, sample| run.raw(sample.best));
    expect("step_size", &|_, sample| sample.step_size);
    expect("seconds", &|_, sample| sample.seconds);
    expect("learning_rate", &|run, _| run.settings.learning_rate.initial);
    let summary = trace::summary(runs.iter().map(|run| ("sweep", run))).unwrap();
    assert_eq!(summary.height(), 2);
    let parameters = summary.column("parameters").unwrap().u64().unwrap().into_no_null_iter().collect::<Vec<_>>();
    assert_eq!(parameters, [30, 6 * 3 + (3 + 1) * 4 + (4 + 1) * 4 + (4 + 1) * 5]);
    let widths = |widths| {
        let dimensions = Dimensions { widths, ..Dimensions::PAPER };
        Protocol { dimensions, ..Protocol::paper() }
            .run(Function::Sphere, Optimizer::Deep, 0, &Settings::default().iterations(3))
            .unwrap()
    };
    let others = [Widths::of(&[7]), Widths::of(&[32, 16, 8]), Widths::of(&[])].map(widths);
    let shapes = trace::summary(runs.iter().chain(&others).map(|run| ("sweep", run))).unwrap();
    let widths = shapes.column("widths").unwrap().str().unwrap().iter().collect::<Vec<_>>();
    assert_eq!(widths, ["4,4", "4,4", "7", "32,16,8", ""].map(Some));
    let count = |name: &str| shapes.column(name).unwrap().u64().unwrap().iter().collect::<Vec<_>>();
    assert_eq!(count("hidden"), [Some(4), Some(4), Some(7), None, None]);
    assert_eq!(count("layers"), [2, 2, 1, 3, 0].map(Some));
    let dtype = summary.column("dtype").unwrap().str().unwrap().iter().flatten().collect::<Vec<_>>();
    assert_eq!(dtype, ["f32", "f64"]);
}

#[test]
fn what_is_extrapolated_is_marked() {
    let sphere = Function::Sphere.objective::<5, f64>(0);
    let run = |iterations| {
        let settings = Settings::default().learning_rate(1e9).iterations(iterations);
        Shape::<6, 3, 4, 2, 5>::run(&sphere, Optimizer::Shallow, 1, &settings).unwrap()
    };
    let runs = [run(5_000), run(100)];
    let settled = runs[0].settled_at.expect("a step of this size drives the sigmoid into its ends");
    assert_eq!((runs[0].iterations, runs[1].settled_at), (5_000, None));
    assert!(runs[0].to_string().contains(&format!("settled at iteration {settled}")), "{}", runs[0]);
    let traces = trace::traces(&runs).unwrap();
    let iterations = traces.column("iteration").unwrap().u64().unwrap().iter().flatten();
    let seeds_first = runs[0].samples.len();
    let expected: Vec<bool> =
        iterations.enumerate().map(|(row, iteration)| row < seeds_first && iteration > settled).collect();
    assert!(expected.contains(&true) && expected.contains(&false));
    let marked: Vec<bool> = traces.column("extrapolated").unwrap().bool().unwrap().iter().flatten().collect();
    assert_eq!(marked, expected);
    let summary = trace::summary(runs.iter().map(|run| ("sweep", run))).unwrap();
    let column: Vec<Option<u64>> = summary.column("settled_at").unwrap().u64().unwrap().iter().collect();
    assert_eq!(column, [Some(settled), None]);
}

#[test]
fn thinning_keeps_the_first_the_last_and_the_best() {
    let sphere = Function::Sphere.objective::<5, f64>(0);
    let settings = Settings::default().iterations(3_000);
    let run = |thinned| {
        let settings = Settings { thinned, ..settings };
        Shape::<6, 3, 4, 2, 5>::run(&sphere, Optimizer::Shallow, 1, &settings).unwrap()
    };
    let (thin, whole) = (run(true), run(false));
    assert_eq!((whole.samples.len(), whole.iterations, thin.iterations), (3_000, 3_000, 3_000));
    assert!((200..400).contains(&thin.samples.len()), "{}", thin.samples.len());
    for sample in &thin.samples {
        let same = &whole.samples[sample.iteration as usize];
        let values = |sample: &trace::Sample| [sample.min, sample.mean, sample.best, sample.step_size];
        assert_eq!(values(sample), values(same), "iteration {}", sample.iteration);
    }
    for run in [thin, whole] {
        let [first, .., last] = &run.samples[..] else { panic!("too few samples") };
        assert_eq!((first.iteration, last.iteration, last.best), (0, 2_999, run.best));
        assert!(
            run.samples.is_sorted_by(|a, b| a.iteration < b.iteration && a.seconds <= b.seconds && a.best >= b.best)
        );
    }
}

#[test]
fn broken_missing_and_unwritable_files_are_errors_that_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.parquet");
    let table = trace::traces(&runs()).unwrap();
    trace::write(&table, &path, "{}").unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [0, 3, whole.len() / 2, whole.len() - 1] {
        let cut = folder.path().join("cut.parquet");
        fs::write(&cut, &whole[..length]).unwrap();
        let error = trace::read(&cut).unwrap_err();
        assert!(matches!(error, Error::Data { .. }) && error.to_string().contains("cut.parquet"), "{error}");
    }
    let error = trace::read(&folder.path().join("none.parquet")).unwrap_err();
    assert!(
        matches!(error, Error::File { action: "read", .. }) && error.to_string().contains("none.parquet"),
        "{error}"
    );
    // A file where a folder is needed: not even root can write below it.
    let below = path.join("below.parquet");
    let error = trace::write(&table, &below, "{}").unwrap_err();
    assert!(matches!(error, Error::File { action: "write", .. }) && error.to_string().contains("below"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), whole);
}

/// Makes the file `path` one of `format`, a digit.
fn set_format(path: &std::path::Path, format: u8) {
    let mut bytes = fs::read(path).unwrap();
    let key = b"overparam.format";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    // The header of the value, its length and its digit.
    assert_eq!(bytes[at..at + 3], [0x18, 1, b'1']);
    bytes[at + 2] = format;
    fs::write(path, bytes).unwrap();
}

#[test]
fn files_of_a_newer_format_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let table = trace::traces(&runs()).unwrap();
    trace::write(&table, &path, "{}").unwrap();
    set_format(&path, b'0');
    assert!(trace::read(&path).unwrap().equals_missing(&table));
    for format in [b'2', b'9', b'x'] {
        trace::write(&table, &path, "{}").unwrap();
        set_format(&path, format);
        let error = trace::read(&path).unwrap_err().to_string();
        assert!(error.contains("expected a file of format 1 or older") && error.contains("a.parquet"), "{error}");
        assert!(error.contains(&format!("format {}", char::from(format))) && !error.contains('\n'), "{error}");
    }
}

/// A table with a column of `name` and `values`.
fn one_column<T>(name: &str, values: Vec<T>) -> Result<DataFrame, Error>
where
    overparam::polars::prelude::Series: overparam::polars::prelude::NamedFrom<Vec<T>, [T]>,
{
    let rows = values.len();
    Ok(DataFrame::new(rows, vec![overparam::polars::prelude::Column::new(name.into(), values)]).unwrap())
}

#[test]
fn parts_that_are_no_table_leave_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    fs::write(&path, "old").unwrap();
    let output = overparam::output::Output::prepare(&path).unwrap();
    let refused = |parts: Vec<Result<DataFrame, Error>>, expected: &str| {
        let error = trace::write_parts(&output, parts, &trace::Provenance::new("{}")).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("a.parquet") && !error.contains('\n'), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    };
    refused(vec![], "at least one table");
    let first = || one_column("x", vec![0.5]);
    let mut two = first().unwrap();
    two.with_column(overparam::polars::prelude::Column::new("y".into(), vec![1.5])).unwrap();
    refused(vec![first(), one_column("y", vec![0.5])], "expected the columns of the first table in all (x (f64))");
    refused(vec![first(), one_column("x", vec![1_u64])], "one has x (u64)");
    refused(vec![first(), Ok(two.clone())], "one has x (f64), y (f64)");
    refused(vec![Ok(two), first()], "one has x (f64)");
    refused(vec![first(), Ok(DataFrame::empty())], "one has ");
    trace::write_parts(&output, [first(), one_column("x", vec![1.5, 2.5])], &trace::Provenance::new("{}")).unwrap();
    assert!(trace::read(&path).unwrap().equals_missing(&one_column("x", vec![0.5, 1.5, 2.5]).unwrap()));
}
