#!/usr/bin/env -S python3 -I -S
"""What the rust-analyzer inside evcxr finds in the place of cargo: cargo, but for `cargo metadata`.

evcxr asks rust-analyzer for the types of a cell's variables. It reads the sources of all crates in that answer, so the sources behind the
shared library are put in, and what no variable of a notebook has a type from is left out: that is most of two hundred crates, and twelve
seconds. What a notebook itself asks for with :dep stays. kernel.sh says where cargo is.
"""

import json
import os
import subprocess
import sys

OURS = "overparam"
# Where the types of its interface come from, beside the parts of Polars.
TYPES = {OURS, "dfdx", "num-traits", "plotly", "polars", "rand", "rand_chacha", "rand_core", "rand_distr"}


def shorten(metadata):
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    kept, todo = set(), [(metadata["resolve"]["root"], False)]
    while todo:
        package, ours = todo.pop()
        ours = ours or names[package] == OURS
        if package in kept or (ours and names[package] not in TYPES and not names[package].startswith("polars-")):
            continue
        kept.add(package)
        todo += [(dependency, ours) for dependency in nodes[package]["dependencies"]]
    metadata["packages"] = [package for package in metadata["packages"] if package["id"] in kept]
    metadata["resolve"]["nodes"] = [node for node in nodes.values() if node["id"] in kept]
    for node in metadata["resolve"]["nodes"]:
        node["dependencies"] = [package for package in node["dependencies"] if package in kept]
        node["deps"] = [dependency for dependency in node["deps"] if dependency["pkg"] in kept]


cargo, arguments = os.environ["OVERPARAM_CARGO"], sys.argv[1:]
os.environ["CARGO_HOME"] = os.environ["OVERPARAM_CARGO_HOME"]
if "metadata" in arguments and "--no-deps" not in arguments:
    # A notebook that has not loaded the crate has no such feature.
    answer = subprocess.run([cargo, *arguments, "--features", f"{OURS}/sources"], capture_output=True)
    if answer.returncode == 0:
        metadata = json.loads(answer.stdout)
        shorten(metadata)
        print(json.dumps(metadata))
        sys.exit()
os.execv(cargo, [cargo, *arguments])
