//! The samples of a run, within the memory that there is.

use super::sample::Sample;
use super::stream::Stream;
use crate::memory::Reservation;
use std::fs::File;

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
    /// The samples before these, if they go to disk.
    stream: Option<Stream>,
}

impl Record {
    /// Has the samples go to `file`, which is empty, and holds the last ones alone.
    pub(crate) fn stream_to(&mut self, file: File) {
        self.stream = Some(Stream::new(file));
    }

    /// The samples that went to disk, if there are any.
    pub(crate) fn take_stream(&mut self) -> Option<Stream> {
        self.stream.take().filter(|stream| stream.len() > 0)
    }

    /// Makes room for `more` samples, a piece at a time: on disk if they are streamed, otherwise, and once the disk is full, in memory. Returns
    /// false once that is used up; what is left holds the iterations of a thinned trace.
    pub(crate) fn has_room(&mut self, more: usize) -> bool {
        debug_assert!(more <= LEAST, "a piece has room for them");
        if self.samples.len() >= LEAST && self.stream.as_mut().is_some_and(|stream| stream.append(&self.samples)) {
            self.samples.clear();
        }
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

    #[test]
    fn a_streamed_record_holds_little_and_all_that_the_disk_refuses() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        for takes in [true, false] {
            let mut record = Record::default();
            record.stream_to(File::options().read(true).write(takes).open(&path).unwrap());
            for iteration in 0..100_000 {
                assert!(record.has_room(1));
                let number = iteration as f64;
                let [min, mean] = [-number, 1.0 / number];
                record.push(Sample { iteration, seconds: number, min, mean, best: min, step_size: f64::NAN });
                assert!(!takes || record.samples.capacity() <= SPARE + LEAST);
            }
            let stream = record.take_stream();
            assert_eq!(stream.is_some(), takes);
            let mut all: Vec<Sample> = Vec::new();
            stream.iter().flat_map(|stream| stream.pieces(30_000)).for_each(|piece| all.extend(piece.unwrap()));
            all.extend(record.finish());
            assert_eq!(all.len(), 100_000);
            for (iteration, sample) in all.into_iter().enumerate() {
                let number = iteration as f64;
                assert_eq!((sample.iteration, sample.seconds, sample.min), (iteration as u64, number, -number));
                assert_eq!((sample.mean, sample.best), (1.0 / number, -number));
                assert!(sample.step_size.is_nan());
            }
        }
    }
}
