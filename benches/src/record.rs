//! Measurements as files: JSON with the machine that they are from.

use crate::case::Program;
use crate::comparison::Measurement;
use crate::roofline::Peak;
use crate::scaling::Point;
use anyhow::{Context, Result};
use overparam::Error;
use overparam::output::Output;
use overparam::prelude::Dimensions;
use overparam::trace::Provenance;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The rows of a file, and where and when they were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record<T> {
    /// The machine.
    pub machine: Machine,
    /// True if the cases are a selection.
    pub quick: bool,
    /// One row per case and program, or per shape.
    pub rows: Vec<T>,
}

/// The machine and the program at the time of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The name of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The instruction set of the kernels.
    pub instruction_set: String,
    /// The version of overparam.
    pub version: String,
    /// The day, in UTC: `2026-01-31`.
    pub date: String,
    /// Processes that ran or waited in the minute before, on average, where the system reports it.
    pub load: Option<f64>,
    /// The peak of one core.
    pub peak: Peak,
}

impl Machine {
    /// This machine, now.
    pub fn now(peak: Peak) -> Self {
        let metadata = Provenance::new("{}").metadata();
        let of = |name: &str| metadata.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self {
            cpu: of("overparam.cpu").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            instruction_set: overparam::instruction_set().to_owned(),
            version: of("overparam.version").unwrap_or_default(),
            date: date(seconds / 86_400),
            load: load.split_whitespace().next().and_then(|load| load.parse().ok()),
            peak,
        }
    }
}

/// The day in the Gregorian calendar that is `days` after 1970-01-01.
fn date(days: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut rest) = (1970, days);
    while rest >= 365 + u64::from(is_leap(year)) {
        rest -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while rest >= lengths[month] {
        rest -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, rest + 1)
}

/// A case by one program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub function: String,
    pub optimizer: String,
    pub rule: String,
    /// `"shallow"`, `"deep 10x1"`, …
    pub shape: String,
    pub dtype: String,
    pub program: String,
    /// The version of the program.
    pub version: String,
    #[serde(flatten)]
    pub dimensions: Dimensions,
    /// Iterations of a repeat.
    pub iterations: u64,
    /// Microseconds per iteration, of L-BFGS per evaluation of the gradient: the median of the repeats.
    pub us_per_iteration: f64,
    /// The fastest of the repeats.
    pub least_us_per_iteration: f64,
    /// The median by that of overparam.
    pub ratio: Option<f64>,
    /// The fastest by that of overparam.
    pub least_ratio: Option<f64>,
    /// Operations by formula, an elementary function being one, the update rule not counted.
    pub flop_per_iteration: u64,
    /// Operations per second, by the median, as a share of the peak of one core.
    pub peak_share: f64,
    /// The most that the process has held so far.
    pub peak_memory_bytes: Option<u64>,
}

impl Row {
    /// The rows of `measurements`, in their order.
    pub fn of(measurements: &[Measurement], peak: &Peak) -> Vec<Self> {
        let [medians, leasts] = Measurement::ratios(measurements);
        let ratio = |ratios: &[_], of: &Measurement| match of.program {
            Program::Overparam => Some(1.0),
            _ => {
                ratios.iter().find(|(case, program, _)| *case == of.case && *program == of.program).map(|found| found.2)
            }
        };
        let row = |m: &Measurement| Self {
            function: m.case.function.name().to_owned(),
            optimizer: m.case.optimizer.name().to_owned(),
            rule: m.case.rule.name().to_owned(),
            shape: m.case.shape(),
            dtype: m.case.dtype.name().to_owned(),
            program: m.program.name().to_owned(),
            version: m.version.clone(),
            dimensions: m.case.dimensions,
            iterations: m.iterations,
            us_per_iteration: m.times.median,
            least_us_per_iteration: m.times.least,
            ratio: ratio(&medians, m),
            least_ratio: ratio(&leasts, m),
            flop_per_iteration: m.flop_per_iteration,
            peak_share: m.flop_per_iteration as f64 / m.times.median * 1e-3 / peak.gflop_per_s(m.case.dtype),
            peak_memory_bytes: m.peak_memory_bytes,
        };
        measurements.iter().map(row).collect()
    }
}

/// A shape of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// The size that grows, with function and optimizer: `"n, rastrigin, shallow"`.
    pub series: String,
    pub function: String,
    pub optimizer: String,
    pub dtype: String,
    #[serde(flatten)]
    pub dimensions: Dimensions,
    /// Operations by formula, an elementary function being one.
    pub flop_per_iteration: u64,
    /// Microseconds per iteration: the median of the repeats of one process.
    pub us_per_iteration: f64,
    /// The fastest of the repeats.
    pub least_us_per_iteration: f64,
    /// Microseconds between iterations when two processes run side by side.
    pub us_side_by_side: f64,
    /// The most that the process has held.
    pub peak_memory_bytes: Option<u64>,
    /// The least number of bytes that an iteration reads from and writes to memory, if no data stay in a cache between iterations.
    pub traffic_bytes: u64,
    /// x, the parameters and the couplings of the triples.
    pub data_bytes: u64,
}

impl From<&Point> for Shape {
    fn from(point: &Point) -> Self {
        Self {
            series: point.series.clone(),
            function: point.function.name().to_owned(),
            optimizer: point.optimizer.name().to_owned(),
            dtype: point.dtype.name().to_owned(),
            dimensions: point.dimensions,
            flop_per_iteration: point.flop_per_iteration,
            us_per_iteration: point.times.median,
            least_us_per_iteration: point.times.least,
            us_side_by_side: point.us_side_by_side,
            peak_memory_bytes: point.peak_memory_bytes,
            traffic_bytes: point.traffic_bytes,
            data_bytes: point.data_bytes,
        }
    }
}

/// Writes `measurements` as JSON.
///
/// # Errors
/// If the file cannot be written.
pub fn write(measurements: &impl Serialize, output: &Output) -> Result<()> {
    let text = serde_json::to_string_pretty(measurements).context("cannot turn the measurements into JSON")?;
    let failed = |source| Error::File { action: "write", path: output.path().to_owned(), source };
    Ok(output.write(|sink| writeln!(sink, "{text}").map_err(failed))?)
}

impl<T: Serialize + DeserializeOwned> Record<T> {
    /// Writes the record as JSON.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, output: &Output) -> Result<()> {
        write(self, output)
    }

    /// Reads what [`Record::write`] wrote.
    ///
    /// # Errors
    /// If there is no such file, or it is not one of these.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!("{}: expected the measurements of this version; make bench writes them", path.display())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (10_956, "1999-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_089, "2025-01-01"),
        ] {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scaling.json");
        let peak = Peak { f32_gflop_per_s: 3.0, f64_gflop_per_s: 2.0, copy_gb_per_s: 1.0 };
        let shape = Shape {
            series: "d".to_owned(),
            function: "sphere".to_owned(),
            optimizer: "deep".to_owned(),
            dtype: "f64".to_owned(),
            dimensions: Dimensions::PAPER,
            flop_per_iteration: 1,
            us_per_iteration: 0.1,
            least_us_per_iteration: 1.0 / 3.0,
            us_side_by_side: 2.0,
            peak_memory_bytes: None,
            traffic_bytes: 5,
            data_bytes: 7,
        };
        let record = Record { machine: Machine::now(peak), quick: false, rows: vec![shape] };
        record.write(&Output::prepare(&path).unwrap()).unwrap();
        assert_eq!(Record::read(&path).unwrap(), record);
        assert!(!record.machine.cpu.is_empty() && !record.machine.version.is_empty(), "{record:?}");
        std::fs::write(&path, "{}").unwrap();
        let error = Record::<Shape>::read(&path).unwrap_err().to_string();
        assert!(error.contains("scaling.json: expected the measurements of this version"), "{error}");
    }
}
