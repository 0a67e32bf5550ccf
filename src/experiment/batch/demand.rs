//! The memory that runs ask for, and how they are split into batches that fit.

/// The bytes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    /// Bytes per run.
    pub run: u64,
    /// Bytes per seed, whatever the number of its runs.
    pub seed: u64,
}

impl Demand {
    /// Splits runs, `of_a_seed` neighbors each sharing a seed, into as few batches as fit into `available` bytes. Returns the
    /// sizes of the batches and the bytes of the largest.
    pub fn split(self, runs: usize, of_a_seed: usize, available: u64) -> Option<(Vec<usize>, u64)> {
        let (mut batches, mut size, mut bytes, mut largest) = (Vec::new(), 0, 0, 0);
        for index in 0..runs {
            let (mut next, alone) = (self.run, self.run.saturating_add(self.seed));
            if index % of_a_seed == 0 {
                next = alone;
            }
            if size > 0 && available - bytes < next {
                batches.push(size);
                (size, bytes, next) = (0, 0, alone);
            }
            if available - bytes < next {
                return None;
            }
            (size, bytes) = (size + 1, bytes + next);
            largest = largest.max(bytes);
        }
        batches.extend((size > 0).then_some(size));
        Some((batches, largest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_split_to_fit() {
        let demand = Demand { run: 10, seed: 100 };
        // Two runs of each of three seeds: 120 bytes per seed.
        for (available, batches, largest) in [
            (360, vec![6], 360),
            (u64::MAX, vec![6], 360),
            (359, vec![5, 1], 350),
            (240, vec![4, 2], 240),
            (130, vec![2, 2, 2], 120),
            (110, vec![1; 6], 110),
        ] {
            assert_eq!(demand.split(6, 2, available), Some((batches, largest)), "{available}");
        }
        assert_eq!(demand.split(6, 2, 109), None);
        assert_eq!(demand.split(0, 2, 0), Some((vec![], 0)));
        assert_eq!(Demand { run: u64::MAX, seed: 5 }.split(1, 1, u64::MAX - 1), None);
    }
}
