//! Every update rule with every parametrization, as a user has them: from Rust and on the command line.

use overparam::prelude::*;
use overparam::trace;
use std::process::Command;

const DIMENSIONS: Dimensions = Dimensions { n: 9, k: 4, hidden: 6, layers: 2, d: 7 };

fn run(optimizer: Optimizer, layers: usize, settings: Settings) -> Run {
    let protocol = Protocol { dimensions: Dimensions { layers, ..DIMENSIONS }, ..Protocol::paper() };
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
        let mut runs = vec![("shallow".to_owned(), run(Optimizer::Shallow, 2, settings))];
        for activation in Activation::ALL {
            for (residual, frozen_embeddings, layers) in
                [(false, false, 2), (true, false, 2), (false, true, 1), (true, true, 1), (false, false, 0)]
            {
                let settings = Settings { activation, residual, frozen_embeddings, ..settings };
                let name = format!("{activation}, residual {residual}, frozen {frozen_embeddings}, {layers} layers");
                runs.push((name, run(Optimizer::Deep, layers, settings)));
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
        let [shallow, deep] = Optimizer::ALL.map(|optimizer| run(optimizer, 1, settings));
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
    let [shallow, deep] = Optimizer::ALL.map(|optimizer| run(optimizer, 1, settings.iterations(2)));
    assert_eq!(shallow.samples[0].mean, deep.samples[0].mean);
    // The parameters that it starts from are those that are said to be.
    let dimensions = Dimensions { layers: 1, ..DIMENSIONS };
    let start = dimensions.start(Optimizer::Deep, 3, &settings);
    assert!(start[start.len() - (dimensions.hidden + 1) * dimensions.d..].iter().all(|&weight| weight == 0.0));
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

#[test]
fn a_gpu_refuses_what_has_not_been_written_for_it_before_it_is_opened() {
    let mut sweep = Protocol::paper().sweep(Function::Sphere);
    for settings in [
        sweep.settings.rule(Rule::ALL[4]),
        Settings { residual: true, ..sweep.settings },
        Settings {
            learning_rate: LearningRate { initial: 1.0, schedule: "cosine".parse().unwrap() },
            ..sweep.settings
        },
    ] {
        sweep.settings = settings;
        let error = sweep.plan::<f64>(Backend::Cuda).unwrap_err().to_string();
        assert!(error.contains("has not been written for it") || error.contains("has been written for it"), "{error}");
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
                [descent, momentum].map(|settings| run(optimizer, 2, Settings { squash, ..settings }));
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
    overparam("run levy --rule lbfgs --layers 0 --frozen-embeddings --iterations 50 --output r.parquet");
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
    let trace = trace::read(&folder.path().join("r.parquet")).unwrap();
    assert!(trace.column("rule").unwrap().str().unwrap().iter().all(|rule| rule == Some("lbfgs")));
}
