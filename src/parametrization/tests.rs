//! Gradients of every parametrization, against differences of the objective.

use super::{Direct, Network, Parametrization};
use crate::network::{Activation, Fused, Layer, Products};
use crate::rule::Parts;
use crate::simd::{Panels, Real};
use crate::squash::Map;

const POINTS: usize = 7;
const WIDTHS: [usize; 4] = [3, 5, 4, 6];

/// Numbers that look random, in ±`range`.
fn numbers<R: Real>(count: usize, range: f64, shift: f64) -> Vec<R> {
    (0..count).map(|i| R::of(range * (2.0 * (shift + i as f64 * 0.618_033_988_749_894_9).fract() - 1.0))).collect()
}

/// A network with layers of these widths, the embeddings' first.
fn network<R: Products>(widths: &[usize], activation: Activation) -> Fused<R> {
    let mut network =
        Fused::new(&numbers::<R>(POINTS * widths[0], 1.5, 0.1), widths[0], activation, Panels::<R>::stride(POINTS));
    for (layer, pair) in widths.windows(2).enumerate() {
        let shift = 0.3 * layer as f64;
        let (weight, bias) = (numbers(pair[0] * pair[1], 0.8, shift), numbers(pair[1], 0.5, shift + 0.2));
        network.push(Layer::new(&weight, &bias, pair[0]));
    }
    network
}

/// Σ c y² over all coordinates of all points, and its gradient in place of y.
fn objective(parametrization: &mut impl Parametrization<f64>) -> f64 {
    let mut sum = 0.0;
    parametrization.pass(&mut |y| {
        for (i, row) in y.rows.chunks_exact_mut(y.stride).enumerate() {
            for (point, y) in row.iter_mut().enumerate() {
                // The rest of the row repeats the last point.
                let factor = 0.3 + (i + 2 * point.min(POINTS - 1)) as f64 * 0.1;
                if point < POINTS {
                    sum += factor * *y * *y;
                }
                *y *= 2.0 * factor;
            }
        }
    });
    sum
}

/// Every part's values, changed by `change` at one place.
fn nudge(parametrization: &mut impl Parametrization<f64>, part: usize, place: usize, change: f64) {
    let mut index = 0;
    parametrization.visit(&mut |values, _| {
        if index == part {
            values[place] += change;
        }
        index += 1;
    });
}

fn gradients(parametrization: &mut impl Parametrization<f64>) -> Vec<Vec<f64>> {
    let mut found = Vec::new();
    parametrization.visit(&mut |values, gradient| {
        assert_eq!(values.len(), gradient.len());
        found.push(gradient.to_vec());
    });
    found
}

fn is_the_slope(name: &str, mut parametrization: impl Parametrization<f64>, parts: usize) {
    objective(&mut parametrization);
    let found = gradients(&mut parametrization);
    assert_eq!(found.len(), parts, "{name}");
    let mut moved = 0;
    for (part, gradient) in found.iter().enumerate() {
        for (place, &slope) in gradient.iter().enumerate() {
            const STEP: f64 = 1e-5;
            nudge(&mut parametrization, part, place, STEP);
            let above = objective(&mut parametrization);
            nudge(&mut parametrization, part, place, -2.0 * STEP);
            let below = objective(&mut parametrization);
            nudge(&mut parametrization, part, place, STEP);
            let expected = (above - below) / (2.0 * STEP);
            assert!((slope - expected).abs() < 1e-7, "{name}, part {part}, place {place}: {slope}, not {expected}");
            moved += usize::from(slope != 0.0);
        }
    }
    assert!(moved > 20, "{name}: {moved} parameters have a gradient");
}

#[test]
fn gradients_are_the_slopes_of_the_objective() {
    let y = Panels::from_packed(&numbers::<f64>(POINTS * 6, 2.0, 0.4), 6);
    is_the_slope("direct", Direct::new(y.clone()), 1);
    for activation in Activation::ALL {
        is_the_slope(activation.name(), Network::new(network(&WIDTHS, activation), false), 4);
        is_the_slope(activation.name(), Network::new(network(&WIDTHS, activation), true), 3);
    }
    is_the_slope("linear", Network::new(network(&[3, 6], Activation::Relu), false), 2);
    // The output layer of a residual network starts at zero: what flows through it is its own gradient alone.
    is_the_slope("residual", Network::residual(network(&WIDTHS, Activation::Tanh), false, y), 4);
}

#[test]
fn a_residual_network_starts_at_its_base() {
    let base = Panels::from_packed(&numbers::<f64>(POINTS * 6, 2.0, 0.4), 6);
    let mut residual = Network::residual(network(&WIDTHS, Activation::Relu), false, base.clone());
    let mut found = Vec::new();
    residual.pass(&mut |y| found.extend_from_slice(y.rows));
    assert_eq!(found, base.scalars());
}

#[test]
fn clamped_points_are_brought_back_and_the_last_point_fills_the_rest() {
    let mut direct = Direct::new(Panels::from_packed(&numbers::<f64>(POINTS * 6, 2.0, 0.4), 6));
    direct.visit(&mut |values, _| values[7..].iter_mut().for_each(|value| *value += 0.1));
    direct.settle(Map::Clamp);
    direct.parameters(&mut |values| {
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
        for row in values.chunks_exact(values.len() / 6) {
            assert!(row[POINTS..].iter().all(|value| *value == row[POINTS - 1]));
        }
    });
}
