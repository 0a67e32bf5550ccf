//! Growth of time and memory with the shape.
//!
//! Every point is measured in fresh processes of `overparam time`, so that its peak of memory is its own: one process
//! alone, then two side by side, whose iterations a second are added up.

use crate::statistics::{Line, Times};
use anyhow::{Context, Result, bail};
use overparam::prelude::{Dimensions, Dtype, Function, Optimizer, Widths};
use serde::Deserialize;
use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Approximate time of a repeat in microseconds, and the pace that its iterations are estimated with, in operations per microsecond.
const REPEAT: f64 = 50_000.0;
const PACE: f64 = 10_000.0;
const REPEATS: usize = 5;

/// The bytes of a row of the widest panel that a network works on at once, one coordinate of 64 points in double precision or of 128 in single, and
/// those of a core's own cache, about.
const WIDEST_ROW: u64 = 512;
const CACHE: u64 = 2 << 20;

/// The name of the processes in errors.
const PROGRAM: &str = "overparam time";

/// Shapes that differ in one size.
#[derive(Clone, Debug)]
pub struct Series {
    /// The size that grows, such as `"n, rastrigin, shallow"`.
    pub name: String,
    /// The function to minimize.
    pub function: Function,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The shapes, in order of size.
    pub shapes: Vec<Dimensions>,
}

/// A shape of a [`Series`], measured.
#[derive(Clone, Debug)]
pub struct Point {
    /// The name of the series.
    pub series: String,
    /// The function to minimize.
    pub function: Function,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The shape.
    pub dimensions: Dimensions,
    /// The scalar.
    pub dtype: Dtype,
    /// Operations of an iteration by formula.
    pub flop_per_iteration: u64,
    /// Microseconds an iteration of a process alone.
    pub times: Times,
    /// Microseconds an iteration of two processes side by side: two iterations are done in twice this.
    pub us_side_by_side: f64,
    /// The most that the process alone has held.
    pub peak_memory_bytes: Option<u64>,
    /// The least number of bytes that an iteration reads from and writes to memory, if no data stay in a cache between iterations.
    pub traffic_bytes: u64,
    /// x, the parameters, and for the spin glass the couplings of the triples i ≤ j ≤ k: the least there is, half of what is held.
    pub data_bytes: u64,
}

impl Series {
    /// n to 100,000; d to 1,000,000 for a function that is a sum over coordinates; d to 1,000 for the spin glass; neurons to 2,048;
    /// layers to 16.
    pub fn all() -> Vec<Self> {
        let paper = Dimensions::PAPER;
        let (shallow, deep) = (Optimizer::Shallow, Optimizer::Deep);
        let series = |size: &str, function: Function, optimizer, shapes: Vec<Dimensions>| Self {
            name: format!("{size}, {function}, {optimizer}"),
            function,
            optimizer,
            shapes,
        };
        let points = |n: &[usize]| n.iter().map(|&n| Dimensions { n, ..paper }).collect::<Vec<_>>();
        let dimensions = |d: &[usize]| d.iter().map(|&d| Dimensions { d, ..paper }).collect::<Vec<_>>();
        let network = |widths: &'static [usize]| Dimensions { k: widths[0], widths: Widths::of(widths), ..paper };
        let (n, d) = (points(&[50, 1_000, 10_000, 100_000]), dimensions(&[50, 1_000, 10_000, 100_000, 1_000_000]));
        let neurons = [&[10], &[50], &[128], &[512], &[2_048]].map(|widths| network(widths)).to_vec();
        let layers = [&[50; 1][..], &[50; 2], &[50; 4], &[50; 8], &[50; 16]].map(network).to_vec();
        let (separable, glass) = (Function::Rastrigin, Function::SpinGlass);
        vec![
            series("n", separable, shallow, n.clone()),
            series("n", separable, deep, n),
            series("d", separable, shallow, d.clone()),
            series("d", separable, deep, d),
            series("d", glass, shallow, dimensions(&[50, 100, 200, 400, 1_000])),
            series("hidden neurons", separable, deep, neurons),
            series("hidden layers", separable, deep, layers),
        ]
    }

    /// Measures every shape in `dtype`, with processes of the program `overparam`, and calls `report` after each.
    ///
    /// # Errors
    /// If a process cannot be started or does not answer.
    pub fn measure(&self, overparam: &Path, dtype: Dtype, report: &mut dyn FnMut(&Point)) -> Result<Vec<Point>> {
        let mut points = Vec::new();
        for &dimensions in &self.shapes {
            let data_bytes = data_bytes(self.function, self.optimizer, dimensions, dtype);
            // Too many would only take longer, too few are counted out by the first answer.
            let iterations = |flop: f64| (REPEAT * PACE / flop).clamp(3.0, 20_000.0) as u64;
            let start = |iterations| start(overparam, self.function, self.optimizer, dimensions, dtype, iterations);
            let flop = answer(start(1)?)?.flop_per_iteration;
            let iterations = iterations(flop as f64);
            let alone = answer(start(iterations)?)?;
            let beside = [start(iterations)?, start(iterations)?].map(answer);
            let [first, second] = beside;
            let per_microsecond = 1.0 / first?.us_per_iteration + 1.0 / second?.us_per_iteration;
            let point = Point {
                series: self.name.clone(),
                function: self.function,
                optimizer: self.optimizer,
                dimensions,
                dtype,
                flop_per_iteration: flop,
                times: Times { median: alone.us_per_iteration, least: alone.least_us_per_iteration },
                us_side_by_side: 1.0 / per_microsecond,
                peak_memory_bytes: alone.peak_memory_bytes,
                traffic_bytes: traffic_bytes(self.function, self.optimizer, dimensions, dtype),
                data_bytes,
            };
            report(&point);
            points.push(point);
        }
        Ok(points)
    }
}

impl Point {
    /// The memory that the process held beyond `idle` bytes, as a multiple of the data.
    pub fn memory_multiple(&self, idle: u64) -> Option<f64> {
        Some(self.peak_memory_bytes?.saturating_sub(idle) as f64 / self.data_bytes as f64)
    }

    /// Gigabytes per second through memory, at least, where the data are too many for the caches.
    pub fn bandwidth(&self) -> f64 {
        self.traffic_bytes as f64 / self.times.least * 1e-3
    }

    /// Time, by the fastest repeat, as a power of the operations counted.
    pub fn growth(points: &[Self]) -> Line {
        Line::fit(&points.iter().map(|p| (p.flop_per_iteration as f64, p.times.least)).collect::<Vec<_>>())
    }
}

/// The program `overparam` that was built into the same folder as this program.
///
/// # Errors
/// If it is not there.
pub fn program() -> Result<PathBuf> {
    let folder = std::env::current_exe().context("cannot find the folder of this program")?;
    // Tests are one folder deeper.
    let mut found = folder.ancestors().skip(1).take(2).map(|folder| folder.join(format!("overparam{EXE_SUFFIX}")));
    found
        .find(|program| program.is_file())
        .with_context(|| format!("no program overparam beside {}: build it by cargo build --release", folder.display()))
}

/// The memory of a process that has next to nothing to hold.
///
/// # Errors
/// As [`Series::measure`].
pub fn idle_memory(overparam: &Path) -> Result<Option<u64>> {
    let smallest = Dimensions { n: 10, k: 5, widths: Widths::of(&[5]), d: 10 };
    let process = start(overparam, Function::Sphere, Optimizer::Shallow, smallest, Dtype::F32, 1)?;
    Ok(answer(process)?.peak_memory_bytes)
}

fn data_bytes(function: Function, optimizer: Optimizer, dimensions: Dimensions, dtype: Dtype) -> u64 {
    let Dimensions { n, d, .. } = dimensions;
    bytes(n * d + dimensions.parameters(optimizer) + couplings(function, d), dtype)
}

/// The shallow optimizer reads and writes every parameter. The deep one does so with the embeddings; it reads weights forward, reads and
/// writes them backward; and where a panel of y is too large for a core's cache, writes it, reads it and writes the gradient in its
/// place, and reads that. The couplings are read.
fn traffic_bytes(function: Function, optimizer: Optimizer, dimensions: Dimensions, dtype: Dtype) -> u64 {
    let Dimensions { n, k, d, .. } = dimensions;
    let scalars = match optimizer {
        Optimizer::Shallow => 2 * n * d,
        Optimizer::Deep => {
            let embeddings = n * k;
            let leaves_caches = d as u64 * bytes(n, dtype).min(WIDEST_ROW) > CACHE;
            let y = if leaves_caches { n * d } else { 0 };
            2 * embeddings + 3 * (dimensions.parameters(optimizer) - embeddings) + 4 * y
        }
    };
    bytes(scalars + couplings(function, d), dtype)
}

fn couplings(function: Function, d: usize) -> usize {
    if function == Function::SpinGlass { d * (d + 1) * (d + 2) / 6 } else { 0 }
}

fn bytes(scalars: usize, dtype: Dtype) -> u64 {
    let scalar = match dtype {
        Dtype::F32 => 4,
        Dtype::F64 => 8,
    };
    (scalar * scalars) as u64
}

/// The output of `overparam time`, as far as it is read here.
#[derive(Deserialize)]
struct Answer {
    us_per_iteration: f64,
    least_us_per_iteration: f64,
    flop_per_iteration: u64,
    peak_memory_bytes: Option<u64>,
}

fn start(
    overparam: &Path,
    function: Function,
    optimizer: Optimizer,
    dimensions: Dimensions,
    dtype: Dtype,
    iterations: u64,
) -> Result<Child> {
    let Dimensions { n, k, widths, d } = dimensions;
    let repeats = if iterations == 1 { 1 } else { REPEATS };
    Command::new(overparam)
        .args(["time", "--function", function.name(), "--optimizer", optimizer.name(), "--dtype", dtype.name()])
        .args(
            [("--n", n), ("--k", k), ("--d", d), ("--repeats", repeats)]
                .map(|(option, value)| format!("{option}={value}")),
        )
        .arg(format!("--widths={widths}"))
        .arg(format!("--iterations={iterations}"))
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{PROGRAM}: cannot start {}", overparam.display()))
}

fn answer(process: Child) -> Result<Answer> {
    let output = process.wait_with_output().context(PROGRAM)?;
    if !output.status.success() {
        bail!("{PROGRAM}: it failed ({}); its error message is above", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{PROGRAM}: expected JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use overparam::prelude::Protocol;

    #[test]
    fn every_shape_of_a_series_is_valid_and_larger_than_the_one_before() {
        for Series { name, shapes, .. } in Series::all() {
            for &dimensions in &shapes {
                Protocol { dimensions, ..Protocol::paper() }.validate().unwrap();
            }
            let size = |shape: &Dimensions| shape.parameters(Optimizer::Deep);
            assert!(shapes.is_sorted_by(|a, b| size(a) < size(b)), "{name}");
        }
    }

    #[test]
    fn data_are_x_parameters_and_couplings() {
        let paper = Dimensions::PAPER;
        let bytes = |function, optimizer| data_bytes(function, optimizer, paper, Dtype::F64);
        assert_eq!(bytes(Function::Sphere, Optimizer::Shallow), 8 * 5_000);
        assert_eq!(bytes(Function::Sphere, Optimizer::Deep), 8 * (2_500 + 500 + 110 + 550));
        assert_eq!(bytes(Function::SpinGlass, Optimizer::Shallow), 8 * (5_000 + 22_100));
    }

    #[test]
    fn traffic_is_what_is_read_and_written() {
        let bytes = |optimizer, dimensions| traffic_bytes(Function::Sphere, optimizer, dimensions, Dtype::F32);
        let paper = Dimensions::PAPER;
        assert_eq!(bytes(Optimizer::Shallow, paper), 4 * 2 * 2_500);
        assert_eq!(bytes(Optimizer::Deep, paper), 4 * (2 * 500 + 3 * (110 + 550)));
        let d = 1_000_000;
        let weights = 110 + 11 * d;
        assert_eq!(bytes(Optimizer::Deep, Dimensions { d, ..paper }), 4 * (2 * 500 + 3 * weights + 4 * 50 * d) as u64);
        // Panels of 128 points in single and of 64 in double precision, both of which are larger than a cache from d = 4,097 on.
        for (dtype, scalar) in [(Dtype::F32, 4), (Dtype::F64, 8)] {
            for (d, leaves) in [(4_096, 0), (4_097, 1)] {
                let shape = Dimensions { n: 1_000, d, ..paper };
                let scalars = 2 * 10_000 + 3 * (110 + 11 * d) + leaves * 4 * 1_000 * d;
                assert_eq!(
                    traffic_bytes(Function::Sphere, Optimizer::Deep, shape, dtype),
                    scalar * scalars as u64,
                    "{dtype:?}, {d}"
                );
            }
        }
    }

    #[test]
    fn a_series_is_measured_in_processes_of_its_own() {
        let overparam = program().unwrap();
        let shape = |d| Dimensions { d, ..Dimensions::PAPER };
        let shapes = vec![shape(50), shape(1_000)];
        let series = Series { name: "d".to_owned(), function: Function::Sphere, optimizer: Optimizer::Shallow, shapes };
        let mut reported = Vec::new();
        let points = series
            .measure(&overparam, Dtype::F64, &mut |point| reported.push((point.dimensions, point.times)))
            .unwrap();
        assert_eq!(reported, points.iter().map(|point| (point.dimensions, point.times)).collect::<Vec<_>>());
        let [small, large] = &points[..] else { panic!("{points:?}") };
        for (point, d) in [(small, 50), (large, 1_000)] {
            assert_eq!((point.dimensions.d, point.data_bytes), (d, 8 * 2 * 50 * d as u64));
            assert!(point.times.least > 0.0 && point.times.least <= point.times.median, "{point:?}");
            // Two processes do at most twice as much as one, but for noise.
            assert!(point.us_side_by_side > 0.25 * point.times.least, "{point:?}");
            let idle = idle_memory(&overparam).unwrap().unwrap_or_default();
            assert!(point.peak_memory_bytes.is_none_or(|bytes| bytes + (1 << 20) > idle), "{point:?}");
        }
        assert_eq!(large.flop_per_iteration as f64 / small.flop_per_iteration as f64, 20.0);
        assert!((0.5..1.5).contains(&Point::growth(&points).exponent), "{:?}", Point::growth(&points));

        let fails =
            |program: &str| series.measure(Path::new(program), Dtype::F64, &mut |_| {}).unwrap_err().to_string();
        assert!(fails("no-such-program").starts_with("overparam time: cannot start no-such-program"));
        assert!(fails("false").starts_with("overparam time: it failed (exit status: 1)"));
        assert!(fails("true").starts_with("overparam time: expected JSON"));
    }
}
