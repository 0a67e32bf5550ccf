#!/usr/bin/env bash
# Sets up everything that the notebooks need inside .lab/: a Python environment with JupyterLab, the Rust kernel evcxr, and
# the kernel "Rust (overparam)". What is there and fits is left alone. Nothing outside .lab/ is written.
set -euo pipefail
cd "$(dirname "$0")/../.."
project=$PWD
lab=$project/.lab
# Also in kernel.sh, which refuses to start another.
evcxr=0.22.0

say() { echo "kernel: $*"; }
fail() { echo "kernel: $*" >&2; exit 1; }

mkdir -p "$lab" || fail "cannot write $lab: make the project folder writable"
python=$(command -v python3) || fail "Python 3 is missing; on Debian: apt-get install python3 python3-venv"

if [[ ! -x $lab/venv/bin/pip ]]; then
  say "making a Python environment in .lab/venv (seconds)"
  rm -rf "$lab/venv"
  "$python" -m venv "$lab/venv" >"$lab/venv.log" 2>&1 || {
    rm -rf "$lab/venv"
    fail "Python cannot make a virtual environment; on Debian: apt-get install python3-venv (details: .lab/venv.log)"
  }
fi
if ! cmp -s notebooks/requirements.txt "$lab/venv/requirements.txt"; then
  say "installing JupyterLab into .lab/venv (about a minute)"
  "$lab/venv/bin/pip" install --quiet --disable-pip-version-check -r notebooks/requirements.txt ||
    fail "pip could not install notebooks/requirements.txt: is the package index reachable, and is there room on the disk?"
  cp notebooks/requirements.txt "$lab/venv/requirements.txt"
fi

# What cargo notes of what it installed: the program itself does not print its version.
have=$([[ -x $lab/evcxr/bin/evcxr_jupyter ]] && sed -nE 's/^"evcxr_jupyter ([0-9.]+) .*/\1/p' "$lab/evcxr/.crates.toml" || true)
if [[ $have != "$evcxr" ]]; then
  say "installing evcxr_jupyter $evcxr into .lab/evcxr${have:+ in place of $have} (about 4 minutes on 2 cores)"
  # Optimizing it lightly saves minutes here, and costs the first cells of a session a second or two.
  CARGO_TARGET_DIR=$lab/evcxr-build CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    "${CARGO:-cargo}" install --quiet --locked --force --root "$lab/evcxr" evcxr_jupyter --version "$evcxr" ||
    fail "evcxr_jupyter $evcxr could not be installed: is crates.io reachable, and is there room on the disk?"
  rm -rf "$lab/evcxr-build"
fi

mkdir -p "$lab/config" "$lab/cache" "$lab/sessions" "$lab/.cargo"
# How evcxr's cargo compiles: this crate as `cargo build --release` does, Polars lightly, everything without the checks
# that evcxr's own profile turns on.
put() { cmp -s - "$1" <<<"$2" || echo "$2" >"$1"; }
put "$lab/.cargo/config.toml" "$(
  printf '[profile.dev]\ndebug-assertions = false\noverflow-checks = false\n\n[profile.dev.package.overparam]\nopt-level = 3\n'
  for part in core compute arrow; do
    printf '\n[profile.dev.package.polars-%s]\nopt-level = 1\n' "$part"
  done
)"

kernel=$lab/venv/share/jupyter/kernels/overparam
mkdir -p "$kernel"
"$lab/venv/bin/python" - "$project" "$kernel/kernel.json" <<'PYTHON'
import json, sys
project, path = sys.argv[1:]
spec = {
    "argv": [f"{project}/notebooks/lab/kernel.sh", "{connection_file}"],
    "display_name": "Rust (overparam)",
    "language": "rust",
    "interrupt_mode": "message",
}
with open(path, "w") as file:
    json.dump(spec, file, indent=1)
PYTHON

# As `overparam` looks for it.
[[ -n ${BROWSER_PATH:-} ]] || command -v chromium chromium-browser google-chrome google-chrome-stable chrome microsoft-edge >/dev/null ||
  say "note: no browser, so figures will be interactive only; for PNGs beside them: apt-get install chromium"
say "ready: \"Rust (overparam)\" in .lab/venv; evcxr $evcxr in .lab/evcxr"
