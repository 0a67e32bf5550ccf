//! `overparam sweep`

use super::naming::Name;
use super::objective::{ChosenObjective, ExpressionOptions};
use super::settings::{self, Device, Ends, Overrides};
use super::{signals, threads};
use anyhow::{Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use overparam::output::{Output, beside, ensure_distinct};
use overparam::prelude::*;
use overparam::store::{Experiment, Shard, Store};
use overparam::trace::{self, Provenance};
use overparam::{interrupt, progress};
use std::path::{Path, PathBuf};

/// Run every learning rate with every seed; write one row per run and its best point, print which rate is best.
///
/// The summary has the settings of every run, its `best` and `raw_best`, `iterations`, `seconds`, `outcome`, and `settled_at`: the
/// iteration whose step changed no parameter, later ones being extrapolated. The points have one row per run in the same order: `best`, `raw_best`, the
/// point in the unit cube as x0, x1, … and in the function's box as u0, u1, …; `overparam evaluate` reads them.
///
/// The table on standard output has one row per rate: the lowest `best` of its runs, and how many of them diverged. The best of a
/// diverged run is that before it diverged; it never counts when a rate is chosen, and rates with a diverged run come last.
///
/// Every finished run is kept at once, in the store that --store names, or in the folder NAME-unfinished beside the files until these are
/// written. After an interruption the same command makes only the runs that are missing. Files that are there are replaced by those of the same sweep, or
/// of one that has all its optimizers and rates and as many seeds and iterations or more; other results need another --output. A store takes any number of processes, on one machine or many, and any number
/// of sweeps: `overparam gather` makes tables of it, `overparam verify` checks it.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct SweepCommand {
    /// The objective, see `overparam list`; or give an --expression
    function: Option<String>,
    /// shallow or deep [default: both]
    #[arg(long)]
    optimizer: Option<String>,
    /// First step sizes, comma-separated [default: the protocol's; paper: 1, 0.1, … 1e-10]
    #[arg(long, value_delimiter = ',', value_parser = settings::number)]
    rates: Option<Vec<f64>>,
    /// The number of seeds, counted from 0 [default: 10, of spin-glass 3]
    #[arg(long, value_parser = settings::count::<u64>)]
    seeds: Option<u64>,
    /// Iterations of every run [default: the protocol's; paper: 10000, of spin-glass 1000]
    #[arg(long, value_parser = settings::count::<u64>)]
    iterations: Option<u64>,
    /// Let all runs advance together instead of one per thread, as they always do on a GPU
    #[arg(long)]
    batched: bool,
    /// Threads [default: one per core]
    #[arg(long, value_parser = settings::count::<usize>)]
    pub jobs: Option<usize>,
    /// The folder that keeps finished runs for good; it may have those of other sweeps
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// Make one part of the runs only, such as 3/100; or auto, for the part of this task of a Slurm array. The parts take about as long
    #[arg(long, value_name = "I/N", requires = "store", conflicts_with_all = ["output", "points"])]
    pub shard: Option<String>,
    /// The file of the summary [default: data/sweeps/FUNCTION.parquet, with every setting that is not the default; with --store: none]
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// The file of the best points [default: beside the summary, ending in -points.parquet]
    #[arg(long)]
    pub points: Option<PathBuf>,
    #[command(flatten)]
    ends: Ends,
    #[command(flatten)]
    expression: ExpressionOptions,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    overrides: Overrides,
}

/// Attempts to make the missing runs, while other processes remove files of the store.
const ATTEMPTS: usize = 10;

/// The experiment that the options describe, with its parts.
pub struct Asked {
    pub objective: ChosenObjective,
    pub protocol: Protocol,
    pub sweep: Sweep,
    pub backend: Backend,
    pub batched: bool,
    pub experiment: Experiment,
}

impl SweepCommand {
    /// Reads the options.
    pub fn asked(&self) -> Result<Asked> {
        let objective = self.expression.objective(self.function.as_deref())?;
        let problem = objective.problem.clone();
        let mut protocol = self.overrides.protocol(self.iterations)?;
        if let Some(seeds) = self.seeds {
            (protocol.seeds, protocol.glass_seeds) = (seeds, seeds);
        }
        if let Some(rates) = &self.rates {
            // One given twice is run once.
            let first = |&(index, rate): &(usize, &f64)| !rates[..index].contains(rate);
            protocol.rates = rates.iter().enumerate().filter(first).map(|(_, &rate)| rate).collect();
        }
        protocol.validate()?;
        problem.range(protocol.dimensions.d)?;
        let mut sweep = protocol.sweep(&problem);
        self.ends.add_to(&mut sweep.settings);
        sweep.settings.validate()?;
        if let Some(name) = &self.optimizer {
            sweep.optimizers = vec![settings::optimizer(name)?];
        } else if protocol.squash == Squash::Clamp {
            sweep.optimizers = vec![Optimizer::Shallow];
        }
        let backend = self.device.backend()?;
        let batched = self.batched || backend != Backend::Cpu;
        let experiment = Experiment::of_sweep(&sweep, protocol.dtype, backend).described(objective.text.clone());
        Ok(Asked { objective, protocol, sweep, backend, batched, experiment })
    }

    /// The file of the summary, where no other is named.
    fn usual_output(&self, asked: &Asked) -> PathBuf {
        let Asked { objective, protocol, sweep, backend, batched, .. } = asked;
        let mut parts = vec![objective.file.clone()];
        if let [optimizer] = sweep.optimizers[..] {
            parts.push(optimizer.to_string());
        }
        let mut name = Name::new(parts, protocol, *backend);
        let base = name.base().clone();
        name.list("rates", &protocol.rates, &base.rates);
        name.setting("seeds", sweep.seeds.len(), base.seeds(&objective.problem).len());
        name.setting("iterations", protocol.iterations(&objective.problem), base.iterations(&objective.problem));
        self.ends.name(&mut name);
        if *batched {
            name.push("batched");
        }
        name.file("data/sweeps")
    }

    pub fn execute(self) -> Result<()> {
        let asked = self.asked()?;
        let shard = self.shard.as_deref().map(str::parse::<Shard>).transpose()?;
        let threads = threads(self.jobs)?;
        signals::finish_early()?;
        let output = match (&self.output, &self.store) {
            (Some(output), _) => Some(output.clone()),
            (None, Some(_)) if self.points.is_none() => None,
            (None, _) => Some(self.usual_output(&asked)),
        };
        let files = output.as_ref().map(|output| Files::prepare(output, self.points.as_deref(), &asked)).transpose()?;
        let Asked { protocol, sweep, backend, batched, experiment, .. } = &asked;
        if *batched {
            let plan = match protocol.dtype {
                Dtype::F32 => sweep.plan::<f32>(*backend),
                Dtype::F64 => sweep.plan::<f64>(*backend),
            }?;
            note!("{plan}");
        } else {
            threads.install(|| experiment.ensure_room(shard.is_none()))?;
        }
        let folder = self.store.clone().or_else(|| output.as_deref().map(unfinished));
        let store = Store::open(folder.expect("without a store there is an output"))?;
        let mut shelf = threads.install(|| store.shelf(experiment))?;
        let trials = shard.map_or_else(|| Ok(experiment.trials()), |shard| shard.of(experiment))?;
        let there = threads.install(|| experiment.there(&shelf, &trials));
        if there > 0 {
            note!("{there} of {} runs are in {} already", trials.len(), store.folder().display());
        }
        let bar = if there == trials.len() { ProgressBar::hidden() } else { progress::bar(trials.len() as u64) };
        bar.set_message(experiment.subject().objective.clone());
        bar.set_position(there as u64);
        bar.reset_eta();
        bar.tick();
        let finished = |_: Stage, _: &Run| {
            if !*batched {
                bar.inc(1);
            }
        };
        let progressed = |share: f64| bar.set_position((share * trials.len() as f64) as u64);
        let (mut runs, mut missing, mut failure) = (Vec::new(), trials.len(), None);
        for _ in 0..ATTEMPTS {
            threads.install(|| experiment.make(&shelf, &trials, *batched, &finished, &progressed))?;
            failure = shelf.failure();
            if shard.is_some() {
                missing = trials.len() - threads.install(|| experiment.there(&shelf, &trials));
            } else {
                runs = threads.install(|| experiment.runs(&shelf))?;
                missing = trials.len() - runs.len();
            }
            if missing == 0 || failure.is_some() || interrupt::requested() {
                break;
            }
            // The same command has ended elsewhere, and has removed what it kept here.
            shelf = threads.install(|| store.shelf(experiment))?;
        }
        if missing == 0 {
            bar.finish()
        } else {
            bar.abandon()
        }
        let result = match shard {
            Some(shard) => report_part(shard, trials.len(), missing, &store),
            None => report(&asked, &store, &runs, files.filter(|_| missing == 0 && failure.is_none())),
        };
        if self.store.is_none() && (result.is_ok() || shelf.is_empty()) {
            experiment.take_back(&shelf);
        }
        match failure {
            Some(failure) => Err(failure.into()),
            None => result,
        }
    }
}

/// The folder beside `output` that keeps finished runs until all are.
fn unfinished(output: &Path) -> PathBuf {
    let mut name = output.file_stem().unwrap_or_default().to_owned();
    name.push("-unfinished");
    output.with_file_name(name)
}

/// Writes the files and prints the results.
fn report(asked: &Asked, store: &Store, runs: &[Run], files: Option<Files>) -> Result<()> {
    let Asked { protocol, sweep, .. } = asked;
    let folder = store.folder().display();
    let written = files.as_ref().map_or(Ok(()), |files| files.write(asked, runs));
    // Also where writing fails: the numbers are all that is left.
    let printed = match protocol.choice {
        _ if runs.is_empty() => Ok(""),
        Choice::PerFunction => print_rates(sweep, runs),
        Choice::PerSeed => print_best_of_seeds(sweep, runs),
    };
    written?;
    if runs.len() < sweep.len() {
        bail!(
            "interrupted: {} of {} runs are in {folder}; the same command goes on from there",
            runs.len(),
            sweep.len()
        );
    }
    let order = printed?;
    match files {
        Some(Files { summary, points, .. }) => {
            let (summary, points) = (summary.path().display(), points.path().display());
            say!("{order}; {} runs in {summary}, their best points in {points}", runs.len());
        }
        None => say!("{order}; {} runs in {folder}, for overparam gather to make tables of", runs.len()),
    }
    Ok(())
}

/// Prints the state of a part.
fn report_part(shard: Shard, runs: usize, missing: usize, store: &Store) -> Result<()> {
    let folder = store.folder().display();
    if missing > 0 {
        bail!(
            "interrupted: {} of {runs} runs of part {shard} are in {folder}; the same command goes on from there",
            runs - missing
        );
    }
    say!("part {shard}: {runs} runs in {folder}");
    Ok(())
}

/// The files of the result.
struct Files {
    summary: Output,
    points: Output,
    provenance: Provenance,
}

impl Files {
    /// Tries them, and makes sure that no result is lost when they are replaced.
    fn prepare(summary: &Path, points: Option<&Path>, asked: &Asked) -> Result<Self> {
        let Asked { objective, protocol, sweep, backend, batched, .. } = asked;
        let points = points.map_or_else(|| beside(summary, "-points"), Path::to_owned);
        let (summary, points) = (trace::prepare(summary)?, trace::prepare(points)?);
        ensure_distinct([&summary, &points])?;
        objective.ensure_apart([&summary, &points])?;
        let optimizers: Vec<_> = sweep.optimizers.iter().map(|optimizer| optimizer.name()).collect();
        let settings = serde_json::json!({ "function": objective.problem.name(), "optimizers": optimizers, "batched": batched,
            "protocol": protocol, "target": sweep.settings.target, "tolerance": sweep.settings.tolerance });
        let settings = objective.described(settings).to_string();
        let provenance = Provenance { backend: *backend, ..Provenance::new(settings) };
        let files = Self { summary, points, provenance };
        files.ensure_replace()?;
        Ok(files)
    }

    fn ensure_replace(&self) -> Result<(), overparam::Error> {
        trace::ensure_replaces(&self.summary, &self.provenance, None)?;
        trace::ensure_replaces(&self.points, &self.of_points(), None)
    }

    fn of_points(&self) -> Provenance {
        self.provenance.clone().of_table("points")
    }

    fn write(&self, asked: &Asked, runs: &[Run]) -> Result<()> {
        // Another command may have written them meanwhile.
        self.ensure_replace()?;
        let summary = trace::summary(runs.iter().map(|run| (Stage::Sweep.name(), run)))?;
        trace::write_to(&self.summary, &summary, &self.provenance)?;
        trace::write_to(&self.points, &trace::points(&asked.objective.problem, runs)?, &self.of_points())?;
        Ok(())
    }
}

/// Prints every rate with what it reached over the seeds. Returns the order of the lines.
fn print_rates(sweep: &Sweep, runs: &[Run]) -> Result<&'static str> {
    say!("{:<10} {:>10} {:>14} {:>9}", "optimizer", "rate", "best", "diverged");
    for &optimizer in &sweep.optimizers {
        for Candidate { rate, best, diverged, .. } in Candidate::rank(runs, optimizer) {
            say!("{optimizer:<10} {rate:>10.3e} {best:>14.6e} {diverged:>9}");
        }
    }
    Ok("best first")
}

/// Prints for every seed its best rate, what that reached, and how many of the seed's runs diverged.
fn print_best_of_seeds(sweep: &Sweep, runs: &[Run]) -> Result<&'static str> {
    say!("{:<10} {:>6} {:>10} {:>14} {:>9}", "optimizer", "seed", "best rate", "best", "diverged");
    for &optimizer in &sweep.optimizers {
        for &seed in &sweep.seeds {
            let candidates = Candidate::rank(runs.iter().filter(|run| run.seed == seed), optimizer);
            let diverged: usize = candidates.iter().map(|candidate| candidate.diverged).sum();
            if let Some(&Candidate { rate, best, .. }) = candidates.first() {
                say!("{optimizer:<10} {seed:>6} {rate:>10.3e} {best:>14.6e} {diverged:>9}");
            }
        }
    }
    Ok("the best rate of every seed")
}
