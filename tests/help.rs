//! The help of every subcommand.

use std::process::Command;

fn overparam(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_overparam")).args(arguments).output().expect("the program was just built");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The names in the list of subcommands.
fn subcommands() -> Vec<String> {
    let help = overparam(&["--help"]);
    let list = help.split("Commands:\n").nth(1).expect("there is a list of subcommands");
    // The lines that an explanation goes on for begin further right.
    let names = list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).filter(|name| name != "help").collect()
}

#[test]
fn every_subcommand_has_a_short_and_a_whole_help() {
    let whole_words: [(&str, &[&str]); 12] = [
        ("list", &["box", "minimum", "source"]),
        ("run", &["extrapolated", "raw_best", "x0", "-point.parquet", "unfinished"]),
        ("sweep", &["settled_at", "outcome", "diverged", "-points.parquet", "unfinished"]),
        ("submit", &["Slurm", "store", "sweep", "queued again"]),
        ("gather", &["summary", "traces", "instruction_set", "stopped", "--points"]),
        ("verify", &["checksum", "step sizes", "bit for bit", "--again", "exits with 1"]),
        ("figures", &["traces/FUNCTION.parquet", "points/FUNCTION.parquet", "summary.parquet", "SVG", "--functions"]),
        ("evaluate", &["x0", "raw", "scaled", "g0"]),
        ("time", &["us_per_iteration", "flop_per_iteration", "peak_memory_bytes", "JSON"]),
        ("couplings", &["i", "j", "k", "coupling", "d³"]),
        ("completions", &["bash", "zsh", "fish", ".bashrc"]),
        ("manual", &["man", "folder"]),
    ];
    let found = subcommands();
    assert_eq!(found, whole_words.map(|(name, _)| name), "a new subcommand needs its words here");
    for (name, words) in whole_words {
        let (short, whole) = (overparam(&[name, "-h"]), overparam(&[name, "--help"]));
        let whole_text = whole.split_whitespace().collect::<Vec<_>>().join(" ");
        let about = short.split("Usage:").next().unwrap();
        assert!(short.lines().count() < whole.lines().count(), "{name}: -h is the short one");
        assert_eq!(about.trim().split("\n\n").count(), 1, "{name}: -h begins with one paragraph\n{about}");
        let paragraphs = whole.split("Usage:").next().unwrap().trim().split("\n\n").count();
        assert!(paragraphs > 1, "{name}: --help says what is read, written or printed\n{whole}");
        for word in words {
            assert!(whole_text.contains(word), "{name}: '{word}' is missing in\n{whole}");
        }
        assert!(overparam(&["help", name]) == whole, "{name}");
    }
}

/// What the help says of defaults, beside what the program does.
#[test]
fn defaults_are_those_of_the_protocol() {
    use overparam::prelude::*;
    let paper = Protocol::paper();
    let quick = paper.clone().quick();
    assert_eq!((quick.seeds, quick.glass_seeds), (3, 2));
    let words = |name: &str| overparam(&[name, "--help"]).split_whitespace().collect::<Vec<_>>().join(" ");
    let Dimensions { n, d, widths, .. } = paper.dimensions;
    let (hidden, layers) = (widths.uniform().unwrap(), widths.layers());
    let (run, sweep, figures) = (words("run"), words("sweep"), words("figures"));
    for help in [&run, &sweep] {
        for (option, value) in [("--n", n), ("--d", d), ("--hidden", hidden), ("--layers", layers)] {
            let after = help.split(&format!(" {option} <")).nth(1).unwrap_or_else(|| panic!("{option}: {help}"));
            let said = after.split("paper: ").nth(1).and_then(|rest| rest.split(']').next());
            assert_eq!(said, Some(value.to_string().as_str()), "{option}");
        }
        let iterations = format!("paper: {}, of spin-glass {}]", paper.iterations, paper.glass_iterations);
        assert!(help.contains(&iterations), "{iterations}: {help}");
        let squash = format!("paper: {}]", paper.squash.name());
        assert!(help.contains(&squash) && help.contains(&format!("paper: {}]", paper.initialization.name())), "{help}");
    }
    let seeds = format!("[default: {}, of spin-glass {}]", paper.seeds, paper.glass_seeds);
    assert!(sweep.contains(&seeds) && figures.contains(&seeds));
    assert!(figures.contains("three seeds, of spin-glass two"));
    assert!(run.contains("[default: deep]") && run.contains("[default: 1]") && sweep.contains("[default: f64]"));
}

#[test]
fn nobody_says_a_row_a_run() {
    for name in subcommands() {
        let help = overparam(&[&name, "--help"]);
        for word in ["a row a ", "one a core", "one a thread", "DATA/"] {
            assert!(!help.contains(word), "{name}: '{word}' in\n{help}");
        }
    }
}

#[test]
fn completions_and_pages_of_the_manual_know_every_command_and_option() {
    let script = overparam(&["completions", "bash"]);
    for name in subcommands() {
        assert!(script.contains(&format!("overparam,{name})")), "{name}");
    }
    assert!(script.contains("--frozen-embeddings"), "{script}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("man1");
    let said = overparam(&["manual", path.to_str().unwrap()]);
    let pages = subcommands().len() + 1;
    assert!(said.starts_with(&format!("{pages} pages in ")), "{said}");
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), pages);
    for name in subcommands() {
        let page = std::fs::read_to_string(path.join(format!("overparam-{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH OPTIONS"), "{name}: {page}");
    }
    assert!(std::fs::read_to_string(path.join("overparam-run.1")).unwrap().contains("frozen"), "options are explained");
}

/// CONTRIBUTING says what each dependency is for.
#[test]
fn every_dependency_has_a_reason() {
    let read = |name: &str| std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (manifest, reasons) = (read("Cargo.toml"), read("CONTRIBUTING.md"));
    let mut section = "";
    let mut count = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if matches!(section, "[dependencies]" | "[dev-dependencies]") && !line.starts_with('#') {
            let name: String = line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
            assert!(name.is_empty() || reasons.contains(&format!("`{name}`")), "{name}");
            count += usize::from(!name.is_empty());
        }
    }
    assert!(count > 20, "{count}");
}
