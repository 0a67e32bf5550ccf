//! `overparam run`

use super::naming::{Name, number};
use super::objective::ExpressionOptions;
use super::settings::{self, Device, Ends, Overrides};
use super::{signals, threads};
use anyhow::{Result, bail};
use clap::Args;
use overparam::output::{beside, ensure_distinct};
use overparam::prelude::*;
use overparam::trace::{self, Destination, Provenance};
use std::path::PathBuf;

/// Run one optimizer once; write its trace and its best point, print a summary.
///
/// The trace has one row per recorded iteration: `function`, `optimizer`, `rule`, `seed`, `learning_rate`, `iteration`, `seconds`, the
/// scaled objective as `objective_min` and `objective_mean` over the embeddings and `best` so far, `raw_best` in the function's own units,
/// `step_size`, and `extrapolated`, true in the rows after the run settled. The point is one row: `best`, `raw_best`, the
/// point in the unit cube as x0, x1, … and in the function's box as u0, u1, …; `overparam evaluate` reads it.
///
/// Files that are there are replaced by those of the same run, or of one that takes longer; other results need another --output. After Ctrl-C,
/// SIGTERM or SIGHUP the trace and the point so far go to NAME-unfinished.parquet beside the files, which are left as they were.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct RunCommand {
    /// The objective, see `overparam list`; or give an --expression
    function: Option<String>,
    /// shallow or deep
    #[arg(long, default_value = "deep")]
    optimizer: String,
    /// The first step size
    #[arg(long, default_value_t = 1.0, value_parser = settings::number)]
    rate: f64,
    /// The seed of the start, and of the couplings of the spin glass
    #[arg(long, default_value_t = 0, value_parser = settings::count::<u64>)]
    seed: u64,
    /// Iterations to take [default: the protocol's; paper: 10000, of spin-glass 1000]
    #[arg(long, conflicts_with = "seconds", value_parser = settings::count::<u64>)]
    iterations: Option<u64>,
    /// Stop after this wall time in seconds instead of a number of iterations
    #[arg(long, value_parser = settings::number)]
    seconds: Option<f64>,
    /// Keep every iteration in the trace, not only log-spaced ones. With --seconds they go to disk as they are computed
    #[arg(long)]
    every: bool,
    /// The file of the trace [default: data/runs/FUNCTION-OPTIMIZER-SEED.parquet, with every setting that is not the default]
    #[arg(long)]
    output: Option<PathBuf>,
    /// The file of the best point [default: beside the trace, ending in -point.parquet]
    #[arg(long)]
    point: Option<PathBuf>,
    #[command(flatten)]
    ends: Ends,
    #[command(flatten)]
    expression: ExpressionOptions,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    overrides: Overrides,
}

impl RunCommand {
    pub fn execute(self) -> Result<()> {
        let objective = self.expression.objective(self.function.as_deref())?;
        let problem = objective.problem.clone();
        let optimizer = settings::optimizer(&self.optimizer)?;
        let protocol = self.overrides.protocol(self.iterations)?;
        problem.range(protocol.dimensions.d)?;
        let mut settings = protocol.settings(&problem).learning_rate(self.rate);
        if let Some(seconds) = self.seconds {
            settings = settings.seconds(seconds);
            // The protocol's iterations say nothing about how many this run takes.
            settings.learning_rate.schedule = match settings.learning_rate.schedule {
                Schedule::Cosine(_) => protocol.learning_rate.schedule,
                other => other,
            };
        }
        settings.thinned = !self.every;
        self.ends.add_to(&mut settings);
        settings.validate()?;
        let backend = self.device.backend()?;
        let output = self.output.unwrap_or_else(|| {
            let parts = vec![objective.file.clone(), optimizer.to_string(), self.seed.to_string()];
            let mut name = Name::new(parts, &protocol, backend);
            name.setting("rate", number(self.rate), number(1.0));
            let usual = name.base().iterations(&problem);
            match self.seconds {
                Some(seconds) => name.push(format!("seconds-{}", number(seconds))),
                None => name.setting("iterations", protocol.iterations(&problem), usual),
            }
            self.ends.name(&mut name);
            if self.every {
                name.push("every");
            }
            name.file("data/runs")
        });
        let experiment = serde_json::json!({ "function": problem.name(), "optimizer": optimizer.name(), "seed": self.seed,
            "protocol": protocol, "settings": settings });
        let experiment = objective.described(experiment);
        signals::finish_early()?;
        let point = self.point.unwrap_or_else(|| beside(&output, "-point"));
        let destination = Destination::prepare(&output, experiment.to_string(), backend)?;
        let of_point = Provenance::new(experiment.to_string()).of_table("point").settings;
        let point = Destination::prepare(&point, of_point, backend)?;
        ensure_distinct(destination.outputs().into_iter().chain(point.outputs()))?;
        objective.ensure_apart(destination.outputs().into_iter().chain(point.outputs()))?;
        let ensure_replace = || [&destination, &point].into_iter().try_for_each(Destination::ensure_replaces);
        ensure_replace()?;
        let run = || -> Result<Run> {
            // Nobody knows how many iterations there will be: memory may not hold them.
            if backend == Backend::Cpu && self.every && self.seconds.is_some() {
                let mut descent = protocol.start(&problem, optimizer, self.seed, &settings)?;
                descent.stream_to(destination.outputs()[0].scratch()?);
                return Ok(descent.run());
            }
            Ok(protocol.run_on(backend, &problem, optimizer, self.seed, &settings)?)
        };
        // A single run on the CPU is all on this thread.
        let mut run = if backend == Backend::Cpu { run() } else { threads(Some(1))?.install(run) }?;
        if let Some(iteration) = run.thinned_from.filter(|_| self.every) {
            note!("the memory ended: from iteration {iteration} on the trace has log-spaced iterations only");
        }
        if run.outcome != Outcome::Stopped {
            // Another command may have written them meanwhile.
            ensure_replace()?;
        }
        let mut place = destination.write_trace(&run);
        if place.is_err() && run.is_streamed() {
            note!("the disk has no room for a trace of every iteration: this one has log-spaced ones");
            place = run.thin_streamed().and_then(|()| destination.write_trace(&run));
        }
        let points = trace::points(&problem, [&run]).and_then(|points| point.write(&points, run.outcome));
        // Also where writing fails: the numbers are all that is left.
        let printed = super::print(format_args!("{run}"));
        let (place, point) = (place?, points?);
        if run.outcome == Outcome::Stopped {
            bail!(
                "interrupted after {} iterations; the trace up to there is in {place}, the best point in {point}",
                run.iterations
            );
        }
        printed?;
        say!("trace           {place}\nbest point      {point}");
        Ok(())
    }
}
