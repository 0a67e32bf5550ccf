//! An update rule of your own: Lion, which steps by the sign of a momentum, on the coordinates themselves.
//!
//! Reference: Chen et al. (2023), Symbolic discovery of optimization algorithms, algorithm 2, without weight decay.

use overparam::prelude::*;

fn main() -> Result<(), overparam::Error> {
    let (d, function) = (50, Function::StyblinskiTang);
    // The start of the paper's runs: y of every embedding, of which the logistic sigmoid makes x.
    let start = Dimensions::PAPER.start(Optimizer::Shallow, 0, &Settings::default());
    let mut x: Vec<f64> = start.iter().map(|y| 1.0 / (1.0 + (-y).exp())).collect();
    let (mut momentum, mut best, mut first) = (vec![0.0; x.len()], f64::INFINITY, None);
    for t in 0..300 {
        // F and its gradient at all points, by the functions' own kernels.
        let found = function.evaluate(d, 0, &x)?;
        let least = found.scaled.iter().copied().fold(f64::INFINITY, f64::min);
        (best, first) = (best.min(least), first.or(Some(least)));
        let rate = 0.01 * (1.0 - f64::from(t) / 300.0);
        for ((x, m), slope) in x.iter_mut().zip(&mut momentum).zip(&found.gradient) {
            *x = (*x - rate * (0.9 * *m + 0.1 * slope).signum()).clamp(0.0, 1.0);
            *m = 0.99 * *m + 0.01 * slope;
        }
    }
    // The same function by a rule that comes with the crate.
    let protocol = Protocol::paper();
    let settings = protocol.settings(function).rule("adam".parse()?).learning_rate(0.1).iterations(300);
    let adam = protocol.run(function, Optimizer::Shallow, 0, &settings)?;
    println!("start {:.4}, Lion {best:.4}, Adam {:.4}", first.unwrap_or(f64::NAN), adam.best);
    assert_eq!(first.map(|first| (first - adam.samples[0].min).abs() < 1e-14), Some(true), "the start is another one");
    assert!(best < 0.5 * first.unwrap_or(f64::NAN), "{best}");
    Ok(())
}
