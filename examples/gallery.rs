//! Objectives that people really have, as array expressions: does over-parametrization help?
//!
//!     cargo run --release --example gallery
//!
//! Every objective is minimized by both optimizers with gradient descent and with Adam, at five rates from five seeds. The table has the
//! median over the seeds of the best value at the best rule and rate, and the known minimum.

use overparam::prelude::*;
use overparam::report::median;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal, Uniform};
use std::f64::consts::{PI, TAU};

/// Rates of every optimizer and rule.
const RATES: [f64; 5] = [1e-3, 1e-2, 1e-1, 1.0, 10.0];

/// Seeds of every optimizer, rule and rate.
const SEEDS: u64 = 5;

/// An objective in `d` dimensions.
struct Entry {
    problem: Expression,
    d: usize,
    /// The smallest value.
    minimum: f64,
    /// A point u where it is taken, if it has a short name.
    minimizer: Option<Vec<f64>>,
}

/// Standard normals, the same every time.
fn normals(count: usize, seed: u64) -> Vec<f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| StandardNormal.sample(&mut generator)).collect()
}

/// Even numbers on [-1, 1], the same every time.
fn uniforms(count: usize, seed: u64) -> Vec<f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let between = Uniform::new(-1.0, 1.0);
    (0..count).map(|_| between.sample(&mut generator)).collect()
}

/// `count` repetitions of each of 0, 1, …, n - 1, one after the other.
fn each(n: usize, count: usize) -> Vec<usize> {
    (0..n * count).map(|place| place / count).collect()
}

/// 0, 1, …, n - 1, `count` times.
fn over(n: usize, count: usize) -> Vec<usize> {
    (0..n * count).map(|place| place % n).collect()
}

/// Atoms in space at the energies of Lennard and Jones, -1 for a pair at its best distance. Minima: Wales and Doye (1997), Global optimization by
/// basin-hopping, J. Phys. Chem. A 101, in units of four times the depth.
fn lennard_jones(atoms: usize, minimum: f64) -> Entry {
    let reach = 0.75 * (atoms as f64).cbrt();
    let problem = Expression::new(format!("lennard-jones-{atoms}"), [-reach, reach], move |u| {
        let (a, b) = u.reshape(atoms, 3).pairs();
        // Closer than 0.3 the energy goes on as it is there, so that a random start has a finite one.
        let r2 = (a - b).square().sum_axis(1).maximum(0.3);
        (r2.powi(-6) - 2.0 * r2.powi(-3)).sum()
    });
    Entry { problem, d: 3 * atoms, minimum, minimizer: None }
}

/// Charges on a sphere, by polar and azimuthal angles. Minimum: Thomson's problem, Erber and Hockney (1991), J. Phys. A 24.
fn thomson(charges: usize, minimum: f64) -> Entry {
    let bounds = [vec![[0.0, PI]; charges], vec![[0.0, TAU]; charges]].concat();
    let problem = Expression::new(format!("thomson-{charges}"), bounds, move |u| {
        let (polar, azimuth) = (u.slice(..charges as isize), u.slice(charges as isize..));
        let (p, q) = polar.pairs();
        let (a, b) = azimuth.pairs();
        let cosine = p.sin() * q.sin() * (a - b).cos() + p.cos() * q.cos();
        (2.0 - 2.0 * cosine + 1e-9).powf(-0.5).sum()
    });
    Entry { problem, d: 2 * charges, minimum, minimizer: None }
}

/// A vector from the squares of its products with known ones. Source: Candès, Li, Soltanolkotabi (2015), Phase retrieval via Wirtinger flow,
/// IEEE Trans. Inf. Theory 61.
fn phase_retrieval(d: usize, count: usize) -> Entry {
    let (matrix, truth) = (normals(count * d, 1), uniforms(d, 2));
    let rows = matrix.chunks(d);
    let data: Vec<f64> = rows.map(|row| row.iter().zip(&truth).map(|(a, x)| a * x).sum::<f64>().powi(2)).collect();
    let minimizer = truth.clone();
    let problem = Expression::new("phase-retrieval", [-1.5, 1.5], move |u| {
        let products = Array::matrix(count, d, &matrix).matmul(u);
        (products.square() - Array::vector(&data)).square().mean()
    });
    Entry { problem, d, minimum: 0.0, minimizer: Some(minimizer) }
}

/// A matrix of rank 2 from linear measurements, by its factor. Source: Bhojanapalli, Neyshabur, Srebro (2016), Global optimality of local search
/// for low rank matrix recovery, NeurIPS.
fn matrix_sensing(size: usize, count: usize) -> Entry {
    let (sensors, truth) = (normals(count * size * size, 3), uniforms(2 * size, 4));
    let quadratic = |sensor: &[f64], x: &[f64]| -> f64 {
        (0..size * size).map(|at| x[at / size] * sensor[at] * x[at % size]).sum()
    };
    let (first, second) = truth.split_at(size);
    let data: Vec<f64> = sensors.chunks(size * size).map(|s| quadratic(s, first) + quadratic(s, second)).collect();
    let minimizer = truth.clone();
    let problem = Expression::new("matrix-sensing", [-1.5, 1.5], move |u| {
        let sensors = Array::matrix(count * size, size, &sensors);
        let along = |x: Array| (sensors.matmul(x) * x.gather(&over(size, count))).reshape(count, size).sum_axis(1);
        let half = size as isize;
        (along(u.slice(..half)) + along(u.slice(half..)) - Array::vector(&data)).square().mean()
    });
    Entry { problem, d: 2 * size, minimum: 0.0, minimizer: Some(minimizer) }
}

/// A network of one hidden layer of tanh, fitted to samples of a sine: its mean squared error, which a network of these neurons generated.
fn network_fit(neurons: usize, samples: usize) -> Entry {
    let times = uniforms(samples, 5);
    let truth = uniforms(3 * neurons + 1, 6);
    let output = |t: f64, w: &[f64]| -> f64 {
        let of = |j: usize| w[2 * neurons + j] * (3.0 * w[j] * t + w[neurons + j]).tanh();
        w[3 * neurons] + (0..neurons).map(of).sum::<f64>()
    };
    let data: Vec<f64> = times.iter().map(|&t| output(t, &truth)).collect();
    let minimizer = truth.clone();
    let problem = Expression::new("network-fit", [-2.0, 2.0], move |u| {
        let part = |at: usize| u.slice((at * neurons) as isize..((at + 1) * neurons) as isize);
        let (weight, bias, out) = (part(0), part(1), part(2));
        // One element per sample and neuron.
        let (row, column) = (each(samples, neurons), over(neurons, samples));
        let time = Array::vector(&times).gather(&row);
        let hidden = (3.0 * weight.gather(&column) * time + bias.gather(&column)).tanh();
        let found = (hidden * out.gather(&column)).reshape(samples, neurons).sum_axis(1) + u.at(-1);
        (found - Array::vector(&data)).square().mean()
    });
    Entry { problem, d: 3 * neurons + 1, minimum: 0.0, minimizer: Some(minimizer) }
}

/// Rastrigin's function, shifted and turned in the manner of COCO's f15. Source: Hansen et al. (2009), Real-parameter black-box optimization
/// benchmarking, INRIA RR-6829.
fn turned_rastrigin(d: usize) -> Entry {
    let w = normals(d, 7);
    let length: f64 = w.iter().map(|w| w * w).sum();
    // I - 2 w wᵀ/|w|², a reflection.
    let matrix: Vec<f64> =
        (0..d * d).map(|at| f64::from(at / d == at % d) - 2.0 * w[at / d] * w[at % d] / length).collect();
    let shift: Vec<f64> = uniforms(d, 8).into_iter().map(|s| 4.0 * s).collect();
    let rastrigin = Function::Rastrigin.expression().expect("it is a test function");
    let problem = rastrigin.rotated(matrix).shifted(&shift[..]).named("turned-rastrigin");
    Entry { problem, d, minimum: 0.0, minimizer: Some(shift) }
}

/// Functions of the literature. Source: Surjanovic & Bingham (2013), Virtual Library of Simulation Experiments.
fn classical() -> [Entry; 4] {
    let griewank = Expression::new("griewank", [-600.0, 600.0], |u| {
        u.square().sum() / 4000.0 - (u / (u.index() + 1.0).sqrt()).cos().product() + 1.0
    });
    let zakharov = Expression::new("zakharov", [-5.0, 10.0], |u| {
        let weighted = (0.5 * (u.index() + 1.0) * u).sum();
        u.square().sum() + weighted.powi(2) + weighted.powi(4)
    });
    let dixon_price = Expression::new("dixon-price", [-10.0, 10.0], |u| {
        let step = 2.0 * u.slice(1..).square() - u.slice(..-1);
        (u.at(0) - 1.0).square() + ((u.index().slice(1..) + 1.0) * step.square()).sum()
    });
    let bukin = Expression::new("bukin-6", vec![[-15.0, -5.0], [-3.0, 3.0]], |u| {
        100.0 * (u.at(1) - 0.01 * u.at(0).square()).abs().sqrt() + 0.01 * (u.at(0) + 10.0).abs()
    });
    let at_zero = |problem, d| Entry { problem, d, minimum: 0.0, minimizer: Some(vec![0.0; d]) };
    let minimizer = (1..=10).map(|i| 2f64.powf(-(2f64.powi(i) - 2.0) / 2f64.powi(i))).collect();
    [
        at_zero(griewank, 50),
        at_zero(zakharov, 20),
        Entry { problem: dixon_price, d: 10, minimum: 0.0, minimizer: Some(minimizer) },
        Entry { problem: bukin, d: 2, minimum: 0.0, minimizer: Some(vec![-10.0, 1.0]) },
    ]
}

fn main() -> Result<(), overparam::Error> {
    let mut entries = vec![
        lennard_jones(13, -44.326_801),
        lennard_jones(38, -173.928_427),
        thomson(12, 49.165_253_058),
        phase_retrieval(20, 100),
        matrix_sensing(8, 60),
        network_fit(6, 60),
        turned_rastrigin(50),
    ];
    entries.extend(classical());
    println!("{:<18} {:>3} {:>14} {:>14} {:>14}   lower", "objective", "d", "shallow", "deep", "minimum");
    for Entry { problem, d, minimum, minimizer } in &entries {
        if let Some(u) = minimizer {
            let x: Vec<f64> = u
                .iter()
                .enumerate()
                .map(|(i, &u)| {
                    let [lo, hi] = problem.bounds().of(i).expect("every coordinate has bounds");
                    (u - lo) / (hi - lo)
                })
                .collect();
            let value = Problem::from(problem).evaluate(*d, 0, &x)?.raw[0];
            // The square root of Bukin's function turns the rounding of x into 1e-6.
            assert!((value - minimum).abs() < 1e-5, "{}: {value} at its minimizer", problem.name());
        }
        let dimensions = Dimensions { n: 20, d: *d, ..Dimensions::PAPER };
        let mut medians = Vec::new();
        for optimizer in Optimizer::ALL {
            let mut best = f64::INFINITY;
            for rule in [Rule::GradientDescent, "adam".parse()?] {
                let protocol = Protocol { dimensions, rule, ..Protocol::paper() };
                let settings = protocol.settings(problem).rule(rule).iterations(3_000);
                let (rates, seeds) = (RATES.to_vec(), (0..SEEDS).collect());
                let optimizers = vec![optimizer];
                let sweep = Sweep { problem: problem.into(), dimensions, rates, seeds, optimizers, settings };
                let runs = sweep.run::<f64>(&|_| {})?;
                for rate in RATES {
                    let at = |run: &&Run| run.settings.learning_rate.initial == rate;
                    // A run that diverged counts as far as it came.
                    best = best.min(median(&runs.iter().filter(at).map(Run::raw_best).collect::<Vec<_>>()));
                }
            }
            assert!(best >= minimum - 1e-6 * minimum.abs().max(1e-6), "{}: {best} below the minimum", problem.name());
            medians.push(best);
        }
        let [shallow, deep] = medians[..] else { unreachable!("there are two optimizers") };
        let scale = (shallow - minimum).max(deep - minimum);
        let lower = match (shallow - deep) / scale {
            difference if difference.abs() < 0.01 || scale < 1e-9 => "even",
            difference if difference > 0.0 => "deep",
            _ => "shallow",
        };
        println!("{:<18} {d:>3} {shallow:>14.6e} {deep:>14.6e} {minimum:>14.6e}   {lower}", problem.name());
    }
    Ok(())
}
