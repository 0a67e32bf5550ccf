//! Builds `overparam` as one shared library, and tells the compiler of the cells where it is.
//!
//! It is built in the project's own target folder, in the release profile: after `cargo build --release` only linking is left. A session works
//! with files of its own, so that building the project anew does not take the library away from a notebook that runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

/// Set by the kernel to something new whenever it starts.
const SESSION: &str = "OVERPARAM_SESSION";

/// Variables that cargo sets for a build script, or evcxr for cargo, and with which the project would be built anew.
const FOREIGN: [&str; 10] = [
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "CARGO_TARGET_DIR",
    "EVCXR_RUSTC_WRAPPER",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
];

fn main() {
    println!("cargo::rerun-if-env-changed={SESSION}");
    if let Err(error) = provide() {
        println!("cargo::error={error}");
    }
}

fn provide() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("no {name}")));
    let (here, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    let project = here.join("../..").canonicalize()?;
    if env::var_os(SESSION).is_none() {
        // Without a kernel that says when it starts, the library is as new as the sources.
        for source in ["src", "Cargo.toml", "Cargo.lock"] {
            println!("cargo::rerun-if-changed={}", project.join(source).display());
        }
    }
    let build = || {
        let mut cargo = Command::new(variable("CARGO")?);
        cargo
            .current_dir(&project)
            .args(["rustc", "--release", "--locked", "--package", "overparam-shared", "--lib", "--crate-type", "dylib"])
            .args(["--message-format", "json-render-diagnostics", "--", "-Cprefer-dynamic"])
            .stdin(Stdio::null());
        FOREIGN.iter().for_each(|name| _ = cargo.env_remove(name));
        Ok::<_, io::Error>(cargo)
    };
    let mut built = build()?.output()?;
    if !built.status.success() {
        // The objects of incremental builds cannot always be linked into one library (rust-lang/rust#81280).
        built = build()?.env("CARGO_INCREMENTAL", "0").output()?;
    }
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr);
        for line in said.lines().filter(|line| !line.trim_start().starts_with("Compiling ")) {
            println!("cargo::error={line}");
        }
        return Err(io::Error::other(format!("{} could not be built: run `make kernel` there", project.display())));
    }
    // The compiler of a cell reads the descriptions of all crates in the library.
    let descriptions = out.join("crates");
    for folder in [&out, &descriptions] {
        fs::create_dir_all(folder)?;
    }
    for file in files(&String::from_utf8_lossy(&built.stdout)) {
        let name = file.file_name().unwrap_or_default();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("so" | "dylib") if file.file_stem().is_some_and(|stem| stem == "liboverparam_shared") => {
                put(&file, &out.join(name))?;
            }
            Some("rmeta" | "so" | "dylib") => put(&file, &descriptions.join(name))?,
            _ => {}
        }
    }
    println!("cargo::rustc-link-search=all={}", out.display());
    println!("cargo::rustc-link-search=dependency={}", descriptions.display());
    Ok(())
}

/// The files that cargo has named, in one message per line.
fn files(messages: &str) -> impl Iterator<Item = PathBuf> {
    messages
        .lines()
        .filter_map(|line| line.split_once("\"filenames\":[")?.1.split_once(']'))
        .flat_map(|(list, _)| list.split(',').map(|name| PathBuf::from(name.trim_matches('"'))).collect::<Vec<_>>())
}

/// Links `file` to `at`, or copies it where that cannot be.
fn put(file: &Path, at: &Path) -> io::Result<()> {
    match fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(file, at).or_else(|_| fs::copy(file, at).map(|_| ()))
}
