//! Expressions of all kinds that tests compile: with matrices, pairs, gathers, sums over axes, and data.

use crate::expression::{Array, Expression, rotation};

/// Numbers between -1 and 1 without a pattern.
fn irregular(count: usize) -> Vec<f64> {
    (0..count).map(|i| 2.0 * ((i * 7 + 3) as f64 * 0.618_033_988_749_894_9).fract() - 1.0).collect()
}

/// Expressions of 6 coordinates or more.
pub(super) fn expressions() -> Vec<Expression> {
    vec![
        Expression::new("lennard-jones", [-2.0, 2.0], |u| {
            let particles = u.len() / 3;
            let (p, q) = u.slice(..3 * particles as isize).reshape(particles, 3).pairs();
            let r = (p - q).square().sum_axis(1) + 0.5;
            (r.powi(-6) - 2.0 * r.powi(-3)).sum()
        })
        .range(-10.0, 100.0),
        Expression::new("rotated-rastrigin", [-5.12, 5.12], |u| {
            let z = Array::matrix(u.len(), u.len(), &rotation(u.len(), 0)).matmul(u);
            (z.square() - 10.0 * (std::f64::consts::TAU * z).cos() + 10.0).sum()
        })
        .range(0.0, 1000.0),
        Expression::new("phase-retrieval", [-1.0, 1.0], |u| {
            let amplitudes = Array::matrix(21, u.len(), &irregular(21 * u.len())).matmul(u);
            (amplitudes.square() - &irregular(21)[..]).square().mean()
        }),
        Expression::new("network", [-1.0, 1.0], |u| {
            let inputs = Array::matrix(2, 5, &irregular(10));
            let hidden = u.slice(..4).reshape(2, 2).matmul(inputs).tanh();
            let output = u.slice(4..6).reshape(1, 2).matmul(hidden).flatten();
            (output - &irregular(5)[..]).square().mean() + 0.1 * u.norm() + u.at(2).exp() * u.softplus().sum()
        }),
        Expression::new("chains", [-1.0, 1.0], |u| {
            let v = (1.3 + 0.2 * u).cumulative_sum() * 0.1;
            v.product()
                + v.sin().max() * u.min()
                + u.log_sum_exp()
                + (u.square().sum() + v).ln_1p().mean()
                + u.erf().sum()
        }),
        Expression::new("pieces", [-1.0, 1.0], |u| {
            let taken = u.gather(&[3, 0, 0, 2, 1, 5, 3]);
            let apart = Array::concatenate(&[u.slice_step(.., -2), taken.sin(), u.slice(1..).exp()]);
            let rows = u.slice(..6).reshape(2, 3);
            let chosen = u.less(0.2).select(u.square(), 2.0 * u.sigmoid());
            (apart.slice(1..) * apart.slice(..-1)).sum() + (rows.sum_axis(0) * rows.mean_axis(0)).sum() + chosen.mean()
                - u.atan().minimum(0.5 * u.cosh()).sum()
                + rows.transpose().sum_axis(1).powf(2.0).sum()
        }),
    ]
}
