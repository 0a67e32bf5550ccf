//! The same descents in all programs: first they must agree, then they are timed in turns.

use crate::case::{Case, Program};
use crate::objective::Objective;
use crate::peer::{Peer, Reply, Request, Scale};
use crate::statistics::Times;
use anyhow::{Context, Result, bail};
use overparam::Couplings;
use overparam::internals::peak_memory;
use overparam::output::TemporaryFolder;
use overparam::prelude::{Dtype, Function, Optimizer, Protocol, Rule, Run, Settings};
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The learning rate of the descents that are timed. L-BFGS finds the lengths of its steps itself.
fn rate(case: &Case) -> f64 {
    if is_lbfgs(case) { 1.0 } else { 0.01 }
}

/// The learning rate until all agree. Where a descent overshoots, rounding errors grow until no two programs have a digit in
/// common: deep Michalewicz with the larger network does at 0.01 already, and rules that divide by the size of the gradient do on other
/// functions, too. RMSprop's first steps are ten times its rate; the shallow one at a lower rate steps by signs of gradients that are
/// rounding errors.
fn agreement_rate(case: &Case) -> f64 {
    match case.rule {
        Rule::RmsProp { .. } if case.optimizer == Optimizer::Deep => 1e-4,
        Rule::RmsProp { .. } => 1e-3,
        Rule::Adam { .. } | Rule::AdamW { .. } => 1e-3,
        Rule::Lbfgs { .. } => rate(case),
        _ if case.function == Function::Michalewicz && case.optimizer == Optimizer::Deep => 1e-3,
        _ => rate(case),
    }
}

fn is_lbfgs(case: &Case) -> bool {
    matches!(case.rule, Rule::Lbfgs { .. })
}

/// The iterations of L-BFGS: each is one evaluation here, and a line search of several in JAX, whose times are per evaluation, too.
/// So many that both do what they do far from a minimum.
const LBFGS_ITERATIONS: u64 = 300;
const LBFGS_SEARCHES: u64 = 100;

/// The iterations that all programs take before they are compared.
const AGREEMENT_ITERATIONS: u64 = 100;

/// The largest difference between two programs then, relative or absolute.
const TOLERANCE: f64 = 1e-9;

/// A repeat takes at least this long, in microseconds.
const REPEAT: f64 = 20_000.0;

/// The number of turns, and of the repeats of each program in a turn.
const TURNS: usize = 5;
const REPEATS: usize = 2;

/// One case by one program.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The case that was timed.
    pub case: Case,
    /// The program that was timed.
    pub program: Program,
    /// Iterations of a repeat.
    pub iterations: u64,
    /// Microseconds per iteration; of L-BFGS per evaluation of the gradient.
    pub times: Times,
    /// Operations of an iteration by formula, an elementary function being one.
    pub flop_per_iteration: u64,
    /// The most that the program's process has held so far.
    pub peak_memory_bytes: Option<u64>,
    /// The program's version.
    pub version: String,
}

/// The programs, and the files with their starts.
pub struct Comparison {
    peers: BTreeMap<Program, Peer>,
    folder: TemporaryFolder,
    /// The objective and the dimension whose data were written last.
    written: Option<(Objective, usize)>,
}

impl Comparison {
    /// A comparison with `peers`, of which some may be missing.
    ///
    /// # Errors
    /// If there is no temporary folder to write to.
    pub fn new(peers: BTreeMap<Program, Peer>) -> Result<Self> {
        let folder = TemporaryFolder::new().context("cannot create a temporary folder")?;
        Ok(Self { peers, folder, written: None })
    }

    /// The programs that take part in `case`, this crate first.
    fn programs(&self, case: &Case) -> Vec<Program> {
        let naive = case.function == Function::SpinGlass
            && case.optimizer == Optimizer::Shallow
            && case.dimensions.d == Protocol::paper().dimensions.d;
        let takes_part = |program: &Program| match program {
            Program::Overparam => true,
            Program::Torch | Program::TorchCompiled | Program::TorchNaive
                if case.rule != Rule::GradientDescent || case.function.is_expression() =>
            {
                false
            }
            Program::TorchNaive => naive && self.peers.contains_key(&Program::Torch),
            program => self.peers.contains_key(program),
        };
        Program::ALL.into_iter().filter(takes_part).collect()
    }

    /// Makes sure that all programs find the same from the start of `case`, in double precision, and returns the microseconds per
    /// iteration that each took, this crate first.
    ///
    /// By L-BFGS, whose line searches differ, they have to find the same objective at the start, and a lower one in the end.
    ///
    /// # Errors
    /// If a program disagrees with this crate, or fails.
    pub fn agree(&mut self, case: &Case) -> Result<Vec<(Program, f64)>> {
        let case = Case { dtype: Dtype::F64, ..*case };
        let protocol = protocol(&case);
        let rate = agreement_rate(&case);
        let settings = settings(&protocol, &case, AGREEMENT_ITERATIONS).learning_rate(rate);
        let run = protocol.run(case.function, case.optimizer, 0, &Settings { thinned: false, ..settings })?;
        let pace = run.seconds / run.iterations as f64 * 1e6;
        let files = self.write_start(&case)?;
        let mut found = vec![(Program::Overparam, pace)];
        for program in self.programs(&case).into_iter().skip(1) {
            let iterations = if is_lbfgs(&case) { LBFGS_SEARCHES } else { AGREEMENT_ITERATIONS };
            let reply = self.ask(program, &case, &files, rate, iterations, 1)?;
            if let Some(problem) = disagreement(&case, &run, &reply) {
                bail!("{}: after {AGREEMENT_ITERATIONS} iterations of {case} {problem}", program.name());
            }
            found.push((program, reply.us_per_iteration[0]));
        }
        Ok(found)
    }

    /// Times `case` by all programs in turns. `paces` are about the microseconds that an iteration takes each of them.
    ///
    /// # Errors
    /// If a program fails.
    pub fn time(&mut self, case: &Case, paces: &[(Program, f64)]) -> Result<Vec<Measurement>> {
        let protocol = protocol(case);
        let files = self.write_start(case)?;
        let count = |pace: f64| ((REPEAT / pace).ceil() as u64).max(1);
        // Measured again: a first run of so few iterations says little of one that takes microseconds.
        let warm = settings(&protocol, case, count(paces[0].1).max(AGREEMENT_ITERATIONS));
        let warm = protocol.time(case.function, case.optimizer, &warm, 1)?.least_us_per_iteration;
        let [ours, theirs] = if is_lbfgs(case) { [LBFGS_ITERATIONS, LBFGS_SEARCHES] } else { [count(warm); 2] };
        let mut measurements: Vec<(Measurement, Vec<f64>)> = Vec::new();
        for turn in 0..TURNS {
            for (index, &(program, pace)) in paces.iter().enumerate() {
                // Eager programs cost the same in every iteration, so a few are enough; a compiled loop does as many as ours.
                let iterations = match program {
                    Program::Overparam => ours,
                    Program::Jax => theirs,
                    Program::Torch | Program::TorchCompiled | Program::TorchNaive => count(pace).min(ours),
                };
                let (times, memory, version, flop) = if program == Program::Overparam {
                    let settings = settings(&protocol, case, iterations);
                    let timing = protocol.time(case.function, case.optimizer, &settings, REPEATS)?;
                    let version = env!("CARGO_PKG_VERSION").to_owned();
                    (timing.us_per_repeat, peak_memory(), version, timing.flop_per_iteration)
                } else {
                    let reply = self.ask(program, case, &files, rate(case), iterations, REPEATS)?;
                    let versions: Vec<String> = reply.versions.iter().map(|(name, v)| format!("{name} {v}")).collect();
                    let flop = measurements[0].0.flop_per_iteration;
                    (reply.us_per_iteration, Some(reply.peak_memory_bytes), versions.join(", "), flop)
                };
                if turn == 0 {
                    let measurement = Measurement {
                        case: *case,
                        program,
                        iterations,
                        times: Times::of(&times),
                        flop_per_iteration: flop,
                        peak_memory_bytes: memory,
                        version,
                    };
                    measurements.push((measurement, times));
                } else {
                    measurements[index].1.extend(times);
                    measurements[index].0.peak_memory_bytes = memory;
                }
            }
        }
        let finish =
            |(measurement, times): (Measurement, Vec<f64>)| Measurement { times: Times::of(&times), ..measurement };
        Ok(measurements.into_iter().map(finish).collect())
    }

    fn ask(
        &mut self,
        program: Program,
        case: &Case,
        files: &Files,
        learning_rate: f64,
        iterations: u64,
        repeats: usize,
    ) -> Result<Reply> {
        let naive = program == Program::TorchNaive;
        let [minimum, maximum] = case.function.range(case.dimensions.d);
        let request = Request {
            function: if naive { "spin-glass-naive" } else { case.function.peer() },
            optimizer: case.optimizer.name(),
            dtype: case.dtype.name(),
            iterations,
            repeats,
            learning_rate,
            start: &files.start,
            data: files.data.as_deref(),
            scale: Scale { offset: minimum, width: maximum - minimum },
            n: case.dimensions.n,
            d: case.dimensions.d,
            k: case.dimensions.k,
            widths: case.dimensions.widths,
            rule: case.rule,
        };
        let process = if naive { Program::Torch } else { program };
        self.peers.get_mut(&process).expect("programs without a process take no part").ask(&request)
    }

    /// Writes where seed 0 starts, and the data of the objective, as raw little-endian f64.
    fn write_start(&mut self, case: &Case) -> Result<Files> {
        let (start, path) = (self.folder.path().join("start.bin"), self.folder.path().join("data.bin"));
        let settings = protocol(case).settings(case.function);
        write(&start, case.dimensions.start(case.optimizer, 0, &settings))?;
        let d = case.dimensions.d;
        let numbers = match case.function {
            Objective::Function(Function::SpinGlass) => Couplings::draw(0, d).collect(),
            Objective::Function(_) => Vec::new(),
            Objective::Expression(own) => own.numbers(),
        };
        if numbers.is_empty() {
            return Ok(Files { start, data: None });
        }
        if self.written != Some((case.function, d)) {
            write(&path, numbers)?;
            self.written = Some((case.function, d));
        }
        Ok(Files { start, data: Some(path) })
    }
}

struct Files {
    start: PathBuf,
    data: Option<PathBuf>,
}

/// Writes numbers as the peers read them: raw little-endian f64.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, numbers: impl IntoIterator<Item = f64>) -> Result<()> {
    let write = || {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        numbers.into_iter().try_for_each(|number| file.write_all(&number.to_le_bytes()))?;
        file.flush()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn protocol(case: &Case) -> Protocol {
    Protocol { dimensions: case.dimensions, dtype: case.dtype, ..Protocol::paper() }
}

fn settings(protocol: &Protocol, case: &Case, iterations: u64) -> Settings {
    protocol.settings(case.function).rule(case.rule).learning_rate(rate(case)).iterations(iterations)
}

/// The difference between `run` and the reply of another program to the same request, in words, if there is one.
fn disagreement(case: &Case, run: &Run, reply: &Reply) -> Option<String> {
    let first = run.samples.first().expect("a run records its first iteration");
    let last = run.samples.last().expect("a run records its last iteration");
    let mut numbers = vec![("best", last.best, reply.best), ("minimum", last.min, reply.min_last)];
    numbers.push(("mean", last.mean, reply.mean_last));
    if is_lbfgs(case) {
        numbers = vec![("first mean", first.mean, reply.mean_first)];
        if !reply.mean_last.is_some_and(|mean| mean < first.mean) || last.mean >= first.mean {
            return Some(format!(
                "its mean is {:?}, and that of overparam {}: no descent from {}",
                reply.mean_last, last.mean, first.mean
            ));
        }
    }
    numbers.into_iter().find(|&(_, ours, theirs)| !theirs.is_some_and(|theirs| close(ours, theirs))).map(
        |(number, ours, theirs)| {
            let theirs = theirs.map_or("no finite number".to_owned(), |theirs| format!("{theirs:e}"));
            format!("its {number} is {theirs}, expected {ours:e} to {TOLERANCE:e}")
        },
    )
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use overparam::prelude::{Dimensions, Widths};

    #[test]
    fn closeness_is_relative_or_absolute() {
        assert!(close(1e6, 1e6 + 1e-4) && !close(1e6, 1e6 + 1e-2));
        assert!(close(1e-12, -1e-12) && !close(0.5, 0.5 + 1e-8));
        assert!(!close(0.5, f64::NAN));
    }

    #[test]
    fn files_hold_what_the_runs_of_seed_0_start_from() {
        let mut comparison = Comparison::new(BTreeMap::new()).unwrap();
        let dimensions = Dimensions { n: 10, k: 5, widths: Widths::of(&[5]), d: 10 };
        let case = Case {
            function: Function::SpinGlass.into(),
            optimizer: Optimizer::Shallow,
            rule: Rule::GradientDescent,
            dimensions,
            dtype: Dtype::F64,
        };
        let files = comparison.write_start(&case).unwrap();
        let numbers = |path: &Path| -> Vec<f64> {
            let bytes = std::fs::read(path).unwrap();
            bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
        };
        let y = numbers(&files.start);
        assert_eq!(numbers(&files.data.unwrap()), Couplings::draw(0, 10).collect::<Vec<_>>());
        // The first recorded minimum is that of the points which the file holds.
        let x: Vec<f64> = y.iter().map(|y| 1.0 / (1.0 + (-y).exp())).collect();
        let values = Function::SpinGlass.evaluate(10, 0, &x).unwrap().scaled;
        let protocol = protocol(&case);
        let run = protocol.run(case.function, case.optimizer, 0, &settings(&protocol, &case, 1)).unwrap();
        let least = values.into_iter().fold(f64::INFINITY, f64::min);
        assert!((run.samples[0].min - least).abs() < 1e-14, "{} and {least}", run.samples[0].min);
    }

    #[test]
    fn without_peers_only_this_crate_is_timed() {
        let mut comparison = Comparison::new(BTreeMap::new()).unwrap();
        let case = Case::all(true, &Rule::ALL)[0];
        let paces = comparison.agree(&case).unwrap();
        assert!(paces.len() == 1 && paces[0].0 == Program::Overparam);
        let found = comparison.time(&case, &paces).unwrap();
        let [ours] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (ours.program, ours.case, ours.version.as_str()),
            (Program::Overparam, case, env!("CARGO_PKG_VERSION"))
        );
        // A repeat is as long as it is meant to be, but for the noise of a machine that does other things.
        let repeat = ours.iterations as f64 * ours.times.least;
        assert!((REPEAT / 20.0..20.0 * REPEAT).contains(&repeat), "{repeat} us: {ours:?}");
        // Above what the test itself holds.
        assert!(ours.peak_memory_bytes.is_none_or(|bytes| bytes > 1 << 20), "{ours:?}");
    }
}
