//! `overparam sweep`

use super::naming::Name;
use super::settings::{self, Device, Overrides};
use super::{signals, threads};
use anyhow::{Result, bail};
use clap::Args;
use overparam::prelude::*;
use overparam::trace::{self, Destination};
use overparam::{Error, progress};
use std::path::PathBuf;

/// Run every learning rate with every seed; write one row per run, print which rate is best.
///
/// After Ctrl-C, SIGTERM or SIGHUP the rows so far go to NAME-unfinished.parquet beside the file, which is left as it was.
#[derive(Args)]
pub struct SweepCommand {
    /// What to minimize, see `overparam list`
    function: String,
    /// shallow or deep [default: both]
    #[arg(long)]
    optimizer: Option<String>,
    /// First step sizes, comma-separated [default: what the protocol says]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    rates: Option<Vec<f64>>,
    /// How many seeds, counted from 0 [default: what the protocol says]
    #[arg(long)]
    seeds: Option<u64>,
    /// Iterations of every run [default: what the protocol says]
    #[arg(long)]
    iterations: Option<u64>,
    /// Let all runs advance together instead of one a thread, as they always do on a GPU
    #[arg(long)]
    batched: bool,
    /// Threads [default: one a core]
    #[arg(long)]
    jobs: Option<usize>,
    /// Where the summary goes [default: data/sweeps/FUNCTION.parquet, with every setting that is not the default]
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    overrides: Overrides,
}

impl SweepCommand {
    pub fn execute(self) -> Result<()> {
        let function = settings::function(&self.function)?;
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
        let mut sweep = protocol.sweep(function);
        if let Some(name) = &self.optimizer {
            sweep.optimizers = vec![settings::optimizer(name)?];
        } else if protocol.squash == Squash::Clamp {
            sweep.optimizers = vec![Optimizer::Shallow];
        }
        let threads = threads(self.jobs)?;
        let backend = self.device.backend()?;
        let batched = self.batched || backend != Backend::Cpu;
        let output = self.output.unwrap_or_else(|| {
            let mut parts = vec![function.to_string()];
            if let [optimizer] = sweep.optimizers[..] {
                parts.push(optimizer.to_string());
            }
            let mut name = Name::new(parts, &protocol, backend);
            let base = name.base().clone();
            name.list("rates", &protocol.rates, &base.rates);
            name.setting("seeds", sweep.seeds.len(), base.seeds(function).len());
            name.setting("iterations", protocol.iterations(function), base.iterations(function));
            if batched {
                name.push("batched");
            }
            name.file("data/sweeps")
        });
        let optimizers: Vec<_> = sweep.optimizers.iter().map(|optimizer| optimizer.name()).collect();
        let experiment = serde_json::json!({ "function": function.name(), "optimizers": optimizers, "batched": batched,
            "protocol": protocol });
        signals::finish_early()?;
        let destination = Destination::prepare(&output, experiment.to_string(), backend)?;
        if batched {
            let plan = match protocol.dtype {
                Dtype::F32 => sweep.plan::<f32>(backend),
                Dtype::F64 => sweep.plan::<f64>(backend),
            }?;
            note!("{plan}");
        }
        let bar = progress::bar(sweep.len() as u64);
        bar.set_message(function.name());
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
        let summary = trace::summary(runs.iter().map(|run| ("sweep", run)));
        let written = summary.and_then(|summary| destination.write(&summary, outcome));
        // Also where writing fails: the numbers are all that is left.
        let printed = table(&sweep, &runs);
        let place = written?;
        if !finished {
            bail!("interrupted: {} of {} runs are in {place}", runs.len(), sweep.len());
        }
        printed?;
        say!("best first; {} runs in {place}", runs.len());
        Ok(())
    }
}

/// Prints the rates of every optimizer, the best first.
fn table(sweep: &Sweep, runs: &[Run]) -> Result<()> {
    say!("{:<10} {:>10} {:>14} {:>9}", "optimizer", "rate", "minimum", "diverged");
    for &optimizer in &sweep.optimizers {
        for Candidate { rate, minimum, diverged } in Candidate::rank(runs, optimizer) {
            say!("{optimizer:<10} {rate:>10.3e} {minimum:>14.6e} {diverged:>9}");
        }
    }
    Ok(())
}
