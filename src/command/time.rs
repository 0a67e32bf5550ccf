//! `overparam time`

use super::objective::ExpressionOptions;
use super::settings::{self, Overrides};
use anyhow::Result;
use clap::Args;
use serde_json::json;

/// Time one optimizer, on one thread by default; print one line of JSON.
///
/// The JSON has the settings under `settings`, and: `us_per_iteration`, the median over repeats, after one that is not counted, of a run's
/// microseconds per iteration, with the learning-rate rule and the recording of minimum and mean that every run has;
/// `least_us_per_iteration`, that of the fastest repeat; `flop_per_iteration`, counted by formula, an elementary function as one;
/// `gflop_per_s`, the ratio of `flop_per_iteration` to `us_per_iteration`; `peak_memory_bytes` of the whole process; `instruction_set`.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Time {
    /// The objective, see `overparam list`; or give an --expression
    #[arg(long)]
    function: Option<String>,
    #[command(flatten)]
    expression: ExpressionOptions,
    /// shallow or deep
    #[arg(long)]
    optimizer: String,
    /// Iterations of every repeat
    #[arg(long, default_value_t = 10_000, value_parser = settings::count::<u64>)]
    iterations: u64,
    /// Repeats that are counted
    #[arg(long, default_value_t = 9, value_parser = settings::count::<usize>)]
    repeats: usize,
    /// The first step size: small enough that the run goes on moving
    #[arg(long, default_value_t = 1e-3, value_parser = settings::number)]
    rate: f64,
    #[command(flatten)]
    overrides: Overrides,
}

impl Time {
    pub fn execute(self) -> Result<()> {
        let objective = self.expression.objective(self.function.as_deref())?;
        let problem = objective.problem.clone();
        let optimizer = settings::optimizer(&self.optimizer)?;
        let protocol = self.overrides.protocol(Some(self.iterations))?;
        if self.repeats == 0 {
            let expected = "1 or more";
            return Err(
                overparam::Error::Setting { name: "the number of repeats", expected, given: "0".to_owned() }.into()
            );
        }
        let settings = protocol.settings(&problem).learning_rate(self.rate);
        let timing = protocol.time(&problem, optimizer, &settings, self.repeats)?;
        let line = json!({
            "function": problem.name(),
            "optimizer": optimizer.name(),
            "dtype": protocol.dtype,
            "dimensions": protocol.dimensions,
            "settings": settings,
            "iterations": self.iterations,
            "repeats": self.repeats,
            "us_per_iteration": timing.us_per_iteration,
            "least_us_per_iteration": timing.least_us_per_iteration,
            "flop_per_iteration": timing.flop_per_iteration,
            "gflop_per_s": timing.flop_per_iteration as f64 / timing.us_per_iteration * 1e-3,
            "peak_memory_bytes": overparam::internals::peak_memory(),
            "instruction_set": overparam::instruction_set(),
        });
        say!("{}", objective.described(line));
        Ok(())
    }
}
