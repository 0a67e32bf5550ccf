//! `overparam-bench measure`

use crate::case::{Case, Program};
use crate::comparison::{Comparison, Measurement};
use crate::peer::Peer;
use crate::record::{Machine, Record, Row, Shape};
use crate::roofline::Peak;
use crate::scaling::{self, Point, Series, idle_memory};
use crate::target::Target;
use crate::{figure, signals};
use anyhow::Result;
use clap::Args;
use overparam::Error;
use overparam::figure::Exporter;
use overparam::output::Output;
use overparam::prelude::{Dtype, Rule};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time this crate beside JAX and PyTorch, beside the peak of a core, and at growing shapes.
///
/// All programs make the same descents from the same start. They must agree after 100 iterations in f64 before they are timed, in
/// turns. L-BFGS, whose line searches differ, is timed per evaluation of the gradient. PyTorch takes part in gradient descent alone. A
/// program whose command is not given is left out. Writes OUT/bench.json, OUT/scaling.json and figures of both; with --quick, with
/// --rule or without a peer, the name of the former says so, as in OUT/bench-quick-jax.json.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct Measure {
    /// The command of the JAX peer, for the shell, such as "python benches/peers/jax_peer.py"
    #[arg(long)]
    jax: Option<String>,
    /// The command of the PyTorch peer, such as "python benches/peers/torch_peer.py"
    #[arg(long)]
    torch: Option<String>,
    /// The command of the PyTorch peer with compiled graphs: that of PyTorch with --compile; minutes of compiling
    #[arg(long)]
    torch_compiled: Option<String>,
    /// Seconds that a peer may take for an answer, compiling included
    #[arg(long, default_value_t = 600.0, allow_negative_numbers = true)]
    peer_timeout: f64,
    /// Update rules, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    rule: Vec<String>,
    /// Three functions and the paper's shape only
    #[arg(long)]
    quick: bool,
    /// Only find out whether all programs agree; nothing is timed or written
    #[arg(long, conflicts_with_all = ["scaling", "only_scaling", "out"])]
    check: bool,
    /// Measure how cost grows, too: minutes
    #[arg(long)]
    scaling: bool,
    /// Measure only how cost grows
    #[arg(long, conflicts_with_all = ["scaling", "rule", "quick", "jax", "torch", "torch_compiled"])]
    only_scaling: bool,
    /// The folder to write to
    #[arg(long, default_value = "data")]
    out: PathBuf,
}

impl Measure {
    pub fn execute(self) -> Result<()> {
        let clock = Instant::now();
        let limit = Duration::try_from_secs_f64(self.peer_timeout).ok().filter(|limit| !limit.is_zero());
        let limit = limit.ok_or_else(|| Error::Setting {
            name: "the peer timeout",
            expected: "a positive finite number of seconds",
            given: self.peer_timeout.to_string(),
        })?;
        let rules = self.rules()?;
        signals::leave_nothing()?;
        if self.check {
            return self.agree(&rules, limit);
        }
        // A missing browser or an unwritable folder is an error now, not after minutes of timing.
        let mut exporter = Exporter::new(self.out.join("figures"))?;
        let prepare = |wanted: bool, name: &str| {
            let figures = ["html", "svg", "png"].map(|kind| self.out.join(format!("figures/{name}.{kind}")));
            let files = figures.into_iter().chain([self.out.join(format!("{name}.json"))]);
            files.filter(|_| wanted).map(Output::prepare).collect::<Result<Vec<_>, _>>().map(|mut files| files.pop())
        };
        let name = self.name(&rules);
        let compared = prepare(!self.only_scaling, &name)?;
        let scaled = prepare(self.scaling || self.only_scaling, "scaling")?;
        let peak = Peak::measure();
        let machine = Machine::now(peak);
        say!(
            "one core at its peak ({}): {:.1} GFLOP/s f32, {:.1} GFLOP/s f64, memory copy {:.1} GB/s",
            overparam::instruction_set(),
            peak.f32_gflop_per_s,
            peak.f64_gflop_per_s,
            peak.copy_gb_per_s
        );
        if let Some(output) = compared {
            let measurements = self.compare(&rules, &peak, limit)?;
            let rows = Row::of(&measurements, &peak);
            Record { machine: machine.clone(), quick: self.quick, rows }.write(&output)?;
            judge(&measurements)?;
            say!("measurements: {}", output.path().display());
            let drawn =
                |other: &Measurement| other.program != Program::Overparam && other.case.rule == Rule::GradientDescent;
            if measurements.iter().any(drawn) {
                exporter.add(figure::ratios(&measurements), &name)?;
            }
        }
        if let Some(output) = scaled {
            let points = scale(&peak)?;
            Record { machine, quick: false, rows: points.iter().map(Shape::from).collect() }.write(&output)?;
            say!("measurements: {}", output.path().display());
            exporter.add(figure::scaling(&points), "scaling")?;
        }
        draw(exporter)?;
        say!("done in {:.0} s", clock.elapsed().as_secs_f64());
        Ok(())
    }

    /// The name of the comparison: one with fewer cases or fewer peers does not take the place of the whole.
    fn name(&self, rules: &[Rule]) -> String {
        let peers = [("jax", &self.jax), ("torch", &self.torch), ("torch-compiled", &self.torch_compiled)];
        let given: Vec<&str> = peers.iter().filter(|(_, command)| command.is_some()).map(|&(name, _)| name).collect();
        let mut name = "bench".to_owned();
        if self.quick {
            name.push_str("-quick");
        }
        match given.len() {
            0 => name.push_str("-alone"),
            all if all == peers.len() => {}
            _ => name.push_str(&format!("-{}", given.join("-"))),
        }
        if *rules != Rule::ALL {
            rules.iter().for_each(|rule| name.push_str(&format!("-{rule}")));
        }
        name
    }

    /// The rules asked for, in their own order.
    fn rules(&self) -> Result<Vec<Rule>, Error> {
        let asked = self.rule.iter().map(|name| name.parse()).collect::<Result<Vec<Rule>, Error>>()?;
        Ok(Rule::ALL.into_iter().filter(|rule| asked.is_empty() || asked.contains(rule)).collect())
    }

    /// Starts the peers.
    fn start(&self, limit: Duration) -> Result<Comparison> {
        let mut peers = BTreeMap::new();
        let commands = [
            (Program::Jax, "jax", &self.jax),
            (Program::Torch, "torch", &self.torch),
            (Program::TorchCompiled, "torch-compiled", &self.torch_compiled),
        ];
        for (program, option, command) in commands {
            match command {
                Some(command) => {
                    peers.insert(program, Peer::start(program.name(), command, limit)?);
                }
                None => say!("{} is left out: --{option} does not say how to start it", program.name()),
            }
        }
        Comparison::new(peers)
    }

    /// Makes all programs agree on every case.
    fn agree(&self, rules: &[Rule], limit: Duration) -> Result<()> {
        let mut comparison = self.start(limit)?;
        for case in Case::all(self.quick, rules).into_iter().filter(|case| case.dtype == Dtype::F64) {
            let programs: Vec<&str> = comparison.agree(&case)?.iter().map(|(program, _)| program.name()).collect();
            say!("{case}: {} agree", programs.join(", "));
        }
        Ok(())
    }

    /// Makes all programs agree on every case and times them.
    fn compare(&self, rules: &[Rule], peak: &Peak, limit: Duration) -> Result<Vec<Measurement>> {
        let mut comparison = self.start(limit)?;
        say!("\nmicroseconds per iteration, medians; in brackets the ratio to ours of medians, of fastest repeats");
        say!("{:<16} {:<16} {:<16} {:<5} {:>10}  others", "rule", "function", "shape", "dtype", "ours");
        let mut measurements = Vec::new();
        let mut paces = Vec::new();
        for case in Case::all(self.quick, rules) {
            // Both scalars of a shape follow each other, and agreement is a matter of f64.
            if case.dtype == Dtype::F32 {
                paces = comparison.agree(&case)?;
            }
            let found = comparison.time(&case, &paces)?;
            print(&found, peak)?;
            measurements.extend(found);
        }
        Ok(measurements)
    }
}

/// Prints one case.
fn print(measurements: &[Measurement], peak: &Peak) -> Result<()> {
    let [medians, leasts] = Measurement::ratios(measurements);
    let Some((ours, others)) = measurements.split_first() else { return Ok(()) };
    let speed = ours.flop_per_iteration as f64 / ours.times.median * 1e-3;
    let share = 100.0 * speed / peak.gflop_per_s(ours.case.dtype);
    let mut line = format!(
        "{:<16} {:<16} {:<16} {:<5} {:>10.2}  {speed:.1} GFLOP/s, {share:.0} % of peak",
        ours.case.rule.name(),
        ours.case.function.name(),
        ours.case.shape(),
        ours.case.dtype.name(),
        ours.times.median
    );
    for ((other, median), least) in others.iter().zip(&medians).zip(&leasts) {
        let name = other.program.name();
        line.push_str(&format!(" | {name} {:.1} ({:.1}, {:.1})", other.times.median, median.2, least.2));
    }
    say!("{line}");
    Ok(())
}

/// Prints which targets are met, by medians and by fastest repeats.
fn judge(measurements: &[Measurement]) -> Result<()> {
    let [medians, leasts] = Measurement::ratios(measurements);
    say!("\ntargets: times as fast as others, over all cases");
    for target in Target::ALL {
        let (verdict, least) = (target.judge(&medians), target.judge(&leasts));
        if verdict.cases == 0 {
            continue;
        }
        let state = if verdict.missed.is_empty() { "met" } else { "missed" };
        say!(
            "{state:<7} {:<16} {:<38} at least {:>5}: worst {:.2} by medians, {:.2} by fastest repeats, {} of {} cases below",
            target.program.name(),
            target.cases,
            target.ratio,
            verdict.least,
            least.least,
            verdict.missed.len(),
            verdict.cases
        );
        for (case, ratio) in verdict.missed {
            say!("          {case}: {ratio:.2}");
        }
    }
    Ok(())
}

/// The largest exponent of growth that is called proportional.
const PROPORTIONAL: f64 = 1.05;

/// Measures how cost grows, in double precision.
fn scale(peak: &Peak) -> Result<Vec<Point>> {
    let overparam = scaling::program()?;
    let idle = idle_memory(&overparam)?.unwrap_or_default();
    say!(
        "\nhow cost grows, f64; memory beyond the {:.1} MB of an idle process, in multiples of x,",
        idle as f64 * 1e-6
    );
    say!("parameters and couplings of triples; two: how much more two processes side by side do than one");
    say!(
        "{:<36} {:>8} {:>8} {:>12} {:>12} {:>8} {:>7} {:>5} {:>10} {:>8}",
        "series",
        "n",
        "d",
        "widths",
        "us/iteration",
        "GFLOP/s",
        "% peak",
        "two",
        "data MB",
        "memory"
    );
    let mut all = Vec::new();
    for series in Series::all() {
        let mut printed = Ok(());
        let points = series.measure(&overparam, Dtype::F64, &mut |point| {
            let speed = point.flop_per_iteration as f64 / point.times.least * 1e-3;
            let line = crate::print(format_args!(
                "{:<36} {:>8} {:>8} {:>12} {:>12.1} {speed:>8.1} {:>7.0} {:>5.2} {:>10.3} {:>8}",
                point.series,
                point.dimensions.n,
                point.dimensions.d,
                point.dimensions.widths.to_string(),
                point.times.least,
                100.0 * speed / peak.f64_gflop_per_s,
                point.times.median / point.us_side_by_side,
                point.data_bytes as f64 * 1e-6,
                point.memory_multiple(idle).map_or("-".to_owned(), |multiple| format!("{multiple:.1}"))
            ));
            printed = std::mem::replace(&mut printed, Ok(())).and(line);
        })?;
        printed?;
        let exponent = Point::growth(&points).exponent;
        say!("{:<36} time grows as operations^{exponent:.2}", series.name);
        if let Some(last) = points.last().filter(|_| exponent > PROPORTIONAL) {
            let (bandwidth, copied) = (last.bandwidth(), peak.copy_gb_per_s);
            say!("{:<36} the largest moves at least {bandwidth:.1} GB/s through memory; a copy moves {copied:.1}", "");
        }
        all.extend(points);
    }
    Ok(all)
}

fn draw(exporter: Exporter) -> Result<()> {
    let written = exporter.finish()?;
    for path in written.files {
        say!("figure: {}", path.display());
    }
    for reason in written.skipped {
        eprintln!("note: {reason}");
    }
    Ok(())
}
