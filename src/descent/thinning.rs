//! The iterations that a trace keeps.

/// By how much the next kept iteration is later: 100 a decade.
const RATIO: f64 = 1.023_292_992_280_754;

/// Keeps iterations at equal distances on a logarithmic axis, and every one of the first few dozen.
#[derive(Clone, Debug)]
pub(crate) struct Thinning {
    thinned: bool,
    next: u64,
}

impl Thinning {
    pub(crate) fn new(thinned: bool) -> Self {
        Self { thinned, next: 0 }
    }

    /// True if `iteration` is kept. The iterations have to be given in order.
    pub(crate) fn keeps(&mut self, iteration: u64) -> bool {
        let keeps = iteration >= self.next;
        if keeps {
            let ratio = if self.thinned { RATIO } else { 0.0 };
            self.next = ((iteration as f64 * ratio).round() as u64).max(iteration + 1);
        }
        keeps
    }

    /// Thins from now on.
    pub(crate) fn thin(&mut self) {
        self.thinned = true;
    }

    /// The next iteration that is kept.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The number of the first `iterations` that are kept.
    pub(crate) fn count(mut self, iterations: u64) -> u64 {
        if !self.thinned {
            return iterations;
        }
        (0..).take_while(|_| self.next < iterations && self.keeps(self.next)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_hundreds_of_ten_thousand_and_the_first_ones_all() {
        let mut thinning = Thinning::new(true);
        let kept: Vec<u64> = (0..10_000).filter(|&iteration| thinning.keeps(iteration)).collect();
        assert_eq!(kept[..20], (0..20).collect::<Vec<_>>());
        assert!((200..400).contains(&kept.len()), "{}", kept.len());
        assert_eq!(Thinning::new(true).count(10_000), kept.len() as u64);
        let mut thinning = Thinning::new(false);
        assert!((0..100).all(|iteration| thinning.next() == iteration && thinning.keeps(iteration)));
        assert_eq!(Thinning::new(false).count(10_000), 10_000);
    }
}
