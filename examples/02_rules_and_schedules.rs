//! Another update rule, another schedule of the step size, another activation.

use overparam::prelude::*;

fn main() -> Result<(), overparam::Error> {
    let protocol = Protocol::paper();
    let paper = protocol.settings(Function::Rosenbrock).iterations(2_000);
    let adam: Rule = "adam".parse()?;
    let cosine: Schedule = "cosine".parse()?;
    // A rule brings its own default schedule, so the schedule is set after it.
    let mut adam = paper.rule(adam).learning_rate(0.01);
    adam.learning_rate.schedule = cosine;
    let tanh = Settings { activation: Activation::Tanh, ..adam };
    // The step sizes of L-BFGS come from its line search.
    let lbfgs = paper.rule(Rule::Lbfgs { history: 10 });
    for (name, settings) in [("paper", paper), ("Adam, cosine", adam), ("Adam, cosine, tanh", tanh), ("L-BFGS", lbfgs)]
    {
        let run = protocol.run(Function::Rosenbrock, Optimizer::Deep, 0, &settings)?;
        let last = run.samples.last().expect("a run has samples");
        println!("{name:<20} best {:.2e}, last step size {:.2e}", run.best, last.step_size);
        assert!(run.best < 0.1 * run.samples[0].min, "{name}: {run}");
        if settings.learning_rate.schedule == cosine {
            assert!(last.step_size < 1e-6, "the cosine ends near 0: {}", last.step_size);
        }
    }
    Ok(())
}
