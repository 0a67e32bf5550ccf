#!/usr/bin/env bash
# What the rust-analyzer inside evcxr finds in the place of cargo: cargo, but for a shorter answer of `cargo metadata`
# (metadata.py). kernel.sh says where the real one is.
set -uo pipefail
export CARGO_HOME=$OVERPARAM_CARGO_HOME
case " $* " in
  *" --no-deps "*) ;;
  *" metadata "*)
    "$OVERPARAM_CARGO" "$@" | python3 -I -S "$(dirname "$(readlink -f "$0")")/metadata.py"
    exit "${PIPESTATUS[0]}"
    ;;
esac
exec "$OVERPARAM_CARGO" "$@"
