//! `overparam sweep`

use super::settings::{self, Device, Overrides};
use super::{threads, watch_for_interrupts};
use anyhow::{Result, bail};
use clap::Args;
use overparam::prelude::*;
use overparam::{Error, interrupt, progress, trace};
use std::path::PathBuf;

/// Run every learning rate with every seed; write a row a run, print which rate is best.
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
    /// Where the summary goes [default: data/sweeps/FUNCTION.parquet]
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
        let output = self.output.unwrap_or_else(|| PathBuf::from(format!("data/sweeps/{function}.parquet")));
        trace::check(&output)?;
        watch_for_interrupts()?;
        let batched = self.batched || backend != Backend::Cpu;
        if batched {
            let plan = match protocol.dtype {
                Dtype::F32 => sweep.plan::<f32>(backend),
                Dtype::F64 => sweep.plan::<f64>(backend),
            }?;
            eprintln!("note: {plan}");
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
        if interrupt::requested() {
            bar.abandon()
        } else {
            bar.finish()
        }
        let summary = trace::summary(runs.iter().map(|run| ("sweep", run)))?;
        trace::write_from(backend, &summary, &output, &serde_json::to_string(&protocol)?)?;
        let order = match protocol.choice {
            Choice::PerFunction => print_rates(&sweep, &runs)?,
            Choice::PerSeed => print_best_of_seeds(&sweep, &runs)?,
        };
        say!("{order}; {} runs in {}", runs.len(), output.display());
        if interrupt::requested() {
            bail!("interrupted: {} of {} runs are in {}", runs.len(), sweep.len(), output.display());
        }
        Ok(())
    }
}

/// Prints every rate with what it reached over the seeds. Returns the order of the lines.
fn print_rates(sweep: &Sweep, runs: &[Run]) -> Result<&'static str> {
    say!("{:<10} {:>10} {:>14} {:>9}", "optimizer", "rate", "minimum", "diverged");
    for &optimizer in &sweep.optimizers {
        for Candidate { rate, minimum, diverged } in Candidate::rank(runs, optimizer) {
            say!("{optimizer:<10} {rate:>10.3e} {minimum:>14.6e} {diverged:>9}");
        }
    }
    Ok("best first")
}

/// Prints for every seed its best rate, what that reached, and how many of the seed's runs diverged.
fn print_best_of_seeds(sweep: &Sweep, runs: &[Run]) -> Result<&'static str> {
    say!("{:<10} {:>6} {:>10} {:>14} {:>9}", "optimizer", "seed", "best rate", "minimum", "diverged");
    for &optimizer in &sweep.optimizers {
        for &seed in &sweep.seeds {
            let candidates = Candidate::rank(runs.iter().filter(|run| run.seed == seed), optimizer);
            let diverged: usize = candidates.iter().map(|candidate| candidate.diverged).sum();
            if let Some(&Candidate { rate, minimum, .. }) = candidates.first() {
                say!("{optimizer:<10} {seed:>6} {rate:>10.3e} {minimum:>14.6e} {diverged:>9}");
            }
        }
    }
    Ok("the best rate of every seed")
}
