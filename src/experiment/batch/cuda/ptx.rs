//! Every kernel compiles for GPUs: `make ptx` runs this with a compiler.

use super::samples::expressions;
use super::source::objective;
use crate::descent::{Optimizer, Settings, Squash};
use crate::device::Source;
use crate::experiment::Dimensions;
use crate::experiment::batch::{Batch, Trial};
use crate::objective::{Function, Problem};
use rayon::prelude::*;
use std::process::Command;

/// A100, and H100 with H200.
const ARCHITECTURES: [&str; 2] = ["sm_80", "sm_90"];

/// The sources of all functions, optimizers and scalars; of one of them, also with projected descent and in global memory.
fn sources() -> Vec<(String, String)> {
    let trials = [Trial { rate: 1.0, seed: 0 }];
    let mut sources = Vec::new();
    let mut add = |problem: Problem, optimizer, squash, shared| {
        let settings = Settings { squash, ..Settings::default() };
        let (dimensions, settings) = (Dimensions::PAPER, &settings);
        let batch = Batch { problem, dimensions, optimizer, settings, trials: &trials };
        let name = format!("{}-{optimizer}-{}-{shared}", batch.problem, squash.name());
        let objective = objective(&batch.problem, dimensions.d).unwrap();
        sources.push((format!("{name}-f32"), Source::new::<f32>(&batch, &objective, shared).unwrap().text));
        sources.push((format!("{name}-f64"), Source::new::<f64>(&batch, &objective, shared).unwrap().text));
    };
    for problem in Function::ALL.into_iter().map(Problem::from).chain(expressions().iter().map(Problem::from)) {
        for optimizer in Optimizer::ALL {
            add(problem.clone(), optimizer, Squash::Sigmoid, usize::MAX);
        }
    }
    add(Function::Levy.into(), Optimizer::Shallow, Squash::Clamp, usize::MAX);
    add(Function::Levy.into(), Optimizer::Deep, Squash::Sigmoid, 0);
    sources
}

#[test]
#[ignore = "needs CUDA's compiler: make ptx"]
fn every_kernel_compiles_to_ptx() {
    let nvcc = std::env::var_os("NVCC").expect("NVCC names the compiler, as with `make ptx`");
    let folder = tempfile::tempdir().unwrap();
    let sources = sources();
    let compile = |((name, text), architecture): (&(String, String), &str)| {
        let path = folder.path().join(format!("{name}-{architecture}.cu"));
        std::fs::write(&path, text).unwrap();
        let ptx = path.with_extension("ptx");
        let output = Command::new(&nvcc)
            .arg("-ptx")
            .arg(format!("-arch={architecture}"))
            .arg(&path)
            .arg("-o")
            .arg(&ptx)
            .output();
        let output = output.expect("the compiler that NVCC names");
        assert!(output.status.success(), "{name}, {architecture}: {}", String::from_utf8_lossy(&output.stderr));
        let ptx = std::fs::read_to_string(ptx).unwrap();
        assert!(ptx.contains(&format!(".target {architecture}")) && ptx.contains(".entry descend"), "{name}: {ptx}");
    };
    let all = sources.par_iter().flat_map_iter(|source| ARCHITECTURES.map(|architecture| (source, architecture)));
    all.for_each(compile);
    println!("{} kernels compiled to PTX for {}", sources.len(), ARCHITECTURES.join(" and "));
}
