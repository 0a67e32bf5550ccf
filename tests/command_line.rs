//! The command line as a user meets it: what it prints, what it writes, and how it refuses bad input.

use overparam::{Backend, trace};
use polars::prelude::{Column, DataFrame};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

fn overparam(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overparam"));
    command.current_dir(folder).args(arguments).output().expect("the program was just built")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary folder is writable")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the program, which must fail with `code` and one line that holds every one of `parts`.
fn refuses(folder: &TempDir, arguments: &[&str], code: i32, parts: &[&str]) {
    let output = overparam(folder, arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{arguments:?}: one line, not\n{error}");
    assert!(error.matches("os error").count() <= 1, "{arguments:?}: the cause told twice\n{error}");
    for part in parts {
        assert!(error.contains(part), "{arguments:?}: '{part}' is missing in\n{error}");
    }
}

/// Every file below `folder`, by path from it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path.strip_prefix(folder).unwrap().to_owned()) }
        }
    }
    found.sort();
    found
}

fn column(table: &DataFrame, name: &str) -> Vec<f64> {
    table.column(name).unwrap().f64().unwrap().iter().map(Option::unwrap).collect()
}

#[test]
fn help_teaches_and_list_lists() {
    let folder = folder();
    let output = overparam(&folder, &["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .collect();
    for command in ["list", "run", "sweep", "figures", "evaluate", "time", "couplings"] {
        assert!(commands.contains(&command), "{command} is missing in {commands:?}");
        let output = overparam(&folder, &[command, "--help"]);
        assert!(output.status.success() && text(&output.stdout).contains(&format!("overparam {command}")), "{command}");
    }
    let list = text(&overparam(&folder, &["list"]).stdout);
    assert_eq!(list.lines().count(), 1 + overparam::Function::ALL.len());
    assert!(list.contains("styblinski-tang") && list.contains("-1958.308285"));
}

#[test]
fn bad_usage_is_one_line_and_exit_code_2() {
    let folder = folder();
    fn run<'a>(rest: &[&'a str]) -> Vec<&'a str> {
        [&["run", "sphere"], rest].concat()
    }
    refuses(&folder, &["run", "rastrgin"], 2, &["rastrgin", "did you mean 'rastrigin'", "spin-glass"]);
    refuses(&folder, &["run", "glass"], 2, &["did you mean 'spin-glass'"]);
    refuses(&folder, &["run", "nothing-like-it"], 2, &["nothing-like-it", "valid ones are ackley"]);
    refuses(&folder, &["evaluate", "spher", "--points", "a", "--output", "b"], 2, &["did you mean 'sphere'"]);
    refuses(&folder, &["figures", "--functions", "sphere,levi"], 2, &["did you mean 'levy'"]);
    refuses(&folder, &run(&["--optimizer", "depe"]), 2, &["did you mean 'deep'", "shallow, deep"]);
    refuses(&folder, &run(&["--hidden", "0"]), 2, &["widths of the hidden layers", "1 or more", "not '0'"]);
    refuses(&folder, &run(&["--layers", "1e12"]), 2, &["hidden layers", "at most 10000, not 1000000000000"]);
    for widths in ["", "0", "4,0", "4,,2", "ten", "8;4", "-1"] {
        let parts =
            ["widths of the hidden layers", "1 or more", "such as 32,16,8, or none", &format!("not '{widths}'")];
        refuses(&folder, &run(&[&format!("--widths={widths}")]), 2, &parts);
    }
    refuses(&folder, &run(&["--widths", &["9"; 20_000].join(",")]), 2, &["at most 10000, not 20000"]);
    refuses(&folder, &run(&["--widths", "4,1000000000000"]), 2, &["widths=4,1000000000000", "memory can hold"]);
    refuses(&folder, &run(&["--widths", "4,2", "--layers", "2"]), 2, &["--widths", "--layers"]);
    refuses(&folder, &run(&["--widths", "4,2", "--hidden", "2"]), 2, &["--widths", "--hidden"]);
    refuses(&folder, &run(&["--schedule", "cosin"]), 2, &["did you mean 'cosine'", "plateau"]);
    refuses(&folder, &run(&["--schedule", "cosine", "--seconds", "1"]), 2, &["cosine", "budget of time"]);
    refuses(&folder, &run(&["--rule", "adan"]), 2, &["did you mean 'adam'", "lbfgs"]);
    refuses(&folder, &run(&["--activation", "rely"]), 2, &["did you mean 'relu'", "leaky-relu"]);
    refuses(&folder, &run(&["--instruction-set", "avx1"]), 2, &["avx1", "baseline"]);
    for rate in ["0", "-1", "NaN", "inf"] {
        refuses(&folder, &run(&["--rate", rate]), 2, &["learning rate", "positive", rate]);
    }
    refuses(&folder, &run(&["--rate", "fast"]), 2, &["fast", "--rate"]);
    refuses(&folder, &run(&["--iterations", "0"]), 2, &["iterations", "1 or more"]);
    refuses(&folder, &run(&["--seconds", "0"]), 2, &["seconds", "positive"]);
    refuses(&folder, &run(&["--seconds", "NaN"]), 2, &["seconds", "positive"]);
    refuses(&folder, &run(&["--optimizer", "deep", "--squash", "clamp"]), 2, &["clamp", "sigmoid or scaled-tanh"]);
    refuses(&folder, &run(&["--speed", "1"]), 2, &["--speed"]);
    refuses(&folder, &["sweep", "sphere", "--rates", "1,-1"], 2, &["learning rate", "-1"]);
    refuses(&folder, &["sweep", "sphere", "--seeds", "0"], 2, &["seeds", "1 or more"]);
    refuses(&folder, &["sweep", "sphere", "--jobs", "0"], 2, &["jobs", "from 1 to 1024"]);
    refuses(&folder, &["sweep", "sphere", "--jobs", "100000000"], 2, &["jobs", "from 1 to 1024"]);
    refuses(&folder, &["sweep", "sphere", "--seeds", "99999999999"], 2, &["seeds", "at most 100000"]);
    refuses(&folder, &["couplings", "--seed", "1", "--dimension", "0", "--output", "j"], 2, &["dimension", "512"]);
    refuses(&folder, &["list", "--d", "0"], 2, &["from 1 to 1000000"]);
    let glass = ["run", "spin-glass", "--d", "10000", "--iterations", "5"];
    refuses(&folder, &glass, 1, &["GiB", "take a smaller d"]);
    let endless = ["run", "sphere", "--every", "--iterations", "1000000000000"];
    refuses(&folder, &endless, 1, &["GiB", "thin the traces"]);
    assert!(files(folder.path()).is_empty(), "a refused command writes nothing");
}

#[test]
fn a_run_writes_its_trace_with_metadata() {
    let folder = folder();
    let arguments = ["run", "rastrigin", "--optimizer", "shallow", "--seed", "3", "--iterations", "500"];
    let output = overparam(&folder, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("best objective"));
    let path = folder.path().join("data/runs/rastrigin-shallow-3-iterations-500.parquet");
    let table = trace::read(&path).unwrap();
    let names: Vec<&str> = table.get_column_names().into_iter().map(|name| name.as_str()).collect();
    let expected = "function optimizer rule seed learning_rate iteration seconds objective_min objective_mean best raw_best step_size extrapolated";
    assert_eq!(names.join(" "), expected);
    let best = column(&table, "best");
    assert!(best.windows(2).all(|pair| pair[1] <= pair[0]), "the best so far never grows");
    assert_eq!(table.column("iteration").unwrap().u64().unwrap().iter().last().flatten(), Some(499));
    // The metadata is plain text in the file's footer.
    let bytes = text(&std::fs::read(&path).unwrap());
    for word in ["overparam.settings", "overparam.cpu", "\"learning_rate\"", env!("CARGO_PKG_VERSION")] {
        assert!(bytes.contains(word), "{word}");
    }
    // The same again is the same, but for the times; every iteration on request.
    overparam(&folder, &[&arguments[..], &["--output", "again.parquet", "--every"]].concat());
    let again = trace::read(&folder.path().join("again.parquet")).unwrap();
    assert_eq!(again.height(), 500);
    assert_eq!(column(&again, "best").last(), best.last());
}

#[test]
fn runs_and_sweeps_end_at_a_target_and_by_a_tolerance() {
    let folder = folder();
    let ran = |arguments: &[&str]| {
        let output = overparam(&folder, arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let said = ran(&["run", "levy", "--target", "0.05", "--optimizer", "shallow"]);
    assert!(said.contains("reached"), "{said}");
    assert!(folder.path().join("data/runs/levy-shallow-0-target-0.05.parquet").exists(), "{said}");
    let said = ran(&["run", "rastrigin", "--tolerance", "0", "--patience", "200"]);
    assert!(said.contains("converged"), "{said}");
    ran(&["sweep", "levy", "--target", "0.05", "--rates", "1", "--seeds", "2", "--output", "s.parquet"]);
    let summary = trace::read(&folder.path().join("s.parquet")).unwrap();
    let outcomes = summary.columns().iter().find(|column| column.name() == "outcome").unwrap();
    assert!(outcomes.str().unwrap().iter().all(|outcome| outcome == Some("reached")), "{outcomes:?}");
    refuses(&folder, &["run", "levy", "--target", "inf"], 2, &["target", "finite number"]);
    refuses(&folder, &["run", "levy", "--tolerance", "-1"], 2, &["tolerance", "0 or more"]);
    refuses(&folder, &["run", "levy", "--patience", "3"], 2, &["--tolerance"]);
    refuses(&folder, &["sweep", "levy", "--tolerance", "0", "--patience", "0"], 2, &["1 or more"]);
}

#[test]
fn a_sweep_ranks_the_rates() {
    let folder = folder();
    let arguments = ["sweep", "sphere", "--rates", "1,0.01,1", "--seeds", "2", "--iterations", "200"];
    let output = overparam(&folder, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let shallow: Vec<&str> = lines.lines().filter(|line| line.starts_with("shallow")).collect();
    assert!(shallow[0].contains("1.000e0") && shallow[1].contains("1.000e-2"), "{lines}");
    let table =
        trace::read(&folder.path().join("data/sweeps/sphere-rates-1,0.01-seeds-2-iterations-200.parquet")).unwrap();
    assert_eq!(table.height(), 8);
}

#[test]
fn figures_writes_everything_and_a_table() {
    let folder = folder();
    let arguments = ["figures", "--quick", "--functions", "rastrigin, spin-glass", "--out", "deep/er", "--seeds", "1"];
    let output = overparam(&folder, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("shallow, median (range)") && table.contains("spin-glass"), "{table}");
    let out = folder.path().join("deep/er");
    let summary = trace::read(&out.join("summary.parquet")).unwrap();
    assert_eq!(summary.height(), 2 * 2 * 12, "two functions, two optimizers, eleven rates and a timed run");
    assert!(!out.join("unfinished").exists());
    let traces = trace::read(&out.join("traces/rastrigin.parquet")).unwrap();
    let seconds = column(&traces, "seconds");
    assert!(!seconds.is_empty() && seconds.iter().all(|&seconds| seconds > 0.0));
    for figure in ["figure1", "figure2", "figure3"] {
        let page = std::fs::read_to_string(out.join(format!("figures/{figure}.html"))).unwrap();
        assert!(page.contains("Plotly.newPlot") && !page.contains("<script src"));
        let png = out.join(format!("figures/{figure}.png"));
        if text(&output.stderr).contains("note:") {
            assert!(!png.exists(), "a note says why there is no image");
        } else {
            assert!(std::fs::read(png).unwrap().starts_with(b"\x89PNG"));
        }
    }
    assert!(files(folder.path()).iter().all(|path| !path.to_string_lossy().contains(".overparam-")));
}

#[test]
fn evaluate_reads_csv_and_parquet() {
    let folder = folder();
    // The order of the columns does not matter.
    std::fs::write(folder.path().join("points.csv"), "x1,x0\n0.5,0.5\n0.25,0.75\n").unwrap();
    let arguments = ["evaluate", "sphere", "--points", "points.csv", "--output", "values.parquet"];
    let output = overparam(&folder, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let values = trace::read(&folder.path().join("values.parquet")).unwrap();
    assert_eq!(column(&values, "raw"), [0.0, 2.0 * 2.56 * 2.56]);
    assert_eq!(column(&values, "scaled"), [0.0, 0.25]);
    // F = Σ (2x - 1)² / d, so its gradient is 4 (2x - 1) / d.
    assert_eq!(column(&values, "g0"), [0.0, 1.0]);
    assert_eq!(column(&values, "g1"), [0.0, -1.0]);

    let points =
        DataFrame::new(1, vec![Column::new("x0".into(), [0.25f32]), Column::new("x1".into(), [1.0f32])]).unwrap();
    trace::write(&points, &folder.path().join("points.parquet"), "{}").unwrap();
    for (dtype, tolerance) in [("f32", 1e-6), ("f64", 1e-15)] {
        let arguments =
            ["evaluate", "levy", "--points", "points.parquet", "--output", "levy.parquet", "--dtype", dtype];
        assert!(overparam(&folder, &arguments).status.success());
        let values = trace::read(&folder.path().join("levy.parquet")).unwrap();
        // u = (-5, 10), w = (-0.5, 3.25): sin²(πw₁) + (w₁-1)²(1 + 10 sin²(πw₁+1)) + (w₂-1)²(1 + sin²(2πw₂)).
        let raw = 1.0 + 2.25 * (1.0 + 10.0 * 1f64.cos().powi(2)) + 2.25 * 2.25 * 2.0;
        let found = column(&values, "raw")[0];
        assert!((found / raw - 1.0).abs() < tolerance, "{found} against {raw}");
        let bytes = text(&std::fs::read(folder.path().join("levy.parquet")).unwrap());
        assert!(bytes.contains(&format!(r#""dtype":"{dtype}""#)), "the settings say the dtype");
    }
}

#[test]
fn evaluate_takes_points_of_the_box_and_keeps_labels() {
    let folder = folder();
    let evaluate = |points: &str, more: &[&str]| {
        let arguments = ["evaluate", "rosenbrock", "--points", points, "--output", "out.parquet"];
        let output = overparam(&folder, &[&arguments[..], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        trace::read(&folder.path().join("out.parquet")).unwrap()
    };
    let labels = "seed,learning_rate,function,optimizer,raw_best,best";
    std::fs::write(folder.path().join("u.csv"), format!("{labels},u0,u1\n7,0.1,rosenbrock,deep,0,0,-5,10\n")).unwrap();
    let found = evaluate("u.csv", &[]);
    let names: Vec<&str> = found.get_column_names().into_iter().map(|name| name.as_str()).collect();
    assert_eq!(names.join(","), format!("{labels},x0,x1,u0,u1,raw,scaled,g0,g1"));
    assert_eq!((column(&found, "x0"), column(&found, "x1")), (vec![0.0], vec![1.0]));
    assert_eq!((column(&found, "u0"), column(&found, "u1")), (vec![-5.0], vec![10.0]));
    // 100 (10 - 25)² + (-5 - 1)².
    assert!((column(&found, "raw")[0] / 22_536.0 - 1.0).abs() < 1e-14);
    assert_eq!(found.column("seed").unwrap().u64().unwrap().get(0), Some(7));
    assert_eq!(found.column("function").unwrap().str().unwrap().get(0), Some("rosenbrock"));

    // The points are written as they were evaluated; without the results they are points again.
    std::fs::write(folder.path().join("x.csv"), "x0,x1\n0.1,0.7\n").unwrap();
    let found = evaluate("x.csv", &["--dtype", "f32"]);
    assert_eq!(column(&found, "x0"), [f64::from(0.1f32)]);
    assert_eq!(column(&found, "u1"), [f64::from(0.7f32) * 15.0 - 5.0]);
    let points = found.select(["x0", "x1", "u0", "u1"]).unwrap();
    trace::write(&points, &folder.path().join("again.parquet"), "{}").unwrap();
    let again = evaluate("again.parquet", &["--dtype", "f32"]);
    assert_eq!(column(&again, "raw"), column(&found, "raw"));
    assert_eq!(column(&again, "u0"), column(&found, "u0"));
}

#[test]
fn bad_points_are_refused_with_the_place_and_the_remedy() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let evaluate = |points: &'static str| ["evaluate", "sphere", "--points", points, "--output", "out.parquet"];
    for (content, parts) in [
        ("x0,x2\n0.1,0.2\n", &["expected x0 to x1", "no column x1", "'x2'"][..]),
        ("x0,x1,name\n0.1,0.2,0.3\n", &["'name'", "expected x0, x1"]),
        ("x0,x1\n0.1,half\n", &["column x1", "point 1", "line 2", "'half'"]),
        ("x0,x1\n0.1,0.2\n0.1,NaN\n", &["column x1", "point 2", "from 0 to 1", "NaN"]),
        ("x0,x1\n0.1,1.5\n", &["column x1", "from 0 to 1", "1.5"]),
        ("x0,x1\n0.1,-0.1\n", &["column x1", "-0.1"]),
        ("x0,x1\n0.1\n", &["line 2 has 1 value", "2 names"]),
        ("u0\n-5.2\n", &["column u0", "-5.12 to 5.12", "-5.2"]),
        ("x0,u0\n0.5,1\n", &["column u0", "point 1", "x0 = 0.5 is u0 = 0"]),
        ("function,x0\nlevy,0.5\n", &["column function", "points of sphere", "of levy"]),
        ("x0,x1\n", &["at least one point"]),
        ("", &["at least one point"]),
    ] {
        std::fs::write(path("points.csv"), content).unwrap();
        refuses(&folder, &evaluate("points.csv"), 1, &[&["points.csv"], parts].concat());
    }
    refuses(&folder, &evaluate("absent.csv"), 1, &["cannot read", "absent.csv"]);
    std::fs::write(path("points.txt"), "").unwrap();
    refuses(&folder, &evaluate("points.txt"), 1, &[".parquet or .csv"]);

    let whole = DataFrame::new(2, vec![Column::new("x0".into(), [0.5f64, 0.5])]).unwrap();
    trace::write(&whole, &path("whole.parquet"), "{}").unwrap();
    let bytes = std::fs::read(path("whole.parquet")).unwrap();
    std::fs::write(path("cut.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    refuses(&folder, &evaluate("cut.parquet"), 1, &["cut.parquet", "whole Parquet file"]);
    let words = DataFrame::new(1, vec![Column::new("x0".into(), ["half"])]).unwrap();
    trace::write(&words, &path("words.parquet"), "{}").unwrap();
    refuses(&folder, &evaluate("words.parquet"), 1, &["column 'x0' is text", "expected numbers"]);
    let onto_itself = ["evaluate", "sphere", "--points", "whole.parquet", "--output", "./whole.parquet"];
    refuses(&folder, &onto_itself, 1, &["another file", "whole.parquet"]);
    assert_eq!(std::fs::read(path("whole.parquet")).unwrap(), bytes);
    assert!(!path("out.parquet").exists());
}

#[test]
fn couplings_are_those_of_the_objective() {
    let folder = folder();
    assert!(
        overparam(&folder, &["couplings", "--seed", "5", "--dimension", "3", "--output", "j.parquet"]).status.success()
    );
    let table = trace::read(&folder.path().join("j.parquet")).unwrap();
    let expected: Vec<f64> = overparam::Couplings::draw(5, 3).collect();
    assert_eq!(column(&table, "coupling"), expected);
    let k: Vec<u32> = table.column("k").unwrap().u32().unwrap().iter().flatten().collect();
    assert_eq!(k[..4], [0, 1, 2, 0]);
}

#[cfg(unix)]
#[test]
fn a_link_stays_one_and_leads_to_the_output() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("elsewhere")).unwrap();
    std::fs::write(path("elsewhere/j.parquet"), "old").unwrap();
    std::os::unix::fs::symlink("elsewhere/j.parquet", path("j.parquet")).unwrap();
    let arguments = ["couplings", "--seed", "5", "--dimension", "3", "--output", "j.parquet"];
    assert!(overparam(&folder, &arguments).status.success());
    assert!(path("j.parquet").is_symlink());
    assert_eq!(trace::read(&path("elsewhere/j.parquet")).unwrap().height(), 27);
}

/// How a sweep of figures that is cut short leaves the summary of an earlier one.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_the_earlier_summary() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/summary.parquet"), "earlier").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_overparam"))
        .current_dir(&folder)
        .args(["figures", "--functions", "rosenbrock,sphere", "--seeds", "40", "--jobs", "1"])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(std::fs::read(folder.path().join("data/summary.parquet")).unwrap(), b"earlier");
    assert!(gathered(&folder, "data/unfinished") > 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_runs() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "").unwrap();
    refuses(&folder, &["figures", "--out", "file/data"], 1, &["cannot", "file/data"]);
    refuses(
        &folder,
        &["run", "sphere", "--seconds", "1000", "--output", "file/a.parquet"],
        1,
        &["cannot write", "file/a.parquet"],
    );
}

/// A limit on the size of files stands in for a full disk: writing fails in the middle.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_half_written_file() {
    let folder = folder();
    let script = "ulimit -f 1; exec \"$0\" run sphere --iterations 2000 --every --output a.parquet";
    let output = Command::new("bash")
        .current_dir(&folder)
        .args(["-c", script, env!("CARGO_BIN_EXE_overparam")])
        .output()
        .expect("bash is there");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("a.parquet"), "{}", text(&output.stderr));
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_is_finished() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_overparam"))
        .current_dir(&folder)
        .args(["sweep", "rastrigin", "--iterations", "20000", "--rates", "1,0.1", "--seeds", "800", "--jobs", "1"])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait().map(|status| (status, std::io::read_to_string(child.stderr.take().unwrap()).unwrap()));
    let (status, error) = output.unwrap();
    assert_eq!(status.code(), Some(130), "{error}");
    assert!(error.contains("interrupted"), "{error}");
    let store = "data/sweeps/rastrigin-rates-1,0.1-seeds-800-iterations-20000-unfinished";
    assert!(error.contains(store), "{error}");
    assert!((1..3200).contains(&gathered(&folder, store)));
}

/// The number of runs that a store has, all of them finished.
fn gathered(folder: &TempDir, store: &str) -> usize {
    let output = overparam(folder, &["gather", store, "--output", "gathered.parquet"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = trace::read(&folder.path().join("gathered.parquet")).unwrap();
    let outcomes = table.column("outcome").unwrap().str().unwrap();
    assert!(outcomes.iter().all(|outcome| outcome == Some("finished")), "{table}");
    table.height()
}

#[test]
fn a_batched_sweep_writes_what_a_sweep_writes() {
    let folder = folder();
    let sweep = |more: &[&str], output: &str| {
        let small = ["sweep", "levy", "--rates", "1,0.1", "--seeds", "2", "--iterations", "100", "--output", output];
        let output = overparam(&folder, &[&small[..], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stderr), text(&output.stdout))
    };
    let (_, single) = sweep(&[], "a.parquet");
    let (note, batched) = sweep(&["--batched", "--device", "cpu"], "b.parquet");
    assert!(note.contains("8 runs in 2 batches of at most "), "{note}");
    assert_eq!(
        single.replace("in a.parquet", "").replace("a-points", ""),
        batched.replace("in b.parquet", "").replace("b-points", "")
    );
    let [a, b] = ["a.parquet", "b.parquet"].map(|name| trace::read(&folder.path().join(name)).unwrap());
    assert!(a.drop("seconds").unwrap().equals_missing(&b.drop("seconds").unwrap()));
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let folder = folder();
    for command in [&["run", "levy"][..], &["sweep", "levy"], &["figures"]] {
        let device = |name| [command, &["--device", name]].concat();
        refuses(&folder, &device("gpu"), 2, &["unknown device 'gpu'", "cpu, cuda, auto"]);
        if Backend::Cuda.ensure().is_err() {
            refuses(&folder, &device("cuda"), 2, &["cannot compute on the device cuda", "use the device cpu"]);
        }
    }
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));
}
