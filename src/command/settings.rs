//! Options that several subcommands share.

use super::naming::{Name, number as file_number};
use anyhow::Result;
use clap::{Args, ValueEnum};
use overparam::Error;
use overparam::prelude::*;

/// A protocol by name.
#[derive(Clone, Copy, Default, ValueEnum)]
pub enum ProtocolName {
    /// The protocol of the paper.
    #[default]
    Paper,
    /// The protocol of the authors' published program.
    DeepConvexity,
}

impl ProtocolName {
    /// The protocol of this name.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Paper => Protocol::paper(),
            Self::DeepConvexity => Protocol::deep_convexity(),
        }
    }
}

/// The device to compute on.
#[derive(Args)]
pub struct Device {
    /// Device to compute on: cpu, cuda, or auto for a GPU if a kernel runs on it. A single run is far too small for a GPU
    #[arg(long, default_value = "cpu")]
    device: String,
}

impl Device {
    /// The backend of this name, which can be used.
    pub fn backend(&self) -> Result<Backend> {
        let backend: Backend = self.device.parse()?;
        backend.ensure()?;
        if self.device != backend.name() {
            note!("computing on {}", backend.describe());
        }
        Ok(backend)
    }
}

/// f32 or f64.
#[derive(Clone, Copy, ValueEnum)]
pub enum DtypeName {
    F32,
    F64,
}

impl From<DtypeName> for Dtype {
    fn from(name: DtypeName) -> Self {
        match name {
            DtypeName::F32 => Self::F32,
            DtypeName::F64 => Self::F64,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum SquashName {
    Sigmoid,
    ScaledTanh,
    Clamp,
}

#[derive(Clone, Copy, ValueEnum)]
enum InitializationName {
    Gaussian,
    PytorchUniform,
}

/// Settings that may differ from the protocol.
#[derive(Args)]
pub struct Overrides {
    /// The settings that are not given: those of the paper, or of the published program deep-convexity
    #[arg(long, value_enum, default_value_t)]
    pub protocol: ProtocolName,
    /// The precision of all numbers [default: f64]
    #[arg(long, value_enum)]
    dtype: Option<DtypeName>,
    /// The map that keeps x in the unit cube; clamp is for the shallow optimizer only [default: the protocol's; paper: sigmoid]
    #[arg(long, value_enum)]
    squash: Option<SquashName>,
    /// Distribution that the network is drawn from [default: the protocol's; paper: gaussian]
    #[arg(long, value_enum)]
    initialization: Option<InitializationName>,
    /// The update rule: gradient-descent, momentum, nesterov, rmsprop, adam, adamw or lbfgs [default: gradient-descent]
    #[arg(long)]
    rule: Option<String>,
    /// The schedule of the step size: paper, deep-convexity, plateau, constant or cosine [default: the protocol's; paper: paper; with
    /// another rule than gradient-descent: constant]
    #[arg(long)]
    schedule: Option<String>,
    /// The activation of the network: relu, identity, tanh, leaky-relu, gelu or sine [default: relu]
    #[arg(long)]
    activation: Option<String>,
    /// Add the network of the deep optimizer to the start of the shallow one; its output layer starts at zero
    #[arg(long)]
    residual: bool,
    /// Move the weights of the network alone and leave its embeddings as they were drawn
    #[arg(long)]
    frozen_embeddings: bool,
    /// Embeddings n, points optimized at once [default: the protocol's; paper: 50]
    #[arg(long, value_parser = count::<usize>)]
    n: Option<usize>,
    /// Dimensions d of the objective [default: the protocol's; paper: 50]
    #[arg(long, value_parser = count::<usize>)]
    d: Option<usize>,
    /// Dimensions k of an embedding [default: the number of neurons in the first hidden layer]
    #[arg(long, value_parser = count::<usize>)]
    k: Option<usize>,
    /// Neurons of a hidden layer [default: the protocol's; paper: 10]
    #[arg(long, value_parser = count::<usize>)]
    hidden: Option<usize>,
    /// Hidden layers; without any the network is linear [default: the protocol's; paper: 1]
    #[arg(long, value_parser = count::<usize>)]
    layers: Option<usize>,
    /// Neurons of each hidden layer, from the input on, such as 32,16,8, where they differ [default: --hidden neurons in each of
    /// --layers layers]
    #[arg(long, conflicts_with_all = ["hidden", "layers"])]
    widths: Option<String>,
}

impl Overrides {
    /// The protocol with what was given in place of what it says, and `iterations` of the shallow optimizer.
    pub fn protocol(&self, iterations: Option<u64>) -> Result<Protocol> {
        let mut protocol = self.protocol.protocol();
        let dimensions = &mut protocol.dimensions;
        dimensions.n = self.n.unwrap_or(dimensions.n);
        dimensions.d = self.d.unwrap_or(dimensions.d);
        if let Some(widths) = &self.widths {
            dimensions.widths = widths.parse()?;
        } else if self.hidden.is_some() || self.layers.is_some() {
            let usual = dimensions.widths;
            let width = self.hidden.or(usual.uniform()).unwrap_or(dimensions.k);
            dimensions.widths = Widths::same(width, self.layers.unwrap_or(usual.layers()))?;
        }
        let first = dimensions.widths.as_slice().first().copied();
        dimensions.k = self.k.or(first).or(self.hidden).unwrap_or(dimensions.k);
        if let Some(dtype) = self.dtype {
            protocol.dtype = dtype.into();
        }
        if let Some(squash) = self.squash {
            protocol.squash = match squash {
                SquashName::Sigmoid => Squash::Sigmoid,
                SquashName::ScaledTanh => Squash::ScaledTanh,
                SquashName::Clamp => Squash::Clamp,
            };
        }
        if let Some(initialization) = self.initialization {
            protocol.initialization = match initialization {
                InitializationName::Gaussian => Initialization::Gaussian,
                InitializationName::PytorchUniform => Initialization::PytorchUniform,
            };
        }
        if let Some(rule) = &self.rule {
            let rule: Rule = rule.parse()?;
            if rule != protocol.rule {
                (protocol.rule, protocol.learning_rate.schedule) = (rule, rule.schedule());
            }
        }
        if let Some(schedule) = &self.schedule {
            protocol.learning_rate.schedule = schedule.parse()?;
        }
        if let Some(activation) = &self.activation {
            protocol.activation = activation.parse()?;
        }
        protocol.residual |= self.residual;
        protocol.frozen_embeddings |= self.frozen_embeddings;
        if let Some(iterations) = iterations {
            (protocol.iterations, protocol.glass_iterations) = (iterations, iterations);
        }
        protocol.validate()?;
        Ok(protocol)
    }
}

/// Ends of a run before its budget is used up.
#[derive(Args)]
pub struct Ends {
    /// End a run as soon as its best scaled objective is this or less
    #[arg(long, value_parser = number)]
    target: Option<f64>,
    /// End a run when its best scaled objective has fallen by no more than this over --patience iterations
    #[arg(long, value_parser = number)]
    tolerance: Option<f64>,
    /// The iterations over which --tolerance is measured
    #[arg(long, default_value_t = 1000, requires = "tolerance", value_parser = count::<u64>)]
    patience: u64,
}

impl Ends {
    /// Adds the ends to `settings`.
    pub fn add_to(&self, settings: &mut Settings) {
        settings.target = self.target;
        settings.tolerance = self.tolerance.map(|change| Tolerance { change, iterations: self.patience });
    }

    /// Adds the ends to the name of a file.
    pub fn name(&self, name: &mut Name) {
        if let Some(target) = self.target {
            name.push(format!("target-{}", file_number(target)));
        }
        if let Some(tolerance) = self.tolerance {
            name.push(format!("tolerance-{}-{}", file_number(tolerance), self.patience));
        }
    }
}

/// An objective by the name of its function.
pub fn problem(name: &str) -> Result<Problem, Error> {
    name.trim().parse::<Function>().map(Problem::from)
}

/// An optimizer by name.
pub fn optimizer(name: &str) -> Result<Optimizer, Error> {
    name.trim().parse()
}

/// A word of a list, such as one of `a, b`.
pub fn word(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected names separated by single commas, such as sphere,levy".to_owned()),
        word => Ok(word.to_owned()),
    }
}

/// A number, alone or of a list such as `1, 0.1`.
pub fn number(text: &str) -> Result<f64, String> {
    text.trim()
        .parse()
        .map_err(|_| "expected a number such as 0.1 or 1e-3; those of a list are separated by single commas".to_owned())
}

/// f64 represents every count up to this one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number, also as `1e6`.
pub fn count<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let short = || {
        let value = text.parse::<f64>().ok()?;
        (value.fract() == 0.0 && (0.0..=EXACT).contains(&value)).then_some(value as u64)
    };
    let value = text.parse::<u64>().ok().or_else(short).and_then(|value| T::try_from(value).ok());
    value.ok_or_else(|| "expected a whole number, 0 or more, such as 1000 or 1e3".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_counts_are_read_as_people_write_them() {
        for (text, value) in [("1", 1.0), (" 0.1", 0.1), ("1e-3 ", 1e-3), ("-2", -2.0), ("+.5", 0.5)] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        for text in ["", " ", "1;2", "1 2", "0,1", "one", "1e"] {
            assert!(number(text).unwrap_err().starts_with("expected a number"), "{text}");
        }
        for (text, value) in
            [("0", 0), (" 7 ", 7), ("1e6", 1_000_000), ("2.5e3", 2500), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(count::<u64>(text), Ok(value), "{text}");
        }
        for text in ["", "-1", "1.5", "1e30", "NaN", "inf", "18446744073709551616", "1,000", "0x10"] {
            assert!(count::<u64>(text).unwrap_err().starts_with("expected a whole number"), "{text}");
        }
        assert_eq!((word(" levy "), word(" ").is_err()), (Ok("levy".to_owned()), true));
    }
}
