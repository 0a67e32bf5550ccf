//! Interrupts in a notebook: the signal that Jupyter sends to the process that runs the cells, and the cell that it is for.

use super::REQUESTED;
use crate::progress::in_notebook;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// A request that nothing has looked for after this time ends the process, as does a second one before.
const PATIENCE: Duration = Duration::from_secs(2);

/// The exit status of a process that SIGINT has ended.
const STATUS: i32 = 128 + SIGINT;

/// Whether something has looked at the latest request.
static NOTICED: AtomicBool = AtomicBool::new(false);

/// From here on, in the process that runs the cells of a notebook, SIGINT is a request to stop for the current cell.
pub(super) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        // Without a thread that waits for it, an interrupt ends the process, as it does where this library is not loaded.
        if in_notebook() {
            let _ = thread::Builder::new().spawn(|| Signals::new([SIGINT]).map(respond));
        }
    });
}

/// True if `interrupted` is the cell that runs.
pub(super) fn goes_on(interrupted: usize) -> bool {
    let same = current() == interrupted;
    if same {
        NOTICED.store(true, Ordering::Relaxed);
    }
    same
}

fn respond(mut signals: Signals) {
    let mut earlier: Option<Instant> = None;
    for _ in signals.forever() {
        if earlier.is_some_and(|earlier| earlier.elapsed() < PATIENCE) {
            end("it was interrupted twice");
        }
        earlier = Some(Instant::now());
        let cell = current();
        NOTICED.store(false, Ordering::Relaxed);
        REQUESTED.store(cell, Ordering::Relaxed);
        // Beside this thread, which waits for a second one.
        let _ = thread::Builder::new().spawn(move || {
            thread::sleep(PATIENCE);
            if !NOTICED.load(Ordering::Relaxed) && current() == cell && !is_between_cells() {
                end("what runs does not look for interrupts");
            }
        });
    }
}

/// Ends the process that runs the cells. The kernel starts another one.
fn end(reason: &str) -> ! {
    eprintln!("The process that runs the cells ends, and its variables with it: {reason}.");
    std::process::exit(STATUS)
}

/// The number of the cell that runs or ran last. Every cell is a library of its own, loaded when it begins and never unloaded; evcxr calls it
/// `libcode_1.so` and so on.
fn current() -> usize {
    fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.matches("/libcode_").count()) + 1
}

/// True while the main thread reads standard input, where the kernel says which cell comes next.
fn is_between_cells() -> bool {
    #[cfg(target_arch = "x86_64")]
    const READ: &str = "0";
    #[cfg(not(target_arch = "x86_64"))]
    const READ: &str = "63";
    let call = fs::read_to_string(format!("/proc/self/task/{}/syscall", std::process::id()));
    // Where the system does not tell, nothing is ended.
    call.map_or(true, |call| call.split_whitespace().take(2).eq([READ, "0x0"]))
}
