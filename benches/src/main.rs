//! overparam beside the programs that a user could pick instead, beside the peak of a processor, and at growing sizes.
//!
//! [`comparison`] times the same descents here and in other frameworks, in turns, after it has seen them agree. [`roofline`] measures
//! the peak of a core. [`gpu`] checks and times batches on a GPU. [`scaling`] times growing shapes, each in a process of its own. [`record`] has the results as files, [`figure`] draws them.

/// Prints a line, and returns from the function with the error if standard output cannot take it.
macro_rules! say {
    ($($text:tt)*) => { $crate::print(format_args!($($text)*))? };
}

mod case;
mod comparison;
mod figure;
mod gpu;
mod measure;
mod objective;
mod peak;
mod peer;
mod process;
mod record;
mod results;
mod roofline;
mod scaling;
mod signals;
mod statistics;
mod target;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use overparam::Error;
use std::fmt::Arguments;
use std::io::{self, Write};
use std::process::ExitCode;

/// Time overparam beside other programs and at growing sizes.
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    /// The instruction set to compute with: baseline, avx2, avx512 or neon [default: the widest of this processor]
    #[arg(long, global = true, value_name = "NAME")]
    instruction_set: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Gpu(gpu::Check),
    Measure(measure::Measure),
    Results(results::Results),
}

fn main() -> ExitCode {
    let Err(error) = execute(CommandLine::parse()) else { return ExitCode::SUCCESS };
    // The library's errors contain their cause.
    let _ = match error.downcast_ref::<Error>() {
        Some(error) => writeln!(io::stderr(), "error: {error}"),
        None => writeln!(io::stderr(), "error: {error:#}"),
    };
    let usage = matches!(error.downcast_ref::<Error>(), Some(Error::Unknown { .. } | Error::Setting { .. }));
    ExitCode::from(if usage { 2 } else { 1 })
}

fn execute(arguments: CommandLine) -> Result<()> {
    if let Some(name) = arguments.instruction_set {
        overparam::use_instruction_set(&name)?;
    }
    match arguments.command {
        Command::Gpu(check) => check.execute(),
        Command::Measure(measure) => measure.execute(),
        Command::Results(results) => results.execute(),
    }
}

/// Prints a line on standard output.
fn print(text: Arguments<'_>) -> Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot print to standard output")
}
