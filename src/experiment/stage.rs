//! The stages of a comparison.

/// The part of a protocol that a run belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Side by side with others, to choose the learning rate.
    Sweep,
    /// Alone, to be shown.
    Timed,
}

impl Stage {
    /// `"sweep"` or `"timed"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Timed => "timed",
        }
    }
}
