//! A run under way is an iterator: a schedule of your own, an end of your own, and a look at the points in between.

use overparam::prelude::*;

fn main() -> Result<(), overparam::Error> {
    let protocol = Protocol::paper();
    let mut settings = protocol.settings(Function::Levy).iterations(5_000);
    settings.learning_rate.schedule = Schedule::Constant;
    let mut descent = protocol.start(Function::Levy, Optimizer::Deep, 0, &settings)?;
    let (mut last_best, mut idle) = (f64::INFINITY, 0);
    while let Some(sample) = descent.next() {
        // The step size falls as 1/√t from 10.
        descent.set_step_size(10.0 / (1.0 + sample.iteration as f64).sqrt());
        // The run ends after 200 iterations without a relative improvement of 0.1 %.
        idle = if sample.best < 0.999 * last_best { 0 } else { idle + 1 };
        last_best = last_best.min(sample.best);
        if idle == 200 {
            break;
        }
        if sample.iteration % 500 == 0 {
            let state = descent.state();
            println!("{:>5}: best {:.4e}, gradient {:.1e}", sample.iteration, sample.best, state.gradient_norm);
            assert_eq!(state.points.len(), 50 * 50);
        }
    }
    let run = descent.finish();
    println!("{run}");
    assert!(run.iterations < 5_000 && run.best < 0.1 * run.samples[0].min, "{run}");
    // The same without a loop: built-in ends.
    let tolerance = Some(Tolerance { change: 1e-4, iterations: 200 });
    let run = protocol.run(Function::Levy, Optimizer::Deep, 0, &Settings { tolerance, ..settings })?;
    assert_eq!(run.outcome, Outcome::Converged);
    Ok(())
}
