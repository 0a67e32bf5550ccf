//! `overparam run`

use super::naming::{Name, number};
use super::settings::{self, Device, Overrides};
use super::signals;
use anyhow::{Result, bail};
use clap::Args;
use overparam::prelude::*;
use overparam::trace::Destination;
use std::path::PathBuf;

/// Run one optimizer once; write its trace, print a summary.
///
/// After Ctrl-C, SIGTERM or SIGHUP the trace so far goes to NAME-unfinished.parquet beside the file, which is left as it was.
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
    /// Where the trace goes [default: data/runs/FUNCTION-OPTIMIZER-SEED.parquet, with every setting that is not the default]
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
        settings.validate()?;
        let backend = self.device.backend()?;
        let output = self.output.unwrap_or_else(|| {
            let parts = vec![function.to_string(), optimizer.to_string(), self.seed.to_string()];
            let mut name = Name::new(parts, &protocol, backend);
            name.setting("rate", number(self.rate), number(1.0));
            let usual = name.base().iterations(function);
            match self.seconds {
                Some(seconds) => name.push(format!("seconds-{}", number(seconds))),
                None => name.setting("iterations", protocol.iterations(function), usual),
            }
            if self.every {
                name.push("every");
            }
            name.file("data/runs")
        });
        let experiment = serde_json::json!({ "function": function.name(), "optimizer": optimizer.name(), "seed": self.seed,
            "protocol": protocol, "settings": settings });
        signals::finish_early()?;
        let destination = Destination::prepare(&output, experiment.to_string(), backend)?;
        let run = protocol.run_on(backend, function, optimizer, self.seed, &settings)?;
        let written = run.trace().and_then(|trace| destination.write(&trace, run.outcome));
        // Also where writing fails: the numbers are all that is left.
        let printed = super::print(format_args!("{run}"));
        let place = written?;
        if run.outcome == Outcome::Stopped {
            bail!("interrupted after {} iterations; the trace up to there is in {place}", run.iterations);
        }
        printed?;
        say!("trace           {place}");
        Ok(())
    }
}
