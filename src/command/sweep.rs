//! `overparam sweep`

use super::naming::Name;
use super::objective::ExpressionOptions;
use super::settings::{self, Device, Ends, Overrides};
use super::{signals, threads};
use anyhow::{Result, bail};
use clap::Args;
use overparam::output::{beside, ensure_distinct};
use overparam::prelude::*;
use overparam::trace::{self, Destination};
use overparam::{Error, progress};
use std::path::PathBuf;

/// Run every learning rate with every seed; write one row per run and its best point, print which rate is best.
///
/// The summary has the settings of every run, its `best` and `raw_best`, `iterations`, `seconds`, `outcome`, and `settled_at`: the
/// iteration whose step changed no parameter, later ones being extrapolated. The points have one row per run in the same order: `best`, `raw_best`, the
/// point in the unit cube as x0, x1, … and in the function's box as u0, u1, …; `overparam evaluate` reads them.
///
/// The table on standard output has one row per rate: the lowest `best` of its runs, and how many of them diverged. The best of a
/// diverged run is that before it diverged; it never counts when a rate is chosen, and rates with a diverged run come last.
///
/// After Ctrl-C, SIGTERM or SIGHUP the rows so far go to NAME-unfinished.parquet beside the files, which are left as they were.
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
    jobs: Option<usize>,
    /// The file of the summary [default: data/sweeps/FUNCTION.parquet, with every setting that is not the default]
    #[arg(long)]
    output: Option<PathBuf>,
    /// The file of the best points [default: beside the summary, ending in -points.parquet]
    #[arg(long)]
    points: Option<PathBuf>,
    #[command(flatten)]
    ends: Ends,
    #[command(flatten)]
    expression: ExpressionOptions,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    overrides: Overrides,
}

impl SweepCommand {
    pub fn execute(self) -> Result<()> {
        let objective = self.expression.objective(self.function.as_deref())?;
        let problem = objective.problem.clone();
        let mut protocol = self.overrides.protocol(self.iterations)?;
        if let Some(seeds) = self.seeds {
            (protocol.seeds, protocol.glass_seeds) = (seeds, seeds);
        }
        if let Some(rates) = self.rates {
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
        let threads = threads(self.jobs)?;
        let backend = self.device.backend()?;
        let batched = self.batched || backend != Backend::Cpu;
        let output = self.output.unwrap_or_else(|| {
            let mut parts = vec![objective.file.clone()];
            if let [optimizer] = sweep.optimizers[..] {
                parts.push(optimizer.to_string());
            }
            let mut name = Name::new(parts, &protocol, backend);
            let base = name.base().clone();
            name.list("rates", &protocol.rates, &base.rates);
            name.setting("seeds", sweep.seeds.len(), base.seeds(&problem).len());
            name.setting("iterations", protocol.iterations(&problem), base.iterations(&problem));
            self.ends.name(&mut name);
            if batched {
                name.push("batched");
            }
            name.file("data/sweeps")
        });
        let optimizers: Vec<_> = sweep.optimizers.iter().map(|optimizer| optimizer.name()).collect();
        let experiment = serde_json::json!({ "function": problem.name(), "optimizers": optimizers, "batched": batched,
            "protocol": protocol, "target": sweep.settings.target, "tolerance": sweep.settings.tolerance });
        let experiment = objective.described(experiment);
        signals::finish_early()?;
        let points = self.points.unwrap_or_else(|| beside(&output, "-points"));
        let destination = Destination::prepare(&output, experiment.to_string(), backend)?;
        let points = Destination::prepare(&points, experiment.to_string(), backend)?;
        ensure_distinct(destination.outputs().into_iter().chain(points.outputs()))?;
        objective.ensure_apart(destination.outputs().into_iter().chain(points.outputs()))?;
        if batched {
            let plan = match protocol.dtype {
                Dtype::F32 => sweep.plan::<f32>(backend),
                Dtype::F64 => sweep.plan::<f64>(backend),
            }?;
            note!("{plan}");
        } else {
            threads.install(|| match protocol.dtype {
                Dtype::F32 => sweep.ensure_room::<f32>(),
                Dtype::F64 => sweep.ensure_room::<f64>(),
            })?;
        }
        let bar = progress::bar(sweep.len() as u64);
        bar.set_message(problem.name().to_owned());
        bar.tick();
        let finished = |_: &Run| bar.inc(1);
        let progressed = |share: f64| bar.set_position((share * sweep.len() as f64) as u64);
        let runs = threads.install(|| -> Result<Vec<Run>, Error> {
            match (batched, protocol.dtype) {
                (false, Dtype::F32) => sweep.run::<f32>(&finished),
                (false, Dtype::F64) => sweep.run::<f64>(&finished),
                (true, Dtype::F32) => sweep.run_batched::<f32>(backend, &progressed),
                (true, Dtype::F64) => sweep.run_batched::<f64>(backend, &progressed),
            }
        })?;
        let finished = runs.len() == sweep.len() && runs.iter().all(|run| run.outcome != Outcome::Stopped);
        let outcome = if finished { Outcome::Finished } else { Outcome::Stopped };
        if finished {
            bar.finish()
        } else {
            bar.abandon()
        }
        if runs.is_empty() {
            return Err(Error::Interrupted.into());
        }
        let rows = runs.iter().map(|run| (Stage::Sweep.name(), run));
        let written = trace::summary(rows).and_then(|summary| destination.write(&summary, outcome));
        let written = written.and_then(|place| Ok((place, points.write(&trace::points(&problem, &runs)?, outcome)?)));
        // Also where writing fails: the numbers are all that is left.
        let printed = match protocol.choice {
            Choice::PerFunction => print_rates(&sweep, &runs),
            Choice::PerSeed => print_best_of_seeds(&sweep, &runs),
        };
        let (place, points) = written?;
        if !finished {
            bail!("interrupted: {} of {} runs are in {place}, their best points in {points}", runs.len(), sweep.len());
        }
        let order = printed?;
        say!("{order}; {} runs in {place}, their best points in {points}", runs.len());
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
