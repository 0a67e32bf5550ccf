#!/usr/bin/env bash
# The program that Jupyter starts as "Rust (overparam)": evcxr with a configuration and a build folder of the project's own.
# Where that cannot work, a kernel that answers every cell with the reason (explain.py).
set -uo pipefail
connection=$1
project=$(cd "$(dirname "$0")/../.." && pwd)
lab=$project/.lab
evcxr=0.22.0

explain() { exec "$lab/venv/bin/python" "$project/notebooks/lab/explain.py" "$connection" "$*"; }

case $PWD/ in
  "$project"/*) ;;
  *) [[ -n ${OVERPARAM_ANYWHERE:-} ]] || explain "This notebook is in $PWD, outside the project $project, so that \
':dep overparam = { path = \"library\" }' would not find the crate. Move it into $project/notebooks, or start JupyterLab with \
OVERPARAM_ANYWHERE=1 and give :dep the full path." ;;
esac

# What cargo noted of what it installed: the program itself does not print its version.
have=$([[ -x $lab/evcxr/bin/evcxr_jupyter ]] && sed -nE 's/^"evcxr_jupyter ([0-9.]+) .*/\1/p' "$lab/evcxr/.crates.toml" 2>/dev/null)
[[ $have == "$evcxr" ]] || explain "This project needs evcxr_jupyter $evcxr in $lab/evcxr, and finds ${have:-none}. \
Run 'make kernel' in $project, then restart the kernel."
command -v cc >/dev/null || explain "A C compiler is missing, which links the cells. On Debian: apt-get install build-essential. \
Then restart the kernel."
OVERPARAM_CARGO=$(command -v cargo) || explain "Rust is missing: install it from https://rustup.rs, then restart the kernel."

# Every running notebook needs a build folder to itself, for its cells. The first that is free is taken.
mkdir -p "$lab/sessions" 2>/dev/null
session=$lab/sessions/0
if command -v flock >/dev/null; then
  for number in 0 1 2 3 4 5 6 7; do
    session=$lab/sessions/$number
    { exec 9>"$session.lock"; } 2>/dev/null || explain "Cannot write $lab/sessions. Make it writable, then restart the kernel."
    flock --nonblock 9 && break
    [[ $number == 7 ]] && explain "Eight notebooks run already. Shut one down (the Running panel), then restart the kernel."
  done
fi
mkdir -p "$session"
free=$(df -Pk "$session" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')
((${free:-0} >= 300)) || explain "There are ${free:-0} MiB free for $session, and compiling cells needs 300. Make room, then \
restart the kernel."
# The versions that the project is tested with; cargo adds what a notebook asks for beyond them.
[[ $session/Cargo.lock -nt $project/Cargo.lock ]] || cp "$project/Cargo.lock" "$session/Cargo.lock"

export EVCXR_CONFIG_DIR=$lab/config EVCXR_TMPDIR=$session XDG_CACHE_HOME=$lab/cache
export OVERPARAM_DATA=${OVERPARAM_DATA:-$project/data}
# How cells are compiled is not for the environment to change: evcxr does not find the functions of cells without this.
unset CARGO_INCREMENTAL
# The shared library is made ready once a session (library/build.rs).
export OVERPARAM_SESSION=$$-$(date +%s)

# Jupyter's interrupt goes to all processes of this group, and is for the one that runs the cells, where src/interrupt waits for it.
trap '' INT
# Outputs pass through relay.py.
inner=$session/connection.json
rm -f "$inner"
"$lab/venv/bin/python" "$project/notebooks/lab/relay.py" "$connection" "$inner" 9>&- &
for ((tenths = 0; tenths < 200; tenths++)); do
  [[ -s $inner ]] || ! kill -0 $! 2>/dev/null && break
  sleep 0.1
done
if [[ -s $inner ]]; then export OVERPARAM_DISPLAYS=1; else inner=$connection; fi

# rust-analyzer looks for cargo here first, and gets another answer from cargo.py. What compiles has the real one. With a cache, evcxr takes a cell's
# library from the folder that its run path is for.
export OVERPARAM_CARGO OVERPARAM_CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} CARGO_HOME=$lab/cargo-home
mkdir -p "$CARGO_HOME/bin"
ln -sfn "$project/notebooks/lab/cargo.py" "$CARGO_HOME/bin/cargo"
printf ':cache 1000\n:build_env CARGO_HOME=%s\n' "$OVERPARAM_CARGO_HOME" >"$lab/config/init.evcxr"
# A variable that is gone again: rust-analyzer reads the standard library for it now rather than in the first cell.
echo 'let warm = String::new(); drop(warm);' >"$lab/config/prelude.rs"

# evcxr refreshes a kernel spec that it finds where it would install one. It shall find none.
export JUPYTER_PATH=$lab/jupyter/none
exec "$lab/evcxr/bin/evcxr_jupyter" --control_file "$inner"
