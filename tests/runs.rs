//! A run under way, its ends, and what it leaves behind.

use overparam::prelude::*;

const DIMENSIONS: Dimensions = Dimensions { n: 9, k: 4, widths: Widths::of(&[6, 6]), d: 7 };
type Small = Shape<9, 4, 6, 2, 7>;

fn protocol() -> Protocol {
    Protocol { dimensions: DIMENSIONS, ..Protocol::paper() }
}

/// All of a run's samples but their times.
fn samples(run: &Run) -> Vec<(u64, [f64; 4])> {
    run.samples.iter().map(|s| (s.iteration, [s.min, s.mean, s.best, s.step_size])).collect()
}

#[test]
fn an_iterator_takes_the_iterations_of_a_run() {
    let protocol = protocol();
    for (function, optimizer) in
        [Function::Levy, Function::Rastrigin].into_iter().flat_map(|f| Optimizer::ALL.map(|o| (f, o)))
    {
        let settings = protocol.settings(function).iterations(300);
        let whole = protocol.run(function, optimizer, 3, &settings).unwrap();
        let mut descent = protocol.start(function, optimizer, 3, &settings).unwrap();
        assert_eq!((descent.iterations(), descent.best()), (0, f64::INFINITY));
        let mut seen = Vec::new();
        for sample in descent.by_ref() {
            assert!(sample.seconds.is_finite());
            seen.push((sample.iteration, [sample.min, sample.mean, sample.best, sample.step_size]));
        }
        assert!(descent.ended() && descent.next().is_none());
        // Where a run settles, the iterations after that are extrapolated.
        assert_eq!(seen.len() as u64, whole.settled_at.map_or(300, |settled| settled + 1));
        assert_eq!((descent.best(), descent.best_point()), (whole.best, whole.x.clone()));
        let run = descent.finish();
        assert_eq!((samples(&run), run.outcome, &run.end), (samples(&whole), Outcome::Finished, &whole.end));
        let kept: Vec<_> =
            seen.into_iter().filter(|(at, _)| whole.samples.iter().any(|s| s.iteration == *at)).collect();
        assert_eq!(kept[..], samples(&whole)[..kept.len()]);
    }
}

#[test]
fn a_run_can_be_stopped_and_steered() {
    let protocol = protocol();
    let settings = Settings { thinned: false, ..protocol.settings(Function::Sphere).iterations(1_000) };
    let mut descent = protocol.start(Function::Sphere, Optimizer::Shallow, 0, &settings).unwrap();
    for _ in 0..10 {
        descent.next();
    }
    descent.set_step_size(0.125).unwrap();
    assert_eq!(descent.next().map(|sample| sample.step_size), Some(0.125));
    assert_eq!(descent.values().len(), 9);
    let run = descent.finish();
    assert_eq!((run.outcome, run.iterations, run.samples.len()), (Outcome::Stopped, 11, 11));
    // A schedule of one's own is the constant one where it always says the same.
    let constant = Settings { learning_rate: LearningRate { initial: 0.25, schedule: Schedule::Constant }, ..settings };
    let expected = protocol.run(Function::Sphere, Optimizer::Deep, 0, &constant.iterations(50)).unwrap();
    let mut descent = protocol.start(Function::Sphere, Optimizer::Deep, 0, &settings.iterations(50)).unwrap();
    loop {
        descent.set_step_size(0.25).unwrap();
        if descent.next().is_none() {
            break;
        }
    }
    assert_eq!(samples(&descent.finish()), samples(&expected));
}

#[test]
fn a_run_that_is_left_early_has_its_last_iteration() {
    let protocol = protocol();
    for iterations in [1, 50, 777] {
        // Its trace is thinned, so that most iterations are not recorded.
        let settings = protocol.settings(Function::Levy).iterations(10_000);
        let mut descent = protocol.start(Function::Levy, Optimizer::Deep, 0, &settings).unwrap();
        let last = descent.by_ref().take(iterations).last().unwrap();
        let run = descent.finish();
        assert_eq!((run.iterations, run.outcome), (iterations as u64, Outcome::Stopped));
        assert_eq!(run.samples.last(), Some(&last));
        assert_eq!((run.seconds, run.best), (last.seconds, last.best));
    }
}

#[test]
fn a_steered_run_does_not_settle() {
    let protocol = protocol();
    let settings = protocol.settings(Function::Sphere).iterations(1_000);
    let mut descent = protocol.start(Function::Sphere, Optimizer::Deep, 0, &settings).unwrap();
    let (mut count, mut first) = (0, f64::NAN);
    while let Some(sample) = {
        // Nothing moves for a while; then it does.
        descent.set_step_size(if count < 400 { 0.0 } else { 1.0 }).unwrap();
        descent.next()
    } {
        if count == 0 {
            first = sample.mean;
        }
        count += 1;
    }
    let run = descent.finish();
    assert_eq!((count, run.iterations, run.settled_at), (1_000, 1_000, None));
    assert!(run.samples.last().unwrap().mean < 0.5 * first);
    let mut descent = protocol.start(Function::Sphere, Optimizer::Deep, 0, &settings).unwrap();
    for step_size in [-1.0, f64::NAN, f64::INFINITY] {
        let error = descent.set_step_size(step_size).unwrap_err().to_string();
        assert!(error.contains("the step size") && error.contains(&step_size.to_string()), "{error}");
    }
}

#[test]
fn the_end_is_the_state_after_the_last_step() {
    let protocol = protocol();
    for (optimizer, residual) in [(Optimizer::Shallow, false), (Optimizer::Deep, false), (Optimizer::Deep, true)] {
        for rule in [Rule::GradientDescent, Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8 }] {
            let settings = Settings { residual, ..protocol.settings(Function::Levy).rule(rule).learning_rate(0.1) };
            let run =
                |iterations| protocol.run(Function::Levy, optimizer, 1, &settings.iterations(iterations)).unwrap();
            let end = run(40).end.unwrap();
            // The next iteration evaluates the points that this one ends with.
            let next = run(41);
            let last = next.samples.last().unwrap();
            let mean = end.values.iter().sum::<f64>() / 9.0;
            assert!((mean - last.mean).abs() <= 1e-14 * last.mean, "{optimizer} {rule}: {mean}, then {}", last.mean);
            let found = Function::Levy.evaluate(7, 0, &end.points).unwrap();
            for (value, again) in end.values.iter().zip(&found.scaled) {
                assert!((value - again).abs() < 1e-13);
            }
            assert_eq!(end.parameters.len(), DIMENSIONS.parameters(optimizer));
            // The norm predicts how much a small step of gradient descent lowers the mean.
            if rule == Rule::GradientDescent {
                let step = 1e-7 / end.gradient_norm.powi(2);
                let mut descent = protocol.start(Function::Levy, optimizer, 1, &settings.iterations(42)).unwrap();
                assert_eq!(descent.by_ref().take(40).count(), 40);
                descent.set_step_size(step).unwrap();
                let before = descent.next().unwrap().mean;
                let after = descent.next().unwrap().mean;
                let lowered = (before - after) / 1e-7;
                assert!((lowered - 1.0).abs() < 1e-3, "{optimizer}, residual {residual}: {lowered}");
            }
        }
    }
    // The start of a run is the state before its first iteration.
    for optimizer in Optimizer::ALL {
        let settings = protocol.settings(Function::Levy);
        let state = protocol.start(Function::Levy, optimizer, 5, &settings).unwrap().state();
        let start = DIMENSIONS.start(optimizer, 5, &settings);
        for (found, start) in state.parameters.iter().zip(&start) {
            assert!((found - start).abs() < 1e-14, "{optimizer}: {found}, not {start}");
        }
    }
}

#[test]
fn runs_end_at_a_target_and_by_a_tolerance() {
    let protocol = protocol();
    for optimizer in Optimizer::ALL {
        let settings = protocol.settings(Function::Levy).iterations(40);
        let whole = protocol.run(Function::Levy, optimizer, 0, &settings).unwrap();
        let target = whole.samples[20].best;
        let first = whole.samples.iter().position(|sample| sample.best <= target).unwrap();
        let settings = Settings { target: Some(target), ..settings };
        let run = protocol.run(Function::Levy, optimizer, 0, &settings).unwrap();
        assert_eq!((run.outcome, run.best, run.iterations), (Outcome::Reached, target, first as u64 + 1));
        assert_eq!(samples(&run), samples(&whole)[..=first]);

        let tolerance = Some(Tolerance { change: 0.0, iterations: 200 });
        let settings = Settings { tolerance, thinned: false, ..protocol.settings(Function::Rastrigin) };
        let run = protocol.run(Function::Rastrigin, optimizer, 0, &settings).unwrap();
        assert_eq!(run.outcome, Outcome::Converged, "{run}");
        let improved = run.samples.iter().find(|sample| sample.best == run.best).unwrap().iteration;
        assert_eq!(run.iterations, improved + 201);
    }
    let refused =
        |settings: Settings| protocol.run(Function::Levy, Optimizer::Deep, 0, &settings).unwrap_err().to_string();
    let settings = protocol.settings(Function::Levy);
    assert!(refused(Settings { target: Some(f64::NAN), ..settings }).contains("target"));
    let tolerance = Some(Tolerance { change: -1.0, iterations: 5 });
    assert!(refused(Settings { tolerance, ..settings }).contains("tolerance"));
    let tolerance = Some(Tolerance { change: 1.0, iterations: 0 });
    assert!(refused(Settings { tolerance, ..settings }).contains("1 or more"));
}

#[test]
fn a_saved_run_comes_back_to_the_bit() {
    let protocol = protocol();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.parquet");
    for optimizer in Optimizer::ALL {
        let settings = Settings { target: Some(1e-3), ..protocol.settings(Function::SpinGlass).iterations(70) };
        let run = protocol.run(Function::SpinGlass, optimizer, 2, &settings).unwrap();
        run.save(&path).unwrap();
        assert_eq!(format!("{:?}", Run::load(&path).unwrap()), format!("{run:?}"));
    }
    trace::write(
        &Function::Sphere
            .describe(2)
            .minimizer
            .map(|_| protocol.compare(Function::Sphere, &|_, _| {}).unwrap().summary().unwrap())
            .unwrap(),
        &path,
        "null",
    )
    .unwrap();
    assert!(Run::load(&path).unwrap_err().to_string().contains("Run::save"));
    assert!(Run::load(folder.path().join("none.parquet")).is_err());
}

/// A file whose columns do not fit together is refused, not made up.
#[test]
fn a_saved_run_that_was_changed_is_refused() {
    let protocol = protocol();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.parquet");
    let settings = protocol.settings(Function::Sphere).iterations(30);
    protocol.run(Function::Sphere, Optimizer::Deep, 0, &settings).unwrap().save(&path).unwrap();
    let table = trace::read(&path).unwrap();
    for (column, change) in [
        ("sample_mean", "0.5 0.25"),
        ("sample_mean", "a b c"),
        ("x", "0.5"),
        ("end_parameters", "1 2 3"),
        ("device", "abacus"),
        ("settings", "{}"),
    ] {
        let mut changed = table.clone();
        changed.with_column(overparam::polars::prelude::Column::new(column.into(), [change])).unwrap();
        trace::write(&changed, &path, "null").unwrap();
        let error = Run::load(&path).unwrap_err().to_string();
        assert!(error.contains("`Run::save`"), "{column}: {error}");
    }
    // One from a GPU comes back.
    let mut changed = table.clone();
    changed.with_column(overparam::polars::prelude::Column::new("device".into(), ["cuda"])).unwrap();
    trace::write(&changed, &path, "null").unwrap();
    assert_eq!(Run::load(&path).unwrap().device, "cuda");
}

#[test]
fn the_network_of_a_run_is_a_dfdx_module() {
    let objective = Function::Levy.objective::<7, f64>(0);
    let settings = Settings::default().iterations(60);
    let run = Small::run(&objective, Optimizer::Deep, 4, &settings).unwrap();
    let cpu = Cpu::default();
    let network = Small::network::<f64, Cpu>(&cpu, &run).unwrap();
    let y = network.compose(network.alloc_grads()).unwrap();
    let end = run.end.as_ref().unwrap();
    for (y, x) in y.as_vec().into_iter().zip(&end.points) {
        let expected = 1.0 / (1.0 + (-y).exp());
        assert!((x - expected).abs() < 1e-14, "{x}, not {expected}");
    }
    // Through safetensors and back.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    network.save_safetensors(&path).unwrap();
    let mut loaded =
        Small::network::<f64, Cpu>(&cpu, &Small::run(&objective, Optimizer::Deep, 5, &settings).unwrap()).unwrap();
    assert_ne!(loaded.embeddings.as_vec(), network.embeddings.as_vec());
    loaded.load_safetensors(&path).unwrap();
    assert_eq!(loaded.embeddings.as_vec(), network.embeddings.as_vec());
    assert_eq!(loaded.hidden[0].weight.as_vec(), network.hidden[0].weight.as_vec());
    assert_eq!(loaded.output.bias.as_vec(), network.output.bias.as_vec());
    let shallow = Small::run(&objective, Optimizer::Shallow, 4, &settings).unwrap();
    let error = Small::network::<f64, Cpu>(&cpu, &shallow).unwrap_err().to_string();
    assert!(error.contains("deep optimizer in this shape") && error.contains("shallow"), "{error}");
    assert!(Shape::<9, 4, 6, 1, 7>::network::<f64, Cpu>(&cpu, &run).is_err());
}

#[test]
fn closures_run_with_every_rule_and_network() {
    // Levy's function, once as dfdx operations and once as the kernel.
    let kernel = Function::Levy.objective::<7, f64>(0);
    let composed = kernel.composed();
    let closure = |x: Taped<9, 7, f64>| Objective::<9, 7, f64>::values(&composed, x);
    for optimizer in Optimizer::ALL {
        for rule in Rule::ALL {
            let networks = if optimizer == Optimizer::Deep { 3 } else { 1 };
            for network in 0..networks {
                let settings = Settings {
                    residual: network == 1,
                    frozen_embeddings: network == 2,
                    activation: if network == 2 { Activation::Tanh } else { Activation::Relu },
                    ..Settings::default().rule(rule).learning_rate(0.01).iterations(30)
                };
                let expected = Small::run(&kernel, optimizer, 2, &settings).unwrap();
                let found = Small::run(&closure, optimizer, 2, &settings).unwrap();
                for (found, expected) in found.samples.iter().zip(&expected.samples) {
                    let error = (found.mean - expected.mean).abs();
                    // Rules that divide by the size of a slope enlarge its rounding.
                    let divides = matches!(rule, Rule::RmsProp { .. } | Rule::Adam { .. } | Rule::AdamW { .. });
                    let floor = if divides { 1e-11 } else { 1e-12 };
                    assert!(error <= 1e-11 * expected.mean + floor, "{optimizer} {rule} {network}: {error}");
                }
                assert_eq!(found.samples.len(), expected.samples.len());
            }
        }
    }
}

#[test]
fn a_closure_sees_all_its_points_at_once() {
    // More points than a panel of a kernel holds, and an objective that couples them.
    let spread = |x: Taped<150, 3, f64>| -> TapedValues<150, f64> {
        let mean: Tensor<Rank1<3>, f64, Cpu, _> = x.with_empty_tape().mean();
        (x - mean.broadcast::<Rank2<150, 3>, _>()).square().sum::<_, Axis<1>>()
    };
    for optimizer in Optimizer::ALL {
        let settings = Settings::default().learning_rate(0.5).iterations(20);
        let run = Shape::<150, 4, 4, 1, 3>::run(&spread, optimizer, 0, &settings).unwrap();
        let end = run.end.unwrap();
        let mean: Vec<f64> = (0..3).map(|i| end.points.iter().skip(i).step_by(3).sum::<f64>() / 150.0).collect();
        for (x, value) in end.points.chunks(3).zip(&end.values) {
            let expected: f64 = x.iter().zip(&mean).map(|(x, mean)| (x - mean).powi(2)).sum();
            assert!((value - expected).abs() < 1e-14);
        }
        assert!(run.samples.last().unwrap().mean < run.samples[0].mean);
    }
}
