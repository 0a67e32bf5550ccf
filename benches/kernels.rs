//! The kernels alone: value and gradient of every function at n = 50 points of 50 dimensions, and iterations of both
//! optimizers with all that a run does around them.
//!
//!     cargo bench --package overparam-bench --bench kernels   # or with a part of a name, such as -- rastrigin/f32

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use overparam::Element;
use overparam::dfdx::prelude::Device;
use overparam::prelude::*;
use std::hint::black_box;
use std::time::Duration;

const N: usize = 50;
const D: usize = 50;

/// Iterations of a run that is timed as one: enough that its start does not count.
const ITERATIONS: u64 = 1_000;

/// Points that fill the cube evenly.
fn points<R: Element>() -> Vec<R> {
    let golden = 0.618_033_988_749_894_9;
    (1..=N * D).map(|i| R::of((i as f64 * golden).fract())).collect()
}

fn evaluate<R: Element>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluate");
    group.throughput(Throughput::Elements((N * D) as u64));
    let x = points::<R>();
    for function in Function::ALL {
        let objective = function.objective::<D, R>(0);
        group.bench_function(BenchmarkId::new(function.name(), R::NAME), |bencher| {
            bencher.iter(|| objective.evaluate(black_box(&x)).expect("the points have D coordinates"));
        });
    }
}

fn descend<R: Element>(criterion: &mut Criterion)
where
    Cpu: Device<R>,
{
    let mut group = criterion.benchmark_group("descend");
    group.throughput(Throughput::Elements(ITERATIONS));
    let settings = Settings::default().learning_rate(0.01).iterations(ITERATIONS);
    for function in Function::ALL {
        if function == Function::SpinGlass {
            // Its iterations are all evaluation, which is timed above.
            continue;
        }
        let objective = function.objective::<D, R>(0);
        for optimizer in Optimizer::ALL {
            group.bench_function(BenchmarkId::new(format!("{function}/{optimizer}"), R::NAME), |bencher| {
                bencher.iter(|| PaperShape::run(&objective, optimizer, 0, &settings).expect("the settings are valid"));
            });
        }
    }
}

criterion_group! {
    name = kernels;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    targets = evaluate::<f32>, evaluate::<f64>, descend::<f32>, descend::<f64>
}
criterion_main!(kernels);
