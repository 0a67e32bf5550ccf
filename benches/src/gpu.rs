//! Batches on a GPU: checked by their tests, timed beside the cores and beside JAX, and described by the driver.
//!
//! Everything runs within a limit of time, the most important first: a case that would not end in time is left out, and the record says so.

use crate::comparison;
use crate::peer::Scale;
use crate::process::{Process, quote};
use crate::record::{self, Machine};
use crate::roofline::Peak;
use crate::signals;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use overparam::figure::{Exporter, Figure};
use overparam::internals::{Profile, style};
use overparam::output::{Output, TemporaryFolder};
use overparam::plotly::common::{Marker, Orientation, TextPosition};
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

/// Seconds that JAX may take for a case.
const JAX: u64 = 60;

/// The dimensions of the paper's objectives.
const PAPER: usize = Dimensions::PAPER.d;

/// The share of the seeds that the Hamiltonian takes in more dimensions: 12 of 1,000, at 11 rates as many runs as an H100 has multiprocessors.
const LARGE: u64 = 84;

/// Check and time batches on a GPU
///
/// Runs the tests that need a GPU, times sweeps beside the cores and beside JAX on the same GPU, and asks the driver for what the kernels take of it.
/// Writes OUT/gpu.json, OUT/tests.txt and a figure.
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
#[derive(Debug, Serialize)]
struct Record {
    /// The model of the GPU.
    gpu: String,
    /// The machine around it.
    machine: Machine,
    /// The version of JAX and the device that it computed on.
    jax: Option<String>,
    /// The outcome of the tests; none if they were not run.
    tests: Option<String>,
    rows: Vec<Row>,
    /// The seeds of a sweep, but for the Hamiltonian's in more dimensions; a row's runs are those of all rates.
    seeds: u64,
    /// The iterations of a run, of the Hamiltonian a tenth or, in more dimensions, fewer.
    iterations: u64,
    /// Seconds of the sweeps of all functions by both optimizers in double precision and the paper's dimensions, with these seeds and
    /// iterations, which need not be the paper's. None if one of them was left out.
    all_functions_seconds: Option<f64>,
    kernels: Vec<Kernel>,
    /// Cases that failed, or for which there was no time.
    left_out: Vec<String>,
    seconds: f64,
}

/// A sweep, timed.
#[derive(Clone, Debug, Serialize)]
struct Row {
    case: String,
    dtype: &'static str,
    /// `"gpu"`, `"cores"` or `"jax"`.
    program: &'static str,
    runs: u64,
    iterations: u64,
    /// From drawing the starts to the results; of JAX the descents alone.
    seconds: f64,
    /// Seconds of the descents alone, compiled and with the starts in place.
    descent_seconds: f64,
    /// Of the descents alone.
    run_iterations_per_second: f64,
    /// Floating-point operations per second by formula, as a share of the GPU's peak without tensor cores.
    share_of_peak: Option<f64>,
    /// Iterations per second by those of the cores, of the GPU's rows.
    times_cores: Option<f64>,
    /// Iterations per second by those of JAX on the same GPU, of the GPU's rows.
    times_jax: Option<f64>,
    /// The mean over the runs of the smallest objective.
    best: f64,
}

/// A kernel, as the driver describes it.
#[derive(Debug, Serialize)]
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

    /// The runs on the cores.
    fn run(&self) -> Result<Vec<Run>, overparam::Error> {
        match self.dtype {
            Dtype::F32 => self.sweep.run::<f32>(&|_| {}),
            Dtype::F64 => self.sweep.run::<f64>(&|_| {}),
        }
    }

    /// The runs on the GPU, and the sizes of the batches that they were made in.
    fn run_batched(&self) -> Result<(Vec<Run>, Vec<usize>), overparam::Error> {
        let sweep = &self.sweep;
        // The memory that is free, and with it the batches, may be others afterwards.
        let plan = match self.dtype {
            Dtype::F32 => sweep.plan::<f32>(Backend::Cuda),
            Dtype::F64 => sweep.plan::<f64>(Backend::Cuda),
        }?;
        let runs = match self.dtype {
            Dtype::F32 => sweep.run_planned::<f32>(&plan, &|_| {}),
            Dtype::F64 => sweep.run_planned::<f64>(&plan, &|_| {}),
        }?;
        Ok((runs, plan.batches.concat()))
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

    fn row(&self, program: &'static str, runs: u64, [seconds, descent_seconds]: [f64; 2], best: f64) -> Row {
        let iterations = self.iterations();
        Row {
            case: self.name.clone(),
            dtype: self.dtype.name(),
            program,
            runs,
            iterations,
            seconds,
            descent_seconds,
            run_iterations_per_second: runs as f64 * iterations as f64 / descent_seconds,
            share_of_peak: None,
            times_cores: None,
            times_jax: None,
            best,
        }
    }

    /// Times the sweep here.
    fn time(&self, backend: Backend) -> Result<Row> {
        let clock = Instant::now();
        let (runs, batches) = match backend {
            Backend::Cpu => (self.run()?, Vec::new()),
            Backend::Cuda => self.run_batched()?,
        };
        let seconds = clock.elapsed().as_secs_f64();
        let best = runs.iter().map(|run| run.best).sum::<f64>() / runs.len() as f64;
        let (program, descents) = match backend {
            Backend::Cpu => ("cores", seconds),
            Backend::Cuda => ("gpu", self.descent_seconds(&runs, &batches)),
        };
        Ok(self.row(program, runs.len() as u64, [seconds, descents], best))
    }

    /// The seconds of batches of these sizes, each from the start of its first iteration.
    fn descent_seconds(&self, runs: &[Run], batches: &[usize]) -> f64 {
        let (rates, seeds) = (self.sweep.rates.len(), self.sweep.seeds.len());
        // In batches the runs of a seed are neighbors, among the results those of a rate.
        let mut seconds = (0..runs.len()).map(|place| runs[place % rates * seeds + place / rates].seconds);
        batches.iter().map(|&size| seconds.by_ref().take(size).fold(0.0, f64::max)).sum()
    }

    /// Has JAX do the same from the same starts, and returns its version and device, too. JAX ends afterwards, and with it what it holds of the
    /// GPU's memory.
    fn time_jax(&self, jax: &str, limit: Duration) -> Result<(Row, String)> {
        let Sweep { problem, dimensions, settings, optimizers, seeds, rates } = &self.sweep;
        let folder = TemporaryFolder::new().context("cannot create a temporary folder")?;
        let start = folder.path().join("start.bin");
        comparison::write(&start, seeds.iter().flat_map(|&seed| dimensions.start(optimizers[0], seed, settings)))?;
        let [minimum, maximum] = problem.range(dimensions.d)?;
        let request = json!({
            "function": problem.name(), "optimizer": optimizers[0].name(), "dtype": self.dtype.name(),
            "iterations": self.iterations(), "rates": rates, "start": start,
            "scale": Scale { offset: minimum, width: maximum - minimum },
            "n": dimensions.n, "d": dimensions.d, "k": dimensions.k, "widths": dimensions.widths,
        });
        let mut jax = Process::start(jax).context("cannot start JAX")?;
        let answer = jax.ask(&request.to_string(), limit).map_err(|problem| anyhow!("{problem}"))?;
        match serde_json::from_str(&answer).with_context(|| quote(&answer))? {
            Answer::Done { seconds, runs, best, version, device } if seconds > 0.0 => {
                Ok((self.row("jax", runs, [seconds; 2], best), format!("{version}, {device}")))
            }
            Answer::Done { seconds, .. } => bail!("it took {seconds} s"),
            Answer::Failed { error } => bail!("{}", quote(&error)),
        }
    }
}

/// The answer of the JAX peer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Done { seconds: f64, runs: u64, best: f64, version: String, device: String },
    Failed { error: String },
}

impl Check {
    pub fn execute(self) -> Result<()> {
        let clock = Instant::now();
        signals::leave_nothing()?;
        let limit =
            Duration::try_from_secs_f64(self.seconds).context("the seconds must be a positive finite number")?;
        let mut exporter = Exporter::new(self.out.join("figures"))?;
        let output = Output::prepare(self.out.join("gpu.json"))?;
        Backend::Cuda.ensure()?;
        let record = Record {
            gpu: Backend::Cuda.describe().trim_start_matches("cuda: ").to_owned(),
            machine: Machine::now(Peak::measure()),
            jax: None,
            tests: None,
            rows: Vec::new(),
            seeds: self.seeds,
            iterations: self.iterations,
            all_functions_seconds: None,
            kernels: Vec::new(),
            left_out: Vec::new(),
            seconds: 0.0,
        };
        let mut progress = Progress { record, output, clock, limit };
        say!("{}", progress.record.gpu);
        if let Some(program) = &self.tests {
            let ended = tests(program, progress.left().min(Duration::from_secs(TESTS)), &self.out.join("tests.txt"))?;
            say!("tests: {ended}");
            progress.record.tests = Some(ended);
            progress.write()?;
        }
        let mut seconds_per_operation = 0.0;
        for case in self.cases() {
            match self.check(&case, &mut seconds_per_operation, &mut progress)? {
                Ok(row) => self.compare(&case, row, &mut progress)?,
                Err(problem) => {
                    progress.record.left_out.push(format!("{}: {problem:#}", case.name));
                    progress.write()?;
                }
            }
        }
        let Progress { record, output, .. } = progress;
        exporter.add(figure(&record), "gpu")?;
        let written = exporter.finish()?;
        for line in &record.left_out {
            say!("left out: {line}");
        }
        say!(
            "{} and a figure in {} files, after {:.0} s",
            output.path().display(),
            written.files.len(),
            clock.elapsed().as_secs_f64()
        );
        if record.tests.as_ref().is_some_and(|ended| !ended.contains("test result: ok")) {
            bail!("the tests failed: see {}", self.out.join("tests.txt").display());
        }
        if record.rows.is_empty() {
            bail!("no case could be timed");
        }
        Ok(())
    }

    /// The sweeps to time, the most important first.
    fn cases(&self) -> Vec<Case> {
        let &Self { seeds, iterations, ref hamiltonian, .. } = self;
        let mut cases = Vec::new();
        for dtype in [Dtype::F32, Dtype::F64] {
            for optimizer in Optimizer::ALL {
                cases.push(Case::new(Function::Rastrigin, optimizer, dtype, PAPER, seeds, iterations));
            }
        }
        for &d in hamiltonian {
            let (seeds, iterations) = match (d / PAPER).pow(3) as u64 {
                ..=1 => (seeds, iterations.div_ceil(10)),
                times => (seeds.div_ceil(LARGE), iterations.div_ceil(times / 4)),
            };
            cases.push(Case::new(Function::SpinGlass, Optimizer::Deep, Dtype::F32, d, seeds, iterations));
        }
        for function in Function::ALL.into_iter().filter(|&function| function != Function::Rastrigin) {
            // The paper's iterations of the Hamiltonian are a tenth of the others'.
            let share = if Problem::from(function).is_drawn() { 10 } else { 1 };
            for optimizer in Optimizer::ALL {
                let iterations = iterations.div_ceil(share);
                cases.push(Case::new(function, optimizer, Dtype::F64, PAPER, seeds, iterations));
            }
        }
        cases
    }

    /// Times a case on the GPU and takes down its row, of which it returns the place, unless it would not end in time by the seconds that an
    /// operation took in the one before.
    ///
    /// # Errors
    /// If the results cannot be written. The inner error is why the case is left out.
    fn check(&self, case: &Case, seconds_per_operation: &mut f64, progress: &mut Progress) -> Result<Result<usize>> {
        let mut timed = || {
            let (profile, operations) = case.profile()?;
            let work = case.sweep.len() as f64 * case.iterations() as f64 * operations as f64;
            if progress.left().as_secs_f64() < *seconds_per_operation * work {
                bail!("no time");
            }
            // Compiled and warm.
            Case { sweep: Sweep { seeds: vec![0], ..case.sweep.clone() }, name: String::new(), ..*case }
                .run_batched()?;
            let mut row = case.time(Backend::Cuda)?;
            *seconds_per_operation = row.seconds / work;
            row.share_of_peak = Some(work / row.descent_seconds / profile.peak(case.scalar()));
            Ok((row, profile))
        };
        let (row, profile) = match timed() {
            Ok(timed) => timed,
            Err(problem) => return Ok(Err(problem)),
        };
        progress.record.kernels.push(Kernel { case: case.name.clone(), profile });
        progress.take_down(row).map(Ok)
    }

    /// Times the cores and JAX on a case, where they are to be compared, and adds to the GPU's row, at place `gpu`, what it is beside them.
    ///
    /// # Errors
    /// If the results cannot be written.
    fn compare(&self, case: &Case, gpu: usize, progress: &mut Progress) -> Result<()> {
        if case.sweep.problem.function() != Some(Function::Rastrigin) {
            return Ok(());
        }
        let speed = progress.record.rows[gpu].run_iterations_per_second;
        let [seeds, iterations] = ON_THE_CORES;
        let few = Case::new(
            Function::Rastrigin,
            case.sweep.optimizers[0],
            case.dtype,
            case.sweep.dimensions.d,
            self.seeds.div_ceil(seeds),
            self.iterations.div_ceil(iterations),
        );
        match few.time(Backend::Cpu) {
            Ok(cores) => {
                progress.record.rows[gpu].times_cores = Some(speed / cores.run_iterations_per_second);
                progress.take_down(cores)?;
            }
            Err(error) => progress.record.left_out.push(format!("{} on the cores: {error:#}", case.name)),
        }
        if let Some(command) = &self.jax {
            match case.time_jax(command, progress.left().min(Duration::from_secs(JAX))) {
                Ok((jax, version)) => {
                    progress.record.rows[gpu].times_jax = Some(speed / jax.run_iterations_per_second);
                    progress.record.jax = Some(version);
                    progress.take_down(jax)?;
                }
                Err(error) => progress.record.left_out.push(format!("{} by JAX: {error:#}", case.name)),
            }
        }
        if let Some(standing) = standing(&progress.record.rows[gpu]) {
            say!("{}, gpu: {standing}", case.name);
        }
        progress.write()
    }
}

/// The record so far, which is written whenever there is more of it: what ends the program takes nothing that is measured.
struct Progress {
    record: Record,
    output: Output,
    clock: Instant,
    /// The time that everything may take.
    limit: Duration,
}

impl Progress {
    /// The time that is left.
    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.clock.elapsed())
    }

    /// Prints a row, takes it down and returns its place.
    fn take_down(&mut self, row: Row) -> Result<usize> {
        print_row(&row)?;
        self.record.rows.push(row);
        self.write()?;
        Ok(self.record.rows.len() - 1)
    }

    fn write(&mut self) -> Result<()> {
        self.record.all_functions_seconds = all_functions_seconds(&self.record.rows);
        self.record.seconds = self.clock.elapsed().as_secs_f64();
        record::write(&self.record, &self.output)
    }
}

/// The seconds of the sweeps of all functions in double precision, which are in the paper's dimensions, if all of them are there.
fn all_functions_seconds(rows: &[Row]) -> Option<f64> {
    let double = |row: &&Row| row.program == "gpu" && row.dtype == Dtype::F64.name();
    let seconds: Vec<f64> = rows.iter().filter(double).map(|row| row.seconds).collect();
    (seconds.len() == Function::ALL.len() * Optimizer::ALL.len()).then(|| seconds.iter().sum())
}

/// Runs the tests that need a GPU, writes to `log` what they say, and returns how they ended.
fn tests(program: &Path, limit: Duration, log: &Path) -> Result<String> {
    // No limit is what 0 means to `timeout`.
    let seconds = limit.as_secs().max(1);
    let mut command = Command::new("timeout");
    command.arg(seconds.to_string()).arg(program).args(["--ignored", "--test-threads", "1"]);
    let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    let said = [&output.stdout[..], &output.stderr].concat();
    std::fs::write(log, said).with_context(|| format!("cannot write {}", log.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = text.lines().filter(|line| line.ends_with("FAILED") && line.starts_with("test ")).collect();
    let result = text.lines().rfind(|line| line.starts_with("test result"));
    Ok(match result {
        Some(result) => [&[result][..], &failed].concat().join("; "),
        None => format!("not ended within {seconds} s, or crashed: {}", output.status),
    })
}

fn print_row(row: &Row) -> Result<()> {
    let Row { case, program, runs, iterations, descent_seconds, run_iterations_per_second, .. } = row;
    say!(
        "{case}, {program}: {runs} runs × {iterations} iterations in {descent_seconds:.2} s, {run_iterations_per_second:.3e} per second{}",
        standing(row).map_or(String::new(), |standing| format!(", {standing}"))
    );
    Ok(())
}

/// The share of the peak and what it is beside others, in words.
fn standing(row: &Row) -> Option<String> {
    let &Row { share_of_peak, times_cores, times_jax, .. } = row;
    let words = [
        share_of_peak.map(|share| format!("{:.1} % of peak", 100.0 * share)),
        times_jax.map(|times| format!("{times:.1} × JAX")),
        times_cores.map(|times| format!("{times:.1} × cores")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Run-iterations per second of every case and program, on a logarithmic axis, the first case at the top.
fn figure(record: &Record) -> Figure {
    let mut plot = Plot::new();
    for (program, color) in [("gpu", "#2ca02c"), ("jax", "#1f77b4"), ("cores", "#8c564b")] {
        let rows: Vec<&Row> = record.rows.iter().filter(|row| row.program == program).collect();
        if rows.is_empty() {
            continue;
        }
        let speeds: Vec<f64> = rows.iter().map(|row| row.run_iterations_per_second).collect();
        let cases: Vec<String> = rows.iter().map(|row| row.case.clone()).collect();
        let texts: Vec<String> = rows.iter().map(|row| standing(row).unwrap_or_default()).collect();
        let bar = Bar::new(speeds, cases).orientation(Orientation::Horizontal).name(program).text_array(texts);
        let bar = bar.text_position(TextPosition::Outside).text_font(style::font(style::TEXT - 3)).clip_on_axis(false);
        plot.add_trace(bar.marker(Marker::new().color(color)));
    }
    let cases = record.kernels.len();
    let title = format!("runs × iterations per second, {}", record.gpu);
    let margins = style::margin(190, 210, 60, 50);
    let layout = style::layout(style::PAGE, 120 + 50 * cases, margins, style::legend(1.02));
    let from_the_top = Axis::new().auto_margin(true).range(vec![cases as f64 - 0.5, -0.5]);
    let axis = style::log_axis().title(title.as_str());
    plot.set_layout(layout.bar_mode(BarMode::Group).x_axis(axis).y_axis(from_the_top));
    plot.set_configuration(style::configuration());
    Figure::from(plot)
}
