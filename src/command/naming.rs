//! File names that distinguish experiments.

use overparam::prelude::*;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A list that takes more letters than this is named by its length and a hash.
const LONGEST_LIST: usize = 60;

/// The name of an experiment's file: what it is, then every setting that differs from those of its protocol.
pub struct Name {
    parts: Vec<String>,
    /// The settings of the protocol as they are by default.
    base: Protocol,
}

impl Name {
    /// The name of an experiment called `parts` with `protocol`, so far without what its command alone knows.
    pub fn new(mut parts: Vec<String>, protocol: &Protocol, backend: Backend) -> Self {
        let paper = Protocol::paper();
        let base = if protocol.name == paper.name { paper } else { Protocol::deep_convexity() };
        // The rule with its default constants, and its schedule or one that has a name.
        let rule = protocol.rule.name().parse().unwrap_or(base.rule);
        let usual_schedule = if rule == base.rule { base.learning_rate.schedule } else { rule.schedule() };
        let schedule = protocol.learning_rate.schedule;
        let named = if schedule == usual_schedule { Some(schedule) } else { schedule.to_string().parse().ok() };
        // All fields of a protocol that a command can change; what else may differ goes into a hash.
        let known = Protocol {
            rule,
            learning_rate: LearningRate { schedule: named.unwrap_or(usual_schedule), ..base.learning_rate },
            activation: protocol.activation,
            residual: protocol.residual,
            frozen_embeddings: protocol.frozen_embeddings,
            dimensions: protocol.dimensions,
            dtype: protocol.dtype,
            squash: protocol.squash,
            initialization: protocol.initialization,
            rates: protocol.rates.clone(),
            iterations: protocol.iterations,
            seeds: protocol.seeds,
            glass_iterations: protocol.glass_iterations,
            glass_seeds: protocol.glass_seeds,
            ..base.clone()
        };
        if base.name != Protocol::paper().name {
            parts.push(base.name.clone());
        }
        let Dimensions { n, d, k, widths } = protocol.dimensions;
        let usual = base.dimensions;
        // k is as large as the first layer where nobody says otherwise.
        let usual_k = widths.as_slice().first().copied().unwrap_or(usual.k);
        let sizes = [("n", n, usual.n), ("d", d, usual.d), ("k", k, usual_k)];
        let sizes = sizes.into_iter().filter(|(_, size, usual)| size != usual);
        parts.extend(sizes.map(|(name, size, _)| format!("{name}-{size}")));
        if widths != usual.widths {
            parts.push(format!("widths-{}", shortened(widths.to_string(), widths.layers())));
        }
        let words = [
            (protocol.dtype.name(), base.dtype.name()),
            (protocol.squash.name(), base.squash.name()),
            (protocol.initialization.name(), base.initialization.name()),
            (rule.name(), base.rule.name()),
            (protocol.activation.name(), base.activation.name()),
            (backend.name(), Backend::Cpu.name()),
        ];
        parts.extend(words.into_iter().filter(|(word, usual)| word != usual).map(|(word, _)| word.to_owned()));
        if schedule != usual_schedule {
            parts.push(format!("schedule-{schedule}"));
        }
        let switches = [
            ("residual", protocol.residual, base.residual),
            ("frozen-embeddings", protocol.frozen_embeddings, base.frozen_embeddings),
        ];
        parts.extend(switches.into_iter().filter(|(_, on, usual)| on != usual).map(|(word, ..)| word.to_owned()));
        if *protocol != known {
            let settings = serde_json::json!(protocol).to_string();
            parts.push(format!("{:08x}", hash(&settings)));
        }
        Self { parts, base }
    }

    /// The settings of the protocol as they are by default.
    pub fn base(&self) -> &Protocol {
        &self.base
    }

    /// Adds `word`.
    pub fn push(&mut self, word: impl Display) {
        self.parts.push(word.to_string());
    }

    /// Adds a setting if it is not the `usual` one.
    pub fn setting<T: PartialEq + Display>(&mut self, name: &str, value: T, usual: T) {
        if value != usual {
            self.parts.push(format!("{name}-{value}"));
        }
    }

    /// Adds a list of numbers if it is not the `usual` one.
    pub fn list(&mut self, name: &str, values: &[f64], usual: &[f64]) {
        if values != usual {
            let list = values.iter().map(|&value| number(value)).collect::<Vec<_>>().join(",");
            self.parts.push(format!("{name}-{}", shortened(list, values.len())));
        }
    }

    /// The file of this name in `folder`.
    pub fn file(&self, folder: &str) -> PathBuf {
        Path::new(folder).join(format!("{}.parquet", self.parts.join("-")))
    }
}

/// `list`, or its `length` and a hash if it takes too many letters.
fn shortened(list: String, length: usize) -> String {
    if list.len() <= LONGEST_LIST { list } else { format!("{length}-{:08x}", hash(&list)) }
}

/// The shortest text that means `value`.
pub fn number(value: f64) -> String {
    let (plain, scientific) = (value.to_string(), format!("{value:e}"));
    if plain.len() <= scientific.len() + 2 { plain } else { scientific }
}

/// FNV-1a, in 32 bits: the same in every version of this program.
pub fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
