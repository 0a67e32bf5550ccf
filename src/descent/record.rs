//! The samples of a run, within the memory that there is.

use crate::memory::Reservation;

/// The record of one iteration. The columns of a [trace](crate::trace).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Counted from 0.
    pub iteration: u64,
    /// Wall time since the start of the run.
    pub seconds: f64,
    /// The smallest scaled objective of this iteration.
    pub min: f64,
    /// The mean scaled objective of this iteration.
    pub mean: f64,
    /// The smallest scaled objective so far.
    pub best: f64,
    /// The step size of this iteration.
    pub step_size: f64,
}

/// Samples that are kept free for thinned iterations: more than a run of any length has.
const SPARE: usize = 1 << 11;

/// Samples by which a record of every iteration grows, at least.
const LEAST: usize = 1 << 13;

/// The same, at most: 12 MiB.
const MOST: usize = 1 << 18;

/// The samples of a run.
#[derive(Debug, Default)]
pub(crate) struct Record {
    samples: Vec<Sample>,
    reserved: Reservation,
}

impl Record {
    /// Makes room for `more` samples, a piece at a time. Returns false once the memory is used up; what is left holds the
    /// iterations of a thinned trace.
    pub(crate) fn has_room(&mut self, more: usize) -> bool {
        debug_assert!(more <= LEAST, "a piece has room for them");
        if self.samples.capacity() - self.samples.len() >= SPARE + more {
            return true;
        }
        let piece = self.samples.len().clamp(LEAST, MOST);
        let bytes = (piece * size_of::<Sample>()) as u64;
        self.reserved.renew(bytes) && self.samples.try_reserve_exact(SPARE + piece).is_ok()
    }

    pub(crate) fn push(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    pub(crate) fn last(&self) -> Option<&Sample> {
        self.samples.last()
    }

    /// The samples, without the room for more.
    pub(crate) fn finish(self) -> Vec<Sample> {
        let mut samples = self.samples;
        samples.shrink_to_fit();
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descent::Thinning;

    #[test]
    fn a_record_grows_and_leaves_room_for_what_thinning_keeps() {
        assert!(Thinning::new(true).count(u64::MAX) < SPARE as u64);
        let mut record = Record::default();
        for iteration in 0..100_000 {
            assert!(record.has_room(1));
            record.push(Sample { iteration, seconds: 0.0, min: 0.0, mean: 0.0, best: 0.0, step_size: 0.0 });
            assert!(record.samples.capacity() - record.samples.len() >= SPARE);
        }
        assert_eq!(record.last().map(|sample| sample.iteration), Some(99_999));
        let samples = record.finish();
        assert_eq!((samples.len(), samples.capacity()), (100_000, 100_000));
    }
}
