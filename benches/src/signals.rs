//! Signals that ask the program to end.

use anyhow::{Context, Result};
use overparam::output;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// From here on Ctrl-C, SIGTERM and SIGHUP end the program at once, without a trace of the files that it is writing.
///
/// # Errors
/// If signals cannot be watched.
pub fn leave_nothing() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot watch for Ctrl-C")?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            let _nothing_is_written = output::pause();
            std::process::exit(128 + signal);
        }
    };
    std::thread::Builder::new().spawn(wait).context("cannot start a thread to watch for Ctrl-C")?;
    Ok(())
}
