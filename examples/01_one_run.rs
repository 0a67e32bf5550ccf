//! One run of each optimizer on Rastrigin's function, from the same start.
//!
//!     cargo run --release --example 01_one_run

use overparam::prelude::*;

fn main() -> Result<(), overparam::Error> {
    let protocol = Protocol::paper();
    let settings = protocol.settings(Function::Rastrigin).learning_rate(1.0).iterations(1_000);
    let shallow = protocol.run(Function::Rastrigin, Optimizer::Shallow, 1, &settings)?;
    let deep = protocol.run(Function::Rastrigin, Optimizer::Deep, 1, &settings)?;
    // F is scaled to [0, 1]: 0 is the global minimum. A run prints as a line, and its trace is a DataFrame.
    println!("{shallow}\n{deep}\n{}", deep.trace()?);
    assert_eq!(shallow.samples[0].min, deep.samples[0].min, "both start at the same points");
    for run in [shallow, deep] {
        // The best point of the run has its best objective.
        let value = Function::Rastrigin.evaluate(50, 0, &run.x)?.scaled[0];
        assert!((value - run.best).abs() < 1e-12 && run.best < run.samples[0].min, "{run}");
    }
    Ok(())
}
