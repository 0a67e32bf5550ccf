#!/usr/bin/env bash
# Sets up everything that the notebooks need inside .lab/: a Python environment with JupyterLab, the Rust kernel evcxr, and the kernel
# "Rust (overparam)"; and compiles the crate into target/, as `cargo build --release` does, so that no cell has to. What is there and fits is
# left alone. Nothing else is written.
set -euo pipefail
cd "$(dirname "$0")/../.."
project=$PWD
lab=$project/.lab
cargo=${CARGO:-cargo}
# Also in kernel.sh, which refuses to start another.
evcxr=0.22.0

say() { echo "kernel: $*"; }
fail() { echo "kernel: $*" >&2; exit 1; }

mkdir -p "$lab" || fail "cannot write $lab: make the project folder writable"
python=$(command -v python3) || fail "Python 3 is missing; on Debian: apt-get install python3 python3-venv"

if [[ ! -x $lab/venv/bin/pip ]]; then
  say "making a Python environment in .lab/venv"
  rm -rf "$lab/venv"
  "$python" -m venv "$lab/venv" >"$lab/venv.log" 2>&1 || {
    rm -rf "$lab/venv"
    fail "Python cannot make a virtual environment; on Debian: apt-get install python3-venv (details: .lab/venv.log)"
  }
fi
if ! cmp -s notebooks/requirements.txt "$lab/venv/requirements.txt"; then
  say "installing JupyterLab into .lab/venv"
  "$lab/venv/bin/pip" install --quiet --disable-pip-version-check -r notebooks/requirements.txt ||
    fail "pip could not install notebooks/requirements.txt: is the package index reachable, and is there room on the disk?"
  cp notebooks/requirements.txt "$lab/venv/requirements.txt"
fi

# What cargo notes of what it installed: the program itself does not print its version.
have=$([[ -x $lab/evcxr/bin/evcxr_jupyter ]] && sed -nE 's/^"evcxr_jupyter ([0-9.]+) .*/\1/p' "$lab/evcxr/.crates.toml" || true)
if [[ $have != "$evcxr" ]]; then
  say "installing evcxr_jupyter $evcxr into .lab/evcxr${have:+ in place of $have}"
  # Optimizing it lightly saves minutes here, and costs the first cells of a session a second.
  CARGO_TARGET_DIR=$lab/evcxr-build CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 "$cargo" install --locked --force --root "$lab/evcxr" evcxr_jupyter --version "$evcxr" ||
    fail "evcxr_jupyter $evcxr could not be installed: is crates.io reachable, and is there room on the disk?"
  rm -rf "$lab/evcxr-build"
fi

say "compiling the crate, unless that is done"
"$cargo" build --release --locked || fail "the crate could not be compiled: see above"

# How cells are compiled: without the checks that evcxr's own profile turns on.
mkdir -p "$lab/config" "$lab/sessions" "$lab/.cargo"
printf '[profile.dev]\ndebug-assertions = false\noverflow-checks = false\n' >"$lab/.cargo/config.toml"

kernel=$lab/venv/share/jupyter/kernels/overparam
mkdir -p "$kernel"
# On Linux src/interrupt waits for the signal. Elsewhere evcxr answers a message by ending the process that runs the cells.
"$lab/venv/bin/python" - "$project/notebooks/lab/kernel.sh" "$([[ $(uname) == Linux ]] && echo signal || echo message)" >"$kernel/kernel.json" <<'PYTHON'
import json, sys
program, interrupt = sys.argv[1:]
argv, name = [program, "{connection_file}"], "Rust (overparam)"
print(json.dumps({"argv": argv, "display_name": name, "language": "rust", "interrupt_mode": interrupt}, indent=1))
PYTHON
say "ready: \"Rust (overparam)\" in .lab/venv; evcxr $evcxr in .lab/evcxr"
