//! `overparam run`

use super::settings::{self, Device, Overrides};
use super::watch_for_interrupts;
use anyhow::{Result, bail};
use clap::Args;
use overparam::prelude::*;
use overparam::trace;
use std::path::PathBuf;

/// Run one optimizer once; write its trace, print a summary.
#[derive(Args)]
pub struct RunCommand {
    /// What to minimize, see `overparam list`
    function: String,
    /// shallow or deep
    #[arg(long, default_value = "deep")]
    optimizer: String,
    /// The first step size
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    rate: f64,
    /// The seed of the start, and of the couplings of the spin glass
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Iterations to take [default: what the protocol says]
    #[arg(long, conflicts_with = "seconds")]
    iterations: Option<u64>,
    /// Wall time to take instead of a number of iterations
    #[arg(long, allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Keep every iteration in the trace, not only log-spaced ones
    #[arg(long)]
    every: bool,
    /// Where the trace goes [default: data/runs/FUNCTION-OPTIMIZER-SEED.parquet]
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    overrides: Overrides,
}

impl RunCommand {
    pub fn execute(self) -> Result<()> {
        let function = settings::function(&self.function)?;
        let optimizer = settings::optimizer(&self.optimizer)?;
        let protocol = self.overrides.protocol(self.iterations)?;
        let mut settings = protocol.settings(function).learning_rate(self.rate);
        if let Some(seconds) = self.seconds {
            settings = settings.seconds(seconds);
        }
        settings.thinned = !self.every;
        let output = self
            .output
            .unwrap_or_else(|| PathBuf::from(format!("data/runs/{function}-{optimizer}-{}.parquet", self.seed)));
        settings.validate()?;
        let backend = self.device.backend()?;
        trace::check(&output)?;
        watch_for_interrupts()?;
        let run = protocol.run_on(backend, function, optimizer, self.seed, &settings)?;
        trace::write_from(
            backend,
            &run.trace()?,
            &output,
            &serde_json::json!({ "protocol": protocol, "settings": settings }).to_string(),
        )?;
        say!("{run}\ntrace           {}", output.display());
        if run.outcome == Outcome::Stopped {
            bail!("interrupted after {} iterations; the trace up to there is in {}", run.iterations, output.display());
        }
        Ok(())
    }
}
