//! Signals: Ctrl-C, the end of a terminal, and the polite request to end.

use anyhow::{Context, Result, anyhow};
use overparam::{interrupt, output};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXCPU, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// A second Ctrl-C or SIGTERM ends the program at once; one that comes sooner after the first is the same one.
const SECOND: Duration = Duration::from_secs(1);

/// The first signal that was received, or 0.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// From here on a signal ends running descents and lets the command write its results so far; a second Ctrl-C or SIGTERM ends at once.
pub fn finish_early() -> Result<()> {
    let mut requested: Option<Instant> = None;
    watch(move |signal| {
        interrupt::request();
        if matches!(signal, SIGINT | SIGTERM) {
            match requested {
                None => requested = Some(Instant::now()),
                Some(first) if first.elapsed() >= SECOND => end(),
                Some(_) => {}
            }
        }
    })
}

/// From here on a signal ends the program at once, without a trace of what it is writing.
pub fn leave_nothing() -> Result<()> {
    watch(|_| {
        interrupt::request();
        end()
    })
}

/// The exit status that a signal asks for, if there was one.
pub fn status() -> Option<u8> {
    let signal = FIRST.load(Ordering::SeqCst);
    u8::try_from(signal).ok().filter(|&signal| signal > 0).map(|signal| 128 + signal)
}

/// Calls `respond` with each signal that comes. Signals that whoever started this program wants ignored, as `nohup` does, stay so.
fn watch(mut respond: impl FnMut(i32) + Send + 'static) -> Result<()> {
    let ignored = ignored();
    // A limit on the time of the processor (SIGXCPU) is a request to end. One on the size of files is told by the call that writes, once
    // its signal does not end the program.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).context("cannot watch for a limit on the size of files")?;
    let watched = [SIGINT, SIGTERM, SIGHUP, SIGXCPU].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(watched).context("cannot watch for Ctrl-C")?;
    let forever = move || {
        for signal in signals.forever() {
            let _ = FIRST.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
            respond(signal);
        }
    };
    std::thread::Builder::new().spawn(forever).map_err(|error| {
        anyhow!(
            "cannot start a thread to watch for Ctrl-C: {error}; allow more threads (ulimit -u, ulimit -v, pids.max)"
        )
    })?;
    Ok(())
}

/// The signals that are ignored, where Linux reports it: bit s - 1 for the signal s.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Ends the program when no file is being written, with the status of the first signal.
fn end() -> ! {
    let _nothing_is_written = output::pause();
    std::process::exit(status().map_or(1, i32::from))
}
