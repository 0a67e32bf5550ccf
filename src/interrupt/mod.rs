//! A request to stop that running descents look at now and then.
//!
//! In a notebook the kernel's *Interrupt* is such a request. It holds until the end of the cell: descents end with what they have found, those
//! that the cell would go on to do not begin, and the next cell runs as any other, with all variables. Where nothing here looks for a
//! request, or at a second interrupt within two seconds, the process that runs the cells ends, and says so.

#[cfg(target_os = "linux")]
mod cell;

use std::sync::atomic::{AtomicUsize, Ordering};

/// The cell that the request is for, [`ALL`] if it is for everything, or [`NONE`].
static REQUESTED: AtomicUsize = AtomicUsize::new(NONE);

const NONE: usize = 0;
const ALL: usize = usize::MAX;

/// Asks every descent, running or not yet begun, to end soon with what it has found so far; until [`clear`] takes it back.
pub fn request() {
    REQUESTED.store(ALL, Ordering::Relaxed);
}

/// True after [`request`], and in a notebook while the interrupted cell runs.
pub fn requested() -> bool {
    #[cfg(target_os = "linux")]
    cell::watch();
    match REQUESTED.load(Ordering::Relaxed) {
        NONE => false,
        ALL => true,
        #[cfg(target_os = "linux")]
        interrupted if cell::goes_on(interrupted) => true,
        // A later cell runs.
        interrupted => {
            let _ = REQUESTED.compare_exchange(interrupted, NONE, Ordering::Relaxed, Ordering::Relaxed);
            false
        }
    }
}

/// Takes the request back: descents begun from now on run to their end.
pub fn clear() {
    REQUESTED.store(NONE, Ordering::Relaxed);
}
