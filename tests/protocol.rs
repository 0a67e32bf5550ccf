//! Protocols: the rule of the paper's and of the published program's learning rates, who starts where, whose rate is chosen, and
//! what a comparison is fair by.

use overparam::prelude::*;
use overparam::{Couplings, trace};
use std::f64::consts::{E, PI, TAU};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The rule as PyTorch documents `ReduceLROnPlateau` with `mode="min"`, `threshold_mode="abs"` and no cooldown: an epoch is bad
/// unless its metric is below the best by more than the threshold; after more bad epochs in a row than `patience` the rate is
/// multiplied by the factor, but not below `min_lr`, and "if the difference between new and old lr is smaller than eps, the update
/// is ignored".
struct Reference {
    rule: Plateau,
    rate: f64,
    best: f64,
    bad: u64,
}

impl Reference {
    fn new(rate: LearningRate) -> Self {
        let Schedule::Plateau(rule) = rate.schedule else { panic!("{rate:?}") };
        Self { rule, rate: rate.initial, best: f64::INFINITY, bad: 0 }
    }

    fn step(&mut self, metric: f64) {
        if metric < self.best - self.rule.threshold {
            (self.best, self.bad) = (metric, 0);
        } else {
            self.bad += 1;
        }
        if self.bad > self.rule.patience {
            let new = f64::max(self.rate * self.rule.factor, self.rule.floor);
            if self.rate - new > self.rule.least_change {
                self.rate = new;
            }
            self.bad = 0;
        }
    }

    /// The rate of each iteration.
    fn rates(rule: LearningRate, metrics: &[f64]) -> Vec<f64> {
        let mut plateau = Self::new(rule);
        let rate = |&metric: &f64| {
            let rate = plateau.rate;
            plateau.step(metric);
            rate
        };
        metrics.iter().map(rate).collect()
    }
}

/// An objective of one point that takes these values, one after the other, wherever it is asked. Its gradient is 1 and -1 in turns, so
/// that the point goes to and fro and never stands still.
struct Script {
    values: Vec<f64>,
    calls: AtomicUsize,
}

impl Objective<1, 1, f64> for Script {
    fn values(&self, x: Taped<1, 1, f64>) -> TapedValues<1, f64> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        // The state at the end of a run is one more call.
        let value = self.values.get(call).or(self.values.last()).copied().unwrap_or(f64::NAN);
        let slope = if call.is_multiple_of(2) { 1.0 } else { -1.0 };
        let here: Tensor<Rank2<1, 1>, f64, Cpu> = x.device().tensor_from_vec(x.as_vec(), (Const, Const));
        ((x - here) * slope + value).sum::<_, Axis<1>>()
    }
}

/// The step size of each iteration of a run whose mean objective takes these values.
fn step_sizes(rule: LearningRate, means: &[f64]) -> Vec<f64> {
    let script = Script { values: means.to_vec(), calls: AtomicUsize::new(0) };
    let gradient_scale = 0.1 / rule.initial;
    let settings = Settings { learning_rate: rule, gradient_scale, thinned: false, ..Settings::default() };
    let run =
        Shape::<1, 1, 1, 1, 1>::run(&script, Optimizer::Shallow, 0, &settings.iterations(means.len() as u64)).unwrap();
    assert_eq!(run.samples.iter().map(|sample| sample.mean).collect::<Vec<_>>(), means);
    run.samples.iter().map(|sample| sample.step_size).collect()
}

fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// `reference/plateau.py` wrote the file with PyTorch 2.15.0.
#[test]
fn step_sizes_are_those_of_pytorch() {
    let (mut traces, mut ends) = (0, 0);
    for line in include_str!("reference/plateau.txt").lines() {
        let parts: Vec<&str> = line.split('|').collect();
        let (kind, rule) = parts[0].split_once(' ').unwrap();
        let &[initial, factor, patience, threshold, floor, least_change] = &numbers(rule)[..] else { panic!("{line}") };
        let rule = LearningRate::plateau(
            initial,
            Plateau { factor, patience: patience as u64, threshold, floor, least_change, ..Plateau::PAPER },
        );
        match (kind, &parts[1..]) {
            ("trace", [means, expected]) => {
                let (means, expected) = (numbers(means), numbers(expected));
                assert_eq!(step_sizes(rule, &means), expected, "{rule:?}");
                assert_eq!(Reference::rates(rule, &means), expected, "{rule:?}");
                traces += 1;
            }
            ("end", [mean, iterations, expected]) => {
                let means = vec![numbers(mean)[0]; numbers(iterations)[0] as usize + 1];
                assert_eq!(step_sizes(rule, &means).last(), Some(&numbers(expected)[0]), "{rule:?}");
                ends += 1;
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!((traces, ends), (10, 23));
}

#[test]
fn the_published_rule_stops_near_a_millionth() {
    let rule = |initial| LearningRate { initial, ..Protocol::deep_convexity().learning_rate };
    let mut least = 0.1;
    for _ in 0..1146 {
        least *= 0.99;
    }
    let found = step_sizes(rule(0.1), &[0.5; 10_000]);
    assert_eq!((found[9_999], found[2 * 1146 + 1]), (least, least));
    assert!((least - 9.9525e-7).abs() < 1e-11 && found[2 * 1146] > least, "{least}");
    assert!(step_sizes(rule(1e-6), &[0.5; 1_000]).iter().all(|&step| step == 1e-6));
}

/// Every iteration of real runs: the column of step sizes follows from that of means.
#[test]
fn traces_of_runs_follow_the_rule() {
    for (mut protocol, functions) in [
        (Protocol::paper(), [Function::Rastrigin, Function::Levy]),
        (Protocol::deep_convexity(), [Function::Ackley, Function::SpinGlass]),
    ] {
        (protocol.iterations, protocol.glass_iterations) = (3_000, 1_000);
        protocol.dimensions = Dimensions { n: 10, k: 5, widths: Widths::of(&[5]), d: 10 };
        for (function, optimizer) in functions.into_iter().flat_map(|f| Optimizer::ALL.map(|o| (f, o))) {
            for rate in [protocol.rates[0], protocol.rates[protocol.rates.len() - 1], 0.1] {
                let settings = Settings { thinned: false, ..protocol.settings(function).learning_rate(rate) };
                let run = protocol.run(function, optimizer, 3, &settings).unwrap();
                let table = run.trace().unwrap();
                let column =
                    |name: &str| table.column(name).unwrap().f64().unwrap().into_no_null_iter().collect::<Vec<_>>();
                let expected = Reference::rates(settings.learning_rate, &column("objective_mean"));
                assert_eq!(column("step_size"), expected, "{} {function} {optimizer} {rate}", protocol.name);
                assert_eq!(expected.len() as u64, run.iterations);
            }
        }
    }
}

#[test]
fn the_published_protocol_is_what_the_program_did() {
    let protocol = Protocol::deep_convexity();
    assert_eq!((protocol.name.as_str(), protocol.choice), ("deep-convexity", Choice::PerSeed));
    assert_eq!(protocol.dimensions, Dimensions { n: 50, k: 50, widths: Widths::of(&[50]), d: 50 });
    assert_eq!(protocol.dimensions.parameters(Optimizer::Deep), 7_600);
    assert_eq!(protocol.dimensions.parameters(Optimizer::Shallow), 2_500);
    assert!(!protocol.equal_time);
    for function in Function::ALL {
        let settings = protocol.settings(function);
        assert_eq!(
            (protocol.iterations(function), settings.budget),
            (10_000, Budget::Iterations(10_000)),
            "{function}"
        );
        assert_eq!((settings.squash, settings.shallow_start), (Squash::ScaledTanh, ShallowStart::Own));
        assert_eq!(settings.initialization, Initialization::PytorchUniform);
        let Schedule::Plateau(plateau) = settings.learning_rate.schedule else { panic!("{settings:?}") };
        let Plateau { factor, patience, threshold, relative, cooldown, floor, least_change } = plateau;
        assert_eq!((factor, patience, floor, least_change), (0.99, 1, 1e-10, 1e-8));
        assert_eq!((relative, cooldown), (false, 0));
        assert!((threshold * settings.gradient_scale / 1e-10 - 1.0).abs() < 1e-15, "in the program's units");
    }
    assert_eq!((protocol.rates.len(), protocol.rates[0], protocol.rates[19]), (20, 1e-6, 10.0));
    let ratio = 10f64.powf(7.0 / 19.0);
    assert!(protocol.rates.windows(2).all(|pair| (pair[1] / pair[0] / ratio - 1.0).abs() < 1e-14));
    protocol.validate().unwrap();
}

/// Two spellings of the same protocol are the same.
#[test]
fn the_paper_s_protocol_is_the_default_everywhere() {
    let protocol = Protocol::paper();
    assert_eq!(protocol.settings(Function::Levy), Settings::default());
    assert_eq!(protocol.learning_rate, LearningRate::PAPER);
    assert_eq!((protocol.dimensions, PaperShape::DIMENSIONS), (Dimensions::PAPER, Dimensions::PAPER));
    assert_eq!((protocol.choice, protocol.units), (Choice::default(), Units::default()));
    assert!(protocol.equal_time);
    assert_eq!(protocol.settings(Function::SpinGlass), Settings::default().iterations(1_000));
    for function in Function::ALL {
        assert_eq!(protocol.settings(function).gradient_scale, 1.0);
    }
    for protocol in [protocol, Protocol::deep_convexity()] {
        let again: Protocol = serde_json::from_str(&serde_json::to_string(&protocol).unwrap()).unwrap();
        assert_eq!((&again.name, again.choice, again.units), (&protocol.name, protocol.choice, protocol.units));
        let quick = protocol.clone().quick();
        assert_eq!(
            (quick.iterations, quick.glass_iterations),
            (protocol.iterations / 10, protocol.glass_iterations / 10)
        );
        assert_eq!(
            Protocol { iterations: 0, glass_iterations: 0, seeds: 0, glass_seeds: 0, ..quick },
            Protocol { iterations: 0, glass_iterations: 0, seeds: 0, glass_seeds: 0, ..protocol }
        );
    }
}

/// Mean, variance and largest magnitude.
fn moments(values: &[f64]) -> [f64; 3] {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    [mean, variance, values.iter().fold(0.0, |largest, value| value.abs().max(largest))]
}

#[test]
fn the_published_program_s_starts_have_its_distributions() {
    let protocol = Protocol::deep_convexity();
    let settings = protocol.settings(Function::Sphere);
    for seed in 0..3 {
        let deep = protocol.dimensions.start(Optimizer::Deep, seed, &settings);
        assert_eq!(deep.len(), 7_600);
        let (embeddings, layers) = deep.split_at(2_500);
        let own = protocol.dimensions.start(Optimizer::Shallow, seed, &settings);
        // Five standard deviations of the moments of so many draws.
        for normals in [embeddings, &own] {
            let [mean, variance, largest] = moments(normals);
            assert!(mean.abs() < 0.1 && (variance - 1.0).abs() < 5.0 * (2.0 / 2_500f64).sqrt(), "{mean} {variance}");
            assert!((3.0..6.0).contains(&largest), "{largest}");
        }
        // Weight and bias of both layers: uniform on ±1/√50.
        let bound = 1.0 / 50f64.sqrt();
        for part in [&layers[..2_500], &layers[2_500..2_550], &layers[2_550..5_050], &layers[5_050..]] {
            let [mean, variance, largest] = moments(part);
            let roots = (part.len() as f64).sqrt();
            assert!(mean.abs() < 5.0 * bound / 3f64.sqrt() / roots, "{mean}");
            assert!((variance * 150.0 - 1.0).abs() < 5.0 * 0.8f64.sqrt() / roots, "{variance}");
            assert!((0.85 * bound..=bound).contains(&largest), "{largest} of {}", part.len());
        }
        // Its own: neither the embeddings of the deep run nor what its network makes of them, nor the couplings of the seed.
        assert_ne!(own, embeddings);
        let shared = Settings { shallow_start: ShallowStart::Shared, ..settings };
        assert_ne!(own, protocol.dimensions.start(Optimizer::Shallow, seed, &shared));
        assert_ne!(own[..100], Couplings::draw(seed, 5).take(100).collect::<Vec<_>>());
        assert_ne!(own, protocol.dimensions.start(Optimizer::Shallow, seed + 1, &settings));
    }
}

/// Both runs begin at (1 + tanh(a y0))/2 with a = 1.7159 / max |y0|, each with its own y0 and so with its own a.
#[test]
fn runs_begin_where_the_published_program_begins() {
    let protocol = Protocol::deep_convexity();
    for function in [Function::Rastrigin, Function::SpinGlass] {
        let settings = protocol.settings(function).iterations(1);
        for seed in 0..2 {
            let z = protocol.dimensions.start(Optimizer::Deep, seed, &settings);
            let layer = |input: &[f64], at: usize| -> Vec<f64> {
                let (weight, bias) = z[at..at + 2_550].split_at(2_500);
                let row = |input: &[f64]| -> Vec<f64> {
                    let sum = |(weight, bias): (&[f64], &f64)| {
                        weight.iter().zip(input).map(|(w, x)| w * x).sum::<f64>() + bias
                    };
                    weight.chunks_exact(50).zip(bias).map(sum).collect()
                };
                input.chunks_exact(50).flat_map(row).collect()
            };
            let hidden: Vec<f64> = layer(&z[..2_500], 2_500).into_iter().map(|v| v.max(0.0)).collect();
            let deep = layer(&hidden, 5_050);
            let shallow = protocol.dimensions.start(Optimizer::Shallow, seed, &settings);
            for (optimizer, y) in [(Optimizer::Shallow, shallow), (Optimizer::Deep, deep)] {
                let [_, _, largest] = moments(&y);
                let x: Vec<f64> = y.iter().map(|y| 0.5 * (1.0 + (1.7159 / largest * y).tanh())).collect();
                let values = function.evaluate(50, seed, &x).unwrap().scaled;
                let mean = values.iter().sum::<f64>() / 50.0;
                let least = values.into_iter().fold(f64::INFINITY, f64::min);
                let first = protocol.run(function, optimizer, seed, &settings).unwrap().samples[0];
                assert!((first.min - least).abs() < 1e-13, "{function} {optimizer}: {} and {least}", first.min);
                assert!((first.mean - mean).abs() < 1e-13, "{function} {optimizer}: {} and {mean}", first.mean);
            }
        }
    }
}

/// The objectives of the published program at a point u of the box, term by term.
fn published(function: Function, u: &[f64], couplings: &[f64]) -> f64 {
    let d = u.len() as f64;
    let sum = |term: &dyn Fn(f64) -> f64| u.iter().map(|&u| term(u)).sum::<f64>();
    match function {
        Function::Ackley => {
            let (bowl, waves) = ((sum(&|u| u * u) / d).sqrt(), sum(&|u| (TAU * u).cos()) / d);
            -20.0 * (-0.2 * bowl).exp() - waves.exp() + 20.0 + E
        }
        Function::Levy => {
            let w: Vec<f64> = u.iter().map(|u| 1.0 + (u - 1.0) / 4.0).collect();
            let (&last, rest) = w.split_last().unwrap();
            let middle = rest.iter().map(|w| (w - 1.0).powi(2) * (1.0 + 10.0 * (PI * w + 1.0).sin().powi(2)));
            (PI * w[0]).sin().powi(2)
                + middle.sum::<f64>() / (d - 1.0)
                + (last - 1.0).powi(2) * (1.0 + (TAU * last).sin().powi(2))
        }
        Function::Michalewicz => {
            let term = |(i, u): (usize, &f64)| u.sin() * ((i + 1) as f64 * u * u / PI).sin().powi(20);
            -u.iter().enumerate().map(term).sum::<f64>()
        }
        Function::Rastrigin => 10.0 * d + sum(&|u| u * u - 10.0 * (TAU * u).cos()),
        Function::Rosenbrock => u.windows(2).map(|u| 100.0 * (u[1] - u[0] * u[0]).powi(2) + (u[0] - 1.0).powi(2)).sum(),
        Function::Schwefel => 418.9828872724338 * d - sum(&|u| u * u.abs().sqrt().sin()),
        Function::Sphere => sum(&|u| u * u) / d,
        Function::StyblinskiTang => 0.5 * sum(&|u| u.powi(4) - 16.0 * u * u + 5.0 * u),
        Function::SpinGlass => {
            let length = sum(&|u| u * u).sqrt();
            let spins: Vec<f64> = u.iter().map(|u| d.sqrt() * u / length).collect();
            let mut couplings = couplings.iter();
            let mut energy = 0.0;
            for (i, j) in spins.iter().flat_map(|i| spins.iter().map(move |j| (i, j))) {
                energy += spins.iter().map(|k| couplings.next().unwrap() * i * j * k).sum::<f64>();
            }
            energy / d
        }
    }
}

/// Where the scaled objective changes by 1, the program's changes by the factor of the conventions. Rates, gradients and thresholds
/// are those of the program then.
#[test]
fn conventions_are_those_of_the_published_program() {
    for (function, d) in Function::ALL.into_iter().flat_map(|function| [4, 7, 50].map(|d| (function, d))) {
        let couplings: Vec<f64> =
            if function == Function::SpinGlass { Couplings::draw(1, d).collect() } else { vec![] };
        let [lower, upper] = function.describe(d).domain;
        let at = |x: &[f64]| {
            let u: Vec<f64> = x.iter().map(|x| lower + (upper - lower) * x).collect();
            (published(function, &u, &couplings), function.evaluate(d, 1, x).unwrap().scaled[0])
        };
        let factor = Units::Published.per_scaled(function, d);
        assert_eq!(Units::Scaled.per_scaled(function, d), 1.0);
        let point: Vec<f64> = (0..d).map(|i| (0.37 + 0.618_033_988_75 * i as f64).fract()).collect();
        let here = at(&point);
        let mut changes = 0;
        for (moved, to) in (0..d).flat_map(|moved| [(moved, 0.05), (moved, 0.45)]) {
            let mut point = point.clone();
            point[moved] = 0.5 * point[moved] + to;
            let there = at(&point);
            let (theirs, ours) = (there.0 - here.0, factor * (there.1 - here.1));
            let ratio = match (function, moved) {
                // The last term is whole in the program; so is the first, of the coordinate that has two terms.
                (Function::Levy, last) if last == d - 1 => (d - 1) as f64,
                (Function::Levy, 0) => continue,
                _ => 1.0,
            };
            // Rounding of the scaled objective comes with the factor.
            let close = (theirs - ratio * ours).abs() <= 1e-9 * theirs.abs() + 1e-12 * ratio * factor;
            assert!(close, "{function}, d = {d}, coordinate {moved}: {theirs} in the program, {ours} here");
            changes += usize::from(theirs.abs() > 1e-6 * factor);
        }
        assert!(changes > d / 2, "{function} has changed with {changes} moves of {d} coordinates only");
    }
}

/// The shallow optimizer of the published program in plain loops: tanh(a y) on [-1, 1]^d, mapped to the box, the gradient of the mean
/// objective over the points, and the documented rule.
#[test]
fn the_published_shallow_optimizer_in_plain_loops() {
    let mut protocol = Protocol::deep_convexity();
    protocol.dimensions = Dimensions { n: 10, k: 5, widths: Widths::of(&[5]), d: 10 };
    for (function, rate, slope) in [
        (Function::Sphere, 0.1, (|u| 2.0 * u / 10.0) as fn(f64) -> f64),
        (Function::Rastrigin, 1e-3, |u| 2.0 * u + 10.0 * TAU * (TAU * u).sin()),
        (Function::StyblinskiTang, 1e-3, |u| 2.0 * u.powi(3) - 16.0 * u + 2.5),
    ] {
        let settings = Settings { thinned: false, ..protocol.settings(function).learning_rate(rate).iterations(300) };
        let run = protocol.run(function, Optimizer::Shallow, 2, &settings).unwrap();
        let mut y = protocol.dimensions.start(Optimizer::Shallow, 2, &settings);
        let [_, _, largest] = moments(&y);
        let a = 1.7159 / largest;
        let description = function.describe(10);
        let [lower, upper] = description.domain;
        let mut rule = Reference::new(LearningRate::plateau(rate, Plateau::DEEP_CONVEXITY));
        let mut lowest = f64::INFINITY;
        for sample in &run.samples {
            let t: Vec<f64> = y.iter().map(|y| (a * y).tanh()).collect();
            let u: Vec<f64> = t.iter().map(|t| lower + (upper - lower) * 0.5 * (t + 1.0)).collect();
            let values: Vec<f64> = u.chunks_exact(10).map(|u| published(function, u, &[])).collect();
            let mean = values.iter().sum::<f64>() / 10.0;
            lowest = values.into_iter().fold(lowest, f64::min);
            for ((y, t), u) in y.iter_mut().zip(&t).zip(&u) {
                *y -= rule.rate * slope(*u) * 0.5 * (upper - lower) * a * (1.0 - t * t) / 10.0;
            }
            let raw_units = if function == Function::Sphere { 10.0 } else { 1.0 };
            let context = format!("{function}, iteration {}", sample.iteration);
            let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-8 * expected.abs().max(1.0);
            assert!(close(run.raw(sample.mean), raw_units * mean), "{context}: {} and {mean}", run.raw(sample.mean));
            assert!(close(run.raw(sample.best), raw_units * lowest), "{context}");
            assert_eq!(sample.step_size, rule.rate, "{context}");
            rule.step(mean);
        }
        let [first, .., last] = &run.samples[..] else { panic!("too few samples") };
        assert!(last.mean < 0.9 * first.mean, "{function}: a descent");
    }
}

fn small(protocol: Protocol, rates: &[f64], iterations: u64) -> Protocol {
    let dimensions = Dimensions { n: 10, k: 5, widths: Widths::of(&[5]), d: 10 };
    Protocol { dimensions, rates: rates.to_vec(), iterations, glass_iterations: iterations, seeds: 4, ..protocol }
}

/// The shallow and the deep run of each seed.
fn twins(comparison: &Comparison) -> impl Iterator<Item = (&Run, &Run)> {
    comparison.timed.chunks_exact(2).map(|pair| {
        assert_eq!((pair[0].optimizer, pair[1].optimizer), (Optimizer::Shallow, Optimizer::Deep));
        assert_eq!(pair[0].seed, pair[1].seed);
        (&pair[0], &pair[1])
    })
}

#[test]
fn in_the_paper_the_deep_run_has_the_time_of_its_shallow_twin() {
    let protocol = small(Protocol::paper(), &[1.0, 0.1, 0.01], 400);
    for function in [Function::Rastrigin, Function::SpinGlass] {
        let comparison = protocol.compare(function, &|_, _| {}).unwrap();
        let seeds = protocol.seeds(function);
        assert_eq!(comparison.timed.len(), 2 * seeds.len());
        let rates = Optimizer::ALL.map(|optimizer| comparison.rate(optimizer, 0).unwrap());
        for ((shallow, deep), &seed) in twins(&comparison).zip(&seeds) {
            assert_eq!(shallow.seed, seed);
            assert_eq!(shallow.settings.budget, Budget::Iterations(400));
            assert_eq!(deep.settings.budget, Budget::Seconds(shallow.seconds));
            assert!(deep.seconds >= shallow.seconds, "{} s and {} s", deep.seconds, shallow.seconds);
            assert_eq!([shallow, deep].map(|run| run.settings.learning_rate.initial), rates);
            assert_eq!(Optimizer::ALL.map(|optimizer| comparison.rate(optimizer, seed)), rates.map(Some));
            assert_eq!(shallow.samples[0].min, deep.samples[0].min, "the same start");
        }
        for (optimizer, rate) in Optimizer::ALL.into_iter().zip(rates) {
            assert_eq!(comparison.rates(optimizer), Some([rate, rate]));
            let lowest = comparison.sweep.iter().filter(|run| run.optimizer == optimizer);
            let lowest = lowest.min_by(|a, b| a.best.total_cmp(&b.best)).unwrap();
            assert_eq!(lowest.settings.learning_rate.initial, rate);
        }
    }
}

#[test]
fn in_the_published_program_every_seed_has_its_own_rate_and_both_runs_the_same_iterations() {
    let mut differ = false;
    for function in [Function::Ackley, Function::Schwefel] {
        let mut protocol = small(Protocol::deep_convexity(), &[], 300);
        protocol.rates = Protocol::deep_convexity().rates;
        let comparison = protocol.compare(function, &|_, _| {}).unwrap();
        assert_eq!((comparison.timed.len(), comparison.choice), (8, Choice::PerSeed));
        for (shallow, deep) in twins(&comparison) {
            assert_ne!(shallow.samples[0].min, deep.samples[0].min, "starts of their own");
            for run in [shallow, deep] {
                assert_eq!((run.settings.budget, run.iterations), (Budget::Iterations(300), 300));
                let of_seed = comparison.sweep.iter().filter(|of| (of.optimizer, of.seed) == (run.optimizer, run.seed));
                let lowest = of_seed.clone().map(|of| of.best).fold(f64::INFINITY, f64::min);
                assert_eq!(of_seed.count(), 20);
                // Alone it finds what it found in the sweep.
                assert_eq!(run.best, lowest);
                assert_eq!(comparison.rate(run.optimizer, run.seed), Some(run.settings.learning_rate.initial));
            }
        }
        for optimizer in Optimizer::ALL {
            let [low, high] = comparison.rates(optimizer).unwrap();
            differ |= low < high;
            let rates = comparison.timed(optimizer).map(|run| run.settings.learning_rate.initial);
            assert_eq!(
                (low, high),
                rates.fold((f64::INFINITY, 0.0), |(low, high), rate| (rate.min(low), rate.max(high)))
            );
        }
    }
    assert!(differ, "the seeds of some function have different rates");
}

#[test]
fn ties_divergence_and_absent_seeds_in_the_choice_of_a_rate() {
    let protocol = small(Protocol::paper(), &[1.0], 1);
    let settings = protocol.settings(Function::Sphere);
    let template = protocol.run(Function::Sphere, Optimizer::Deep, 0, &settings).unwrap();
    let run = |seed, rate: f64, best: f64, outcome| {
        let mut run = template.clone();
        (run.seed, run.settings.learning_rate.initial, run.best, run.outcome) = (seed, rate, best, outcome);
        run
    };
    use Outcome::{Diverged, Finished};
    let runs = [
        run(0, 1.0, 0.3, Finished),
        run(0, 0.1, 0.1, Finished),
        run(0, 0.01, 0.1, Finished),
        run(1, 1.0, 0.05, Finished),
        run(1, 0.1, 0.2, Finished),
        run(1, 0.01, 0.01, Diverged),
        run(2, 1.0, 0.0, Diverged),
        run(2, 0.1, f64::NAN, Finished),
        // A zero is a zero, with either sign.
        run(4, 1.0, 0.0, Finished),
        run(4, 0.1, -0.0, Finished),
    ];
    let per_seed = |seed| Choice::PerSeed.rate(&runs, Optimizer::Deep, seed);
    assert_eq!([0, 1, 2, 3, 4].map(per_seed), [Some(0.1), Some(1.0), None, None, Some(1.0)]);
    assert_eq!(Choice::PerSeed.rate(&runs, Optimizer::Shallow, 0), None);
    // Of the rates with all seeds only 0.1 had no run that diverged.
    assert_eq!([0, 1, 2, 3].map(|seed| Choice::PerFunction.rate(&runs, Optimizer::Deep, seed)), [Some(0.1); 4]);
    assert_eq!(Choice::PerFunction.rate(&[], Optimizer::Deep, 0), None);
    let comparison =
        Comparison { problem: Function::Sphere.into(), choice: Choice::PerSeed, sweep: vec![], timed: vec![] };
    assert_eq!((comparison.rate(Optimizer::Deep, 0), comparison.rates(Optimizer::Deep)), (None, None));
}

/// A seed whose runs all diverge has no timed runs, and the others have theirs.
#[test]
fn a_seed_without_a_rate_is_left_out() {
    let protocol = small(Protocol::deep_convexity(), &[1e300, 1e305], 20);
    let comparison = protocol.compare(Function::Rosenbrock, &|_, _| {}).unwrap();
    let deep = comparison.sweep.iter().filter(|run| run.optimizer == Optimizer::Deep);
    assert!(deep.clone().count() == 8 && deep.clone().all(|run| run.outcome == Outcome::Diverged));
    assert!(comparison.timed.is_empty());
}

#[test]
fn an_objective_s_scale_makes_its_raw_values() {
    struct Kelvin([f64; 2]);
    impl Objective<4, 3, f64> for Kelvin {
        fn values(&self, x: Taped<4, 3, f64>) -> TapedValues<4, f64> {
            (x - 0.5).square().sum::<_, Axis<1>>()
        }
        fn scale(&self) -> [f64; 2] {
            self.0
        }
    }
    let settings = Settings::default().iterations(50);
    let run = |scale| Shape::<4, 2, 2, 1, 3>::run(&Kelvin(scale), Optimizer::Deep, 0, &settings);
    for scale in [[273.15, 100.0], [0.0, 1.0], [-1.0, -2.0]] {
        let run = run(scale).unwrap();
        let raw = |scaled: f64| scale[0] + scale[1] * scaled;
        assert_eq!((run.raw_best(), run.raw(0.25)), (raw(run.best), raw(0.25)));
        let traces = trace::traces([&run]).unwrap();
        let column = |name: &str| traces.column(name).unwrap().f64().unwrap().into_no_null_iter().collect::<Vec<_>>();
        assert_eq!(column("raw_best"), column("best").into_iter().map(raw).collect::<Vec<_>>());
    }
    for scale in [[0.0, 0.0], [0.0, -0.0], [f64::NAN, 1.0], [f64::INFINITY, 1.0], [0.0, f64::NAN], [0.0, f64::INFINITY]]
    {
        let error = run(scale).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        assert!(
            error.to_string().contains("the scale of the objective") && error.to_string().contains("width"),
            "{error}"
        );
    }
    // A closure, and the functions of the crate.
    let closure = |x: Taped<4, 3, f64>| -> TapedValues<4, f64> { x.square().sum::<_, Axis<1>>() };
    assert_eq!(Objective::<4, 3, f64>::scale(&closure), [0.0, 1.0]);
    for function in Function::ALL {
        let description = function.describe(3);
        let scale = [description.minimum, description.maximum - description.minimum];
        let objective = function.objective::<3, f64>(0);
        assert_eq!(Objective::<4, 3, f64>::scale(&objective), scale, "{function}");
        assert_eq!(Objective::<4, 3, f64>::scale(&objective.composed()), scale, "{function}");
    }
}

#[test]
fn rules_out_of_range_are_errors() {
    let protocol = Protocol::deep_convexity();
    for least_change in [-1e-8, f64::NAN, f64::INFINITY] {
        let mut bad = protocol.clone();
        bad.learning_rate.schedule = Schedule::Plateau(Plateau { least_change, ..Plateau::DEEP_CONVEXITY });
        let error = bad.validate().unwrap_err().to_string();
        assert!(error.contains("least change of the learning rate"), "{error}");
    }
}

/// Standard output of the program in `folder`.
fn overparam(folder: &tempfile::TempDir, arguments: &str) -> String {
    let arguments = arguments.split_whitespace();
    let output = Command::new(env!("CARGO_BIN_EXE_overparam")).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_line_knows_the_published_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let column = |path: &str, name: &str| -> Vec<f64> {
        let table = trace::read(&folder.path().join(path)).unwrap();
        let column = table.column(name).unwrap().cast(&overparam::polars::prelude::DataType::Float64).unwrap();
        column.f64().unwrap().into_no_null_iter().collect()
    };
    // A run is that of the library.
    let protocol = Protocol::deep_convexity();
    overparam(
        &folder,
        "run levy --optimizer shallow --protocol deep-convexity --rate 0.1 --seed 2 --iterations 100 --output r.parquet",
    );
    let settings = protocol.settings(Function::Levy).learning_rate(0.1).iterations(100);
    let run = protocol.run(Function::Levy, Optimizer::Shallow, 2, &settings).unwrap();
    assert_eq!(column("r.parquet", "best").last(), Some(&run.best));
    let metadata = trace::metadata(&folder.path().join("r.parquet")).unwrap();
    for word in
        [r#""choice":"per-seed""#, r#""shallow_start":"own""#, r#""units":"published""#, r#""least_change":1e-8"#]
    {
        assert!(metadata["overparam.settings"].contains(word), "{word} in {}", metadata["overparam.settings"]);
    }

    // A sweep prints the best rate of each seed, which is that of the protocol.
    let printed = overparam(&folder, "sweep ackley --protocol deep-convexity --seeds 3 --iterations 60");
    let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let sweep = Protocol { seeds: 3, iterations: 60, ..protocol.clone() }.sweep(Function::Ackley);
    let runs = sweep.run::<f64>(&|_| {}).unwrap();
    assert_eq!(lines.len(), 1 + 2 * 3 + 1, "{printed}");
    for (line, (optimizer, seed)) in
        lines[1..].iter().zip(Optimizer::ALL.iter().flat_map(|&o| (0..3).map(move |s| (o, s))))
    {
        let rate = Choice::PerSeed.rate(&runs, optimizer, seed).unwrap();
        assert_eq!(line[..3], [optimizer.name(), &seed.to_string(), &format!("{rate:.3e}")], "{printed}");
    }
    assert!(printed.contains("the best rate of every seed"), "{printed}");

    // Figures: 20 rates and a timed run for each seed and optimizer, the same iterations, different starts.
    let printed =
        overparam(&folder, "figures --quick --functions sphere,spin-glass --seeds 2 --protocol deep-convexity");
    assert_eq!(column("data/summary.parquet", "seed").len(), 2 * 2 * 2 * 21);
    assert!(column("data/summary.parquet", "parameters").iter().all(|&count| count == 2_500.0 || count == 7_600.0));
    assert!(column("data/summary.parquet", "iterations").iter().filter(|&&count| count == 1_000.0).count() > 100);
    for function in [Function::Sphere, Function::SpinGlass] {
        let path = format!("data/traces/{function}.parquet");
        let (iterations, minima) = (column(&path, "iteration"), column(&path, "objective_min"));
        assert_eq!(iterations.iter().filter(|&&iteration| iteration == 999.0).count(), 4, "{function}");
        let mut starts: Vec<f64> = iterations.iter().zip(minima).filter(|of| *of.0 == 0.0).map(|of| of.1).collect();
        starts.sort_by(f64::total_cmp);
        starts.dedup();
        assert_eq!(starts.len(), 4, "{function}: {starts:?}");
        // The rates in the table are those of the timed runs.
        let (rates, line) = (column(&path, "learning_rate"), printed.lines().find(|l| l.starts_with(function.name())));
        for rate in [rates[0], rates[rates.len() - 1]] {
            assert!(line.unwrap().contains(&format!("{rate:.1e}")), "{rate:e} in {printed}");
        }
    }
    assert!(printed.contains("rates: shallow, deep"), "{printed}");
}

#[test]
fn a_comparison_is_complete_unless_it_was_interrupted() {
    let whole = |rates: &[f64]| {
        let protocol = small(Protocol::paper(), rates, 20);
        let comparison = protocol.compare(Function::Rosenbrock, &|_, _| {}).unwrap();
        (protocol, comparison)
    };
    let (protocol, diverged) = whole(&[1e300, 1e305]);
    assert!(!diverged.sweep.is_empty() && diverged.timed.is_empty());
    assert!(protocol.is_complete(&diverged));
    let mut part = diverged.clone();
    part.sweep.pop();
    assert!(!protocol.is_complete(&part));
    let (protocol, finished) = whole(&[0.1]);
    assert!(protocol.is_complete(&finished) && !finished.timed.is_empty());
    for count in 0..finished.timed.len() {
        let mut part = finished.clone();
        part.timed.truncate(count);
        assert!(!protocol.is_complete(&part), "{count} timed runs");
    }
    let mut part = finished.clone();
    part.timed[3].outcome = Outcome::Stopped;
    assert!(!protocol.is_complete(&part));
}
