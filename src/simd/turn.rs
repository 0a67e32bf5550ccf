//! Rows become columns.

use super::{Real, Simd};

/// How many rows and how many columns are turned at once, a divisor of [`Real::BLOCK`].
const SIDE: usize = 4;

/// Writes the first `points` scalars of `rows`, which are `stride` long, as the first columns of `turned`, whose rows are `columns`
/// long. What follows them up to a multiple of four may be written as well, or may not.
#[inline(always)]
pub(crate) fn turn<S: Simd, R: Real>(
    simd: S,
    rows: &[R],
    stride: usize,
    points: usize,
    turned: &mut [R],
    columns: usize,
) {
    let turned = &mut turned[..points.next_multiple_of(SIDE) * columns];
    let mut bands = rows.chunks_exact(SIDE * stride);
    let mut first = 0;
    for band in &mut bands {
        let [a, b, c, d] = std::array::from_fn(|i| band[i * stride..][..stride].as_chunks().0);
        let sources = a.iter().zip(b).zip(c).zip(d);
        for ((((a, b), c), d), turned) in sources.zip(turned.chunks_exact_mut(SIDE * columns)) {
            let square = transposed(simd, [*a, *b, *c, *d]);
            for (scalars, turned) in square.iter().zip(turned.chunks_exact_mut(columns)) {
                turned[first..][..SIDE].copy_from_slice(scalars);
            }
        }
        first += SIDE;
    }
    for (column, row) in (first..).zip(bands.remainder().chunks_exact(stride)) {
        for (&scalar, turned) in row[..points].iter().zip(turned.chunks_exact_mut(columns)) {
            turned[column] = scalar;
        }
    }
}

/// The transpose of a square: where there is AVX in eight shuffles, which a compiler does not find by itself.
#[inline(always)]
fn transposed<S: Simd, R: Real>(simd: S, square: [[R; SIDE]; SIDE]) -> [[R; SIDE]; SIDE] {
    #[cfg(target_arch = "x86_64")]
    {
        use pulp::x86::{V3, V4};
        let simd = &simd as &dyn std::any::Any;
        let simd = simd.downcast_ref::<V4>().map(|simd| **simd).or(simd.downcast_ref::<V3>().copied());
        match (simd, size_of::<R>() == size_of::<f64>()) {
            (Some(V3 { avx, .. }), true) => {
                let [a, b, c, d] = bytemuck::cast(square);
                let (even_low, odd_low) = (avx._mm256_unpacklo_pd(a, b), avx._mm256_unpackhi_pd(a, b));
                let (even_high, odd_high) = (avx._mm256_unpacklo_pd(c, d), avx._mm256_unpackhi_pd(c, d));
                return bytemuck::cast([
                    avx._mm256_permute2f128_pd::<0x20>(even_low, even_high),
                    avx._mm256_permute2f128_pd::<0x20>(odd_low, odd_high),
                    avx._mm256_permute2f128_pd::<0x31>(even_low, even_high),
                    avx._mm256_permute2f128_pd::<0x31>(odd_low, odd_high),
                ]);
            }
            (Some(V3 { sse, .. }), false) => {
                let [a, b, c, d] = bytemuck::cast(square);
                let (low_first, high_first) = (sse._mm_unpacklo_ps(a, b), sse._mm_unpackhi_ps(a, b));
                let (low_last, high_last) = (sse._mm_unpacklo_ps(c, d), sse._mm_unpackhi_ps(c, d));
                return bytemuck::cast([
                    sse._mm_movelh_ps(low_first, low_last),
                    sse._mm_movehl_ps(low_last, low_first),
                    sse._mm_movelh_ps(high_first, high_last),
                    sse._mm_movehl_ps(high_last, high_first),
                ]);
            }
            _ => {}
        }
    }
    let _ = simd;
    std::array::from_fn(|column| square.map(|row| row[column]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::everywhere;
    use crate::simd::{Rows, WithSimd};

    struct Turn<'a, R: Real>(&'a Rows<R>, usize, Rows<R>);

    impl<R: Real> WithSimd for Turn<'_, R> {
        type Output = Rows<R>;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Rows<R> {
            let Self(rows, points, mut turned) = self;
            let (stride, columns) = (rows.stride(), turned.stride());
            turn(simd, rows, stride, points, &mut turned, columns);
            turned
        }
    }

    fn turns<R: Real>() {
        for (count, points) in [(1, 1), (3, 8), (4, 9), (7, 16), (8, 17), (10, 50), (15, 64), (16, 33), (50, 50)] {
            let mut rows = Rows::<R>::zeros(count, points);
            rows.iter_mut().enumerate().for_each(|(i, scalar)| *scalar = R::of(i as f64 + 2.0));
            let (stride, old) = (rows.stride(), R::of(1.0));
            let blank = || {
                let mut turned = Rows::zeros(stride, count + 1);
                turned.fill(old);
                turned
            };
            for (set, turned) in everywhere(|| Turn(&rows, points, blank())) {
                for (p, row) in turned.rows().take(points).enumerate() {
                    for (i, &found) in row.iter().enumerate() {
                        let expected = if i < count { rows[i * stride + p] } else { old };
                        assert_eq!(found, expected, "{count} x {points}, ({p}, {i}), {} on {set}", R::NAME);
                    }
                }
            }
        }
    }

    #[test]
    fn rows_become_columns() {
        turns::<f32>();
        turns::<f64>();
    }
}
