//! The subject of runs, and their names.

use crate::descent::{Optimizer, Settings};
use crate::device::Backend;
use crate::error::Error;
use crate::experiment::{Dimensions, Dtype, Stage};
use crate::expression::{Data, Expression};
use crate::objective::{Function, Problem};
use crate::simd;
use crate::trace::hexadecimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

/// The format of manifests that are written, and the newest that is read. It grows when older versions would misread them.
pub(super) const FORMAT: u32 = 1;

/// Letters of an objective's name that a folder is named by.
const LONGEST_NAME: usize = 60;

/// A dimension that is larger is in no run.
const LARGEST: usize = 1 << 31;

/// The properties that all runs of a shelf share: version, objective, shape, scalar, device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The format of this record.
    pub format: u32,
    /// The version of the crate: others may round otherwise.
    pub version: String,
    /// The objective's name.
    pub objective: String,
    /// A mark that tells the objective from any other of this name: of an expression, a hash of the recorded program with its data.
    pub fingerprint: String,
    /// The text of the objective, if it is an expression that was given as text.
    pub expression: Option<Text>,
    /// The shape.
    pub dimensions: Dimensions,
    /// The scalar.
    pub dtype: Dtype,
    /// The device, `"cpu"` or `"cuda"`.
    pub device: String,
    /// The instruction set that was asked for by name. Without one, runs of any are the same run.
    pub instruction_set: Option<String>,
}

/// An expression as text, with its box, range and data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// The text.
    pub text: String,
    /// The bounds of every coordinate.
    #[serde(rename = "box")]
    pub bounds: [f64; 2],
    /// The values for which F is 0 and 1, if they were given.
    pub range: Option<[f64; 2]>,
    /// Its data by name.
    pub data: BTreeMap<String, DataFile>,
}

/// A file that data of an expression come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// The path.
    pub file: PathBuf,
    /// A hash of shape and numbers.
    pub hash: String,
}

impl DataFile {
    /// The record of `data` from `file`.
    pub fn new(file: impl Into<PathBuf>, data: &Data) -> Self {
        let mut hasher = Stable(Sha256::new());
        data.hash(&mut hasher);
        Self { file: file.into(), hash: format!("{:016x}", hasher.finish()) }
    }
}

/// A hasher that gives the same in every version of the standard library.
struct Stable(Sha256);

impl Hasher for Stable {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.clone().finalize()[..8]);
        u64::from_be_bytes(first)
    }
}

/// The name of a run: a hash of its identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId([u8; 16]);

impl RunId {
    /// Of 32 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let number = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
        Some(Self(number.to_be_bytes()))
    }

    /// The hash of several.
    pub(super) fn of_all(ids: impl IntoIterator<Item = Self>) -> Self {
        let mut hash = Sha256::new();
        ids.into_iter().for_each(|id| hash.update(id.0));
        Self::first(&hash.finalize())
    }

    fn first(hash: &[u8]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Self(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hexadecimal(&self.0))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Subject {
    /// Of runs of `problem`.
    pub(super) fn new(problem: &Problem, dimensions: Dimensions, dtype: Dtype, backend: Backend) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            objective: problem.name().to_owned(),
            fingerprint: problem.fingerprint(dimensions.d),
            expression: None,
            dimensions,
            dtype,
            device: backend.name().to_owned(),
            instruction_set: simd::chosen_instruction_set().map(str::to_owned),
        }
    }

    /// The part that is hashed: everything but where data were read from and how the text was written.
    pub(super) fn identity(&self) -> String {
        #[derive(Serialize)]
        struct Identity<'a> {
            version: &'a str,
            objective: &'a str,
            fingerprint: &'a str,
            dimensions: Dimensions,
            dtype: Dtype,
            device: &'a str,
            instruction_set: Option<&'a str>,
        }
        let Self { version, objective, fingerprint, dimensions, dtype, device, instruction_set, .. } = self;
        let (&dimensions, &dtype, instruction_set) = (dimensions, dtype, instruction_set.as_deref());
        text(&Identity { version, objective, fingerprint, dimensions, dtype, device, instruction_set })
    }

    /// The name of its folder.
    pub(super) fn folder(&self) -> String {
        let hash = Sha256::digest(self.identity());
        // A name from a program may have any letters.
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = self.objective.chars().take(LONGEST_NAME).map(plain).collect();
        format!("{}-{}", name.trim_start_matches('.'), &hexadecimal(&hash)[..16])
    }

    /// Names runs about it.
    pub(super) fn naming(&self) -> Naming {
        Naming { identity: self.identity() }
    }

    /// The objective itself, made anew from its description.
    ///
    /// # Errors
    /// If it was recorded from a closure, which no file holds, or its data are no longer those that it was recorded with.
    pub fn problem(&self) -> Result<Problem, Error> {
        let Dimensions { n, k, d, .. } = self.dimensions;
        if [n, k, d].iter().any(|size| !(1..=LARGEST).contains(size)) {
            let given = self.dimensions.to_string();
            return Err(Error::Setting {
                name: "every dimension of the shape",
                expected: "from 1 to 2147483648",
                given,
            });
        }
        let problem = match (&self.expression, self.objective.parse::<Function>()) {
            (Some(text), _) => Problem::from(&text.expression(&self.objective)?),
            (None, Ok(function)) => Problem::from(function),
            (None, Err(_)) => {
                let expected =
                    "one that is a built-in function or was given as text: what a closure computes is in no file";
                return Err(Error::Setting { name: "the objective", expected, given: self.objective.clone() });
            }
        };
        if problem.fingerprint(self.dimensions.d) == self.fingerprint {
            return Ok(problem);
        }
        let expected =
            "the one that its runs were made of; its text or its data, or the version of this program, changed";
        Err(Error::Setting { name: "the objective", expected, given: self.objective.clone() })
    }
}

impl Text {
    fn expression(&self, name: &str) -> Result<Expression, Error> {
        let read = |(name, data): (&String, &DataFile)| Ok((name.clone(), Data::read(&data.file)?));
        let data = self.data.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
        let expression = Expression::parse(&self.text, self.bounds, data)?;
        let expression = match self.range {
            Some([lo, hi]) => expression.range(lo, hi),
            None => expression,
        };
        Ok(expression.named(name))
    }
}

/// JSON whose keys are in the order of the fields: a map of keys may have another order in another build.
pub(super) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("these fields can all be written as JSON")
}

/// Names the runs about a subject.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    identity: String,
}

impl Naming {
    /// The name of the run of these settings, whose first step size is that of the run.
    pub fn id(&self, stage: Stage, optimizer: Optimizer, seed: u64, settings: &Settings) -> RunId {
        #[derive(Serialize)]
        struct Identity<'a> {
            stage: &'a str,
            optimizer: Optimizer,
            seed: u64,
            settings: &'a Settings,
        }
        let mut hash = Sha256::new();
        hash.update(&self.identity);
        hash.update("\n");
        hash.update(text(&Identity { stage: stage.name(), optimizer, seed, settings }));
        RunId::first(&hash.finalize())
    }
}
