//! Which files results go to, and what may become of the files that are there.

use overparam::output::{Output, TemporaryFolder, pause};
use overparam::prelude::*;
use overparam::trace::{self, Destination};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_overparam");

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary folder is writable")
}

/// Runs the program and returns its exit status and what it prints on standard error.
fn overparam(folder: &TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let output =
        Command::new(PROGRAM).current_dir(folder).args(arguments).output().expect("the program was just built");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn succeeds(folder: &TempDir, arguments: &[&str]) {
    let (code, error) = overparam(folder, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {error}");
}

/// Runs the program, which must fail with one line that holds `part`, before it has computed anything.
fn refuses(folder: &TempDir, arguments: &[&str], part: &str) {
    let (code, error) = overparam(folder, arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
    assert!(error.contains(part), "{arguments:?}: {error}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A table of so many rows.
fn table(rows: usize) -> DataFrame {
    use overparam::polars::prelude::Column;
    DataFrame::new(rows, vec![Column::new("x".into(), vec![0.5; rows])]).unwrap()
}

/// Would take hours: whatever is refused is refused before.
const LONG: [&str; 5] = ["run", "sphere", "--seconds", "10000", "--output"];

#[test]
fn different_experiments_go_to_different_files_and_the_same_to_the_same() {
    let different: &[&[&str]] = &[
        &[],
        &["--rate", "0.1"],
        &["--rate", "0.01"],
        &["--rate", "1e-10"],
        &["--seed", "1"],
        &["--optimizer", "shallow"],
        &["--iterations", "30"],
        &["--seconds", "0.01"],
        &["--every"],
        &["--dtype", "f32"],
        &["--squash", "scaled-tanh"],
        &["--initialization", "pytorch-uniform"],
        &["--d", "10"],
        &["--n", "1000"],
        &["--hidden", "50"],
        &["--hidden", "50", "--layers", "4"],
        &["--protocol", "deep-convexity"],
        &["--protocol", "deep-convexity", "--dtype", "f32"],
        &["--protocol", "deep-convexity", "--schedule", "paper"],
        &["--rule", "adam"],
        &["--rule", "rmsprop"],
        &["--rule", "adam", "--schedule", "cosine"],
        &["--schedule", "cosine"],
        &["--schedule", "constant"],
        &["--activation", "tanh"],
        &["--residual"],
        &["--frozen-embeddings"],
        &["--residual", "--frozen-embeddings"],
        &["--layers", "0"],
        &["--layers", "0", "--hidden", "24"],
        &["--widths", "32,16,8"],
        &["--widths", "32,8,16"],
        &["--widths", "32,16,8", "--k", "10"],
        &["--widths", "10,9,8,7,6,5,4,3,2,10,9,8,7,6,5,4,3,2,10,9,8,7,6,5,4,3,2,1"],
        &["--widths", "10,9,8,7,6,5,4,3,2,10,9,8,7,6,5,4,3,2,10,9,8,7,6,5,4,3,2,2"],
    ];
    let folder = folder();
    for (count, more) in different.iter().enumerate() {
        let few: &[&str] = if more.iter().any(|word| ["--iterations", "--seconds"].contains(word)) {
            &[]
        } else {
            &["--iterations", "20"]
        };
        succeeds(&folder, &[&["run", "sphere"], few, more].concat());
        assert_eq!(names(&folder.path().join("data/runs")).len(), 2 * (count + 1), "{more:?}");
    }
    let before = names(&folder.path().join("data/runs"));
    succeeds(&folder, &["run", "sphere", "--iterations", "20", "--rate", "0.1", "--dtype", "f64", "--k", "10"]);
    succeeds(&folder, &["run", "sphere", "--iterations", "20", "--widths", "10"]);
    succeeds(&folder, &["run", "sphere", "--iterations", "20", "--widths", "50,50,50,50"]);
    succeeds(&folder, &["run", "sphere", "--iterations", "20", "--widths", "none"]);
    assert_eq!(names(&folder.path().join("data/runs")), before, "defaults that are spelled out are the same");
    for words in [
        "rate-0.1",
        "adam",
        "rmsprop",
        "adam-schedule-cosine",
        "schedule-cosine",
        "schedule-constant",
        "tanh",
        "residual",
        "frozen-embeddings",
        "residual-frozen-embeddings",
        "widths-50",
        "widths-50,50,50,50",
        "widths-none",
        "k-24-widths-none",
        "widths-32,16,8",
        "k-10-widths-32,16,8",
        "deep-convexity-schedule-paper",
    ] {
        let name = format!("sphere-deep-0-{words}-iterations-20.parquet");
        assert!(before.contains(&name), "{name}: {before:?}");
    }

    let different: &[&[&str]] = &[
        &[],
        &["--rates", "1,0.1"],
        &["--rates", "0.1,1"],
        &["--rates", "1,0.5,0.25,0.125,0.0625,0.03125,0.015625,0.0078125,0.00390625"],
        &["--rates", "1,0.5,0.25,0.125,0.0625,0.03125,0.015625,0.0078125,0.00390626"],
        &["--seeds", "2"],
        &["--optimizer", "deep"],
        &["--batched"],
        &["--dtype", "f32"],
    ];
    for (count, more) in different.iter().enumerate() {
        succeeds(&folder, &[&["sweep", "sphere", "--iterations", "5"], *more].concat());
        assert_eq!(names(&folder.path().join("data/sweeps")).len(), 2 * (count + 1), "{more:?}");
    }
    let before = names(&folder.path().join("data/sweeps"));
    succeeds(&folder, &["sweep", "sphere", "--iterations", "5", "--jobs", "1", "--seeds", "10"]);
    assert_eq!(names(&folder.path().join("data/sweeps")), before);
}

#[test]
fn a_part_goes_beside_and_the_fuller_of_two_stays() {
    let folder = folder();
    let path = folder.path().join("a.parquet");
    let part = folder.path().join("a-unfinished.parquet");
    let rows = |path: &Path| trace::read(path).unwrap().height();
    let prepare = |settings: &str| Destination::prepare(&path, settings.to_owned(), Backend::Cpu).unwrap();
    let stopped = Outcome::Stopped;

    assert_eq!(prepare("1").write(&table(5), Outcome::Finished).unwrap().path, path);
    assert_eq!(prepare("1").write(&table(3), stopped).unwrap().path, part);
    assert_eq!((rows(&path), rows(&part)), (5, 3), "a part does not replace what is finished");
    assert_eq!(trace::metadata(&path).unwrap()["overparam.outcome"], "finished");
    assert_eq!(trace::metadata(&part).unwrap()["overparam.outcome"], "stopped");

    let destination = prepare("1");
    let place = destination.write(&table(2), stopped).unwrap();
    assert_eq!((place.path, place.fuller, rows(&part)), (&*part, Some(3), 3), "nor a fuller part");
    assert!(place.to_string().contains("3 rows"), "{place}");
    assert_eq!(prepare("1").write(&table(4), stopped).unwrap().fuller, None);
    assert_eq!(rows(&part), 4);

    // Another experiment of the same name has a part of its own.
    assert_eq!(prepare("2").write(&table(1), stopped).unwrap().path, folder.path().join("a-unfinished-2.parquet"));
    assert_eq!(rows(&part), 4);
    prepare("1").write(&table(9), Outcome::Diverged).unwrap();
    assert_eq!(names(folder.path()), ["a-unfinished-2.parquet", "a.parquet"], "the part of what is finished is gone");
    assert_eq!(rows(&path), 9);

    // Nor does it take the place of what is no result at all.
    fs::write(&part, "notes").unwrap();
    assert_eq!(prepare("3").write(&table(1), stopped).unwrap().path, folder.path().join("a-unfinished-3.parquet"));
    assert_eq!(fs::read(&part).unwrap(), b"notes");
}

#[test]
fn figures_of_a_part_keep_the_rest_and_smaller_ones_are_refused() {
    let folder = folder();
    let figures = |more: &[&'static str]| [&["figures", "--quick", "--seeds", "2"], more].concat();
    let summary = folder.path().join("data/summary.parquet");
    let functions = || -> Vec<String> {
        let table = trace::read(&summary).unwrap();
        let mut names: Vec<String> =
            table.column("function").unwrap().str().unwrap().iter().flatten().map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    };
    succeeds(&folder, &figures(&["--functions", "sphere,rastrigin,levy"]));
    let rows = trace::read(&summary).unwrap().height();
    let panels =
        || fs::read_to_string(folder.path().join("data/figures/figure2.html")).unwrap().matches("Rastrigin").count();
    let before = panels();
    assert!(before > 0);

    succeeds(&folder, &figures(&["--functions", "sphere"]));
    assert_eq!(functions(), ["levy", "rastrigin", "sphere"]);
    assert_eq!(trace::read(&summary).unwrap().height(), rows);
    assert_eq!(panels(), before, "the figure shows the functions that were kept");
    let settings = &trace::metadata(&summary).unwrap()["overparam.settings"];
    assert!(["levy", "rastrigin", "sphere"].iter().all(|name| settings.contains(name)), "{settings}");

    let whole = fs::read(&summary).unwrap();
    for (more, part) in [
        (&["figures", "--quick", "--seeds", "1"][..], "larger (2 seeds of 1000 iterations"),
        (&["figures", "--quick", "--seeds", "1", "--functions", "ackley"], "larger"),
        (&["figures", "--quick", "--seeds", "3", "--functions", "ackley"], "of smaller ones"),
        (&["figures", "--quick", "--seeds", "2", "--dtype", "f32"], "of other settings"),
        (&["figures", "--protocol", "deep-convexity"], "of other settings"),
    ] {
        refuses(&folder, more, part);
        refuses(&folder, more, "--out");
    }
    fs::remove_file(folder.path().join("data/traces/levy.parquet")).unwrap();
    refuses(&folder, &figures(&["--functions", "sphere"]), "levy.parquet is missing");
    assert_eq!(fs::read(&summary).unwrap(), whole);
    // Larger ones of the same functions replace it.
    succeeds(&folder, &["figures", "--quick", "--seeds", "3", "--functions", "sphere,rastrigin,levy"]);
    assert!(trace::read(&summary).unwrap().height() > rows);
}

#[test]
fn results_with_the_settings_of_another_version_are_told_by_their_version() {
    let folder = folder();
    let path = folder.path().join("data/traces/sphere.parquet");
    // A protocol of before there were rules of several kinds.
    let settings = serde_json::json!({ "functions": ["sphere"], "protocol": { "name": "paper" } }).to_string();
    trace::write(&table(1), &path, &settings).unwrap();
    let figures = ["figures", "--quick", "--functions", "sphere"];
    let version = format!("with the settings of another version (overparam {})", env!("CARGO_PKG_VERSION"));
    refuses(&folder, &figures, &version);
    // One of before hidden layers could have different widths.
    let mut protocol = serde_json::to_value(Protocol::paper().quick()).unwrap();
    protocol["dimensions"] = serde_json::json!({ "n": 50, "k": 10, "hidden": 10, "layers": 1, "d": 50 });
    let settings = serde_json::json!({ "functions": ["sphere"], "protocol": protocol }).to_string();
    trace::write(&table(1), &path, &settings).unwrap();
    refuses(&folder, &figures, &version);
    trace::write(&table(1), &path, r#"{"functions":["sphere"]}"#).unwrap();
    refuses(&folder, &figures, "by another command");
}

#[test]
fn names_that_no_file_can_have_are_refused_before_anything_runs() {
    let folder = folder();
    fs::create_dir(folder.path().join("there")).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let long = format!("{}.parquet", "a".repeat(260));
    // The file's own name is short enough, and that of its part is not.
    let nearly = format!("{}.parquet", "a".repeat(240));
    for (name, part) in [
        (long.as_str(), "too long"),
        (&nearly, "-unfinished.parquet: File name too long"),
        (".", "name of a file"),
        ("..", "name of a file"),
        ("new/", "name of a file"),
        ("new/.", "name of a file"),
        ("there", "folder"),
        ("there/", "name of a file"),
        ("file/", "name of a file"),
        ("file/a.parquet", "file/a.parquet"),
        ("/dev/null", "device"),
        ("/proc/a.parquet", "cannot write /proc/a.parquet: No such file or directory (os error 2)\n"),
        ("-", "stream"),
    ] {
        refuses(&folder, &[&LONG[..], &[name]].concat(), part);
    }
    assert_eq!(names(folder.path()), ["file", "there"]);
    assert!(Output::prepare("").is_err());
    // Standard output that is a file, perhaps with what others have written to it.
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let output = Command::new(PROGRAM).current_dir(&folder).args(LONG).arg("/dev/stdout").stdout(log).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("stream"), "{output:?}");
    fs::remove_file(folder.path().join("log")).unwrap();
    for file in ["summary.parquet", "traces/sphere.parquet", "figures/figure2.html", "figures/figure3.png"] {
        let path = folder.path().join("data").join(file);
        fs::create_dir_all(&path).unwrap();
        refuses(&folder, &["figures", "--functions", "sphere,levy"], file);
        fs::remove_dir(&path).unwrap();
    }
}

#[test]
fn a_pause_waits_for_the_end_of_the_writing() {
    let folder = folder();
    let output = Output::prepare(folder.path().join("a")).unwrap();
    let temporary = TemporaryFolder::new().unwrap();
    let (begun, begins) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let slow = output.write(|sink| {
                begun.send(()).unwrap();
                thread::sleep(std::time::Duration::from_millis(300));
                std::io::Write::write_all(sink, b"whole").unwrap();
                Ok(())
            });
            slow.unwrap();
        });
        begins.recv().unwrap();
        let guard = pause();
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(!temporary.path().exists());
        drop(guard);
    });
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    const SHORT: [&str; 5] = ["run", "sphere", "--iterations", "20", "--output"];

    #[test]
    fn links_stay_and_their_files_are_written() {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("far")).unwrap();
        fs::write(path("far/old.parquet"), "old").unwrap();
        symlink("far/old.parquet", path("link")).unwrap();
        symlink("link", path("link-to-link")).unwrap();
        symlink("far/new.parquet", path("dangling")).unwrap();
        symlink("dangling", path("dangling-too")).unwrap();
        symlink("made/on/the/way.parquet", path("deep")).unwrap();
        symlink(path("far"), path("folder")).unwrap();
        for (link, file) in [
            ("link", "far/old.parquet"),
            ("link-to-link", "far/old.parquet"),
            ("dangling", "far/new.parquet"),
            ("dangling-too", "far/new.parquet"),
            ("deep", "made/on/the/way.parquet"),
            ("folder/x.parquet", "far/x.parquet"),
        ] {
            succeeds(&folder, &[&SHORT[..], &[link]].concat());
            assert!(path(link.split('/').next().unwrap()).is_symlink(), "{link}");
            assert!(trace::read(&path(file)).is_ok(), "{link}");
            assert!(!path(file).is_symlink());
            fs::remove_file(path(file)).unwrap();
            if link.starts_with("link") {
                fs::write(path(file), "old").unwrap();
            }
        }
        symlink("round", path("about")).unwrap();
        symlink("about", path("round")).unwrap();
        symlink("nowhere/", path("slash")).unwrap();
        refuses(&folder, &[&LONG[..], &["round"]].concat(), "symbolic links");
        refuses(&folder, &[&LONG[..], &["slash"]].concat(), "name of a file");
        refuses(&folder, &[&LONG[..], &["folder"]].concat(), "folder");
    }

    #[test]
    fn permissions_are_kept_and_a_read_only_file_is_left_alone() {
        let folder = folder();
        let path = folder.path().join("a.parquet");
        for mode in [0o600, 0o640, 0o644, 0o664, 0o666, 0o700] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            succeeds(&folder, &[&SHORT[..], &["a.parquet"]].concat());
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        }
        for mode in [0o444, 0o400, 0o000, 0o555] {
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let (code, error) = overparam(&folder, &[&LONG[..], &["a.parquet"]].concat());
            assert_eq!((code, error.lines().count()), (Some(1), 1), "{mode:o}: {error}");
            assert!(error.contains("read-only") && error.contains("a.parquet"), "{mode:o}: {error}");
        }
        // A part that is read-only is no obstacle to finding a name for another.
        fs::write(folder.path().join("b-unfinished.parquet"), "old").unwrap();
        fs::set_permissions(folder.path().join("b-unfinished.parquet"), PermissionsExt::from_mode(0o444)).unwrap();
        succeeds(&folder, &[&SHORT[..], &["b.parquet"]].concat());
        // A page of figures.
        fs::create_dir_all(folder.path().join("data/figures")).unwrap();
        fs::copy(&path, folder.path().join("data/figures/figure1.html")).unwrap_or_default();
        fs::write(folder.path().join("data/figures/figure2.html"), "").unwrap();
        fs::set_permissions(folder.path().join("data/figures/figure2.html"), PermissionsExt::from_mode(0o444)).unwrap();
        let (code, error) = overparam(&folder, &["figures"]);
        assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    }

    #[test]
    fn a_new_file_has_the_permissions_of_any_new_file() {
        let folder = folder();
        let path = folder.path().join("new.parquet");
        trace::write(&table(1), &path, "{}").unwrap();
        fs::write(folder.path().join("other"), "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode();
        assert_eq!(mode(&path), mode(&folder.path().join("other")));
    }

    fn run(program: &str, arguments: &[&str]) -> bool {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    }

    /// A command that takes back what a test changed about a file, run when this is dropped.
    struct Undo<'a>(&'a str, &'a [&'a str]);

    impl Drop for Undo<'_> {
        fn drop(&mut self) {
            let undone = run(self.0, self.1);
            assert!(undone || thread::panicking(), "{} {:?} failed", self.0, self.1);
        }
    }

    #[test]
    #[ignore = "needs root"]
    fn immutable_files_and_mount_points_are_found_out_at_the_start() {
        let folder = folder();
        let path = folder.path().join("a.parquet");
        let name = path.to_str().unwrap();
        for (set, reset) in [("+i", "-i"), ("+a", "-a")] {
            fs::write(&path, "old").unwrap();
            if run("chattr", &[set, name]) {
                let _undo = Undo("chattr", &[reset, name]);
                refuses(&folder, &[&LONG[..], &["a.parquet"]].concat(), "a.parquet: Operation not permitted");
            } else {
                eprintln!("not tested, for this file system has no such attribute: {set}");
            }
        }
        fs::write(folder.path().join("b c"), "").unwrap();
        let other = folder.path().join("b c");
        let other = other.to_str().unwrap();
        if run("mount", &["--bind", name, other]) {
            let _undo = Undo("umount", &[other]);
            refuses(&folder, &[&LONG[..], &["b c"]].concat(), "mount point");
        } else {
            eprintln!("not tested, for nothing can be mounted here: a mount point");
        }
    }

    #[test]
    #[ignore = "needs root"]
    fn other_users_files_are_found_out_at_the_start_and_keep_their_owner() {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        let nobody = 65534;
        // Where nobody may start it.
        let place = TempDir::new().unwrap();
        let program = place.path().join("overparam");
        fs::copy(PROGRAM, &program).unwrap();
        fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(path(""), Some(nobody), Some(nobody)).unwrap();
        fs::set_permissions(path(""), PermissionsExt::from_mode(0o777)).unwrap();
        // Root keeps the owner.
        fs::write(path("theirs.parquet"), "old").unwrap();
        std::os::unix::fs::chown(path("theirs.parquet"), Some(nobody), Some(nobody)).unwrap();
        succeeds(&folder, &[&SHORT[..], &["theirs.parquet"]].concat());
        let metadata = fs::metadata(path("theirs.parquet")).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (nobody, nobody));

        fs::create_dir(path("sticky")).unwrap();
        fs::set_permissions(path("sticky"), PermissionsExt::from_mode(0o1777)).unwrap();
        for (name, mode) in [("writable.parquet", 0o666), ("unwritable.parquet", 0o644)] {
            fs::write(path("sticky").join(name), "old").unwrap();
            fs::set_permissions(path("sticky").join(name), PermissionsExt::from_mode(mode)).unwrap();
            let output = Command::new("setpriv")
                .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
                .arg(&program)
                .args(LONG)
                .arg(format!("sticky/{name}"))
                .current_dir(&folder)
                .output();
            let output = output.expect("setpriv is there, of util-linux");
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{name}: {error}");
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn an_output_that_fails_leaves_the_file_as_it_was() {
        let folder = folder();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let output = Output::prepare(&path).unwrap();
        let failed = output.write(|sink| {
            std::io::Write::write_all(sink, &[0; 100_000]).unwrap();
            Err(Error::Interrupted)
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a"]);
        // What has gone meanwhile is made again.
        fs::remove_dir_all(folder.path()).unwrap();
        output.write(|_| Ok(())).unwrap();
        output.remove().unwrap();
        output.remove().unwrap();
    }

    #[test]
    fn removing_an_output_leaves_the_link_to_it() {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "old").unwrap();
        symlink("file", path("link")).unwrap();
        let output = Output::prepare(path("link")).unwrap();
        output.remove().unwrap();
        assert!(path("link").is_symlink() && !path("file").exists());
    }

    #[test]
    fn two_outputs_that_lead_to_one_file_are_refused() {
        let folder = folder();
        fs::create_dir(folder.path().join("real")).unwrap();
        symlink("real", folder.path().join("link")).unwrap();
        symlink("real/a.parquet", folder.path().join("b.parquet")).unwrap();
        for (first, second) in [
            ("real/a.parquet", "link/a.parquet"),
            ("link/a.parquet", "real/a.parquet"),
            ("b.parquet", "link/a.parquet"),
            ("new/a.parquet", "new/../new/a.parquet"),
            ("a.parquet", "a-unfinished.parquet"),
            ("a-unfinished.parquet", "a.parquet"),
        ] {
            refuses(&folder, &[&LONG[..], &[first, "--point", second]].concat(), "both are this one");
            // An unfinished sweep keeps its runs in a folder.
            if !format!("{first}{second}").contains("unfinished") {
                let sweep = ["sweep", "sphere", "--output", first, "--points", second];
                refuses(&folder, &sweep, "both are this one");
            }
        }
        // And the points that are evaluated.
        fs::write(folder.path().join("real/p.parquet"), "x0\n0.5\n").unwrap();
        let evaluate = ["evaluate", "sphere", "--points", "real/p.parquet", "--output", "link/p.parquet"];
        refuses(&folder, &evaluate, "another file to write");
    }
}
