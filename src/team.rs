//! Threads that work on one run together.
//!
//! A run that has several threads runs in a pool of its own. Kernels cut their work into parts that do not depend on the number of
//! threads, and where sums cross parts they are added in the order of the parts: the results are the same bits for any number.

use std::cell::Cell;

thread_local! {
    static MEMBER: Cell<bool> = const { Cell::new(false) };
}

/// The number of threads that work on the run of this thread.
pub(crate) fn threads() -> usize {
    if MEMBER.get() { rayon::current_num_threads() } else { 1 }
}

/// Runs `run` with `threads` threads for its kernels; with one, on this thread.
///
/// # Errors
/// If the threads cannot be started.
pub(crate) fn with<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> Result<T, rayon::ThreadPoolBuildError> {
    if threads <= 1 {
        return Ok(run());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(|_| MEMBER.set(true)).build()?;
    // Not installed from here: a thread of another pool would take up further runs while it waits.
    let result = std::thread::scope(|scope| scope.spawn(|| pool.install(run)).join());
    Ok(result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Does `work` with every one of `tasks`, in any order, on all threads of this run.
pub(crate) fn each<T: Send>(tasks: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    if threads() == 1 {
        return tasks.for_each(work);
    }
    let work = &work;
    rayon::in_place_scope(|scope| tasks.for_each(|task| scope.spawn(move |_| work(task))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_on_any_number_of_threads() {
        for threads in [1, 2, 3, 4, 7] {
            let (found, members) = with(threads, || {
                let mut done = vec![0; 100];
                each(done.iter_mut().enumerate(), |(i, place)| *place += i);
                (done, super::threads())
            })
            .unwrap();
            assert_eq!((found, members), ((0..100).collect::<Vec<_>>(), threads));
        }
        assert_eq!(threads(), 1, "this thread has joined no team");
    }
}
