"""What every peer shares: one JSON request a line on stdin, one JSON answer a line on stdout.

A peer is a long-lived process, so that a bench can alternate peers without paying for their start.
The fields of a request are those of `Request`; `{"quit": true}` ends the process, and a request that
cannot be served is answered by `{"error": ...}`. Files are raw little-endian f64, row-major.
"""

import json
import math
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import permutations

import numpy as np


@dataclass(frozen=True)
class Request:
    """One descent to time: `iterations` steps from the parameters in the file `start`, `repeats` times."""

    function: str  # "rastrigin", ..., "styblinski-tang" or "spin-glass"
    optimizer: str  # "shallow" or "deep"
    dtype: str  # "f32" or "f64"
    iterations: int
    repeats: int
    learning_rate: float
    start: str  # y0 (n×d), or z0 (n×k), then weight (out×in) and bias (out) of every layer, the output layer last
    n: int  # embeddings
    d: int  # dimensions of the objective
    scale: dict[str, float]  # F = (raw - offset) / width
    k: int = 10  # dimensions of an embedding
    widths: tuple[int, ...] = (10,)  # neurons of the hidden layers, from the input on
    couplings: str | None = None  # J (d×d×d) of the spin glass
    # The update rule with its constants, such as {"name": "momentum", "momentum": 0.9}. Gradient descent shrinks its step by 0.9 after
    # each iteration without improvement; the other rules keep theirs.
    rule: dict = field(default_factory=lambda: {"name": "gradient-descent"})

    def __post_init__(self) -> None:
        if self.optimizer not in ("shallow", "deep") or self.dtype not in ("f32", "f64"):
            raise ValueError(f"no such optimizer and dtype: {self.optimizer}, {self.dtype}")

    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the parameters, in the order of the file `start`."""
        if self.optimizer == "shallow":
            return [(self.n, self.d)]
        sizes = [self.k, *self.widths, self.d]
        layers = [shape for i, o in zip(sizes, sizes[1:]) for shape in ((o, i), (o,))]
        return [(self.n, self.k), *layers]

    def parameters(self) -> list[np.ndarray]:
        """The starting parameters, in f64."""
        values = np.fromfile(self.start, "<f8")
        shapes = self.shapes()
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        if ends[-1] != values.size:
            raise ValueError(f"{self.start}: expected {ends[-1]} numbers for {shapes}, found {values.size}")
        return [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), shapes)]

    def raw_couplings(self) -> np.ndarray:
        """J, d×d×d."""
        return np.fromfile(self.couplings, "<f8").reshape((self.d,) * 3)

    def paired_couplings(self) -> np.ndarray:
        """The symmetrised couplings: one row per pair j <= k, in the order of `np.triu_indices`, one column per i.

        With s_j s_k over the same pairs, Y = pairs @ paired; pairs j < k stand for (k, j) too, hence the 2.
        """
        couplings = self.raw_couplings()
        symmetric = sum(couplings.transpose(axes) for axes in permutations(range(3))) / 6
        j, k = np.triu_indices(self.d)
        return np.where(j == k, 1.0, 2.0)[:, None] * symmetric[j, k]


def serve(answer: Callable[[Request], dict]) -> None:
    """Answers the requests on stdin until one says quit, or stdin ends."""
    for line in sys.stdin:
        try:
            request = json.loads(line)
            if request == {"quit": True}:
                return
            reply = answer(Request(**request))
            reply["versions"] = {name: version(name) for name in ("jax", "jaxlib", "optax", "torch") if name in sys.modules}
            reply["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        except Exception as error:  # the process outlives a bad request
            reply = {"error": f"{type(error).__name__}: {error}"}
        # JSON has no NaN: a diverged number is null.
        finite = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in reply.items()}
        print(json.dumps(finite, allow_nan=False), flush=True)
