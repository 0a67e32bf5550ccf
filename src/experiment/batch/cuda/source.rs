//! The source of a batch's kernel, put together for its function, its shape and its settings, and how much memory a run takes in it.

use super::block::{self, WARP};
use super::tiles::{self, MOST_SIDE, Tile};
use crate::descent::{Optimizer, Settings, Squash};
use crate::device::{Limits, OUTCOMES, Source, progress, search, settings};
use crate::error::Error;
use crate::experiment::Dimensions;
use crate::experiment::batch::Batch;
use crate::graph::cuda::{CudaSource, PARTS};
use crate::network::Activation;
use crate::objective::{Lowest, Problem};
use crate::rule::{Plateau, Rule, Schedule};
use crate::simd::Real;
use std::fmt::{Display, Write};

/// The parts of the source beside the function's; `prelude.cu` explains the macros.
const PRELUDE: &str = include_str!("prelude.cu");
const NETWORK: &str = include_str!("network.cu");
const LBFGS: &str = include_str!("lbfgs.cu");
const DESCENT: &str = include_str!("descent.cu");

/// Networks of more layers run through them in a loop; the layers of others are written out.
const MOST_UNROLLED: usize = 8;

/// The scalars that a kernel works on.
pub(super) struct Words {
    pub parameters: usize,
    /// Scalars that the rule keeps of each parameter.
    pub states: usize,
    /// All that a run works on.
    pub all: usize,
    /// Double-precision numbers that a run keeps besides.
    pub memory: usize,
}

impl Words {
    /// What `descent.cu` says, which checks it.
    ///
    /// # Errors
    /// If they are more than a kernel can count.
    pub(super) fn of(
        objective: &CudaSource,
        dimensions: Dimensions,
        optimizer: Optimizer,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let Dimensions { n, d, .. } = dimensions;
        let parameters = dimensions.parameters(optimizer);
        let (states, memory) = match settings.rule {
            Rule::Lbfgs { history } => {
                let pairs = history.saturating_add(1).saturating_mul(2 * parameters + 1);
                (0, pairs.saturating_add(search::COUNT + 3 * parameters).saturating_add(history))
            }
            // Of L-BFGS alone the number depends on the scalar.
            rule => (rule.words::<f64>(), 0),
        };
        let mut all = ((1 + states) * parameters + 2 * n * d + n).saturating_add(n.saturating_mul(objective.work));
        if optimizer == Optimizer::Deep {
            let layers = dimensions.widths.layers() + 1;
            let slots = match (layers, keeps_slopes(settings.activation)) {
                (1, _) => 0,
                (_, true) => 2 * layers - 1,
                (_, false) => layers,
            };
            all = all.saturating_add(slots * n * widest(dimensions) + if parameters > n * d { parameters } else { 0 });
        }
        if all > i32::MAX as usize || objective.data.len() > i32::MAX as usize {
            return Err(Error::Backend {
                problem: format!("one run with {dimensions} works on more than 2^31 numbers"),
                remedy: "take a smaller shape, or use the device cpu",
            });
        }
        Ok(Self { parameters, states, all, memory })
    }
}

impl Source {
    /// The kernel of a batch, in scalars `R`, for a GPU of these limits.
    ///
    /// # Errors
    /// If the objective cannot be computed on a GPU.
    pub(super) fn new<R: Real>(batch: &Batch<'_>, limits: Limits) -> Result<Self, Error> {
        let function = objective(&batch.problem, batch.dimensions.d)?;
        let words = Words::of(&function, batch.dimensions, batch.optimizer, batch.settings)?;
        Ok(Self::of::<R>(batch, limits, &function, &words))
    }

    /// [`Source::new`] from the source of the objective and the sizes.
    pub(super) fn of<R: Real>(batch: &Batch<'_>, limits: Limits, function: &CudaSource, words: &Words) -> Self {
        let &Batch { ref problem, dimensions, optimizer, settings, .. } = batch;
        let block = block::plan(words.all * size_of::<R>(), limits);
        let Dimensions { n, k, d, .. } = dimensions;
        let deep = optimizer == Optimizer::Deep;
        let frozen = deep && settings.frozen_embeddings;
        let history = if let Rule::Lbfgs { history } = settings.rule { history } else { 0 };
        let mut text = String::new();
        for (name, value) in [
            ("N", n),
            ("D", d),
            ("PARTS", PARTS),
            ("WARP", WARP),
            // What every seed draws, or nothing: then all share what there is.
            ("DATA", problem.device_scalars(d) as usize),
            ("PARAMETERS", words.parameters),
            ("FIRST_MOVED", if frozen { n * k } else { 0 }),
            ("STATES", words.states),
            ("HISTORY", history),
            ("MEMORY", words.memory),
            ("BLOCK_WORDS", words.all),
            ("MOST_THREADS", block.threads),
            ("RESIDENT", block.resident),
        ] {
            define(&mut text, name, value);
        }
        let schedule = settings.learning_rate.schedule;
        for (name, defined) in [
            ("SINGLE", R::NAME == "f32"),
            ("DEEP", deep),
            ("FROZEN", frozen),
            ("RESIDUAL", deep && settings.residual),
            ("CLAMP", settings.squash == Squash::Clamp),
            ("BOUNDED", problem.lowest() == Lowest::Rounded),
            ("GLOBAL_MEMORY", block.global),
            ("COSINE", matches!(schedule, Schedule::Cosine(_))),
            ("PLATEAU", matches!(schedule, Schedule::Plateau(_))),
            ("RELATIVE", matches!(schedule, Schedule::Plateau(Plateau { relative: true, .. }))),
            (&*macro_name("RULE", settings.rule.name()), true),
            (&*macro_name("ACTIVATION", settings.activation.name()), deep),
        ] {
            if defined {
                define(&mut text, name, "");
            }
        }
        text.push_str(PRELUDE);
        text.push_str(&function.text);
        list(&mut text, settings::NAMES, "SETTINGS");
        list(&mut text, progress::NAMES, "PROGRESS");
        list(&mut text, &[&["GOING"][..], &OUTCOMES].concat(), "OUTCOMES");
        if deep {
            write_layers(&mut text, dimensions, size_of::<R>());
            let [leak, factor, cube] = Activation::CONSTANTS;
            for (name, value) in [("LEAK", leak), ("GELU_FACTOR", factor), ("GELU_CUBE", cube)] {
                define(&mut text, name, format_args!("{value:e}"));
            }
            text.push_str(NETWORK);
        }
        if history > 0 {
            list(&mut text, search::NAMES, "SEARCH");
            text.push_str(LBFGS);
        }
        text.push_str(DESCENT);
        Self { text, block, memory: words.memory }
    }
}

/// Writing to a string does not fail.
fn define(text: &mut String, name: &str, value: impl Display) {
    let _ = writeln!(text, "#define {name} {value}");
}

/// The indices of `names`, and how many there are.
fn list(text: &mut String, names: &[&str], count: &str) {
    let _ = writeln!(text, "enum {{ {}, {count} }};", names.join(", "));
}

/// The macro of a setting's value, such as `RULE_GRADIENT_DESCENT`.
fn macro_name(kind: &str, name: &str) -> String {
    format!("{kind}_{}", name.to_uppercase().replace('-', "_"))
}

/// True if the kernel keeps the derivatives of the activations, because they do not follow from them.
fn keeps_slopes(activation: Activation) -> bool {
    matches!(activation, Activation::Gelu | Activation::Sine)
}

/// The scalars that a slot of the network's flow has for each point.
fn widest(dimensions: Dimensions) -> usize {
    dimensions.k.max(dimensions.widths.widest())
}

/// The definitions of the layers that `network.cu` reads.
fn write_layers(text: &mut String, dimensions: Dimensions, scalar: usize) {
    let Dimensions { n, k, d, .. } = dimensions;
    let layers: Vec<(usize, usize)> = dimensions.layers().collect();
    define(text, "LAYERS", layers.len());
    define(text, "WIDEST", widest(dimensions));
    define(text, "MOST_SIDE", MOST_SIDE);
    let unrolled = layers.len() <= MOST_UNROLLED;
    if unrolled {
        define(text, "UNROLLED", "");
    }
    let widths: Vec<usize> = layers.iter().map(|&(inputs, _)| inputs).chain([d]).collect();
    function(text, "width", &widths);
    let weights = layers.iter().scan(n * k, |place, &(inputs, outputs)| {
        let here = *place;
        *place += (inputs + 1) * outputs;
        Some(here)
    });
    function(text, "weights_of", &weights.collect::<Vec<_>>());
    let mut tiles: Vec<[Tile; 3]> =
        layers.iter().map(|&layer| tiles::of_layer(n, layer, scalar).map(|(_, tile)| tile)).collect();
    if !unrolled {
        // A thread keeps a tile in registers, so that its size has to be known while the kernel is compiled: that of the widest layer.
        let widest =
            layers.iter().enumerate().max_by_key(|(_, (inputs, outputs))| inputs * outputs).map_or(0, |(at, _)| at);
        tiles = vec![tiles[widest]; layers.len()];
    }
    for (product, name) in ["forward", "below", "weight"].into_iter().enumerate() {
        function(text, &format!("{name}_rows"), &tiles.iter().map(|tiles| tiles[product].rows).collect::<Vec<_>>());
        function(
            text,
            &format!("{name}_columns"),
            &tiles.iter().map(|tiles| tiles[product].columns).collect::<Vec<_>>(),
        );
    }
}

/// The C function `name` of a layer's number.
fn function(text: &mut String, name: &str, values: &[usize]) {
    let _ = write!(text, "DEVICE int {name}(int layer) {{");
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        let _ = write!(text, " return {};", values[0]);
    } else {
        let _ = write!(text, "\n  switch (layer) {{\n");
        for (layer, value) in values.iter().enumerate().skip(1) {
            let _ = writeln!(text, "  case {layer}: return {value};");
        }
        let _ = write!(text, "  default: return {};\n  }}\n", values[0]);
    }
    text.push_str(" }\n");
}

/// The source of an objective.
///
/// # Errors
/// If it is not defined in so many dimensions, or cannot be computed on a GPU.
pub(super) fn objective(problem: &Problem, dimension: usize) -> Result<CudaSource, Error> {
    problem.cuda(dimension)?.ok_or_else(|| Error::Backend {
        problem: format!("{problem} has too many operations for a kernel in {dimension} dimensions"),
        remedy: "use the device cpu",
    })
}

/// # Errors
/// As [`objective`].
pub(in crate::experiment::batch) fn ensure(problem: &Problem, dimension: usize) -> Result<(), Error> {
    objective(problem, dimension).map(|_| ())
}
