//! Rows become columns.

#[cfg(target_arch = "x86_64")]
use super::real::avx2;
use super::{Real, Simd};

/// The number of rows, and of columns, that are transposed at once: a divisor of [`Real::BLOCK`].
const SIDE: usize = 4;

/// Writes the first `points` scalars of each row of `rows`, which are `stride` long, as the first columns of `columns`, whose rows
/// are `width` long. Rows of `columns` that follow these up to a multiple of four may be written as well, or may not; other columns are not.
#[inline(always)]
pub(crate) fn transpose<S: Simd, R: Real>(
    simd: S,
    rows: &[R],
    stride: usize,
    points: usize,
    columns: &mut [R],
    width: usize,
) {
    let columns = &mut columns[..points.next_multiple_of(SIDE) * width];
    let mut bands = rows.chunks_exact(SIDE * stride);
    let mut first = 0;
    for band in &mut bands {
        let [a, b, c, d] = std::array::from_fn(|i| band[i * stride..][..stride].as_chunks().0);
        let sources = a.iter().zip(b).zip(c).zip(d);
        for ((((a, b), c), d), places) in sources.zip(columns.chunks_exact_mut(SIDE * width)) {
            let square = transposed(simd, [*a, *b, *c, *d]);
            for (scalars, place) in square.iter().zip(places.chunks_exact_mut(width)) {
                place[first..][..SIDE].copy_from_slice(scalars);
            }
        }
        first += SIDE;
    }
    for (column, row) in (first..).zip(bands.remainder().chunks_exact(stride)) {
        for (&scalar, place) in row[..points].iter().zip(columns.chunks_exact_mut(width)) {
            place[column] = scalar;
        }
    }
}

/// The transpose of a square: where there is AVX in eight shuffles, which a compiler does not find by itself.
#[inline(always)]
fn transposed<S: Simd, R: Real>(simd: S, square: [[R; SIDE]; SIDE]) -> [[R; SIDE]; SIDE] {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = avx2(simd);
        if let (Some(simd), true) = (avx2, size_of::<R>() == size_of::<f64>()) {
            let [a, b, c, d] = bytemuck::cast(square);
            let (even_ab, odd_ab) = (simd.avx._mm256_unpacklo_pd(a, b), simd.avx._mm256_unpackhi_pd(a, b));
            let (even_cd, odd_cd) = (simd.avx._mm256_unpacklo_pd(c, d), simd.avx._mm256_unpackhi_pd(c, d));
            return bytemuck::cast([
                simd.avx._mm256_permute2f128_pd::<0x20>(even_ab, even_cd),
                simd.avx._mm256_permute2f128_pd::<0x20>(odd_ab, odd_cd),
                simd.avx._mm256_permute2f128_pd::<0x31>(even_ab, even_cd),
                simd.avx._mm256_permute2f128_pd::<0x31>(odd_ab, odd_cd),
            ]);
        }
        if let Some(simd) = avx2 {
            let [a, b, c, d] = bytemuck::cast(square);
            let (low_ab, high_ab) = (simd.sse._mm_unpacklo_ps(a, b), simd.sse._mm_unpackhi_ps(a, b));
            let (low_cd, high_cd) = (simd.sse._mm_unpacklo_ps(c, d), simd.sse._mm_unpackhi_ps(c, d));
            return bytemuck::cast([
                simd.sse._mm_movelh_ps(low_ab, low_cd),
                simd.sse._mm_movehl_ps(low_cd, low_ab),
                simd.sse._mm_movelh_ps(high_ab, high_cd),
                simd.sse._mm_movehl_ps(high_cd, high_ab),
            ]);
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

    struct Transpose<'a, R: Real> {
        rows: &'a Rows<R>,
        points: usize,
        columns: Rows<R>,
    }

    impl<R: Real> WithSimd for Transpose<'_, R> {
        type Output = Rows<R>;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Rows<R> {
            let Self { rows, points, mut columns } = self;
            let width = columns.stride();
            transpose(simd, rows, rows.stride(), points, &mut columns, width);
            columns
        }
    }

    fn transposes<R: Real>() {
        for (count, points) in [(1, 1), (3, 8), (4, 9), (7, 16), (8, 17), (10, 50), (15, 64), (16, 33), (50, 50)] {
            let mut rows = Rows::<R>::zeros(count, points);
            rows.iter_mut().enumerate().for_each(|(i, scalar)| *scalar = R::of(i as f64 + 2.0));
            let (stride, old) = (rows.stride(), R::of(1.0));
            let mut columns = Rows::zeros(stride, count + 1);
            columns.fill(old);
            for (set, found) in everywhere(|| Transpose { rows: &rows, points, columns: columns.clone() }) {
                for (p, row) in found.rows().enumerate() {
                    let context = || format!("row {p} of {count} x {points}, {} on {set}: {row:?}", R::NAME);
                    let (written, behind) = row.split_at(count);
                    assert!(behind.iter().all(|&scalar| scalar == old), "{}", context());
                    if p < points {
                        assert!((0..count).all(|i| written[i] == rows[i * stride + p]), "{}", context());
                    } else if p >= points.next_multiple_of(SIDE) {
                        assert!(written.iter().all(|&scalar| scalar == old), "{}", context());
                    }
                }
            }
        }
    }

    #[test]
    fn rows_become_columns() {
        transposes::<f32>();
        transposes::<f64>();
    }
}
