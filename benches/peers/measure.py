"""Microseconds an iteration of every peer, as a Markdown table: python measure.py [FUNCTION ...]

The peers take turns, and the minimum over all turns counts: noise only ever adds time.
"""

import sys
import tempfile
from itertools import product

from client import FUNCTIONS, Peer, Starts

TURNS, REPEATS = 3, 3
PEERS = {
    "JAX": ("jax_peer.py",),
    "PyTorch eager": ("torch_peer.py",),
    "PyTorch compiled": ("torch_peer.py", "--compile"),
}
DEEP = {"n_h = 10, n_l = 1": {}, "n_h = 50, n_l = 1": {"k": 50, "widths": (50,)}}


def cases():
    """(label, function, optimizer, sizes, iterations)"""
    for function in FUNCTIONS:
        yield f"{function}, shallow", function, "shallow", {}, 500
        for label, sizes in DEEP.items():
            yield f"{function}, deep, {label}", function, "deep", sizes, 500
    yield "spin-glass, shallow, d = 200", "spin-glass", "shallow", {"d": 200}, 10
    yield "spin-glass-naive, shallow", "spin-glass-naive", "shallow", {}, 20
    yield "spin-glass-naive, shallow, d = 200", "spin-glass-naive", "shallow", {"d": 200}, 1


def main() -> None:
    peers = {name: Peer(*command) for name, command in PEERS.items()}
    columns = list(product(peers, ("f32", "f64")))
    print("| n = d = 50 |", " | ".join(" ".join(column) for column in columns), "|")
    print("|---|" + "---:|" * len(columns))
    with tempfile.TemporaryDirectory() as folder:
        starts = Starts(folder)
        for label, function, optimizer, sizes, iterations in cases():
            if sys.argv[1:] and function not in sys.argv[1:]:
                continue
            request = starts.request(function, optimizer, **sizes)
            request |= {"iterations": iterations, "repeats": REPEATS, "learning_rate": 0.01}
            best = {}
            for _, (name, dtype) in product(range(TURNS), columns):
                # The naive glass is how PyTorch users wrote it: eager only.
                if function == "spin-glass-naive" and name != "PyTorch eager":
                    continue
                times = peers[name].ask(**request, dtype=dtype)["us_per_iteration"]
                best[name, dtype] = min(*times, best.get((name, dtype), float("inf")))
            cells = (f"{best[column]:,.1f}" if column in best else "-" for column in columns)
            print(f"| {label} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
