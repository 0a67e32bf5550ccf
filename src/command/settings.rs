//! Options that several subcommands share.

use anyhow::Result;
use clap::{Args, ValueEnum};
use overparam::Error;
use overparam::prelude::*;

/// A protocol by name.
#[derive(Clone, Copy, Default, ValueEnum)]
pub enum ProtocolName {
    /// What the paper says.
    #[default]
    Paper,
    /// What the authors' published program did.
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

/// Where to compute.
#[derive(Args)]
pub struct Device {
    /// Where to compute: cpu, cuda, or auto for a GPU where there is one. A single run is far too small for a GPU
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

/// What may differ from the protocol.
#[derive(Args)]
pub struct Overrides {
    /// Where everything that is not given comes from
    #[arg(long, value_enum, default_value_t)]
    pub protocol: ProtocolName,
    /// The scalar to compute in [default: f64]
    #[arg(long, value_enum)]
    dtype: Option<DtypeName>,
    /// How x is kept in the unit cube; clamp is for the shallow optimizer only
    #[arg(long, value_enum)]
    squash: Option<SquashName>,
    /// How the network is drawn
    #[arg(long, value_enum)]
    initialization: Option<InitializationName>,
    /// Embeddings n, points optimized at once [paper: 50]
    #[arg(long)]
    n: Option<usize>,
    /// Dimensions d of the objective [paper: 50]
    #[arg(long)]
    d: Option<usize>,
    /// Dimensions k of an embedding [default: as many as hidden neurons]
    #[arg(long)]
    k: Option<usize>,
    /// Neurons of a hidden layer [paper: 10]
    #[arg(long)]
    hidden: Option<usize>,
    /// Hidden layers [paper: 1]
    #[arg(long)]
    layers: Option<usize>,
}

impl Overrides {
    /// The protocol with what was given in place of what it says, and `iterations` of the shallow optimizer.
    pub fn protocol(&self, iterations: Option<u64>) -> Result<Protocol> {
        let mut protocol = self.protocol.protocol();
        let dimensions = &mut protocol.dimensions;
        dimensions.n = self.n.unwrap_or(dimensions.n);
        dimensions.d = self.d.unwrap_or(dimensions.d);
        dimensions.hidden = self.hidden.unwrap_or(dimensions.hidden);
        dimensions.k = self.k.unwrap_or(dimensions.hidden);
        dimensions.layers = self.layers.unwrap_or(dimensions.layers);
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
        if let Some(iterations) = iterations {
            (protocol.iterations, protocol.glass_iterations) = (iterations, iterations);
        }
        protocol.validate()?;
        Ok(protocol)
    }
}

/// A function by name.
pub fn function(name: &str) -> Result<Function, Error> {
    name.parse()
}

/// An optimizer by name.
pub fn optimizer(name: &str) -> Result<Optimizer, Error> {
    name.parse()
}
