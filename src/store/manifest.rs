//! Requests for runs.

use super::subject::{FORMAT, Naming, RunId, Subject, text};
use crate::descent::{Optimizer, Settings};
use crate::device::Backend;
use crate::element::Element;
use crate::error::{Error, excerpt};
use crate::experiment::{Dtype, Protocol, Stage, Sweep};
use crate::objective::Problem;
use crate::output::Output;
use crate::trace::hexadecimal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

/// The runs that were asked for: every rate with every seed and optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of this record.
    pub format: u32,
    /// The version of the crate.
    pub version: String,
    /// The optimizers.
    pub optimizers: Vec<Optimizer>,
    /// The first step sizes.
    pub rates: Vec<f64>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Everything else. The rate in it is replaced.
    pub settings: Settings,
    /// The protocol, if timed runs of the rates that the sweep chooses were asked for as well.
    pub protocol: Option<Protocol>,
}

/// A run that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The first step size.
    pub rate: f64,
    /// The seed.
    pub seed: u64,
    /// Its name.
    pub id: RunId,
}

impl Manifest {
    /// Of a sweep.
    pub(super) fn of_sweep(sweep: &Sweep) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            optimizers: sweep.optimizers.clone(),
            rates: sweep.rates.clone(),
            seeds: sweep.seeds.clone(),
            settings: sweep.settings,
            protocol: None,
        }
    }

    /// Its text, and the name of its file.
    pub(super) fn file(&self) -> (String, String) {
        let text = text(self);
        let name = format!("{}.json", &hexadecimal(&Sha256::digest(&text))[..32]);
        (text, name)
    }

    /// The number of runs of the sweep.
    pub fn len(&self) -> usize {
        self.optimizers.len().saturating_mul(self.rates.len()).saturating_mul(self.seeds.len())
    }

    /// True if there is no run.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The runs of the sweep, in the order of optimizers, rates, seeds.
    pub(super) fn trials<'a>(&'a self, naming: &'a Naming) -> impl Iterator<Item = Trial> + 'a {
        let rates = self.optimizers.iter().flat_map(|&optimizer| self.rates.iter().map(move |&rate| (optimizer, rate)));
        let trial = move |(optimizer, rate), seed| {
            let id = naming.id(Stage::Sweep, optimizer, seed, &self.settings.learning_rate(rate));
            Trial { optimizer, rate, seed, id }
        };
        rates.flat_map(move |one| self.seeds.iter().map(move |&seed| trial(one, seed)))
    }
}

/// A request of a command or a cell: a sweep, or the comparison of a protocol.
#[derive(Clone, Debug)]
pub struct Experiment {
    pub(super) subject: Subject,
    pub(super) manifest: Manifest,
    pub(super) sweep: Sweep,
    pub(super) backend: Backend,
}

impl Experiment {
    /// A sweep.
    pub fn of_sweep(sweep: &Sweep, dtype: Dtype, backend: Backend) -> Self {
        let subject = Subject::new(&sweep.problem, sweep.dimensions, dtype, backend);
        Self { subject, manifest: Manifest::of_sweep(sweep), sweep: sweep.clone(), backend }
    }

    /// The comparison of the optimizers on `problem` by `protocol`.
    pub fn of_comparison(protocol: &Protocol, problem: &Problem, backend: Backend) -> Self {
        let mut experiment = Self::of_sweep(&protocol.sweep(problem), protocol.dtype, backend);
        experiment.manifest.protocol = Some(protocol.clone());
        experiment
    }

    /// The experiment as the store has it: its subject and its request.
    ///
    /// # Errors
    /// If the objective cannot be made from what is known of it, see [`Subject::problem`].
    pub fn of_record(subject: Subject, manifest: Manifest) -> Result<Self, Error> {
        let problem = subject.problem()?;
        let backend: Backend = subject.device.parse()?;
        let sweep = Sweep {
            problem,
            dimensions: subject.dimensions,
            rates: manifest.rates.clone(),
            seeds: manifest.seeds.clone(),
            optimizers: manifest.optimizers.clone(),
            settings: manifest.settings,
        };
        Ok(Self { subject, manifest, sweep, backend })
    }

    /// The experiment with the text of its objective, from which others can make it again.
    pub fn described(mut self, expression: Option<super::Text>) -> Self {
        self.subject.expression = expression;
        self
    }

    /// Its subject.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The number of runs of its sweep.
    pub fn len(&self) -> usize {
        self.manifest.len()
    }

    /// True if there is no run.
    pub fn is_empty(&self) -> bool {
        self.manifest.is_empty()
    }

    /// The runs of its sweep, in the order of optimizers, rates, seeds.
    pub fn trials(&self) -> Vec<Trial> {
        self.manifest.trials(&self.subject.naming()).collect()
    }

    /// The cost of a run of each optimizer, in units of the network's operations.
    ///
    /// # Errors
    /// If the objective is not defined in so many dimensions.
    pub(super) fn costs(&self) -> Result<BTreeMap<Optimizer, u64>, Error> {
        fn operations<R: Element>(sweep: &Sweep) -> Result<usize, Error> {
            let d = sweep.dimensions.d;
            // Drawn numbers take long to draw, and have two operations each.
            match sweep.problem.is_drawn() {
                true => Ok(2 * (sweep.problem.data_bytes(d, size_of::<R>()) as usize / size_of::<R>())),
                false => Ok(sweep.problem.kernel::<R>(d, 0)?.operations()),
            }
        }
        let point = match self.subject.dtype {
            Dtype::F32 => operations::<f32>(&self.sweep),
            Dtype::F64 => operations::<f64>(&self.sweep),
        }?;
        let iterations = self.sweep.settings.budget.limits().0;
        let cost = |&optimizer: &Optimizer| {
            let of_a_point = POINT * point;
            (
                optimizer,
                (self.sweep.dimensions.operations(optimizer, of_a_point) as u64).saturating_mul(iterations).max(1),
            )
        };
        Ok(self.sweep.optimizers.iter().map(cost).collect())
    }
}

/// The cost of an operation of the objective in units of one of the network: elementary functions count as one operation, and products have the
/// most of the processor.
const POINT: usize = 4;

/// A record has at most this many bytes: a hundred thousand seeds take a hundredth of it.
const LONGEST: u64 = 1 << 26;

/// Reads a record of a store.
///
/// # Errors
/// If the file cannot be read, is of a newer format, or is no such record.
pub(super) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
        version: String,
    }
    let problem = |problem| Error::Data { path: path.to_owned(), problem };
    let file = crate::trace::open(path)?;
    let mut text = String::new();
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|source| Error::file("read", path, source))?;
    if text.len() as u64 > LONGEST {
        return Err(problem("expected a record of a store, and this is longer than any".to_owned()));
    }
    match serde_json::from_str::<Head>(&text) {
        Ok(Head { format, version }) if format > FORMAT => Err(problem(format!(
            "expected a record of format {FORMAT} or older, and this is of format {format} (overparam {}): use that version or newer",
            excerpt(&version)
        ))),
        _ => serde_json::from_str(&text)
            .map_err(|error| problem(format!("expected a record of a store, and this is none: {error}"))),
    }
}

/// Writes a record, unless it is there. Several processes may do so at once.
pub(super) fn write_record(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let output = Output::inside(folder, name);
    // Its name is that of its content: a record that can be read stays, and a damaged one is written again.
    if fs::read(output.path()).is_ok_and(|found| serde_json::from_slice::<serde_json::Value>(&found).is_ok()) {
        return Ok(());
    }
    output.write(|sink| {
        sink.write_all(text.as_bytes()).map_err(|source| Error::file("write", &folder.join(name), source))
    })
}
