//! Every learning rate with every seed, by both optimizers, on all cores; the rates ranked.

use overparam::prelude::*;
use overparam::trace;

fn main() -> Result<(), overparam::Error> {
    let protocol = Protocol { rates: vec![10.0, 1.0, 0.1, 0.01], seeds: 3, iterations: 1_000, ..Protocol::paper() };
    let sweep = protocol.sweep(Function::StyblinskiTang);
    let runs = sweep.run::<f64>(&|run| eprintln!("{run}"))?;
    assert_eq!(runs.len(), 4 * 3 * 2);
    for optimizer in Optimizer::ALL {
        let ranked = Candidate::rank(&runs, optimizer);
        for candidate in &ranked {
            println!("{optimizer}: rate {:<5} best {:.4}", candidate.rate, candidate.minimum);
        }
        // The best rate first. It has the lowest minimum of all seeds.
        let lowest = runs.iter().filter(|run| run.optimizer == optimizer).map(|run| run.best).fold(1.0, f64::min);
        assert_eq!(ranked[0].minimum, lowest);
    }
    // One row per run, for Polars, Parquet and figures.
    let summary = trace::summary(runs.iter().map(|run| ("sweep", run)))?;
    println!("{summary}");
    assert_eq!(summary.height(), runs.len());
    Ok(())
}
