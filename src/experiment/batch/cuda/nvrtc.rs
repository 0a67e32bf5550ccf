//! Every kernel compiles for GPUs: `make nvrtc` runs this with CUDA's compiler for kernels, which needs no GPU.

use super::block::H100;
use super::host::LIMITS;
use super::samples::expressions;
use crate::descent::{Optimizer, Settings, Squash};
use crate::device::{Limits, Source, compile_for};
use crate::experiment::batch::{Batch, Trial};
use crate::experiment::{Dimensions, Widths};
use crate::network::Activation;
use crate::objective::{Function, Problem};
use crate::rule::{Cosine, Rule, Schedule};
use rayon::prelude::*;

/// The compute capabilities of A100, and of H100 and H200.
const CAPABILITIES: [i32; 2] = [80, 90];

/// A GPU whose blocks have no shared memory.
const NOTHING: Limits = Limits { block: 0, ..H100 };

/// The sources of all functions and optimizers, and of one function with everything else that there is, in both scalars.
fn sources() -> Vec<(String, String)> {
    let trials = [Trial { rate: 1.0, seed: 0 }];
    let mut sources = Vec::new();
    let mut add = |problem: Problem, optimizer, dimensions, settings: Settings, limits| {
        let batch = Batch { problem, dimensions, optimizer, settings: &settings, trials: &trials };
        let Settings { squash, rule, activation, residual, frozen_embeddings, .. } = settings;
        let name = format!(
            "{} {optimizer} {dimensions} {} {rule} {activation} {residual} {frozen_embeddings}",
            batch.problem,
            squash.name()
        );
        sources.push((format!("{name} f32"), Source::new::<f32>(&batch, limits).unwrap().text));
        sources.push((format!("{name} f64"), Source::new::<f64>(&batch, limits).unwrap().text));
    };
    let (paper, settings) = (Dimensions::PAPER, Settings::default());
    for problem in Function::ALL.into_iter().map(Problem::from).chain(expressions().iter().map(Problem::from)) {
        for optimizer in Optimizer::ALL {
            add(problem.clone(), optimizer, paper, settings, H100);
        }
    }
    let levy = || Problem::from(Function::Levy);
    add(levy(), Optimizer::Shallow, paper, Settings { squash: Squash::Clamp, ..settings }, H100);
    add(levy(), Optimizer::Deep, paper, settings, NOTHING);
    for rule in Rule::ALL {
        for optimizer in Optimizer::ALL {
            let mut settings = settings.rule(rule);
            settings.learning_rate.schedule = Schedule::Cosine(Cosine { iterations: None, floor: 0.0 });
            add(levy(), optimizer, paper, settings, LIMITS);
        }
    }
    for activation in Activation::ALL {
        add(
            levy(),
            Optimizer::Deep,
            paper,
            Settings { activation, residual: true, frozen_embeddings: true, ..settings },
            H100,
        );
    }
    for widths in [Widths::of(&[]), Widths::of(&[32, 16, 8]), Widths::of(&[10; 12])] {
        add(levy(), Optimizer::Deep, Dimensions { widths, ..paper }, settings, H100);
    }
    sources
}

/// Bytes per thread that may have to leave the registers: a few numbers that the products do not use.
const MOST_SPILLED: usize = 256;

/// The number before `what` in the log of the assembler.
fn number_before(log: &str, what: &str) -> Option<usize> {
    log.split(what).next().filter(|before| before.len() < log.len())?.split_whitespace().last()?.parse().ok()
}

#[test]
#[ignore = "needs NVRTC: make nvrtc"]
fn every_kernel_compiles() {
    let sources = sources();
    let compile = |((name, text), capability): (&(String, String), i32)| {
        let (image, log) =
            compile_for(capability, text).unwrap_or_else(|error| panic!("{name}, {capability}: {error}"));
        assert!(image.starts_with(b"\x7fELF"), "{name}: no machine code");
        let [registers, spilled] = [" registers", " bytes spill stores"]
            .map(|what| number_before(&log, what).unwrap_or_else(|| panic!("{name}: {log}")));
        println!("sm_{capability}: {registers:>3} registers, {spilled:>3} bytes spilled: {name}");
        assert!(spilled <= MOST_SPILLED, "{name}, {capability}: {log}");
    };
    sources.par_iter().flat_map_iter(|source| CAPABILITIES.map(|capability| (source, capability))).for_each(compile);
    println!("{} kernels compiled for {CAPABILITIES:?}", sources.len());
}
