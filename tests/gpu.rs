//! The device cuda on a driver and an NVRTC of the tests, which run kernels on the host: the program without CUDA, from loading both to the
//! results, and every way in which they can be missing or fail. `tests/mock` has the two. Where a machine has its own, those of the tests are found
//! first; that they are missing can be tested only where they are.

#![cfg(target_os = "linux")]

use overparam::polars::prelude::DataFrame;
use overparam::trace;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder with the driver and NVRTC, a cache and a place for results.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// With the libraries of these names, of [`BOTH`].
    fn new(libraries: &[&str]) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        for name in libraries {
            let source = if name.contains("cuda") { "driver.c" } else { "nvrtc.c" };
            machine.build(source, &machine.path("lib").join(name));
        }
        machine
    }

    fn build(&self, source: &str, library: &Path) {
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mock/build.sh");
        std::fs::create_dir_all(library.parent().unwrap()).unwrap();
        let built = Command::new(build).arg(source).arg(library).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program there, with more of the environment.
    fn run(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overparam"));
        for variable in ["CUDA_PATH", "CUDA_HOME", "CUDA_ROOT", "VIRTUAL_ENV", "CONDA_PREFIX"] {
            command.env_remove(variable);
        }
        command
            .current_dir(&self.folder)
            .env("LD_LIBRARY_PATH", self.path("lib"))
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("MOCK_LOG", self.path("log"));
        command.envs(environment.iter().copied()).args(arguments).output().unwrap()
    }

    /// The lines that the libraries have written since the last time.
    fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        let _ = std::fs::remove_file(self.path("log"));
        log.lines().map(str::to_owned).collect()
    }

    /// The one line of the error that a sweep on the GPU ends with.
    fn error(&self, environment: &[(&str, &str)]) -> String {
        let output =
            self.run(environment, &[&SWEEP[..], &["--device", "cuda", "--output", "refused.parquet"]].concat());
        let error = text(&output.stderr);
        assert!(!output.status.success() && !self.path("refused.parquet").exists(), "{error}");
        assert_eq!(error.trim().lines().count(), 1, "{error}");
        assert!(!error.contains("panicked"), "{error}");
        error
    }
}

/// The driver by the first name that it is looked for, so that it comes before a machine's own; and NVRTC.
const BOTH: [&str; 2] = ["libcuda.so", "libnvrtc.so.13"];

/// True if the machine has a driver.
fn has_driver() -> bool {
    Path::new("/proc/driver/nvidia").exists() || Path::new("/dev/dxg").exists()
}

/// True if the machine has an NVRTC: the driver of the tests does not load what it compiles.
fn has_nvrtc(error: &str) -> bool {
    error.contains("does not load what NVRTC")
}

const SWEEP: [&str; 8] = ["sweep", "levy", "--rates", "0.1,0.01", "--seeds", "2", "--iterations", "60"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn count(lines: &[String], word: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(word)).count()
}

#[test]
fn a_sweep_gives_what_it_gives_on_the_cpu() {
    let machine = Machine::new(&BOTH);
    for more in [
        &["--schedule", "constant"][..],
        &["--rule", "adam", "--activation", "tanh", "--residual"],
        &["--rule", "lbfgs", "--widths", "9,4", "--frozen-embeddings", "--target", "0.05", "--dtype", "f32"],
    ] {
        let sweep = |device: &[&str]| {
            let output = machine.run(&[], &[&SWEEP[..], more, device].concat());
            assert!(output.status.success(), "{more:?}: {}", text(&output.stderr));
        };
        sweep(&["--device", "cuda", "--output", "gpu.parquet"]);
        sweep(&["--device", "cpu", "--output", "cpu.parquet"]);
        let [gpu, cpu] = ["gpu.parquet", "cpu.parquet"].map(|name| trace::read(&machine.path(name)).unwrap());
        let column = |table: &DataFrame, name: &str| {
            let column = table.column(name).unwrap().f64().unwrap().clone();
            column.into_no_null_iter().collect::<Vec<f64>>()
        };
        assert_eq!((gpu.height(), gpu.column("device").unwrap().str().unwrap().get(0)), (8, Some("cuda")));
        assert_eq!(gpu.column("outcome").unwrap(), cpu.column("outcome").unwrap(), "{more:?}");
        assert_eq!(gpu.column("iterations").unwrap(), cpu.column("iterations").unwrap(), "{more:?}");
        for (a, b) in column(&gpu, "best").into_iter().zip(column(&cpu, "best")) {
            assert!((a - b).abs() < 1e-4 && a < 1.0, "{more:?}: {a} on the GPU, {b} on the CPU");
        }
        // Other settings would not replace them.
        for name in ["gpu.parquet", "gpu-points.parquet", "cpu.parquet", "cpu-points.parquet"] {
            std::fs::remove_file(machine.path(name)).unwrap();
        }
    }
}

#[test]
fn kernels_are_compiled_once_and_the_gpu_is_opened_once() {
    let machine = Machine::new(&BOTH);
    let sweep = |environment: &[(&str, &str)], name: &str| {
        let output = machine.run(environment, &[&SWEEP[..], &["--device", "cuda", "--output", name]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        machine.log()
    };
    // The probe and one kernel per optimizer.
    let log = sweep(&[], "first.parquet");
    assert_eq!((count(&log, "compile"), count(&log, "load")), (3, 3), "{log:?}");
    assert!(log.iter().filter(|line| line.starts_with("compile")).all(|line| line.contains("=sm_90")), "{log:?}");
    // cudarc initializes the driver once more when it makes the context.
    assert!(count(&log, "init") <= 2, "{log:?}");
    let log = sweep(&[], "second.parquet");
    assert_eq!((count(&log, "compile"), count(&log, "load")), (0, 3), "{log:?}");
    // Another GPU has other kernels; one that NVRTC does not know has the newest PTX.
    let log = sweep(&[("MOCK_CAPABILITY", "80")], "third.parquet");
    assert_eq!(count(&log, "compile"), 3, "{log:?}");
    let log = sweep(&[("MOCK_CAPABILITY", "120")], "fourth.parquet");
    assert!(count(&log, "compile --gpu-architecture=compute_90") == 3, "{log:?}");
    // Damaged files are compiled anew.
    let kernels: Vec<PathBuf> =
        std::fs::read_dir(machine.path("cache/overparam")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kernels.len(), 9, "{kernels:?}");
    for kernel in &kernels {
        std::fs::write(kernel, "damaged").unwrap();
    }
    assert_eq!(count(&sweep(&[], "fifth.parquet"), "compile"), 3);
    // Without a folder for them they are compiled every time.
    std::fs::write(machine.path("file"), "").unwrap();
    let nowhere = machine.path("file").join("cache");
    for name in ["sixth.parquet", "seventh.parquet"] {
        assert_eq!(count(&sweep(&[("XDG_CACHE_HOME", nowhere.to_str().unwrap())], name), "compile"), 3);
    }
}

#[test]
fn whatever_is_missing_is_said_in_a_line() {
    let says = |error: String, parts: &[&str]| {
        for part in parts.iter().chain(&["device cpu"]) {
            assert!(error.contains(part), "{error:?} does not say {part}");
        }
    };
    if has_driver() {
        eprintln!("there is a driver here: that it can be missing was NOT TESTED");
    } else {
        says(Machine::new(&[]).error(&[]), &["driver is not installed", "libcuda.so.1"]);
    }
    let error = Machine::new(&BOTH[..1]).error(&[]);
    if has_nvrtc(&error) {
        eprintln!("there is an NVRTC here: that it can be missing was NOT TESTED");
    } else {
        says(error, &["NVRTC", "not found", "/usr/local/cuda", "nvidia-cuda-nvrtc", "libnvrtc12"]);
    }
    let machine = Machine::new(&BOTH);
    says(machine.error(&[("MOCK_INIT", "100")]), &["no GPU"]);
    says(machine.error(&[("MOCK_INIT", "803")]), &["does not start", "SYSTEM_DRIVER_MISMATCH", "nvidia-smi"]);
    says(machine.error(&[("MOCK_COUNT", "0")]), &["no GPU"]);
    says(machine.error(&[("MOCK_DRIVER", "11040")]), &["driver is for CUDA 11.4", "older than 12.0", "newer driver"]);
    says(machine.error(&[("MOCK_LOAD", "209")]), &["CUDA 13.0", "NVRTC 13.0", "NO_BINARY_FOR_GPU"]);
    says(machine.error(&[("MOCK_LOAD", "2")]), &["OUT_OF_MEMORY", "end what else computes"]);
    says(machine.error(&[("MOCK_CAPABILITY", "70")]), &["compute capability 7.0", "nvidia-cuda-nvrtc-cu12"]);
    says(machine.error(&[("MOCK_LAUNCH", "700")]), &["ILLEGAL_ADDRESS", "run it again"]);
    says(machine.error(&[("MOCK_ALLOC", "2")]), &["OUT_OF_MEMORY", "end what else computes"]);
    // Room for each of the arrays of a batch but one: what does not fit is all of them. That the sweep begins is said before.
    let output = machine.run(&[("MOCK_LARGEST", "30000")], &[&SWEEP[..], &["--device", "cuda"]].concat());
    let error = text(&output.stderr);
    let last = error.lines().last().unwrap_or_default();
    assert!(last.contains("a batch of 4 runs takes 90.1 KiB") && last.contains("fewer rates or seeds"), "{error}");
    // An NVRTC that is none.
    std::fs::write(machine.path("lib/libnvrtc.so.13"), "no library").unwrap();
    let error = machine.error(&[]);
    if !has_nvrtc(&error) {
        says(error, &["NVRTC cannot be used", "libnvrtc.so.13: file too short"]);
    }
}

#[test]
fn auto_runs_a_kernel_and_takes_the_cpu_where_it_fails() {
    let machine = Machine::new(&BOTH);
    let device = |environment: &[(&str, &str)], name: &str| {
        let output = machine.run(environment, &[&SWEEP[..], &["--device", "auto", "--output", name]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let table = trace::read(&machine.path(name)).unwrap();
        let device = table.column("device").unwrap().str().unwrap().get(0).unwrap().to_owned();
        (device, text(&output.stderr))
    };
    let (device_there, said) = device(&[], "there.parquet");
    assert!(device_there == "cuda" && said.contains("computing on cuda: Mock GPU"), "{device_there}: {said}");
    for failure in ["MOCK_INIT", "MOCK_LOAD", "MOCK_LAUNCH"] {
        assert_eq!(device(&[(failure, "999")], &format!("{failure}.parquet")).0, "cpu", "{failure}");
    }
}

/// NVRTC from Python's package, which is where no loader looks.
#[test]
fn nvrtc_is_found_among_pythons_packages() {
    let machine = Machine::new(&BOTH[..1]);
    let packages = machine.path("venv/lib/python3.13/site-packages/nvidia/cu13/lib");
    machine.build("nvrtc.c", &packages.join("libnvrtc.so.13"));
    let environment = machine.path("venv");
    let found = [("VIRTUAL_ENV", environment.to_str().unwrap())];
    let output = machine.run(&found, &[&SWEEP[..], &["--device", "cuda", "--output", "found.parquet"]].concat());
    if has_nvrtc(&text(&output.stderr)) {
        return eprintln!("there is an NVRTC here: that another is found was NOT TESTED");
    }
    assert!(output.status.success(), "{}", text(&output.stderr));
}
