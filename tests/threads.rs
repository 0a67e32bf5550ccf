//! A run has the same bits on any number of threads.

use overparam::prelude::*;
use overparam::use_threads_per_run;

/// Everything that a run found, bit by bit.
fn bits(protocol: &Protocol, function: Function, optimizer: Optimizer) -> Vec<u64> {
    let settings = protocol.settings(function).learning_rate(0.5).iterations(6);
    let run = protocol.run(function, optimizer, 3, &settings).unwrap();
    let samples = run.samples.iter().flat_map(|sample| [sample.min, sample.mean, sample.best]);
    samples.chain([run.best]).chain(run.x.iter().copied()).map(f64::to_bits).collect()
}

#[test]
fn runs_are_the_same_bits_on_any_number_of_threads() {
    let shape = |n, hidden, layers, d| Dimensions { n, k: hidden, widths: Widths::same(hidden, layers).unwrap(), d };
    let cases = [
        // Many points: parts of the panels.
        (Function::Rastrigin, Optimizer::Shallow, shape(2_100, 10, 1, 7)),
        (Function::Levy, Optimizer::Deep, shape(2_100, 10, 2, 7)),
        // Wide layers: rows of the products.
        (Function::Sphere, Optimizer::Deep, shape(50, 300, 2, 10)),
        // Many couplings, and several panels of them.
        (Function::SpinGlass, Optimizer::Shallow, shape(50, 10, 1, 110)),
        (Function::SpinGlass, Optimizer::Deep, shape(600, 10, 1, 90)),
    ];
    for (function, optimizer, dimensions) in cases {
        for dtype in [Dtype::F32, Dtype::F64] {
            let protocol = Protocol { dimensions, dtype, ..Protocol::paper() };
            let found = [1, 2, 3, 4, 7].map(|threads| {
                use_threads_per_run(threads).unwrap();
                bits(&protocol, function, optimizer)
            });
            assert!(found[0].iter().any(|&bits| bits != found[0][0]), "{function}, {optimizer}: nothing moves");
            for (bits, threads) in found.iter().zip([1, 2, 3, 4, 7]) {
                assert!(*bits == found[0], "{function}, {optimizer}, {dtype:?}, {dimensions}: {threads} threads");
            }
        }
    }
    for threads in [0, 1025] {
        let error = use_threads_per_run(threads).unwrap_err().to_string();
        assert!(error.contains("from 1 to 1024") && error.contains(&threads.to_string()), "{error}");
    }
}
