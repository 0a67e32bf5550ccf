//! The samples of a run on disk.

use super::sample::Sample;
use crate::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The bytes of a sample: its iteration and five numbers.
const BYTES: usize = 6 * size_of::<u64>();

/// Samples of a run that memory might not hold, in a file.
#[derive(Debug)]
pub(crate) struct Stream {
    file: Mutex<File>,
    count: u64,
    /// True once the disk has taken no more.
    full: bool,
}

impl Stream {
    /// A stream to `file`, whose content goes.
    pub(crate) fn new(mut file: File) -> Self {
        let full = file.set_len(0).and_then(|()| file.rewind()).is_err();
        Self { file: Mutex::new(file), count: 0, full }
    }

    /// The number of samples.
    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// Appends `samples`. Returns false if the disk does not take them, now and from then on.
    pub(crate) fn append(&mut self, samples: &[Sample]) -> bool {
        if self.full {
            return false;
        }
        let numbers = |&Sample { iteration, seconds, min, mean, best, step_size }: &Sample| {
            let [seconds, min, mean, best, step_size] = [seconds, min, mean, best, step_size].map(f64::to_bits);
            [iteration, seconds, min, mean, best, step_size]
        };
        let bytes: Vec<u8> = samples.iter().flat_map(numbers).flat_map(u64::to_ne_bytes).collect();
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.full = file.write_all(&bytes).is_err();
        if !self.full {
            self.count += samples.len() as u64;
        }
        !self.full
    }

    /// The samples from the first on, `most` at a time.
    ///
    /// # Errors
    /// Of each piece: if it cannot be read.
    pub(crate) fn pieces(&self, most: usize) -> impl Iterator<Item = Result<Vec<Sample>, Error>> {
        let piece = move |first| self.piece(first, most);
        let failed = |source| Error::file("read", Path::new("the samples on disk"), source);
        (0..self.count).step_by(most).map(move |first| piece(first).map_err(failed))
    }

    /// The samples from number `first` on, at most `most`.
    fn piece(&self, first: u64, most: usize) -> io::Result<Vec<Sample>> {
        let mut bytes = vec![0; BYTES * (self.count - first).min(most as u64) as usize];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(BYTES as u64 * first))?;
            file.read_exact(&mut bytes)?;
        }
        let sample = |bytes: &[u8]| {
            let mut numbers = [0; BYTES / size_of::<u64>()];
            for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *number = u64::from_ne_bytes(*bytes);
            }
            let [iteration, rest @ ..] = numbers;
            let [seconds, min, mean, best, step_size] = rest.map(f64::from_bits);
            Sample { iteration, seconds, min, mean, best, step_size }
        };
        Ok(bytes.chunks_exact(BYTES).map(sample).collect())
    }
}
