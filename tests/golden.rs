//! The numbers stay what they are: every bit of the traces of all functions, both optimizers and both dtypes, on every instruction
//! set of this machine, is that of the samples in `golden/samples.txt`.
//!
//! The bits also depend on the mathematical library of the system, which finds the ranges of some functions.
//!
//! A change that is meant to change numbers writes them anew: `GOLDEN=write cargo test --release --test golden`; the difference in
//! that file then says which.

use overparam::{Function, trace};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// The first step size: large enough that every run moves, small enough that none diverges.
const RATE: &str = "0.5";
const ITERATIONS: &str = "2000";

/// Columns that are the same however long a run takes.
const COLUMNS: [&str; 6] = ["iteration", "objective_min", "objective_mean", "best", "raw_best", "step_size"];

/// FNV-1a over the bits of `values`.
fn hash(values: impl IntoIterator<Item = u64>) -> u64 {
    let bytes = values.into_iter().flat_map(u64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The hash of the trace that a command writes, and its last best value.
fn sample(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let path = folder.path().join("trace.parquet");
    let output = Command::new(env!("CARGO_BIN_EXE_overparam"))
        .current_dir(&folder)
        .args(arguments)
        .arg("--output")
        .arg(&path)
        .output()
        .expect("the program was just built");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let table = trace::read(&path).expect("the trace was just written");
    let bits = COLUMNS.iter().flat_map(|name| {
        let column = table.column(name).expect("traces have this column");
        match column.f64() {
            Ok(values) => values.iter().map(|value| value.unwrap_or(f64::NAN).to_bits()).collect::<Vec<_>>(),
            Err(_) => column.u64().expect("counts are u64").iter().map(Option::unwrap_or_default).collect(),
        }
    });
    let hash = hash(bits);
    let best = table.column("best").expect("traces have this column").f64().expect("it is of numbers");
    format!("{hash:016x} {:e}", best.iter().last().flatten().expect("it has rows"))
}

#[test]
fn traces_have_the_bits_of_the_golden_samples() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/samples.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let parse = |line: &str| line.split_once(": ").map(|(case, sample)| (case.to_owned(), sample.to_owned()));
    let mut golden: BTreeMap<String, String> = text.lines().filter_map(parse).collect();
    let mut different = Vec::new();
    for function in Function::ALL {
        for optimizer in ["shallow", "deep"] {
            for dtype in ["f32", "f64"] {
                for set in overparam::instruction_sets() {
                    // Samples were taken on x86-64.
                    if set == "neon" {
                        continue;
                    }
                    let case = format!("{function} {optimizer} {dtype} {set}");
                    let found = sample(&[
                        "run",
                        function.name(),
                        "--optimizer",
                        optimizer,
                        "--dtype",
                        dtype,
                        "--seed",
                        "7",
                        "--rate",
                        RATE,
                        "--iterations",
                        ITERATIONS,
                        "--instruction-set",
                        set,
                    ]);
                    if golden.get(&case) != Some(&found) {
                        different.push(format!("{case}: {found}, expected {:?}", golden.get(&case)));
                        golden.insert(case, found);
                    }
                }
            }
        }
    }
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        let lines: String = golden.iter().map(|(case, sample)| format!("{case}: {sample}\n")).collect();
        std::fs::write(&path, lines).expect("the samples can be written");
        return;
    }
    assert!(different.is_empty(), "{} samples differ:\n{}", different.len(), different.join("\n"));
}
