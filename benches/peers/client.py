"""Drives a peer, and draws starts for it: what check.py and measure.py share."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

FUNCTIONS = "ackley levy michalewicz rastrigin rosenbrock schwefel sphere styblinski-tang spin-glass".split()


class Peer:
    """A running peer: `Peer("torch_peer.py", "--compile")`."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request) -> dict:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        if "error" in reply:
            raise RuntimeError(f"{request}: {reply['error']}")
        return reply


def raw_range(function: str, d: int) -> tuple[float, float]:
    """About (f_min, f_max) on the box: peers only need them to be equal."""
    return {
        "ackley": (0.0, 22.35),
        "levy": (0.0, 80.0 * d),
        "michalewicz": (-0.99 * d, 0.0),
        "rastrigin": (0.0, 40.35 * d),
        "rosenbrock": (0.0, 810081.0 * (d - 2) + 1102581.0),
        "schwefel": (0.0, 837.97 * d),
        "sphere": (0.0, 26.2144 * d),
        "styblinski-tang": (-39.16616570377142 * d, 125.0 * d),
        "spin-glass": (-1.657, 1.657),
    }[function.removesuffix("-naive")]


class Starts:
    """Draws from seed 0, written into a folder as the files that requests name."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def request(self, function: str, optimizer: str, *, n=50, d=50, k=10, widths=(10,)) -> dict:
        """The fields of a request that say what is minimised, and from where.

        The shallow start is the deep one's y0 = net(z0).
        """
        generator = np.random.default_rng(0)
        sizes = [k, *widths, d]
        z0 = generator.normal(size=(n, k))
        layer_list = [
            (generator.normal(size=(o, i)) / np.sqrt(i), generator.normal(size=o) / np.sqrt(i))
            for i, o in zip(sizes, sizes[1:])
        ]
        y0 = z0
        for i, (weight, bias) in enumerate(layer_list):
            y0 = (np.maximum(y0, 0) if i else y0) @ weight.T + bias
        parts = [y0] if optimizer == "shallow" else [z0, *(part for layer in layer_list for part in layer)]
        start = self.folder / "start.bin"
        np.concatenate([part.ravel() for part in parts]).astype("<f8").tofile(start)

        couplings = None
        if function.startswith("spin-glass"):
            couplings = self.folder / f"couplings-{d}.bin"
            if not couplings.exists():
                np.random.default_rng(1).normal(size=(d, d, d)).astype("<f8").tofile(couplings)
        low, high = raw_range(function, d)
        return {
            "function": function,
            "optimizer": optimizer,
            "start": str(start),
            "couplings": couplings and str(couplings),
            "scale": {"offset": low, "width": high - low},
            **{"n": n, "d": d, "k": k, "widths": list(widths)},
        }
