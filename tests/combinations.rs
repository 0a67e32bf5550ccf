//! Every update rule with every parametrization, as a user has them: from Rust and on the command line.

use overparam::prelude::*;
use overparam::trace;
use std::process::Command;

const DIMENSIONS: Dimensions = Dimensions { n: 9, k: 4, widths: Widths::of(&[6, 6]), d: 7 };

fn run(optimizer: Optimizer, widths: &'static [usize], settings: Settings) -> Run {
    let dimensions = Dimensions { widths: Widths::of(widths), ..DIMENSIONS };
    let protocol = Protocol { dimensions, ..Protocol::paper() };
    protocol.run(Function::StyblinskiTang, optimizer, 3, &settings).unwrap()
}

/// A rate at which each rule descends on a function of this size.
fn rate(rule: Rule) -> f64 {
    match rule {
        Rule::RmsProp { .. } | Rule::Adam { .. } | Rule::AdamW { .. } => 0.05,
        _ => 1.0,
    }
}

#[test]
fn every_rule_descends_in_every_parametrization() {
    for rule in Rule::ALL {
        let settings = Settings::default().rule(rule).learning_rate(rate(rule)).iterations(300);
        let mut runs = vec![("shallow".to_owned(), run(Optimizer::Shallow, &[6], settings))];
        for activation in Activation::ALL {
            for (residual, frozen_embeddings, widths) in [
                (false, false, &[6, 6][..]),
                (false, false, &[2, 9, 4]),
                (true, false, &[6, 3]),
                (false, true, &[6]),
                (true, true, &[3, 6]),
                (false, false, &[]),
            ] {
                let settings = Settings { activation, residual, frozen_embeddings, ..settings };
                let name = format!("{activation}, residual {residual}, frozen {frozen_embeddings}, widths {widths:?}");
                runs.push((name, run(Optimizer::Deep, widths, settings)));
            }
        }
        for (name, run) in runs {
            let means: Vec<f64> = run.samples.iter().map(|sample| sample.mean).collect();
            let lowest = means.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(run.outcome, Outcome::Finished, "{rule}, {name}: {run}");
            assert!(lowest < 0.9 * means[0], "{rule}, {name}: from {} to {lowest}", means[0]);
            assert!(run.best <= lowest && run.best >= 0.0, "{rule}, {name}: {run}");
        }
    }
}

#[test]
fn a_residual_network_starts_at_the_shallow_start_and_differs_later() {
    let settings = Settings { residual: true, ..Settings::default().iterations(50) };
    for rule in Rule::ALL {
        let settings = settings.rule(rule).learning_rate(rate(rule));
        let [shallow, deep] = Optimizer::ALL.map(|optimizer| run(optimizer, &[6], settings));
        let first = |run: &Run| [run.samples[0].min, run.samples[0].mean];
        assert_eq!(first(&shallow), first(&deep), "{rule}");
        assert_ne!(shallow.samples[40].mean, deep.samples[40].mean, "{rule}");
    }
}

#[test]
fn a_residual_network_starts_at_the_shallow_optimizer_s_own_start() {
    let settings = Settings {
        residual: true,
        shallow_start: ShallowStart::Own,
        squash: Squash::ScaledTanh,
        ..Settings::default()
    };
    let [shallow, deep] = Optimizer::ALL.map(|optimizer| run(optimizer, &[6, 3], settings.iterations(2)));
    assert_eq!(shallow.samples[0].mean, deep.samples[0].mean);
    // The parameters that it starts from are those that are said to be.
    let dimensions = Dimensions { widths: Widths::of(&[6, 3]), ..DIMENSIONS };
    let start = dimensions.start(Optimizer::Deep, 3, &settings);
    assert!(start[start.len() - (3 + 1) * dimensions.d..].iter().all(|&weight| weight == 0.0));
}

/// The mean over the points of a run on the sphere, F = Σ (2x - 1)² / d, by formula: `parameters` are z, then weight and bias of every
/// layer.
fn mean(dimensions: Dimensions, activation: Activation, parameters: &[f64]) -> f64 {
    let Dimensions { n, k, widths, d } = dimensions;
    let (embeddings, weights) = parameters.split_at(n * k);
    let sizes: Vec<usize> = [&[k], widths.as_slice(), &[d]].concat();
    let activate = |s: f64| match activation {
        Activation::Tanh => s.tanh(),
        _ => s.max(0.0),
    };
    let value = |z: &[f64]| -> f64 {
        let (mut y, mut rest) = (z.to_vec(), weights);
        for (layer, pair) in sizes.windows(2).enumerate() {
            if layer > 0 {
                y.iter_mut().for_each(|y| *y = activate(*y));
            }
            let (weight, after) = rest.split_at(pair[0] * pair[1]);
            let (bias, after) = after.split_at(pair[1]);
            let rows = weight.chunks_exact(pair[0]).zip(bias);
            y = rows.map(|(row, bias)| row.iter().zip(&y).map(|(w, y)| w * y).sum::<f64>() + bias).collect();
            rest = after;
        }
        assert!(rest.is_empty());
        y.iter().map(|y| (2.0 / (1.0 + (-y).exp()) - 1.0).powi(2)).sum::<f64>() / d as f64
    };
    embeddings.chunks_exact(k).map(value).sum::<f64>() / n as f64
}

/// Layers of any widths descend along the gradient, which is found here by differences of the formula.
#[test]
fn networks_of_different_widths_descend_along_the_gradient() {
    const RATE: f64 = 2.0;
    for widths in [&[6, 3][..], &[2, 9, 4], &[1], &[17, 5, 33], &[]] {
        let dimensions = Dimensions { widths: Widths::of(widths), ..DIMENSIONS };
        for activation in [Activation::Relu, Activation::Tanh] {
            let learning_rate = LearningRate { initial: RATE, schedule: Schedule::Constant };
            let settings = Settings { activation, learning_rate, ..Settings::default() }.iterations(20);
            let protocol = Protocol { dimensions, ..Protocol::paper() };
            let run = protocol.run(Function::Sphere, Optimizer::Deep, 5, &settings).unwrap();
            let mut parameters = dimensions.start(Optimizer::Deep, 5, &settings);
            assert_eq!(parameters.len(), dimensions.parameters(Optimizer::Deep), "{widths:?}");
            for sample in &run.samples {
                let expected = mean(dimensions, activation, &parameters);
                let name = format!("{widths:?}, {activation}, iteration {}", sample.iteration);
                assert!((sample.mean - expected).abs() < 1e-9, "{name}: {}, not {expected}", sample.mean);
                let slope = |index: usize| {
                    const STEP: f64 = 1e-5;
                    let at = |step: f64| {
                        let mut moved = parameters.clone();
                        moved[index] += step;
                        mean(dimensions, activation, &moved)
                    };
                    (8.0 * (at(STEP) - at(-STEP)) - (at(2.0 * STEP) - at(-2.0 * STEP))) / (12.0 * STEP)
                };
                let slopes: Vec<f64> = (0..parameters.len()).map(slope).collect();
                parameters.iter_mut().zip(slopes).for_each(|(parameter, slope)| *parameter -= RATE * slope);
            }
            let means = [&run.samples[0], &run.samples[19]].map(|sample| sample.mean);
            assert!(means[1] < 0.9 * means[0], "{widths:?}, {activation}: {means:?}");
        }
    }
}

/// A shape that is a type makes the same run as one of numbers, whatever the settings.
#[test]
fn typed_and_other_shapes_make_the_same_runs() {
    let sphere = Function::Sphere.objective::<7, f64>(0);
    for activation in Activation::ALL {
        let settings =
            Settings { activation, ..Settings::default().rule(Rule::ALL[4]).learning_rate(0.05).iterations(40) };
        let typed = Shape::<9, 4, 6, 2, 7>::run(&sphere, Optimizer::Deep, 3, &settings).unwrap();
        let protocol = Protocol { dimensions: DIMENSIONS, ..Protocol::paper() };
        let other = protocol.run(Function::Sphere, Optimizer::Deep, 3, &settings).unwrap();
        assert_eq!((typed.best, typed.x), (other.best, other.x), "{activation}");
    }
}

/// Gradient descent takes the same steps in place, where they are added as they are computed, and by way of a gradient.
#[test]
fn momentum_of_zero_is_gradient_descent() {
    let schedule = Schedule::Plateau(Plateau::PAPER);
    let descent = Settings::default().iterations(200);
    let rule = Rule::Momentum { momentum: 0.0 };
    let momentum = Settings { rule, learning_rate: LearningRate { initial: 1.0, schedule }, ..descent };
    for optimizer in Optimizer::ALL {
        for squash in Squash::ALL {
            if (optimizer, squash) == (Optimizer::Deep, Squash::Clamp) {
                continue;
            }
            let [descent, momentum] =
                [descent, momentum].map(|settings| run(optimizer, &[6, 6], Settings { squash, ..settings }));
            for (a, b) in descent.samples.iter().zip(&momentum.samples) {
                assert!((a.mean - b.mean).abs() < 1e-9, "{optimizer}, {squash:?}: {a:?}, {b:?}");
            }
        }
    }
}

#[test]
fn the_command_line_has_them_and_files_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let overparam = |arguments: &str| {
        let arguments = arguments.split_whitespace();
        let output =
            Command::new(env!("CARGO_BIN_EXE_overparam")).current_dir(&folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    overparam(
        "sweep levy --d 30 --hidden 24 --layers 3 --rule adam --schedule cosine --activation tanh --residual \
         --rates 0.1 --seeds 2 --iterations 200 --output s.parquet",
    );
    // Equal widths are the same run in all three ways to say them, to the last bit.
    let run = |shape: &str| {
        // Another run would not replace them.
        for earlier in ["r.parquet", "r-point.parquet"] {
            let _ = std::fs::remove_file(folder.path().join(earlier));
        }
        overparam(&format!(
            "run sphere --d 7 --n 9 --k 4 --rate 0.5 --seed 3 --iterations 40 --every --output r.parquet {shape}"
        ));
        let table = trace::read(&folder.path().join("r.parquet")).unwrap();
        let means = table.column("objective_mean").unwrap().f64().unwrap();
        means.iter().map(|mean| mean.unwrap().to_bits()).collect::<Vec<_>>()
    };
    let settings = Settings { thinned: false, ..Settings::default().learning_rate(0.5).iterations(40) };
    let sphere = Function::Sphere.objective::<7, f64>(0);
    let typed = Shape::<9, 4, 6, 2, 7>::run(&sphere, Optimizer::Deep, 3, &settings).unwrap();
    let typed: Vec<u64> = typed.samples.iter().map(|sample| sample.mean.to_bits()).collect();
    assert_eq!(run("--widths 6,6"), typed);
    assert_eq!(run("--hidden 6 --layers 2"), typed);
    assert_ne!(run("--widths 6,7"), typed);
    assert_eq!(run("--widths none"), run("--layers 0"));
    overparam("run levy --rule lbfgs --layers 0 --frozen-embeddings --iterations 50 --output l.parquet");
    let table = trace::read(&folder.path().join("s.parquet")).unwrap();
    for (column, expected) in [("rule", "adam"), ("schedule", "cosine"), ("activation", "tanh")] {
        let values = table.column(column).unwrap().str().unwrap();
        assert!(values.iter().all(|value| value == Some(expected)), "{column}");
    }
    assert_eq!(table.column("residual").unwrap().bool().unwrap().sum(), Some(4));
    assert_eq!(table.column("frozen_embeddings").unwrap().bool().unwrap().sum(), Some(0));
    // A rule that is spelled out and the protocol's own changes nothing.
    overparam(
        "sweep levy --protocol deep-convexity --rule gradient-descent --rates 1 --seeds 1 --iterations 9 --output p.parquet",
    );
    let table = trace::read(&folder.path().join("p.parquet")).unwrap();
    let schedules = table.column("schedule").unwrap().str().unwrap();
    assert!(schedules.iter().all(|schedule| schedule == Some("deep-convexity")), "{table}");
    let trace = trace::read(&folder.path().join("l.parquet")).unwrap();
    assert!(trace.column("rule").unwrap().str().unwrap().iter().all(|rule| rule == Some("lbfgs")));
}
