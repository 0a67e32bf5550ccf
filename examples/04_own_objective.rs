//! An objective of your own, once as an array expression and once as a closure over dfdx operations.

use overparam::prelude::*;

fn main() -> Result<(), overparam::Error> {
    // f(u) = Σ |u sin u + 0.1 u| on [-10, 10]^d, in any number of dimensions, at the speed of the functions that come with the crate.
    let alpine = Expression::new("alpine", [-10.0, 10.0], |u| (u * u.sin() + 0.1 * u).abs().sum()).minimum(0.0);
    let dimensions = Dimensions { n: 20, k: 8, widths: Widths::of(&[8]), d: 30 };
    let protocol = Protocol { dimensions, ..Protocol::paper() };
    // Without a range, F is f itself; so the learning rate is that of f.
    let settings = protocol.settings(&alpine).learning_rate(0.01).iterations(500);
    let run = protocol.run(&alpine, Optimizer::Deep, 0, &settings)?;
    println!("{run}");
    assert!(run.best < 0.5 * run.samples[0].min, "{run}");

    // A closure has its shape in its type: one that does not fit does not compile. It is given x in the unit cube, n×d, and returns n values;
    // dfdx's tape finds the gradient.
    let taped = |x: Taped<20, 30, f64>| -> TapedValues<20, f64> {
        let u = x * 20.0 - 10.0;
        let wave = u.with_empty_tape().sin();
        (u.with_empty_tape() * wave + u * 0.1).abs().sum::<_, Axis<1>>()
    };
    let again = Shape::<20, 8, 8, 1, 30>::run(&taped, Optimizer::Deep, 0, &settings.iterations(20))?;
    let same = run
        .samples
        .iter()
        .zip(&again.samples)
        .take(10)
        .all(|(one, other)| (one.mean - other.mean).abs() < 1e-9 * one.mean);
    println!("{again}");
    assert!(same, "both are the same objective");
    Ok(())
}
