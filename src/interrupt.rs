//! A request to stop that running descents look at now and then.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Asks every descent, running or not yet begun, to end soon with what it has found so far; until [`clear`] takes it back.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// True once [`request`] was called.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Takes the request back: descents begun from now on run to their end.
pub fn clear() {
    REQUESTED.store(false, Ordering::Relaxed);
}
