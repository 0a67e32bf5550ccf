//! Any number of points, dimensions and inputs, hidden layers of any widths; single and double precision.

use overparam::prelude::*;

fn main() -> Result<(), overparam::Error> {
    // 8 points of 200 dimensions, inputs of 5 dimensions, hidden layers of 20 and of 10 neurons.
    let dimensions = Dimensions { n: 8, d: 200, k: 5, widths: Widths::of(&[20, 10]) };
    let protocol = Protocol { dimensions, dtype: Dtype::F32, ..Protocol::paper() };
    let settings = protocol.settings(Function::Levy).learning_rate(0.1).iterations(500);
    let run = protocol.run(Function::Levy, Optimizer::Deep, 0, &settings)?;
    println!("{run}: {} parameters", dimensions.parameters(Optimizer::Deep));
    assert_eq!((run.x.len(), run.dtype), (200, "f32"));
    assert_eq!(dimensions.parameters(Optimizer::Deep), 8 * 5 + (5 * 20 + 20) + (20 * 10 + 10) + (10 * 200 + 200));
    assert!(run.best < run.samples[0].min);

    // The paper's smallest chain: no hidden layer, so that the network is linear.
    let linear =
        Protocol { dimensions: Dimensions { widths: Widths::of(&[]), ..Dimensions::PAPER }, ..Protocol::paper() };
    let run = linear.run(Function::Sphere, Optimizer::Deep, 0, &linear.settings(Function::Sphere).iterations(500))?;
    println!("{run}: linear");
    assert!(run.best < 1e-3, "{run}");
    Ok(())
}
