//! The subcommands, each in a file of its own.

/// Prints a line, and returns from the function with the error if standard output cannot take it.
macro_rules! say {
    ($($text:tt)*) => { $crate::command::print(format_args!($($text)*))? };
}

/// Prints a note on standard error, where it may go unread.
macro_rules! note {
    ($($text:tt)*) => { $crate::command::remark(format_args!("note: {}", format_args!($($text)*))) };
}

mod completions;
mod couplings;
mod earlier;
mod evaluate;
mod figures;
mod gather;
mod list;
mod naming;
mod objective;
mod run;
mod settings;
pub mod signals;
mod submit;
mod sweep;
mod time;
mod verify;

use anyhow::{Context, Result, anyhow};
use clap::{Parser, Subcommand};
use overparam::Error;
use std::fmt::Arguments;
use std::io::{self, Write};

/// Easing non-convex optimization by over-parametrizing it with a neural network.
///
/// The shallow optimizer descends on x in the unit cube; the deep optimizer descends on the weights and the trainable inputs
/// of a network that outputs x (Lopez-Paz & Sagun, 2018). Start with `overparam list`, then `overparam run rastrigin`, then
/// `overparam figures --quick`.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct CommandLine {
    /// The instruction set to compute with: baseline, avx2, avx512 or neon [default: the widest of this processor]
    ///
    /// Results are the same bits on every processor that has it.
    #[arg(long, global = true, value_name = "NAME")]
    instruction_set: Option<String>,
    /// Threads that each run computes with [default: all cores for a run that is alone and large, its share of them for one of several, 1 for `time`]
    ///
    /// Results are the same bits for any number.
    #[arg(long, global = true, value_name = "N", value_parser = settings::count::<usize>)]
    threads_per_run: Option<usize>,
    #[command(subcommand)]
    command: Command,
}

/// The subcommands. What each does and writes is said at its arguments: a comment here would hide that from `--help`.
#[derive(Subcommand)]
enum Command {
    List(list::List),
    Run(run::RunCommand),
    Sweep(sweep::SweepCommand),
    Submit(submit::Submit),
    Gather(gather::Gather),
    Verify(verify::Verify),
    Figures(figures::Figures),
    Evaluate(evaluate::Evaluate),
    Time(time::Time),
    Couplings(couplings::CouplingsCommand),
    Completions(completions::Completions),
    Manual(completions::Manual),
}

/// Runs a subcommand.
pub fn execute(arguments: CommandLine) -> Result<()> {
    if let Some(name) = arguments.instruction_set {
        overparam::use_instruction_set(&name)?;
    }
    if let Some(threads) = arguments.threads_per_run {
        overparam::use_threads_per_run(threads)?;
    }
    match arguments.command {
        Command::List(list) => list.execute(),
        Command::Run(run) => run.execute(),
        Command::Sweep(sweep) => sweep.execute(),
        Command::Submit(submit) => threads(None)?.install(|| submit.execute()),
        Command::Gather(gather) => threads(None)?.install(|| gather.execute()),
        Command::Verify(verify) => threads(None)?.install(|| verify.execute()),
        Command::Figures(figures) => figures.execute(),
        Command::Evaluate(evaluate) => evaluate.execute(),
        Command::Time(time) => time.execute(),
        Command::Couplings(couplings) => couplings.execute(),
        Command::Completions(completions) => completions.execute(),
        Command::Manual(manual) => manual.execute(),
    }
}

/// True if `error` is about the command line, not about a failure while it is carried out.
pub fn is_usage(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<Error>();
    matches!(
        kind,
        Some(
            Error::Unknown { .. }
                | Error::Setting { .. }
                | Error::Backend { .. }
                | Error::Expression { .. }
                | Error::Text { .. }
        )
    )
}

/// Prints a line on standard output.
pub fn print(text: Arguments<'_>) -> Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot print to standard output")
}

/// Prints a line on standard error, if it can be printed: nobody is left to hear of it if not.
pub fn remark(text: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// More threads than this are a slip of the keyboard.
const MOST_JOBS: usize = 1024;

/// A pool of `jobs` threads, or of one per core.
fn threads(jobs: Option<usize>) -> Result<rayon::ThreadPool> {
    if let Some(jobs) = jobs.filter(|jobs| !(1..=MOST_JOBS).contains(jobs)) {
        let expected = "from 1 to 1024; one per core is the default and the fastest";
        return Err(Error::Setting { name: "the number of jobs", expected, given: jobs.to_string() }.into());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build().map_err(|error| {
        anyhow!("cannot start the worker threads: {error}; take fewer jobs, or allow more threads (ulimit -u, ulimit -v, pids.max)")
    })?;
    // At its first allocation a thread reserves address space, which counts for ulimit -v: now, before memory is planned.
    pool.broadcast(|_| drop(std::hint::black_box(Vec::<u8>::with_capacity(1))));
    Ok(pool)
}
