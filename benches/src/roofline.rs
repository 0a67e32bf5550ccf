//! The peak of one core, measured.

use crate::peak;
use overparam::prelude::Dtype;
use serde::{Deserialize, Serialize};

/// Bytes that are copied: more than the caches hold.
const COPIED: usize = 256 << 20;

/// The peak of one core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// Billions of single-precision operations per second, in fused multiplications and additions.
    pub f32_gflop_per_s: f64,
    /// Billions of double-precision operations per second, in fused multiplications and additions.
    pub f64_gflop_per_s: f64,
    /// Billions of bytes read and written per second by a copy in memory.
    pub copy_gb_per_s: f64,
}

impl Peak {
    /// Measures for about a second.
    pub fn measure() -> Self {
        Self {
            f32_gflop_per_s: peak::f32_gflop_per_s(50),
            f64_gflop_per_s: peak::f64_gflop_per_s(50),
            copy_gb_per_s: peak::copy_gb_per_s(COPIED, 8),
        }
    }

    /// Billions of operations per second in `dtype`.
    pub fn gflop_per_s(&self, dtype: Dtype) -> f64 {
        match dtype {
            Dtype::F32 => self.f32_gflop_per_s,
            Dtype::F64 => self.f64_gflop_per_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dtype_has_its_own_peak() {
        let peak = Peak { f32_gflop_per_s: 3.0, f64_gflop_per_s: 2.0, copy_gb_per_s: 1.0 };
        assert_eq!((peak.gflop_per_s(Dtype::F32), peak.gflop_per_s(Dtype::F64)), (3.0, 2.0));
    }
}
