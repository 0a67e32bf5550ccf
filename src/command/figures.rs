//! `overparam figures`

use super::settings::{self, Device, DtypeName, ProtocolName};
use super::{threads, watch_for_interrupts};
use anyhow::{Result, bail};
use clap::Args;
use overparam::experiment::Stage;
use overparam::figure::{Exporter, figure1, figure2, figure3};
use overparam::prelude::*;
use overparam::{Error, interrupt, progress, trace};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Reproduce the paper: sweep learning rates, time both optimizers alone, draw the figures.
///
/// Writes DATA/traces/FUNCTION.parquet as each function is done, DATA/summary.parquet with a row a run, and
/// DATA/figures/figure1, figure2 and figure3 as HTML, SVG and PNG. Until the last function is done the summary is
/// DATA/summary-unfinished.parquet.
#[derive(Args)]
pub struct Figures {
    /// What is compared and how
    #[arg(long, value_enum, default_value_t)]
    protocol: ProtocolName,
    /// A tenth of the iterations and three seeds: a first look in seconds
    #[arg(long)]
    quick: bool,
    /// How many seeds, counted from 0 [default: what the protocol says]
    #[arg(long)]
    seeds: Option<u64>,
    /// The scalar to compute in [default: f64]
    #[arg(long, value_enum)]
    dtype: Option<DtypeName>,
    /// Only these functions, comma-separated [default: all nine]
    #[arg(long, value_delimiter = ',')]
    functions: Option<Vec<String>>,
    /// Threads of the sweep [default: one a core]; timed runs are alone always
    #[arg(long)]
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
            Some(names) => names.iter().map(|name| settings::function(name.trim())).collect::<Result<Vec<_>, _>>()?,
            None => Function::ALL.to_vec(),
        };
        let mut seen = Vec::new();
        functions.retain(|function| {
            !seen.contains(function) && {
                seen.push(*function);
                true
            }
        });
        let threads = threads(self.jobs)?;
        let backend = self.device.backend()?;
        // Found out now rather than after the first minutes.
        let exporter = Exporter::new(self.out.join("figures")).map_err(Error::from)?;
        let mut files =
            Files { backend, out: &self.out, settings: serde_json::to_string(&protocol)?, written: Vec::new() };
        files.check()?;
        watch_for_interrupts()?;
        let clock = Instant::now();
        let comparisons = threads.install(|| compare(&protocol, &functions, &mut files))?;
        let comparisons = comparisons.iter().filter(|comparison| !comparison.timed.is_empty());
        let comparisons: Vec<&Comparison> = comparisons.collect();
        if !comparisons.is_empty() && !interrupt::requested() {
            draw(&comparisons, exporter, &mut files)?;
            table(&comparisons)?;
        }
        say!("\nwritten in {:.0} s:", clock.elapsed().as_secs_f64());
        for path in &files.written {
            say!("  {}", path.display());
        }
        if interrupt::requested() {
            let done = comparisons.len();
            bail!("interrupted: {done} of {} functions were reached; what is finished is written", functions.len());
        }
        Ok(())
    }
}

/// The output folder and what was written to it.
struct Files<'a> {
    backend: Backend,
    out: &'a Path,
    settings: String,
    written: Vec<PathBuf>,
}

impl Files<'_> {
    /// # Errors
    /// If the folder cannot be written to.
    fn check(&self) -> Result<(), Error> {
        let failed = |source| Error::File { action: "write to", path: self.out.to_owned(), source };
        std::fs::create_dir_all(self.out.join("traces")).map_err(failed)?;
        tempfile::tempfile_in(self.out).map_err(failed)?;
        Ok(())
    }

    /// Writes what is known after another function: its traces, and the summary of all so far, which takes the place of an
    /// earlier one when it is `finished`.
    fn save(&mut self, comparisons: &[Comparison], finished: bool) -> Result<(), Error> {
        let unfinished = self.out.join("summary-unfinished.parquet");
        let summary = if finished { self.out.join("summary.parquet") } else { unfinished.clone() };
        if let Some(comparison) = comparisons.last().filter(|comparison| is_complete(comparison)) {
            let path = self.out.join(format!("traces/{}.parquet", comparison.function));
            trace::write_from(self.backend, &trace::traces(&comparison.timed)?, &path, &self.settings)?;
            self.written.push(path);
        }
        let rows = comparisons.iter().flat_map(|comparison| {
            let sweep = comparison.sweep.iter().map(|run| (Stage::Sweep.name(), run));
            sweep.chain(comparison.timed.iter().map(|run| (Stage::Timed.name(), run)))
        });
        trace::write_from(self.backend, &trace::summary(rows)?, &summary, &self.settings)?;
        self.written.retain(|path| *path != unfinished);
        self.written.push(summary);
        if finished && unfinished.exists() {
            let failed = |source| Error::File { action: "remove", path: unfinished.clone(), source };
            std::fs::remove_file(&unfinished).map_err(failed)?;
        }
        Ok(())
    }
}

/// Whether all timed runs were taken and none was cut short: only then do they replace what an earlier command wrote.
fn is_complete(comparison: &Comparison) -> bool {
    !comparison.timed.is_empty() && comparison.timed.iter().all(|run| run.outcome != Outcome::Stopped)
}

/// Compares the optimizers on every function in turn and saves after each.
fn compare(protocol: &Protocol, functions: &[Function], files: &mut Files<'_>) -> Result<Vec<Comparison>> {
    let total: usize = functions.iter().map(|&function| protocol.runs(function)).sum();
    let bar = progress::bar(total as u64);
    let mut comparisons = Vec::new();
    for &function in functions {
        if interrupt::requested() {
            break;
        }
        bar.set_message(format!("{function}: sweep"));
        bar.tick();
        let comparison = protocol.compare_on(files.backend, function, &|stage, _| {
            if stage == Stage::Timed {
                bar.set_message(format!("{function}: timed runs, alone"));
            }
            bar.inc(1);
        })?;
        comparisons.push(comparison);
        let finished = comparisons.len() == functions.len() && !interrupt::requested();
        files.save(&comparisons, finished)?;
    }
    if interrupt::requested() {
        bar.abandon()
    } else {
        bar.finish_with_message("runs done, drawing")
    }
    Ok(comparisons)
}

fn draw(comparisons: &[&Comparison], mut exporter: Exporter, files: &mut Files<'_>) -> Result<()> {
    let traces = trace::traces(comparisons.iter().flat_map(|comparison| &comparison.timed))?;
    let drawn = |function| comparisons.iter().any(|comparison| comparison.function == function);
    exporter.add(figure1(), "figure1").map_err(Error::from)?;
    exporter.add(figure2(&traces).map_err(Error::from)?, "figure2").map_err(Error::from)?;
    if drawn(Function::Rastrigin) || drawn(Function::SpinGlass) {
        exporter.add(figure3(&traces).map_err(Error::from)?, "figure3").map_err(Error::from)?;
    }
    let written = exporter.finish().map_err(Error::from)?;
    files.written.extend(written.files);
    for reason in written.skipped {
        eprintln!("note: {reason}");
    }
    Ok(())
}

/// How much of the shallow optimizer's descent counts as having reached its best.
const REACHED: f64 = 0.999;

/// Prints, per function, what each optimizer reached and how soon.
fn table(comparisons: &[&Comparison]) -> Result<()> {
    let header = ["function", "shallow, median (range)", "deep, median (range)", "lower", "shallow s", "deep s"];
    let [name, shallow, deep, lower, shallow_time, deep_time] = header;
    say!("\n{name:<16} {shallow:<34} {deep:<34} {lower:<8} {shallow_time:>10} {deep_time:>10}");
    for comparison in comparisons {
        let [shallow, deep] = Optimizer::ALL.map(|optimizer| comparison.timed(optimizer).collect::<Vec<_>>());
        let [shallow_best, deep_best] = [&shallow, &deep].map(|runs| Spread::of(runs.iter().map(|run| answer(run))));
        let lower = match shallow_best.median.total_cmp(&deep_best.median) {
            std::cmp::Ordering::Less => "shallow",
            std::cmp::Ordering::Equal => "tie",
            std::cmp::Ordering::Greater => "deep",
        };
        let time = |runs: &[&Run]| {
            let seconds = shallow.iter().zip(runs).map(|(shallow, run)| {
                let start = shallow.samples.first().map_or(shallow.best, |sample| sample.min);
                run.seconds_to(start + REACHED * (shallow.best - start)).unwrap_or(f64::INFINITY)
            });
            let median = Spread::of(seconds).median;
            if median.is_finite() { format!("{median:.2e}") } else { "never".to_owned() }
        };
        say!(
            "{:<16} {:<34} {:<34} {lower:<8} {:>10} {:>10}",
            comparison.function.name(),
            shallow_best.to_string(),
            deep_best.to_string(),
            time(&shallow),
            time(&deep)
        );
    }
    say!(
        "scaled objective F of the timed runs, over seeds; seconds: median time to {:.1} % of the shallow optimizer's descent",
        100.0 * REACHED
    );
    Ok(())
}

/// What a run counts for: a diverged one for nothing.
fn answer(run: &Run) -> f64 {
    if run.outcome == Outcome::Diverged { f64::INFINITY } else { run.best }
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
            [low, ..] => {
                let middle = values.len() / 2;
                let median =
                    if values.len() % 2 == 1 { values[middle] } else { 0.5 * (values[middle - 1] + values[middle]) };
                Self { low, median, high: values[values.len() - 1] }
            }
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:.3e} ({:.2e} … {:.2e})", self.median, self.low, self.high)
    }
}
