//! Threads that work on one run together.
//!
//! A run that has several threads runs in a pool of its own. Kernels cut their work into parts that do not depend on the number of
//! threads, and where sums cross parts they are added in the order of the parts: the results are the same bits for any number.

use crate::error::Error;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More threads than this are a slip of the keyboard.
const MOST_THREADS: usize = 1024;

/// Iterations of fewer operations gain nothing by a second thread: they take less time than calling for it some times.
const WORTHWHILE: usize = 5_000_000;

/// The number of threads that every run has, 0 if it is found for each.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MEMBER: Cell<bool> = const { Cell::new(false) };
}

/// Has every run from now on use `threads` threads. By default a run that is alone uses every core once it is large enough to gain by it,
/// and of several runs at once each uses its share of the cores. The results are the same bits for any number of threads.
///
/// # Errors
/// If `threads` is not from 1 to 1024.
pub fn use_threads_per_run(threads: usize) -> Result<(), Error> {
    if !(1..=MOST_THREADS).contains(&threads) {
        let expected = "from 1 to 1024; a share of the cores is the default";
        return Err(Error::Setting { name: "the number of threads per run", expected, given: threads.to_string() });
    }
    CHOSEN.store(threads, Ordering::Relaxed);
    Ok(())
}

/// The number of threads chosen for every run.
pub(crate) fn chosen() -> Option<usize> {
    Some(CHOSEN.load(Ordering::Relaxed)).filter(|&threads| threads > 0)
}

/// The number of threads for each of `runs` runs side by side, whose iterations are `operations` operations.
pub(crate) fn size(runs: usize, operations: usize) -> usize {
    let share = || {
        // Outside of a pool its size is not asked for: that would start one.
        let cores = match rayon::current_thread_index() {
            Some(_) => rayon::current_num_threads(),
            None => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        };
        if operations < WORTHWHILE { 1 } else { (cores / runs.max(1)).max(1) }
    };
    chosen().unwrap_or_else(share)
}

/// The number of threads that work on the run of this thread.
pub(crate) fn threads() -> usize {
    if MEMBER.get() { rayon::current_num_threads() } else { 1 }
}

/// The threads of a run.
pub(crate) struct Team(Option<rayon::ThreadPool>);

impl Team {
    /// `threads` threads; with one, work is done by the thread that asks for it.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub(crate) fn new(threads: usize) -> Result<Self, Error> {
        if threads <= 1 {
            return Ok(Self(None));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(|_| MEMBER.set(true)).build();
        pool.map(|pool| Self(Some(pool))).map_err(|error| Error::Threads { threads, reason: error.to_string() })
    }

    /// Does `work`, in which [`each`] uses these threads.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let Some(pool) = &self.0 else { return work() };
        // Not installed from here: a thread of another pool would take up further runs while it waits.
        let result = std::thread::scope(|scope| scope.spawn(|| pool.install(work)).join());
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
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
            let (found, members) = Team::new(threads).unwrap().run(|| {
                let mut done = vec![0; 100];
                each(done.iter_mut().enumerate(), |(i, place)| *place += i);
                (done, super::threads())
            });
            assert_eq!((found, members), ((0..100).collect::<Vec<_>>(), threads));
        }
        assert_eq!(threads(), 1, "this thread has joined no team");
    }
}
