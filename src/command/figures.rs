//! `overparam figures`

use super::earlier::{Earlier, names};
use super::settings::{self, Device, DtypeName, ProtocolName};
use super::{signals, threads};
use anyhow::{Result, bail};
use clap::Args;
use overparam::experiment::Stage;
use overparam::figure::{Exporter, figure1, figure2, figure3};
use overparam::output::Output;
use overparam::prelude::*;
use overparam::report::{CONVERGED, median};
use overparam::store::{Experiment, Shelf, Store};
use overparam::trace::{self, Provenance};
use overparam::{Error, interrupt, progress};
use polars::prelude::DataFrame;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Reproduce the paper: sweep learning rates, time both optimizers alone, draw the figures.
///
/// Writes, as each function is done, the traces of its timed runs to OUT/traces/FUNCTION.parquet and the best points of all its runs to
/// OUT/points/FUNCTION.parquet, in the order of the summary; then OUT/summary.parquet with one row per run, and OUT/figures/figure1, figure2 and figure3 as
/// HTML, SVG and PNG. `overparam run --help` and `overparam sweep --help` say which columns these files have. Until the last function is done every
/// finished run is kept in OUT/unfinished: after an interruption the same command makes only the runs that are missing, and `overparam gather` makes tables of those
/// that are there.
///
/// With --functions, the other functions that are in OUT with the same settings stay in the summary and in the figures. Results of
/// other settings in OUT are replaced only by larger ones: of the same settings and functions or more, with as many seeds and
/// iterations or more. Anything else needs another folder, --out.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Figures {
    /// The protocol of the comparison
    #[arg(long, value_enum, default_value_t)]
    protocol: ProtocolName,
    /// A tenth of the iterations and three seeds, of spin-glass two: a first look in seconds
    #[arg(long)]
    quick: bool,
    /// The number of seeds, counted from 0 [default: 10, of spin-glass 3]
    #[arg(long, value_parser = settings::count::<u64>)]
    seeds: Option<u64>,
    /// The precision of all numbers [default: f64]
    #[arg(long, value_enum)]
    dtype: Option<DtypeName>,
    /// Only these functions, comma-separated [default: all nine]
    #[arg(long, value_delimiter = ',', value_parser = settings::word)]
    functions: Option<Vec<String>>,
    /// Threads of the sweep [default: one per core]; timed runs are alone always
    #[arg(long, value_parser = settings::count::<usize>)]
    jobs: Option<usize>,
    #[command(flatten)]
    device: Device,
    /// The folder to write to
    #[arg(long, default_value = "data")]
    out: PathBuf,
}

impl Figures {
    pub fn execute(self) -> Result<()> {
        let mut protocol = self.protocol.protocol();
        if self.quick {
            protocol = protocol.quick();
        }
        if let Some(seeds) = self.seeds {
            (protocol.seeds, protocol.glass_seeds) = (seeds, seeds);
        }
        if let Some(dtype) = self.dtype {
            protocol.dtype = dtype.into();
        }
        protocol.validate()?;
        let mut functions = match &self.functions {
            Some(names) => names.iter().map(|name| settings::problem(name)).collect::<Result<Vec<_>, _>>()?,
            None => Function::ALL.map(Problem::from).to_vec(),
        };
        let mut seen: Vec<Problem> = Vec::new();
        functions.retain(|function| {
            !seen.contains(function) && {
                seen.push(function.clone());
                true
            }
        });
        let threads = threads(self.jobs)?;
        let backend = self.device.backend()?;
        signals::finish_early()?;
        // A missing browser or an unwritable folder is an error now, not after minutes of computing.
        let exporter = Exporter::new(self.out.join("figures")).map_err(Error::from)?;
        let mut files = Files::prepare(&self.out, backend, &protocol, &functions)?;
        let room = |function: &Problem| match protocol.dtype {
            Dtype::F32 => protocol.sweep(function).ensure_room::<f32>(),
            Dtype::F64 => protocol.sweep(function).ensure_room::<f64>(),
        };
        threads.install(|| functions.iter().try_for_each(room))?;
        let clock = Instant::now();
        let (comparisons, saved) = threads.install(|| compare(&protocol, &functions, &mut files))?;
        // A function whose rates all diverged has nothing to show.
        let shown: Vec<&Comparison> = comparisons.iter().filter(|comparison| !comparison.timed.is_empty()).collect();
        let (mut drawn, mut printed) = (Ok(()), Ok(()));
        if !shown.is_empty() && !interrupt::requested() {
            if saved.is_ok() {
                drawn = draw(&shown, exporter, &mut files);
            }
            // Also where writing fails: the numbers are all that is left.
            printed = table(&shown);
        }
        saved?;
        drawn?;
        printed?;
        if !interrupt::requested() {
            files.kept.drain(..).for_each(|(experiment, shelf)| experiment.take_back(&shelf));
        }
        if !files.written.is_empty() {
            say!("\nwritten in {:.0} s:", clock.elapsed().as_secs_f64());
        }
        for written in &files.written {
            say!("  {written}");
        }
        if interrupt::requested() {
            let done = comparisons.iter().filter(|comparison| protocol.is_complete(comparison)).count();
            let there = |(experiment, shelf): &(Experiment, Shelf)| experiment.there(shelf, &experiment.trials());
            let (total, kept) = (functions.len(), threads.install(|| files.kept.iter().map(there).sum::<usize>()));
            let empty = files.kept.iter().filter(|(_, shelf)| shelf.is_empty());
            empty.for_each(|(experiment, shelf)| experiment.take_back(shelf));
            if kept == 0 {
                bail!("interrupted: {done} of {total} functions are finished");
            }
            let folder = files.store.folder().display();
            bail!(
                "interrupted: {done} of {total} functions are finished; {kept} runs are in {folder}, the same command goes on from there"
            );
        }
        Ok(())
    }
}

/// The output folder and what was written to it.
struct Files<'a> {
    out: &'a Path,
    provenance: Provenance,
    protocol: &'a Protocol,
    /// The results of an earlier command with the same settings.
    earlier: Earlier,
    /// For every function the traces of its timed runs and the best points of all runs.
    outputs: Vec<(Problem, [Output; 2])>,
    summary: Output,
    /// Where finished runs are until all are.
    store: Store,
    /// The experiments that were begun, with the places of their runs.
    kept: Vec<(Experiment, Shelf)>,
    written: Vec<String>,
    /// Held for as long as files are written.
    _lock: Option<File>,
}

/// Locks the folder `out`, where the file system has locks. Timed runs are never the same twice: files of two commands would not agree.
///
/// # Errors
/// If another command is writing there.
fn lock(out: &Path) -> Result<Option<File>, Error> {
    std::fs::create_dir_all(out).map_err(|source| Error::File { action: "write", path: out.to_owned(), source })?;
    let folder = File::open(out).ok();
    match folder.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) => {
            let problem = "expected a folder that no other command is writing its figures to, and one is: wait for it, or name another --out";
            Err(Error::Data { path: out.to_owned(), problem: problem.to_owned() })
        }
        _ => Ok(folder),
    }
}

impl<'a> Files<'a> {
    /// Tries every file.
    ///
    /// # Errors
    /// If one of them could not be written, or results would be lost that the new ones do not replace.
    fn prepare(out: &'a Path, backend: Backend, protocol: &'a Protocol, functions: &[Problem]) -> Result<Self, Error> {
        let lock = lock(out)?;
        let settings = settings_of(functions.iter().map(|function| function.name()), protocol);
        let provenance = Provenance { backend, ..Provenance::new(settings) };
        let summary = trace::prepare(out.join("summary.parquet"))?;
        for figure in ["figure1", "figure2", "figure3"] {
            for kind in ["html", "svg", "png"] {
                Output::prepare(out.join(format!("figures/{figure}.{kind}")))?;
            }
        }
        let prepare = |function: &Problem| -> Result<_, Error> {
            let output = |folder| Output::prepare(out.join(format!("{folder}/{function}.parquet")));
            Ok((function.clone(), [output("traces")?, output("points")?]))
        };
        let outputs = functions.iter().map(prepare).collect::<Result<Vec<_>, Error>>()?;
        let earlier = Earlier::find(out, &provenance, protocol, functions)?;
        let store = Store::open(out.join("unfinished"))?;
        let (kept, written) = (Vec::new(), Vec::new());
        Ok(Self { out, provenance, protocol, earlier, outputs, summary, store, kept, written, _lock: lock })
    }

    /// Writes the results after another function: its traces, and when all is `finished` the summary.
    fn save(&mut self, comparisons: &[Comparison], finished: bool) -> Result<(), Error> {
        if let Some(comparison) = comparisons.last().filter(|comparison| self.protocol.is_complete(comparison)) {
            let outputs = self.outputs.iter().find(|(function, _)| *function == comparison.problem);
            let [traces, points] = outputs.map(|(_, outputs)| outputs).expect("they were prepared for every function");
            trace::write_to(traces, &trace::traces(&comparison.timed)?, &self.provenance)?;
            self.written.push(traces.path().display().to_string());
            trace::write_to(
                points,
                &trace::points(&comparison.problem, comparison.rows().map(|(_, run)| run))?,
                &self.provenance,
            )?;
            self.written.push(points.path().display().to_string());
        }
        if !finished {
            return Ok(());
        }
        let table = trace::summary(comparisons.iter().flat_map(Comparison::rows))?;
        // Another command may have finished in the same folder meanwhile.
        let computed: Vec<Problem> = comparisons.iter().map(|comparison| comparison.problem.clone()).collect();
        self.earlier = Earlier::find(self.out, &self.provenance, self.protocol, &computed)?;
        let functions = computed.iter().map(|function| function.name());
        let settings = settings_of(functions.chain(self.earlier.functions()), self.protocol);
        let provenance = Provenance { settings, ..self.provenance.clone() };
        trace::write_to(&self.summary, &self.earlier.with_summary(table)?, &provenance)?;
        self.written.push(self.summary.path().display().to_string());
        Ok(())
    }
}

/// The metadata of the file.
fn settings_of<'a>(functions: impl Iterator<Item = &'a str>, protocol: &Protocol) -> String {
    serde_json::json!({ "functions": functions.collect::<Vec<_>>(), "protocol": protocol }).to_string()
}

/// Compares the optimizers on every function in turn and saves after each, until that fails.
fn compare(
    protocol: &Protocol,
    functions: &[Problem],
    files: &mut Files<'_>,
) -> Result<(Vec<Comparison>, Result<(), Error>)> {
    let total: usize = functions.iter().map(|function| protocol.runs(function)).sum();
    let bar = progress::bar(total as u64);
    let (mut comparisons, mut saved) = (Vec::new(), Ok(()));
    for function in functions {
        if interrupt::requested() || saved.is_err() {
            break;
        }
        bar.set_message(format!("{function}: sweep"));
        bar.tick();
        let experiment = Experiment::of_comparison(protocol, function, files.provenance.backend);
        let shelf = files.store.shelf(&experiment)?;
        // The shelf may have runs of other settings, too.
        let there = experiment.there(&shelf, &experiment.trials());
        if there > 0 {
            note!("{there} runs of {function} are in {} already", files.store.folder().display());
            bar.inc(there as u64);
        }
        let comparison = experiment.compare(&shelf, &|stage, _| {
            if stage == Stage::Timed {
                bar.set_message(format!("{function}: timed runs, alone"));
            }
            bar.inc(1);
        })?;
        comparisons.push(comparison);
        saved = shelf.failure().map_or(Ok(()), Err);
        files.kept.push((experiment, shelf));
        let finished = comparisons.len() == functions.len() && !interrupt::requested();
        saved = saved.and_then(|()| files.save(&comparisons, finished));
    }
    if interrupt::requested() || saved.is_err() {
        bar.abandon()
    } else {
        bar.finish_with_message("runs done, drawing")
    }
    Ok((comparisons, saved))
}

fn draw(comparisons: &[&Comparison], mut exporter: Exporter, files: &mut Files<'_>) -> Result<()> {
    let traces = trace::traces(comparisons.iter().flat_map(|comparison| &comparison.timed))?;
    let traces: DataFrame = files.earlier.with_traces(traces)?;
    let names = names(&traces);
    let drawn = |function: Function| names.iter().any(|name| name == function.name());
    exporter.add(figure1(), "figure1").map_err(Error::from)?;
    exporter.add(figure2(&traces).map_err(Error::from)?, "figure2").map_err(Error::from)?;
    if drawn(Function::Rastrigin) || drawn(Function::SpinGlass) {
        exporter.add(figure3(&traces).map_err(Error::from)?, "figure3").map_err(Error::from)?;
    }
    let written = exporter.finish().map_err(Error::from)?;
    files.written.extend(written.files.iter().map(|path| path.display().to_string()));
    for reason in written.skipped {
        note!("{reason}");
    }
    Ok(())
}

/// Prints, per function, what each optimizer reached and how soon.
fn table(comparisons: &[&Comparison]) -> Result<()> {
    let header = ["function", "shallow, median (range)", "deep, median (range)", "lower", "shallow s", "deep s"];
    let [name, shallow, deep, lower, shallow_time, deep_time] = header;
    let rate = "rates: shallow, deep";
    say!("\n{name:<16} {shallow:<34} {deep:<34} {lower:<8} {shallow_time:>10} {deep_time:>10}  {rate}");
    for comparison in comparisons {
        let [shallow, deep] = Optimizer::ALL.map(|optimizer| comparison.timed(optimizer).collect::<Vec<_>>());
        let diverged = |run: &Run| run.outcome == Outcome::Diverged;
        let [shallow_best, deep_best] =
            [&shallow, &deep].map(|runs| Spread::of(runs.iter().filter(|run| !diverged(run)).map(|run| run.best)));
        // A NaN, where all diverged, is above all numbers.
        let lower = match shallow_best.median.total_cmp(&deep_best.median) {
            std::cmp::Ordering::Less => "shallow",
            std::cmp::Ordering::Equal if shallow_best.median.is_nan() => "neither",
            std::cmp::Ordering::Equal => "tie",
            std::cmp::Ordering::Greater => "deep",
        };
        let time = |runs: &[&Run]| {
            let seconds = shallow.iter().zip(runs).map(|(shallow, run)| {
                if diverged(shallow) || diverged(run) {
                    return f64::INFINITY;
                }
                let start = shallow.samples.first().map_or(shallow.best, |sample| sample.min);
                run.seconds_to(start + CONVERGED * (shallow.best - start)).unwrap_or(f64::INFINITY)
            });
            let median = median(&seconds.collect::<Vec<_>>());
            if median.is_finite() { format!("{median:.2e}") } else { "never".to_owned() }
        };
        let [shallow_rates, deep_rates] = Optimizer::ALL.map(|optimizer| rates(comparison, optimizer));
        say!(
            "{:<16} {:<34} {:<34} {lower:<8} {:>10} {:>10}  {shallow_rates}, {deep_rates}",
            comparison.problem.name(),
            shallow_best.to_string(),
            deep_best.to_string(),
            time(&shallow),
            time(&deep)
        );
    }
    say!(
        "scaled objective F of the timed runs that did not diverge, over seeds; seconds: median time to {:.1} % of the shallow optimizer's descent",
        100.0 * CONVERGED
    );
    Ok(())
}

/// The learning rate of the timed runs, or where the seeds have different ones the lowest and the highest.
fn rates(comparison: &Comparison, optimizer: Optimizer) -> String {
    match comparison.rates(optimizer) {
        None => "none".to_owned(),
        Some([low, high]) if low == high => format!("{low:.1e}"),
        Some([low, high]) => format!("{low:.1e} … {high:.1e}"),
    }
}

/// Median and range.
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        match values[..] {
            [] => Self { low: f64::NAN, median: f64::NAN, high: f64::NAN },
            [low, ..] => Self { low, median: median(&values), high: values[values.len() - 1] },
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.median.is_nan() {
            return formatter.write_str("all diverged");
        }
        write!(formatter, "{:.3e} ({:.2e} … {:.2e})", self.median, self.low, self.high)
    }
}
