//! Long computations that show their progress and survive an interruption.
//!
//! Finished runs go to a file now and then, and whoever asks for the same runs again gets those from the file and the rest computed. The
//! file is removed when all are done.

use crate::descent::Sample;
use crate::descent::{Optimizer, Outcome, Settings};
use crate::device::Backend;
use crate::element::Element;
use crate::error::Error;
use crate::experiment::{Comparison, Dimensions, Dtype, End, Protocol, Run, Stage, Sweep, Widths};
use crate::objective::Problem;
use crate::trace;
use crate::{interrupt, progress, simd};
use polars::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest time that a finished run is not in the file.
const EVERY: Duration = Duration::from_secs(2);

/// The environment variable that says where data goes, instead of to `data` below the current folder.
const FOLDER: &str = "OVERPARAM_DATA";

impl Protocol {
    /// [`Protocol::compare`] with its progress shown: a bar on a terminal, a line that changes in a notebook, a line now and then in a log.
    ///
    /// Finished runs are kept in a file below `data/unfinished` until all are done: after an interruption, the same call goes
    /// on from there.
    ///
    /// # Errors
    /// As [`Protocol::compare`].
    pub fn compare_with_progress(&self, problem: impl Into<Problem>) -> Result<Comparison, Error> {
        self.validate()?;
        let problem = &problem.into();
        let unfinished = Unfinished::open(problem, &format!("{self:?} {}", problem.fingerprint(self.dimensions.d)));
        let watch = Watch::new(problem, self.runs(problem), &unfinished);
        let known = |stage, optimizer, rate, seed| unfinished.find(stage, optimizer, rate, seed);
        let comparison = self.compare_beyond(Backend::Cpu, problem, &known, &|stage, run| {
            unfinished.keep(stage, run);
            watch.add(stage, run);
        })?;
        watch.end();
        unfinished.close();
        Ok(comparison)
    }
}

impl Sweep {
    /// [`Sweep::run`] with its progress shown, and resumed after an interruption: see [`Protocol::compare_with_progress`].
    ///
    /// # Errors
    /// As [`Sweep::run`].
    pub fn run_with_progress(&self, dtype: Dtype) -> Result<Vec<Run>, Error> {
        match dtype {
            Dtype::F32 => self.watched::<f32>(),
            Dtype::F64 => self.watched::<f64>(),
        }
    }

    fn watched<R: Element>(&self) -> Result<Vec<Run>, Error> {
        let unfinished = Unfinished::open(
            &self.problem,
            &format!("{self:?} {} {}", self.problem.fingerprint(self.dimensions.d), R::NAME),
        );
        let watch = Watch::new(&self.problem, self.len(), &unfinished);
        let known = |optimizer, rate, seed| unfinished.find(Stage::Sweep, optimizer, rate, seed);
        let runs = self.run_beyond::<R>(&known, &|run| {
            unfinished.keep(Stage::Sweep, run);
            watch.add(Stage::Sweep, run);
        })?;
        watch.end();
        unfinished.close();
        Ok(runs)
    }
}

impl Run {
    /// Writes the run to a Parquet file that [`Run::load`] reads: settings, result, samples, and the [end](Run::end). The numbers of the
    /// result are kept to the last bit.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        write(&[(Stage::Timed, self.clone())], path.as_ref())
    }

    /// The run that [`Run::save`] wrote.
    ///
    /// # Errors
    /// If the file cannot be read, or is not one that [`Run::save`] of this version wrote.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let problem = || {
            let problem = "expected a run that `Run::save` of this version wrote".to_owned();
            Error::Data { path: path.to_owned(), problem }
        };
        let table = trace::read(path)?;
        let run = if table.height() == 1 { read_row(&table, 0).map_err(|_| problem())? } else { None };
        run.map(|(_, run)| run).ok_or_else(problem)
    }
}

/// The bar, with the best so far in its message.
struct Watch<'a> {
    bar: indicatif::ProgressBar,
    problem: &'a Problem,
    seen: Mutex<Seen>,
}

/// What a [`Watch`] has seen.
struct Seen {
    /// The best objective of the runs that did not diverge.
    best: f64,
    /// The number of runs that came to their end, those of the file among them.
    finished: usize,
}

impl<'a> Watch<'a> {
    fn new(problem: &'a Problem, total: usize, unfinished: &Unfinished) -> Self {
        if unfinished.found > 0 {
            // A line that cannot be printed is no reason to stop.
            let _ = progress::say(&format!(
                "{} of {total} runs were finished before an interruption and are taken from {}",
                unfinished.found,
                unfinished.path.display()
            ));
        }
        let bar = progress::bar(total as u64);
        bar.set_message(problem.name().to_owned());
        bar.set_position(unfinished.found as u64);
        bar.reset_eta();
        bar.tick();
        Self { bar, problem, seen: Mutex::new(Seen { best: f64::INFINITY, finished: unfinished.found }) }
    }

    fn add(&self, stage: Stage, run: &Run) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if run.outcome != Outcome::Diverged {
            seen.best = seen.best.min(run.best);
        }
        seen.finished += usize::from(run.outcome != Outcome::Stopped);
        let doing = match stage {
            Stage::Sweep => "",
            Stage::Timed => ", timed runs alone",
        };
        self.bar.set_message(format!("{}{doing}, best so far {:.3e}", self.problem, seen.best));
        self.bar.inc(1);
    }

    fn end(&self) {
        if !interrupt::requested() {
            return self.bar.finish();
        }
        self.bar.abandon();
        let finished = self.seen.lock().unwrap_or_else(PoisonError::into_inner).finished;
        let total = self.bar.length().unwrap_or_default();
        let _ = progress::say(&format!("interrupted: {finished} of {total} runs kept"));
    }
}

/// The finished runs of a computation that is not finished.
struct Unfinished {
    path: PathBuf,
    /// The number of runs that the file had.
    found: usize,
    /// The longest time that a finished run is not in the file.
    every: Duration,
    runs: Mutex<Runs>,
}

struct Runs {
    list: Vec<(Stage, Run)>,
    written: Instant,
    writing: bool,
    announced: bool,
}

impl Unfinished {
    /// The file of the computation that `settings` describe, with what an interrupted one left there.
    fn open(problem: &Problem, settings: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        // Other instructions round otherwise.
        (settings, env!("CARGO_PKG_VERSION"), simd::instruction_set()).hash(&mut hasher);
        let folder = std::env::var_os(FOLDER).map_or_else(|| PathBuf::from("data"), PathBuf::from);
        Self::at(folder.join(format!("unfinished/{problem}-{:016x}.parquet", hasher.finish())), EVERY)
    }

    fn at(path: PathBuf, every: Duration) -> Self {
        // A file that cannot be read, or that another version wrote, is as good as none: all of it can be computed.
        let list = if path.exists() { read(&path).unwrap_or_default() } else { Vec::new() };
        let found = list.len();
        let runs = Runs { list, written: Instant::now(), writing: false, announced: found > 0 };
        Self { path, found, every, runs: Mutex::new(runs) }
    }

    fn find(&self, stage: Stage, optimizer: Optimizer, rate: f64, seed: u64) -> Option<Run> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |run: &Run| run.optimizer == optimizer && run.settings.learning_rate.initial == rate && run.seed == seed;
        runs.list.iter().take(self.found).find(|(of, run)| *of == stage && same(run)).map(|(_, run)| run.clone())
    }

    fn keep(&self, stage: Stage, run: &Run) {
        if run.outcome == Outcome::Stopped {
            return;
        }
        let (snapshot, announced) = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.list.push((stage, run.clone()));
            if runs.writing || runs.written.elapsed() < self.every {
                return;
            }
            runs.writing = true;
            (runs.list.clone(), std::mem::replace(&mut runs.announced, true))
        };
        // Without the lock: a thread that waits for Polars may take up another run meanwhile, and come here with it.
        let said = match write(&snapshot, &self.path) {
            Ok(()) => format!(
                "finished runs are kept in {}: after an interruption, run the same again and it goes on from there",
                self.path.display()
            ),
            Err(error) => format!("finished runs are not kept, so do not interrupt: {error}"),
        };
        if !announced {
            let _ = progress::say(&said);
        }
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        (runs.writing, runs.written) = (false, Instant::now());
    }

    /// Removes the file, or leaves it with all that is finished if an interrupt was requested.
    fn close(self) {
        let runs = self.runs.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What cannot be written or removed here is announced when the same is asked for again.
        if interrupt::requested() {
            let _ = write(&runs.list, &self.path);
        } else if self.path.exists() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The columns of [`trace::summary`], and what else makes a [`Run`]: its settings as JSON; x, the raw range and the samples as
/// numbers separated by blanks, of so many digits that they are read back as they were.
fn write(runs: &[(Stage, Run)], path: &Path) -> Result<(), Error> {
    let failed = |source| Error::table("tabulate the finished runs", source);
    let mut table = trace::summary(runs.iter().map(|(stage, run)| (stage.name(), run)))?;
    let settings: Vec<String> =
        runs.iter().map(|(_, run)| serde_json::to_string(&run.settings).unwrap_or_default()).collect();
    let list = |name: &str, value: &dyn Fn(&Run) -> Vec<f64>| {
        let text = |values: Vec<f64>| values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        Column::new(name.into(), runs.iter().map(|(_, run)| text(value(run))).collect::<Vec<_>>())
    };
    let end = |name: &str, value: fn(&End) -> &[f64]| {
        list(name, &|run| run.end.as_ref().map(|end| value(end).to_vec()).unwrap_or_default())
    };
    let norms: Vec<Option<f64>> = runs.iter().map(|(_, run)| run.end.as_ref().map(|end| end.gradient_norm)).collect();
    let samples = |name: &str, value: fn(&Sample) -> f64| list(name, &|run| run.samples.iter().map(value).collect());
    let columns = [
        Column::new("settings".into(), settings),
        Column::new("thinned_from".into(), runs.iter().map(|(_, run)| run.thinned_from).collect::<Vec<_>>()),
        list("x", &|run| run.x.clone()),
        list("range", &|run| run.scale.to_vec()),
        end("end_points", |end| &end.points),
        end("end_values", |end| &end.values),
        end("end_parameters", |end| &end.parameters),
        Column::new("end_gradient_norm".into(), norms),
        samples("sample_iteration", |sample| sample.iteration as f64),
        samples("sample_seconds", |sample| sample.seconds),
        samples("sample_min", |sample| sample.min),
        samples("sample_mean", |sample| sample.mean),
        samples("sample_best", |sample| sample.best),
        samples("sample_step_size", |sample| sample.step_size),
    ];
    for column in columns {
        table.with_column(column).map_err(failed)?;
    }
    trace::write(&table, path, "null")
}

/// The runs that `write` wrote; those that this version does not understand are left out.
fn read(path: &Path) -> Result<Vec<(Stage, Run)>, Error> {
    let table = trace::read(path)?;
    let failed = |source| Error::table("read the finished runs", source);
    let mut runs = Vec::with_capacity(table.height());
    for row in 0..table.height() {
        if let Some(run) = read_row(&table, row).map_err(failed)? {
            runs.push(run);
        }
    }
    Ok(runs)
}

fn read_row(table: &DataFrame, row: usize) -> PolarsResult<Option<(Stage, Run)>> {
    let text = |name: &str| Ok::<_, PolarsError>(table.column(name)?.str()?.get(row).unwrap_or_default().to_owned());
    let real = |name: &str| Ok::<_, PolarsError>(table.column(name)?.f64()?.get(row).unwrap_or(f64::NAN));
    let count = |name: &str| Ok::<_, PolarsError>(table.column(name)?.u64()?.get(row).unwrap_or_default());
    // What is no number makes a list of none, whose length is then wrong.
    let list = |name: &str| -> PolarsResult<Vec<f64>> {
        let numbers: Result<Vec<f64>, _> = text(name)?.split_whitespace().map(str::parse).collect();
        Ok(numbers.unwrap_or_default())
    };
    let stage = [Stage::Sweep, Stage::Timed].into_iter().find(|stage| text("stage").is_ok_and(|s| s == stage.name()));
    let outcome = Outcome::ALL.into_iter().find(|o| text("outcome").is_ok_and(|s| s == o.name()));
    let dtype = ["f32", "f64"].into_iter().find(|dtype| text("dtype").is_ok_and(|s| s == *dtype));
    let optimizer: Option<Optimizer> = text("optimizer")?.parse().ok();
    let settings: Option<Settings> = serde_json::from_str(&text("settings")?).ok();
    let range = <[f64; 2]>::try_from(list("range")?).ok();
    let (Some(stage), Some(outcome), Some(dtype), Some(optimizer), Some(settings), Some(scale)) =
        (stage, outcome, dtype, optimizer, settings, range)
    else {
        return Ok(None);
    };
    let device = Backend::ALL.into_iter().map(Backend::name).find(|device| text("device").is_ok_and(|s| s == *device));
    let Some(device) = device else { return Ok(None) };
    let size = |name: &str| Ok::<_, PolarsError>(count(name)? as usize);
    let widths = table.column("widths")?.str()?.get(row).and_then(|widths| match widths {
        "" => Some(Widths::of(&[])),
        widths => widths.parse().ok(),
    });
    let Some(widths) = widths else { return Ok(None) };
    let dimensions = Dimensions { n: size("n")?, k: size("k")?, widths, d: size("d")? };
    let columns = ["iteration", "seconds", "min", "mean", "best", "step_size"];
    let columns = columns.map(|name| list(&format!("sample_{name}")));
    let [iterations, seconds, minima, means, bests, steps] = columns;
    let (iterations, seconds, minima, means, bests, steps) = (iterations?, seconds?, minima?, means?, bests?, steps?);
    if [&seconds, &minima, &means, &bests, &steps].iter().any(|column| column.len() != iterations.len()) {
        return Ok(None);
    }
    let samples = iterations.iter().zip(seconds).zip(minima).zip(means).zip(bests).zip(steps);
    let samples = samples.map(|(((((&iteration, seconds), min), mean), best), step_size)| Sample {
        iteration: iteration as u64,
        seconds,
        min,
        mean,
        best,
        step_size,
    });
    let end_numbers = |name: &str| list(&format!("end_{name}"));
    let end = match table.column("end_gradient_norm")?.f64()?.get(row) {
        Some(gradient_norm) => Some(End {
            points: end_numbers("points")?,
            values: end_numbers("values")?,
            parameters: end_numbers("parameters")?,
            gradient_norm,
        }),
        None => None,
    };
    let x = list("x")?;
    let Dimensions { n, d, .. } = dimensions;
    let of_end = |end: &End| (end.points.len(), end.values.len(), end.parameters.len());
    let whole =
        x.len() == d && end.as_ref().is_none_or(|end| of_end(end) == (n * d, n, dimensions.parameters(optimizer)));
    if !whole || settings.validate().is_err() || table.column("iterations")?.u64()?.get(row).is_none() {
        return Ok(None);
    }
    let run = Run {
        function: text("function")?,
        optimizer,
        seed: count("seed")?,
        // The column is exact, where JSON may be off in the last bit.
        settings: settings.learning_rate(real("learning_rate")?),
        dimensions,
        dtype,
        device,
        best: real("best")?,
        x,
        iterations: count("iterations")?,
        seconds: real("seconds")?,
        outcome,
        settled_at: table.column("settled_at")?.u64()?.get(row),
        thinned_from: table.column("thinned_from")?.u64()?.get(row),
        samples: samples.collect(),
        end,
        scale,
    };
    Ok(Some((stage, run)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::Function;

    fn protocol() -> Protocol {
        let mut protocol = Protocol::paper();
        (protocol.iterations, protocol.seeds, protocol.rates) = (200, 2, vec![1.0, 0.1]);
        protocol
    }

    #[test]
    fn runs_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/runs.parquet");
        let comparison = protocol().compare(Function::Rastrigin, &|_, _| {}).unwrap();
        let mut runs: Vec<(Stage, Run)> = comparison
            .sweep
            .into_iter()
            .map(|run| (Stage::Sweep, run))
            .chain(comparison.timed.into_iter().map(|run| (Stage::Timed, run)))
            .collect();
        (runs[0].1.settled_at, runs[0].1.thinned_from) = (Some(127), None);
        (runs[1].1.dimensions.widths, runs[2].1.dimensions.widths) = (Widths::of(&[]), Widths::of(&[2, 9, 4]));
        write(&runs, &path).unwrap();
        let again = read(&path).unwrap();
        assert_eq!(format!("{runs:?}"), format!("{again:?}"));
    }

    #[test]
    fn what_is_known_is_not_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.parquet");
        let protocol = protocol();
        let whole = protocol.compare(Function::Sphere, &|_, _| {}).unwrap();
        // Interrupted after three runs of the sweep.
        let three: Vec<_> = whole.sweep.iter().take(3).map(|run| (Stage::Sweep, run.clone())).collect();
        write(&three, &path).unwrap();
        let unfinished = Unfinished::at(path.clone(), EVERY);
        assert_eq!(unfinished.found, 3);
        let known = |stage, optimizer, rate, seed| unfinished.find(stage, optimizer, rate, seed);
        let made = Mutex::new(0);
        let resumed = protocol
            .compare_beyond(Backend::Cpu, &Function::Sphere.into(), &known, &|_, _| *made.lock().unwrap() += 1)
            .unwrap();
        assert_eq!(*made.lock().unwrap(), protocol.runs(Function::Sphere) - 3);
        let best = |comparison: &Comparison| comparison.sweep.iter().map(|run| run.best).collect::<Vec<_>>();
        assert_eq!(best(&resumed), best(&whole));
        unfinished.close();
        assert!(!path.exists());
    }

    /// Its settings have numbers of all 53 bits, and its rates are chosen from the runs of each seed.
    #[test]
    fn the_published_protocol_goes_on_as_if_it_had_not_been_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.parquet");
        let mut protocol = Protocol::deep_convexity();
        (protocol.iterations, protocol.seeds) = (40, 3);
        for function in [Function::Levy, Function::Michalewicz, Function::Sphere, Function::Schwefel] {
            let whole = protocol.compare(function, &|_, _| {}).unwrap();
            let sweep = whole.sweep.iter().map(|run| (Stage::Sweep, run.clone()));
            // Interrupted after three of the six timed runs: a whole seed, and the shallow run of the next.
            let timed = whole.timed.iter().take(3).map(|run| (Stage::Timed, run.clone()));
            let runs: Vec<_> = sweep.chain(timed).collect();
            write(&runs, &path).unwrap();
            assert_eq!(format!("{:?}", read(&path).unwrap()), format!("{runs:?}"));
            let unfinished = Unfinished::at(path.clone(), EVERY);
            let known = |stage, optimizer, rate, seed| unfinished.find(stage, optimizer, rate, seed);
            let made = Mutex::new(Vec::new());
            let resumed = protocol
                .compare_beyond(Backend::Cpu, &function.into(), &known, &|stage, run| {
                    made.lock().unwrap().push((stage, run.optimizer, run.seed));
                })
                .unwrap();
            let expected = [(Optimizer::Deep, 1), (Optimizer::Shallow, 2), (Optimizer::Deep, 2)];
            assert_eq!(made.into_inner().unwrap(), expected.map(|(optimizer, seed)| (Stage::Timed, optimizer, seed)));
            let found = |runs: &[Run]| runs.iter().map(|run| (run.settings, run.best.to_bits())).collect::<Vec<_>>();
            assert_eq!(found(&resumed.timed), found(&whole.timed));
        }
    }

    /// Writing waits for Polars' threads, and a waiting thread of the sweep takes up other runs.
    #[test]
    fn all_threads_may_write_at_any_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.parquet");
        let unfinished = Unfinished::at(path.clone(), Duration::ZERO);
        let mut protocol = protocol();
        (protocol.iterations, protocol.seeds) = (20, 40);
        let sweep = protocol.sweep(Function::Sphere);
        let runs = sweep.run::<f64>(&|run| unfinished.keep(Stage::Sweep, run)).unwrap();
        assert_eq!(runs.len(), sweep.len());
        assert!(!read(&path).unwrap().is_empty());
    }

    #[test]
    fn a_broken_file_and_one_without_widths_are_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.parquet");
        std::fs::write(&path, "PAR1 and no more").unwrap();
        assert_eq!(Unfinished::at(path.clone(), EVERY).found, 0);
        let run =
            Protocol::paper().run(Function::Sphere, Optimizer::Deep, 0, &Settings::default().iterations(3)).unwrap();
        write(&[(Stage::Sweep, run)], &path).unwrap();
        assert_eq!(Unfinished::at(path.clone(), EVERY).found, 1);
        let table = trace::read(&path).unwrap();
        let with = |widths: &str| {
            let mut table = table.clone();
            table.with_column(Column::new("widths".into(), [widths])).unwrap();
            table
        };
        for other in [table.drop("widths").unwrap(), with("10,0"), with("ten")] {
            trace::write(&other, &path, "null").unwrap();
            assert_eq!(Unfinished::at(path.clone(), EVERY).found, 0);
        }
    }
}
