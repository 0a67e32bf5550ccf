//! An objective of your own, as a closure over dfdx operations. Its shape is part of its type: one that does not fit does not compile.

use overparam::prelude::*;

/// 20 points of 3 dimensions; 8 inputs, one hidden layer of 8 neurons.
type Small = Shape<20, 8, 8, 1, 3>;

fn main() -> Result<(), overparam::Error> {
    // From points x in the unit cube, n×d, to a value for each; the gradient comes from the tape. Rastrigin's function around 0.3.
    let waves = |x: Taped<20, 3, f64>| -> TapedValues<20, f64> {
        let u = (x - 0.3) * 10.0;
        let wave = (u.with_empty_tape() * std::f64::consts::TAU).cos();
        (u.square() - wave * 10.0 + 10.0).sum::<_, Axis<1>>()
    };
    let settings = Settings::default().learning_rate(0.001).iterations(2_000);
    for optimizer in Optimizer::ALL {
        let run = Small::run(&waves, optimizer, 0, &settings)?;
        println!("{run}\n  at {:.4?}", run.x);
        assert!(run.best < run.samples[0].min && run.x.iter().all(|x| (0.0..=1.0).contains(x)), "{run}");
    }
    Ok(())
}
