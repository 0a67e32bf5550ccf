#!/usr/bin/env bash
# What Jupyter starts as "Rust (overparam)": evcxr with a configuration, a cache and a build folder of the project's own.
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
':dep overparam = { path = \"..\" }' would not find the crate. Move it into $project/notebooks, or start JupyterLab with \
OVERPARAM_ANYWHERE=1 and give :dep the full path." ;;
esac

# What cargo noted of what it installed: the program itself does not print its version.
have=$([[ -x $lab/evcxr/bin/evcxr_jupyter ]] && sed -nE 's/^"evcxr_jupyter ([0-9.]+) .*/\1/p' "$lab/evcxr/.crates.toml" 2>/dev/null)
[[ $have == "$evcxr" ]] || explain "This project needs evcxr_jupyter $evcxr in $lab/evcxr, and finds ${have:-none}. \
Run 'make kernel' in $project, then restart the kernel."

# Every running notebook needs a build folder to itself. The first that is free is taken, so that what one session compiled
# is there in the next.
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
mkdir -p "$session" "$lab/cache"

# MiB: a first build, or the next cells of one that is there.
needed=300
[[ -d $session/target ]] || needed=4000
for folder in "$session" "$lab/cache"; do
  free=$(df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')
  ((${free:-0} >= needed)) || explain "There are ${free:-0} MiB free for $folder, and compiling cells needs $needed. Make \
room (removing $lab/cache and $lab/sessions costs one slow start), then restart the kernel."
done

# The versions that the project is tested with; cargo adds what a notebook asks for beyond them.
[[ $session/Cargo.lock -nt $project/Cargo.lock ]] || cp "$project/Cargo.lock" "$session/Cargo.lock"

export EVCXR_CONFIG_DIR=$lab/config EVCXR_TMPDIR=$session XDG_CACHE_HOME=$lab/cache
export OVERPARAM_DATA=${OVERPARAM_DATA:-$project/data}
# Errors pass through relay.py, which adds what to do about them.
inner=$session/connection.json
rm -f "$inner"
"$lab/venv/bin/python" "$project/notebooks/lab/relay.py" "$connection" "$inner" 9>&- &
for ((tenths = 0; tenths < 200; tenths++)); do
  [[ -s $inner ]] || ! kill -0 $! 2>/dev/null && break
  sleep 0.1
done
[[ -s $inner ]] || inner=$connection

# rust-analyzer looks for cargo here first, and gets a shorter answer from cargo.sh. In the configuration of evcxr, what
# compiles has the real one.
export OVERPARAM_CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} OVERPARAM_CARGO
command -v cc >/dev/null || explain "A C compiler is missing, which links the cells. On Debian: apt-get install build-essential. \
Then restart the kernel."
OVERPARAM_CARGO=$(command -v cargo) || explain "Rust is missing: install it from https://rustup.rs, then restart the kernel."
mkdir -p "$lab/cargo-home/bin"
ln -sfn "$project/notebooks/lab/cargo.sh" "$lab/cargo-home/bin/cargo"
printf ':cache 4000\n:build_env CARGO_HOME=%s\n' "$OVERPARAM_CARGO_HOME" >"$lab/config/init.evcxr"
export CARGO_HOME=$lab/cargo-home

# evcxr refreshes a kernel spec that it finds where it would install one. It shall find none.
export JUPYTER_PATH=$lab/jupyter/none
exec "$lab/evcxr/bin/evcxr_jupyter" --control_file "$inner"
