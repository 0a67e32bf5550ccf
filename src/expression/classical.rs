//! The classical test functions as expressions.

use super::{Array, Expression};
use std::f64::consts::{E, PI, TAU};

fn ackley(u: Array) -> Array {
    20.0 * (1.0 - (-0.2 * u.square().mean().sqrt()).exp()) + (E - (TAU * u).cos().mean().exp())
}

fn levy(u: Array) -> Array {
    let w = 1.0 + (u - 1.0) / 4.0;
    let (first, inner, last) = (w.at(0), w.slice(..-1), w.at(-1));
    let middle = if u.len() > 1 {
        ((inner - 1.0).square() * (1.0 + 10.0 * (PI * inner + 1.0).sin().square())).sum()
    } else {
        Array::scalar(0.0)
    };
    (PI * first).sin().square() + middle + (last - 1.0).square() * (1.0 + (TAU * last).sin().square())
}

fn michalewicz(u: Array) -> Array {
    -(u.sin() * ((u.index() + 1.0) * u.square() / PI).sin().powi(20)).sum()
}

fn rastrigin(u: Array) -> Array {
    (u.square() - 10.0 * (TAU * u).cos() + 10.0).sum()
}

fn rosenbrock(u: Array) -> Array {
    let (before, next) = (u.slice(..-1), u.slice(1..));
    (100.0 * (next - before.square()).square() + (before - 1.0).square()).sum()
}

fn schwefel(u: Array) -> Array {
    (418.982_887_272_433_8 - u * u.abs().sqrt().sin()).sum()
}

fn sphere(u: Array) -> Array {
    u.square().sum()
}

fn styblinski_tang(u: Array) -> Array {
    0.5 * (u.powi(4) - 16.0 * u.square() + 5.0 * u).sum()
}

/// The functions by the names that the built-in ones have, in boxes as theirs.
pub(super) fn all() -> Vec<Expression> {
    vec![
        Expression::new("ackley", [-32.768, 32.768], ackley),
        Expression::new("levy", [-10.0, 10.0], levy),
        Expression::new("michalewicz", [0.0, PI], michalewicz),
        Expression::new("rastrigin", [-5.12, 5.12], rastrigin),
        Expression::new("rosenbrock", [-5.0, 10.0], rosenbrock),
        Expression::new("schwefel", [-500.0, 500.0], schwefel),
        Expression::new("sphere", [-5.12, 5.12], sphere),
        Expression::new("styblinski-tang", [-5.0, 5.0], styblinski_tang),
    ]
}
