//! Batches on a GPU: checked by their tests, timed beside the cores and beside JAX, and described by the driver.
//!
//! Everything runs within a limit of time, the most important first: a case that would not end in time is left out, and the record says so.

use crate::comparison;
use crate::peer::Scale;
use crate::process::{Process, quote};
use crate::record;
use crate::signals;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use overparam::figure::{Exporter, Figure};
use overparam::internals::{Profile, style};
use overparam::output::Output;
use overparam::plotly::common::{Marker, Orientation};
use overparam::plotly::layout::{Axis, BarMode};
use overparam::plotly::{Bar, Plot};
use overparam::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The share of the runs and of the iterations that the cores take: enough to know their pace.
const ON_THE_CORES: [u64; 2] = [50, 10];

/// Seconds that the tests may take.
const TESTS: u64 = 120;

/// The Hamiltonian in this many dimensions takes a tenth of the iterations, and fewer where it is larger, as it takes longer.
const SMALLEST: usize = 50;

/// Check and time batches on a GPU
///
/// Runs the tests that need a GPU, times sweeps beside the cores and beside JAX on the same GPU, and asks the driver for what the kernels take of it.
/// Writes OUT/gpu.json and a figure.
#[derive(Args)]
pub struct Check {
    /// The program of the tests in tests/cuda.rs; without it they are not run
    #[arg(long, value_name = "PROGRAM")]
    tests: Option<PathBuf>,
    /// Command line of the JAX peer for batches, such as "python jax_batch.py --platform cuda"
    #[arg(long, value_name = "COMMAND")]
    jax: Option<String>,
    /// Seeds of a sweep, each of which is run at all rates of the paper
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// Iterations of a run
    #[arg(long, default_value_t = 10_000)]
    iterations: u64,
    /// Dimensions of the Hamiltonian
    #[arg(long, value_delimiter = ',', default_values_t = [50, 200, 400])]
    hamiltonian: Vec<usize>,
    /// Seconds that everything may take
    #[arg(long, default_value_t = 330.0)]
    seconds: f64,
    /// The folder for the results
    #[arg(long, default_value = "data")]
    out: PathBuf,
}

/// The results of a check.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// The model of the GPU.
    gpu: String,
    version: String,
    /// The outcome of the tests; none if they were not run.
    tests: Option<String>,
    rows: Vec<Row>,
    kernels: Vec<Kernel>,
    /// Cases that failed, or for which there was no time.
    left_out: Vec<String>,
    seconds: f64,
}

/// A sweep, timed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    case: String,
    /// `"gpu"`, `"cores"` or `"jax"`.
    program: String,
    runs: u64,
    iterations: u64,
    seconds: f64,
    run_iterations_per_second: f64,
    /// Floating-point operations per second by formula, as a share of the GPU's peak without tensor cores.
    share_of_peak: Option<f64>,
    /// The mean over the runs of the smallest objective.
    best: f64,
}

/// A kernel, as the driver describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kernel {
    case: String,
    #[serde(flatten)]
    profile: Profile,
}

/// A sweep to time.
struct Case {
    name: String,
    sweep: Sweep,
    dtype: Dtype,
}

impl Case {
    fn new(function: Function, optimizer: Optimizer, dtype: Dtype, d: usize, seeds: u64, iterations: u64) -> Self {
        let mut sweep = Protocol::paper().sweep(function);
        sweep.dimensions.d = d;
        sweep.optimizers = vec![optimizer];
        sweep.seeds = (0..seeds).collect();
        sweep.settings = sweep.settings.iterations(iterations);
        Self { name: format!("{function} d={d} {optimizer} {}", dtype.name()), sweep, dtype }
    }

    fn iterations(&self) -> u64 {
        match self.sweep.settings.budget {
            Budget::Iterations(iterations) => iterations,
            Budget::Seconds(_) => 0,
        }
    }

    fn run(&self, backend: Backend) -> Result<Vec<Run>, overparam::Error> {
        match (self.dtype, backend) {
            (Dtype::F32, Backend::Cpu) => self.sweep.run::<f32>(&|_| {}),
            (Dtype::F64, Backend::Cpu) => self.sweep.run::<f64>(&|_| {}),
            (Dtype::F32, Backend::Cuda) => self.sweep.run_batched::<f32>(backend, &|_| {}),
            (Dtype::F64, Backend::Cuda) => self.sweep.run_batched::<f64>(backend, &|_| {}),
        }
    }

    fn profile(&self) -> Result<(Profile, u64), overparam::Error> {
        match self.dtype {
            Dtype::F32 => self.sweep.profile::<f32>(),
            Dtype::F64 => self.sweep.profile::<f64>(),
        }
    }

    fn scalar(&self) -> usize {
        match self.dtype {
            Dtype::F32 => 4,
            Dtype::F64 => 8,
        }
    }

    fn row(&self, program: &str, runs: u64, seconds: f64, best: f64) -> Row {
        let iterations = self.iterations();
        Row {
            case: self.name.clone(),
            program: program.to_owned(),
            runs,
            iterations,
            seconds,
            run_iterations_per_second: runs as f64 * iterations as f64 / seconds,
            share_of_peak: None,
            best,
        }
    }

    /// Times the sweep here: from the starts to the results.
    fn time(&self, backend: Backend) -> Result<Row> {
        let clock = Instant::now();
        let runs = self.run(backend)?;
        let seconds = clock.elapsed().as_secs_f64();
        let best = runs.iter().map(|run| run.best).sum::<f64>() / runs.len() as f64;
        let program = if backend == Backend::Cuda { "gpu" } else { "cores" };
        Ok(self.row(program, runs.len() as u64, seconds, best))
    }

    /// Has the JAX peer do the same from the same starts.
    fn time_jax(&self, jax: &mut Process, folder: &Path, limit: Duration) -> Result<Row> {
        let Sweep { problem, dimensions, settings, optimizers, seeds, rates } = &self.sweep;
        let start = folder.join("start.f64");
        let numbers = seeds.iter().flat_map(|&seed| dimensions.start(optimizers[0], seed, settings));
        comparison::write(&start, numbers)?;
        let [minimum, maximum] = problem.range(dimensions.d)?;
        let request = json!({
            "function": problem.name(), "optimizer": optimizers[0].name(), "dtype": self.dtype.name(),
            "iterations": self.iterations(), "rates": rates, "start": start,
            "scale": Scale { offset: minimum, width: maximum - minimum },
            "n": dimensions.n, "d": dimensions.d, "k": dimensions.k, "widths": dimensions.widths,
        });
        let answer = jax.ask(&request.to_string(), limit).map_err(|problem| anyhow!("jax: {problem}"))?;
        let answer: Answer = serde_json::from_str(&answer).with_context(|| format!("jax: {}", quote(&answer)))?;
        match answer {
            Answer::Done { seconds, runs, best } if seconds > 0.0 => Ok(self.row("jax", runs, seconds, best)),
            Answer::Done { seconds, .. } => bail!("jax: {seconds} s"),
            Answer::Failed { error } => bail!("jax: {}", quote(&error)),
        }
    }
}

/// The answer of the JAX peer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Done { seconds: f64, runs: u64, best: f64 },
    Failed { error: String },
}

impl Check {
    pub fn execute(self) -> Result<()> {
        let clock = Instant::now();
        signals::leave_nothing()?;
        let limit =
            Duration::try_from_secs_f64(self.seconds).context("the seconds must be a positive finite number")?;
        let left = || limit.saturating_sub(clock.elapsed());
        let mut exporter = Exporter::new(self.out.join("figures"))?;
        let output = Output::prepare(self.out.join("gpu.json"))?;
        Backend::Cuda.ensure()?;
        let mut record = Record {
            gpu: Backend::Cuda.describe().trim_start_matches("cuda: ").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tests: None,
            rows: Vec::new(),
            kernels: Vec::new(),
            left_out: Vec::new(),
            seconds: 0.0,
        };
        say!("{}", record.gpu);
        if let Some(program) = &self.tests {
            let ended = tests(program, left().min(Duration::from_secs(TESTS)))?;
            say!("tests: {ended}");
            record.tests = Some(ended);
        }
        let mut jax = self.jax.as_deref().map(Process::start).transpose().context("cannot start JAX")?;
        let mut seconds_per_run_iteration = 0.0;
        for case in self.cases() {
            // A case takes about as long as its run-iterations did before.
            let work = case.sweep.len() as f64 * case.iterations() as f64;
            if left().as_secs_f64() < seconds_per_run_iteration * work {
                record.left_out.push(format!("{}: no time", case.name));
                continue;
            }
            let (profile, operations) = case.profile()?;
            // Compiled and warm.
            Case { sweep: Sweep { seeds: vec![0], ..case.sweep.clone() }, name: String::new(), ..case }
                .run(Backend::Cuda)?;
            let mut row = case.time(Backend::Cuda)?;
            let speed = row.run_iterations_per_second * operations as f64;
            row.share_of_peak = Some(speed / profile.peak(case.scalar()));
            seconds_per_run_iteration = row.seconds / work;
            print_row(&row)?;
            record.rows.push(row);
            record.kernels.push(Kernel { case: case.name.clone(), profile });
            self.beside(&case, jax.as_mut(), &left, &mut record)?;
            record.seconds = clock.elapsed().as_secs_f64();
            record::write(&record, &output)?;
        }
        // Cases may have been left out after the last one that ran.
        record.seconds = clock.elapsed().as_secs_f64();
        record::write(&record, &output)?;
        exporter.add(figure(&record), "gpu")?;
        let written = exporter.finish()?;
        for line in &record.left_out {
            say!("left out: {line}");
        }
        say!(
            "{} and {} figures in {:.0} s",
            output.path().display(),
            written.files.len(),
            clock.elapsed().as_secs_f64()
        );
        if record.tests.as_ref().is_some_and(|ended| !ended.contains("test result: ok")) {
            bail!("the tests failed");
        }
        Ok(())
    }

    /// The sweeps to time, the most important first.
    fn cases(&self) -> Vec<Case> {
        let &Self { seeds, iterations, ref hamiltonian, .. } = self;
        let mut cases = Vec::new();
        for dtype in [Dtype::F32, Dtype::F64] {
            for optimizer in Optimizer::ALL {
                cases.push(Case::new(Function::Rastrigin, optimizer, dtype, 50, seeds, iterations));
            }
        }
        for &d in hamiltonian {
            let share = 10 * (d / SMALLEST).max(1).pow(3) as u64;
            let (seeds, iterations) = (seeds.div_ceil(100), iterations.div_ceil(share));
            cases.push(Case::new(Function::SpinGlass, Optimizer::Deep, Dtype::F32, d, seeds, iterations));
        }
        let others = Function::ALL.into_iter().filter(|&function| function != Function::Rastrigin);
        for function in others.filter(|&function| !Problem::from(function).is_drawn()) {
            for optimizer in Optimizer::ALL {
                cases.push(Case::new(function, optimizer, Dtype::F64, 50, seeds, iterations));
            }
        }
        cases
    }

    /// Times the cores and JAX on a case, where they are to be compared.
    fn beside(
        &self,
        case: &Case,
        jax: Option<&mut Process>,
        left: &dyn Fn() -> Duration,
        record: &mut Record,
    ) -> Result<()> {
        if case.sweep.problem.function() != Some(Function::Rastrigin) {
            return Ok(());
        }
        let [seeds, iterations] = ON_THE_CORES;
        let few = Case::new(
            Function::Rastrigin,
            case.sweep.optimizers[0],
            case.dtype,
            case.sweep.dimensions.d,
            self.seeds.div_ceil(seeds),
            self.iterations.div_ceil(iterations),
        );
        let row = few.time(Backend::Cpu)?;
        print_row(&row)?;
        record.rows.push(row);
        if let Some(jax) = jax {
            match case.time_jax(jax, &self.out, left()) {
                Ok(row) => {
                    print_row(&row)?;
                    record.rows.push(row);
                }
                Err(error) => record.left_out.push(format!("{} by JAX: {error:#}", case.name)),
            }
        }
        Ok(())
    }
}

/// Runs the tests that need a GPU, and returns how they ended.
fn tests(program: &Path, limit: Duration) -> Result<String> {
    // No limit is what 0 means to `timeout`.
    let seconds = limit.as_secs().max(1);
    let mut command = Command::new("timeout");
    command.arg(seconds.to_string()).arg(program).args(["--ignored", "--test-threads", "1"]);
    let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = text.lines().filter(|line| line.ends_with("FAILED") && line.starts_with("test ")).collect();
    let result = text.lines().rfind(|line| line.starts_with("test result"));
    Ok(match result {
        Some(result) => [&[result][..], &failed].concat().join("; "),
        None => format!("not ended within {seconds} s, or crashed: {}", output.status),
    })
}

fn print_row(row: &Row) -> Result<()> {
    let Row { case, program, runs, iterations, seconds, run_iterations_per_second, share_of_peak, .. } = row;
    let share = share_of_peak.map_or(String::new(), |share| format!(", {:.1} % of the peak", 100.0 * share));
    say!(
        "{case}, {program}: {runs} runs × {iterations} iterations in {seconds:.2} s, {run_iterations_per_second:.3e} per second{share}"
    );
    Ok(())
}

/// Run-iterations per second of every case and program, on a logarithmic axis.
fn figure(record: &Record) -> Figure {
    let mut plot = Plot::new();
    for (program, color) in [("gpu", "#2ca02c"), ("jax", "#1f77b4"), ("cores", "#8c564b")] {
        let rows: Vec<&Row> = record.rows.iter().filter(|row| row.program == program).collect();
        if rows.is_empty() {
            continue;
        }
        let speeds: Vec<f64> = rows.iter().map(|row| row.run_iterations_per_second).collect();
        let cases: Vec<String> = rows.iter().map(|row| row.case.clone()).collect();
        let bar = Bar::new(speeds, cases).orientation(Orientation::Horizontal).name(program);
        plot.add_trace(bar.marker(Marker::new().color(color)));
    }
    let title = format!("runs × iterations per second, {}", record.gpu);
    let layout = style::layout(
        style::PAGE,
        120 + 40 * record.kernels.len(),
        style::margin(190, 12, 60, 50),
        style::legend(1.05),
    );
    let axis = style::log_axis().title(title.as_str());
    plot.set_layout(layout.bar_mode(BarMode::Group).x_axis(axis).y_axis(Axis::new().auto_margin(true)));
    plot.set_configuration(style::configuration());
    Figure::from(plot)
}
