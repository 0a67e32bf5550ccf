//! The command line of overparam. See `overparam --help`.

mod command;

use clap::Parser;
use clap::error::ErrorKind;
use std::io::{self, Write};
use std::process::ExitCode;

/// Success, a failure, and a command line that cannot be understood.
const FAILURE: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match command::CommandLine::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return match write!(io::stdout(), "{error}").and_then(|()| io::stdout().flush()) {
                Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => {
                    command::remark(format_args!("error: cannot print the help: {failed}"));
                    FAILURE.into()
                }
                _ => ExitCode::SUCCESS,
            };
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            command::remark(format_args!("{}", error.to_string().trim_end()));
            return USAGE.into();
        }
        Err(error) => {
            // clap appends the usage and a hint; the first paragraph is the error.
            let text = error.to_string();
            let problem: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            command::remark(format_args!("{} (overparam --help explains)", problem.join(" ")));
            return USAGE.into();
        }
    };
    match command::execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (signal, unread) = (command::signals::status(), is_broken_pipe(&error));
            if !unread {
                // The library's errors contain their cause.
                match error.downcast_ref::<overparam::Error>() {
                    Some(error) => command::remark(format_args!("error: {error}")),
                    None => command::remark(format_args!("error: {error:#}")),
                }
            }
            match signal {
                Some(status) => status.into(),
                // Whoever read our output has read enough.
                None if unread => ExitCode::SUCCESS,
                None if command::is_usage(&error) => USAGE.into(),
                None => FAILURE.into(),
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
