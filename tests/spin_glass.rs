//! The spin glass against a naive triple loop over its couplings, and the symmetries and limits of its energy.

use overparam::Couplings;
use overparam::objective::{GROUND_STATE_ENERGY, THRESHOLD_ENERGY};
use overparam::prelude::*;

const SEED: u64 = 11;

/// Irregular coordinates in (0, 1).
fn irregular(count: usize) -> Vec<f64> {
    (1..=count).map(|i| (i as f64 * 0.618_033_988_749_894_9).fract()).collect()
}

/// Energy per spin and its gradient in u = 2x - 1, by the definition: d⁻² Σ J_ijk σ_i σ_j σ_k with σ = √d u/‖u‖.
fn naive(x: &[f64], seed: u64) -> (f64, Vec<f64>) {
    let d = x.len();
    let u: Vec<f64> = x.iter().map(|x| 2.0 * x - 1.0).collect();
    let norm = u.iter().map(|u| u * u).sum::<f64>().sqrt();
    let spins: Vec<f64> = u.iter().map(|u| (d as f64).sqrt() * u / norm).collect();
    let couplings: Vec<f64> = Couplings::draw(seed, d).collect();
    let (mut energy, mut force) = (0.0, vec![0.0; d]);
    for i in 0..d {
        for j in 0..d {
            for k in 0..d {
                let coupling = couplings[(i * d + j) * d + k] / (d * d) as f64;
                energy += coupling * spins[i] * spins[j] * spins[k];
                force[i] += coupling * spins[j] * spins[k];
                force[j] += coupling * spins[i] * spins[k];
                force[k] += coupling * spins[i] * spins[j];
            }
        }
    }
    // Through the rotation onto the sphere: ∂σ/∂u = √d/‖u‖ (1 - σσᵀ/d).
    let along = force.iter().zip(&spins).map(|(force, spin)| force * spin).sum::<f64>() / d as f64;
    let scale = (d as f64).sqrt() / norm;
    (energy, force.iter().zip(&spins).map(|(force, spin)| scale * (force - along * spin)).collect())
}

fn agrees_with_three_loops<const D: usize>() {
    let glass = Function::SpinGlass.objective::<D, f64>(SEED);
    // 23 points: three registers of f64 on AVX-512, the last filled with copies.
    let x = irregular(23 * D);
    let found = glass.evaluate(&x).unwrap();
    let single: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let found32 = Function::SpinGlass.objective::<D, f32>(SEED).evaluate(&single).unwrap();
    for (point, x) in x.chunks_exact(D).enumerate() {
        let (energy, slopes) = naive(x, SEED);
        assert!((found.raw[point] - energy).abs() < 1e-13, "d = {D}: {} is not {energy}", found.raw[point]);
        let scaled = 0.5 + 0.5 * energy / GROUND_STATE_ENERGY;
        assert!((found.scaled[point] - scaled).abs() < 1e-13, "d = {D}: F = {}", found.scaled[point]);
        let steepest = slopes.iter().fold(1.0, |steepest: f64, slope| steepest.max(slope.abs()));
        assert!((f64::from(found32.scaled[point]) - scaled).abs() < 1e-6 * steepest, "d = {D} in f32");
        for (i, slope) in slopes.iter().enumerate() {
            // dF/dx = dE/du · 2 / (2 E₀).
            let slope = slope / GROUND_STATE_ENERGY;
            let (found, found32) = (found.gradient[point * D + i], found32.gradient[point * D + i]);
            assert!((found - slope).abs() < 1e-13 * steepest, "d = {D}: dF/dx{i} = {found}, not {slope}");
            assert!((f64::from(found32) - slope).abs() < 1e-5 * steepest, "d = {D}: dF/dx{i} = {found32} in f32");
        }
    }
}

#[test]
fn energy_and_gradient_agree_with_three_loops() {
    macro_rules! dimensions {
        ($($d:literal)+) => { $(agrees_with_three_loops::<$d>();)+ };
    }
    dimensions!(1 2 3 4 5 6 7 8 9 10 11 12 19 20 50);
}

/// With σ(u) on the sphere, E(c u) = E(u) for c > 0, E(-u) = -E(u), and so the gradient is orthogonal to u and even.
#[test]
fn energy_has_the_symmetries_of_the_sphere() {
    let glass = Function::SpinGlass.objective::<10, f64>(SEED);
    let x = irregular(10);
    let at = |scale: f64| {
        let x: Vec<f64> = x.iter().map(|x| 0.5 + scale * (x - 0.5)).collect();
        glass.evaluate(&x).unwrap()
    };
    let (whole, half, mirrored) = (at(1.0), at(0.5), at(-1.0));
    assert!((whole.raw[0] - half.raw[0]).abs() < 1e-14 && (whole.raw[0] + mirrored.raw[0]).abs() < 1e-14);
    assert!((whole.scaled[0] + mirrored.scaled[0] - 1.0).abs() < 1e-14);
    for i in 0..10 {
        assert!((2.0 * whole.gradient[i] - half.gradient[i]).abs() < 1e-13);
        assert!((whole.gradient[i] - mirrored.gradient[i]).abs() < 1e-13);
    }
    let along: f64 = whole.gradient.iter().zip(&x).map(|(g, x)| g * (x - 0.5)).sum();
    assert!(along.abs() < 1e-14, "{along}");
}

#[test]
fn the_origin_and_its_neighborhood_are_finite() {
    let glass = Function::SpinGlass.objective::<10, f64>(SEED);
    let middle = glass.evaluate(&[0.5; 10]).unwrap();
    assert_eq!((middle.scaled[0], middle.raw[0], &middle.gradient[..]), (0.5, 0.0, &[0.0; 10][..]));
    for distance in [1e-3, 1e-8, 1e-15] {
        let found = glass.evaluate(&[0.5 + distance; 10]).unwrap();
        assert!(found.scaled[0].is_finite() && found.gradient.iter().all(|slope| slope.is_finite()), "{distance}");
    }
}

/// In infinitely many dimensions descent ends at the threshold, in 50 somewhat above it: measured over 16 seeds, from -1.52 to
/// -1.64 with a mean of -1.58.
#[test]
fn descent_ends_near_the_threshold_and_above_the_ground_state() {
    const SEEDS: u64 = 8;
    let mut mean = 0.0;
    for seed in 0..SEEDS {
        let glass = Function::SpinGlass.objective::<50, f64>(seed);
        let settings = Settings::default().learning_rate(1e3).iterations(1_000);
        let run = Shape::<20, 10, 10, 1, 50>::run(&glass, Optimizer::Shallow, seed, &settings).unwrap();
        let energy = run.raw_best();
        let range = -GROUND_STATE_ENERGY..0.15 - THRESHOLD_ENERGY;
        assert!(range.contains(&energy), "seed {seed}: energy per spin {energy}");
        mean += energy / SEEDS as f64;
    }
    assert!((mean + THRESHOLD_ENERGY).abs() < 0.08, "energy per spin {mean} on average");
}

#[test]
fn couplings_are_standard_normals_of_their_seed() {
    let couplings: Vec<f64> = Couplings::draw(SEED, 50).collect();
    let count = couplings.len() as f64;
    let mean = couplings.iter().sum::<f64>() / count;
    let variance = couplings.iter().map(|coupling| (coupling - mean).powi(2)).sum::<f64>() / count;
    // Five standard deviations of each, for 125,000 draws.
    assert!(mean.abs() < 5.0 / count.sqrt(), "{mean}");
    assert!((variance - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{variance}");
    assert_eq!(couplings, Couplings::draw(SEED, 50).collect::<Vec<_>>());
    assert_ne!(couplings[..10], Couplings::draw(SEED + 1, 50).take(10).collect::<Vec<_>>());
}
