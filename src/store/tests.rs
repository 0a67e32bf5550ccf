//! Stores without the command line.

use super::shelf::Loaded;
use super::*;
use crate::descent::{Optimizer, Outcome, Settings};
use crate::device::Backend;
use crate::experiment::{Comparison, Dtype, Protocol, Run, Stage, Widths};
use crate::expression::Expression;
use crate::objective::{Function, Problem};
use crate::trace;
use polars::prelude::Column;
use rayon::prelude::*;
use std::sync::Mutex;

fn protocol() -> Protocol {
    let mut protocol = Protocol::paper();
    (protocol.iterations, protocol.seeds, protocol.rates) = (200, 2, vec![1.0, 0.1]);
    protocol
}

fn sweep_of(protocol: &Protocol) -> Experiment {
    Experiment::of_sweep(&protocol.sweep(Function::Sphere), Dtype::F64, Backend::Cpu)
}

/// All that two runs have in common, but for the times.
fn values(runs: &[Run]) -> Vec<String> {
    let timeless = |run: &Run| {
        let mut run = run.clone();
        run.seconds = 0.0;
        run.samples.iter_mut().for_each(|sample| sample.seconds = 0.0);
        format!("{run:?}")
    };
    runs.iter().map(timeless).collect()
}

fn file_names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { names.extend(file_names(&path)) } else { names.push(path.display().to_string()) }
    }
    names.sort();
    names
}

#[test]
fn runs_come_back_as_they_were() {
    let comparison = protocol().compare(Function::Rastrigin, &|_, _| {}).unwrap();
    let mut runs: Vec<Loaded> = comparison
        .sweep
        .into_iter()
        .map(|run| (Stage::Sweep, run))
        .chain(comparison.timed.into_iter().map(|run| (Stage::Timed, run)))
        .collect();
    (runs[0].1.settled_at, runs[0].1.thinned_from) = (Some(127), None);
    (runs[1].1.dimensions.widths, runs[2].1.dimensions.widths) = (Widths::of(&[]), Widths::of(&[2, 9, 4]));
    runs[3].1.samples[1].mean = f64::NAN;
    let table = rows::table(runs.iter().map(|(stage, run)| (*stage, run))).unwrap();
    let again: Vec<Loaded> = (0..runs.len()).map(|row| rows::run(&table, row, true).unwrap()).collect();
    assert_eq!(format!("{runs:?}"), format!("{again:?}"));
}

#[test]
fn what_is_there_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("s")).unwrap();
    let experiment = sweep_of(&protocol());
    let made = Mutex::new(0);
    let count = |_: Stage, _: &Run| *made.lock().unwrap() += 1;
    let shelf = store.shelf(&experiment).unwrap();
    let shard = Shard { index: 1, count: 3 };
    experiment.make(&shelf, &shard.of(&experiment).unwrap(), false, &count, &|_| {}).unwrap();
    let part = shard.of(&experiment).unwrap().len();
    assert_eq!((*made.lock().unwrap(), shelf.len()), (part, part));
    // Another process.
    let shelf = store.shelf(&experiment).unwrap();
    assert_eq!(experiment.there(&shelf, &experiment.trials()), part);
    experiment.make(&shelf, &experiment.trials(), false, &count, &|_| {}).unwrap();
    assert_eq!(*made.lock().unwrap(), 8);
    let Experiment { sweep, .. } = &experiment;
    let whole: Vec<Run> = sweep.run::<f64>(&|_| {}).unwrap();
    let short =
        |runs: &[Run]| -> Vec<_> { runs.iter().map(|run| (run.seed, run.optimizer, run.best.to_bits())).collect() };
    assert_eq!(short(&experiment.runs(&shelf).unwrap()), short(&whole));
    let known = experiment.known(&shelf).unwrap();
    let found: Vec<Run> = experiment.trials().iter().map(|trial| known[&trial.id].1.clone()).collect();
    assert_eq!(values(&found), values(&whole));
    // One seed more.
    let larger = sweep_of(&Protocol { seeds: 3, ..protocol() });
    let shelf = store.shelf(&larger).unwrap();
    larger.make(&shelf, &larger.trials(), false, &count, &|_| {}).unwrap();
    assert_eq!(*made.lock().unwrap(), 12);
    let gathered = store.gather().unwrap();
    assert_eq!((gathered.len(), gathered.missing), (12, 0));
    larger.take_back(&shelf);
    assert_eq!(store.gather().unwrap().len(), 12, "the smaller sweep is still asked for");
    experiment.take_back(&shelf);
    assert!(!store.folder().exists());
}

#[test]
fn batches_leave_out_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let experiment = sweep_of(&protocol());
    let shelf = store.shelf(&experiment).unwrap();
    let part = Shard { index: 2, count: 3 }.of(&experiment).unwrap();
    experiment.make(&shelf, &part, false, &|_, _| {}, &|_| {}).unwrap();
    let there = shelf.len();
    let made = Mutex::new(0);
    experiment.make(&shelf, &experiment.trials(), true, &|_, _| *made.lock().unwrap() += 1, &|_| {}).unwrap();
    assert_eq!(*made.lock().unwrap(), 8 - there);
    let whole = experiment.sweep.run::<f64>(&|_| {}).unwrap();
    let known = experiment.known(&shelf).unwrap();
    let found: Vec<Run> = experiment.trials().iter().map(|trial| known[&trial.id].1.clone()).collect();
    assert_eq!(values(&found), values(&whole));
}

/// Its settings have numbers of all 53 bits, and its rates are chosen from the runs of each seed.
#[test]
fn the_published_protocol_goes_on_as_if_it_had_not_been_interrupted() {
    let mut protocol = Protocol::deep_convexity();
    (protocol.iterations, protocol.seeds) = (40, 3);
    for function in [Function::Levy, Function::Michalewicz, Function::Sphere, Function::Schwefel] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let problem = Problem::from(function);
        let whole = protocol.compare(&problem, &|_, _| {}).unwrap();
        let experiment = Experiment::of_comparison(&protocol, &problem, Backend::Cpu);
        {
            let shelf = store.shelf(&experiment).unwrap();
            let keep = |stage, run: &Run| {
                shelf.keep(shelf.naming().id(stage, run.optimizer, run.seed, &run.settings), stage, run);
            };
            whole.sweep.iter().for_each(|run| keep(Stage::Sweep, run));
            // Interrupted after three of the six timed runs: a whole seed, and the shallow run of the next.
            whole.timed.iter().take(3).for_each(|run| keep(Stage::Timed, run));
            shelf.flush();
        }
        // The manifest and the subject as they are read.
        let shelf = store.shelves().unwrap().remove(0);
        let read = Experiment::of_record(shelf.subject().clone(), shelf.asked().unwrap().remove(0)).unwrap();
        assert_eq!((&read.subject, &read.manifest), (&experiment.subject, &experiment.manifest));
        let (there, reported) = (shelf.len(), Mutex::new(Vec::new()));
        let resumed: Comparison = read
            .compare(&shelf, &|stage, run| reported.lock().unwrap().push((stage, run.seed, run.optimizer)))
            .unwrap();
        // All timed runs are reported, and three are made.
        let expected: Vec<_> = (0..3).flat_map(|seed| Optimizer::ALL.map(|of| (Stage::Timed, seed, of))).collect();
        assert_eq!((reported.into_inner().unwrap(), shelf.len() - there), (expected, 3));
        let found = |runs: &[Run]| runs.iter().map(|run| (run.settings, run.best.to_bits())).collect::<Vec<_>>();
        assert_eq!(found(&resumed.timed), found(&whole.timed));
        assert_eq!(values(&resumed.sweep), values(&whole.sweep));
    }
}

#[test]
fn all_threads_may_write_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let experiment = sweep_of(&Protocol { iterations: 20, seeds: 40, ..protocol() });
    let shelf = store.shelf(&experiment).unwrap();
    experiment.make(&shelf, &experiment.trials(), false, &|_, _| {}, &|_| {}).unwrap();
    assert_eq!(shelf.len(), experiment.len());
    assert!(shelf.failure().is_none());
    assert!(file_names(folder.path()).len() < experiment.len(), "short runs share files");
}

#[test]
fn every_setting_makes_another_run() {
    let id = |protocol: &Protocol, problem: &Problem, dtype| {
        let experiment = Experiment::of_sweep(&protocol.sweep(problem), dtype, Backend::Cpu);
        experiment.trials()[0].id
    };
    let sphere = Problem::from(Function::Sphere);
    let bowl = |factor: f64| Problem::from(&Expression::new("bowl", [-1.0, 1.0], move |u| (factor * u.square()).sum()));
    let base = protocol();
    let mut ids = vec![
        id(&base, &sphere, Dtype::F64),
        id(&base, &sphere, Dtype::F32),
        id(&base, &bowl(1.0), Dtype::F64),
        id(&base, &bowl(2.0), Dtype::F64),
        id(&Protocol { iterations: 201, ..base.clone() }, &sphere, Dtype::F64),
        id(&Protocol { rates: vec![1.0f64.next_up()], ..base.clone() }, &sphere, Dtype::F64),
        id(&Protocol { residual: true, ..base.clone() }, &sphere, Dtype::F64),
    ];
    let mut wider = base.clone();
    wider.dimensions.n += 1;
    ids.push(id(&wider, &sphere, Dtype::F64));
    assert_eq!(id(&base, &bowl(1.0), Dtype::F64), ids[2], "the same in every process");
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    let naming = sweep_of(&base).subject().naming();
    let settings = Settings::default();
    let same = naming.id(Stage::Sweep, Optimizer::Deep, 1, &settings);
    for other in [
        naming.id(Stage::Timed, Optimizer::Deep, 1, &settings),
        naming.id(Stage::Sweep, Optimizer::Shallow, 1, &settings),
        naming.id(Stage::Sweep, Optimizer::Deep, 2, &settings),
        naming.id(Stage::Sweep, Optimizer::Deep, 1, &settings.seconds(1.0)),
    ] {
        assert_ne!(other, same);
    }
    assert_eq!(RunId::parse(&same.to_string()), Some(same));
}

#[test]
fn what_was_changed_or_is_of_another_version_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let experiment = sweep_of(&Protocol { seeds: 1, rates: vec![1.0], ..protocol() });
    let shelf = store.shelf(&experiment).unwrap();
    experiment.make(&shelf, &experiment.trials(), false, &|_, _| {}, &|_| {}).unwrap();
    let runs = file_names(folder.path()).into_iter().find(|name| name.ends_with(".parquet")).unwrap();
    let path = Path::new(&runs);
    let whole = fs::read(path).unwrap();
    let error = || store.gather().unwrap_err().to_string();
    // Cut short, and empty.
    for length in [whole.len() / 2, 0] {
        fs::write(path, &whole[..length]).unwrap();
        assert!(error().contains(&runs), "{}", error());
    }
    // A value, with a checksum of the value; and the run of another name.
    fs::write(path, &whole).unwrap();
    let table = trace::read(path).unwrap();
    let written = |table: &polars::prelude::DataFrame| {
        let settings = trace::metadata(path).unwrap()["overparam.settings"].clone();
        trace::write(table, path, &settings).unwrap();
    };
    for (name, value, part) in [("seed", 5u64, "not the one that its name stands for"), ("d", 5, "'x'")] {
        let mut changed = table.clone();
        changed.with_column(Column::new(name.into(), vec![value; table.height()])).unwrap();
        written(&changed);
        let error = error();
        assert!(error.contains(part.trim_matches('\'')) && error.contains("remove it"), "{name}: {error}");
        fs::write(path, &whole).unwrap();
    }
    for other in [table.drop("widths").unwrap(), table.drop("run").unwrap()] {
        written(&other);
        assert!(store.gather().is_err());
        fs::write(path, &whole).unwrap();
    }
    assert_eq!(store.gather().unwrap().len(), 2);
    // Records.
    let subject = shelf.folder().join("subject.json");
    let text = fs::read_to_string(&subject).unwrap();
    fs::write(&subject, text.replace("\"format\":1", "\"format\":2")).unwrap();
    assert!(error().contains("format 1 or older, and this is of format 2"), "{}", error());
    fs::write(&subject, &text[..20]).unwrap();
    assert!(error().contains("a record of a store"), "{}", error());
    fs::remove_file(&subject).unwrap();
    assert!(Store::read(folder.path()).unwrap_err().to_string().contains("expected a store"));
}

#[test]
fn diverged_runs_are_finished_and_stopped_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let problem = Problem::from(&Expression::new("cliff", [-1.0, 1.0], |u| u.ln().sum()));
    let experiment = Experiment::of_sweep(&protocol().sweep(&problem), Dtype::F64, Backend::Cpu);
    let shelf = store.shelf(&experiment).unwrap();
    experiment.make(&shelf, &experiment.trials(), false, &|_, _| {}, &|_| {}).unwrap();
    let runs = experiment.runs(&shelf).unwrap();
    assert_eq!(runs.len(), experiment.len());
    assert!(runs.iter().all(|run| run.outcome == Outcome::Diverged));
    // A closure is in no file.
    assert!(shelf.subject().problem().unwrap_err().to_string().contains("closure"));
}

/// The measurements of docs/scale.md, which says how to repeat them.
#[test]
#[ignore = "takes long, and gigabytes of disk"]
fn a_large_store_is_written_listed_and_gathered() {
    let number = |name: &str, usual: usize| std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap());
    let (count, group) = (number("OVERPARAM_RUNS", 10_000), number("OVERPARAM_GROUP", 1));
    let folder = PathBuf::from(std::env::var("OVERPARAM_FOLDER").expect("OVERPARAM_FOLDER says where"));
    let seconds = |clock: std::time::Instant| clock.elapsed().as_secs_f64();
    let mut protocol = Protocol::paper();
    (protocol.seeds, protocol.rates) = (1, vec![1.0]);
    // One run of the paper, over and over under other seeds.
    let model = protocol.sweep(Function::Rastrigin).run::<f64>(&|_| {}).unwrap().remove(0);
    let mut sweep = protocol.sweep(Function::Rastrigin);
    (sweep.optimizers, sweep.seeds) = (vec![Optimizer::Shallow], (0..count as u64).collect());
    let experiment = Experiment::of_sweep(&sweep, Dtype::F64, Backend::Cpu);
    let store = Store::open(&folder).unwrap();
    let shelf = store.shelf(&experiment).unwrap();
    let clock = std::time::Instant::now();
    let seeds: Vec<u64> = (0..count as u64).collect();
    seeds.par_chunks(group).for_each(|seeds| {
        let run = |&seed: &u64| {
            let run = Run { seed, ..model.clone() };
            (shelf.naming().id(Stage::Sweep, run.optimizer, seed, &run.settings), Stage::Sweep, run)
        };
        shelf.put(seeds.iter().map(run).collect());
    });
    assert!(shelf.failure().is_none());
    println!("{count} runs in files of {group}: written in {:.1} s", seconds(clock));
    let clock = std::time::Instant::now();
    let again = store.shelf(&experiment).unwrap();
    println!("listed in {:.1} s: {} runs", seconds(clock), again.len());
    let clock = std::time::Instant::now();
    let part = Shard { index: 1, count: 1000 }.of(&experiment).unwrap();
    println!("part 1 of 1000 found in {:.1} s: {} runs", seconds(clock), part.len());
    let clock = std::time::Instant::now();
    let gathered = store.gather().unwrap();
    println!("gathered in {:.1} s: {} runs", seconds(clock), gathered.len());
    let output = |name: &str| trace::prepare(folder.join(name)).unwrap();
    let clock = std::time::Instant::now();
    gathered.write_summary(&output("summary.parquet")).unwrap();
    println!("summary written in {:.1} s", seconds(clock));
    if std::env::var("OVERPARAM_TRACES").is_ok() {
        let clock = std::time::Instant::now();
        gathered.write_traces(&output("traces.parquet")).unwrap();
        println!("traces written in {:.1} s", seconds(clock));
    }
    println!("at most {} MiB of memory", crate::memory::peak().unwrap_or(0) >> 20);
}
