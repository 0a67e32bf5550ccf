"""Leaves out of `cargo metadata`, from standard input to standard output, what no variable of a notebook has a type from.

evcxr asks rust-analyzer for the types of a cell's variables, and that reads every crate of the answer: for this project over
four hundred, of which most are the insides of Polars, of plotly's export or of the command line. Reading them takes
the first two cells of every session half a minute. What a notebook itself asks for with :dep is kept with all that it
stands on. Compiling goes by the crates as they are: a type that is not found here costs that cell one more compilation.
"""

import json
import sys

OURS = "overparam"
# Of what this project stands on: where the types of its interface come from.
TYPES = {"dfdx", "num-traits", "plotly", "polars", "rand", "rand_chacha", "rand_core", "rand_distr"}


def shorten(metadata):
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

    def reach(start, wanted):
        found, todo = set(), list(start)
        while todo:
            package = todo.pop()
            if package not in found:
                found.add(package)
                todo += filter(wanted, nodes[package]["dependencies"])
        return found

    def has_types(package):
        return names[package] in TYPES or names[package].startswith("polars-")

    root = metadata["resolve"]["root"]
    asked = nodes[root]["dependencies"]
    whole = reach([package for package in asked if names[package] != OURS], lambda package: names[package] != OURS)
    kept = whole | {root} | reach([package for package in asked if names[package] == OURS], has_types)
    metadata["packages"] = [package for package in metadata["packages"] if package["id"] in kept]
    metadata["resolve"]["nodes"] = [node for package, node in nodes.items() if package in kept]
    for node in metadata["resolve"]["nodes"]:
        node["dependencies"] = [package for package in node["dependencies"] if package in kept]
        node["deps"] = [dependency for dependency in node["deps"] if dependency["pkg"] in kept]


def main():
    text = sys.stdin.read()
    try:
        metadata = json.loads(text)
        if any(package["name"] == OURS for package in metadata["packages"]):
            shorten(metadata)
            text = json.dumps(metadata) + "\n"
    except (ValueError, LookupError, TypeError) as error:
        # Slower, but right.
        print(f"metadata.py: {error!r}; left as it is", file=sys.stderr)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
