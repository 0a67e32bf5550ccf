"""Checks that the peers do the same mathematics, and that it is the mathematics of the formulas.

    python check.py [--compile]

1. A few steps at a small n and d against a plain program: loops over scalars, gradients by finite differences.
2. JAX and PyTorch, 100 iterations in f64 at n = d = 50, to a relative 1e-9, all functions, shallow and deep.
"""

import math
import sys
import tempfile
from itertools import product

import numpy as np
from client import FUNCTIONS, Peer, Starts

BOXES = {
    "ackley": (-32.768, 32.768),
    "levy": (-10, 10),
    "michalewicz": (0, math.pi),
    "rastrigin": (-5.12, 5.12),
    "rosenbrock": (-5, 10),
    "schwefel": (-500, 500),
    "sphere": (-5.12, 5.12),
    "styblinski-tang": (-5, 5),
    "spin-glass": (-1, 1),
}
# At 0.1 the deep descent of Michalewicz overshoots, and rounding errors grow 10,000-fold in ten iterations.
RATE = 0.01
NUMBERS = ("best", "min_last", "mean_last", "step_size_last")


def raw(function: str, u: list[float], couplings: np.ndarray | None) -> float:
    """One point, term by term."""
    d = len(u)
    match function:
        case "ackley":
            square, wave = sum(v * v for v in u) / d, sum(math.cos(2 * math.pi * v) for v in u) / d
            return -20 * math.exp(-0.2 * math.sqrt(square)) - math.exp(wave) + 20 + math.e
        case "levy":
            w = [1 + (v - 1) / 4 for v in u]
            inner = sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])
            last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
            return math.sin(math.pi * w[0]) ** 2 + inner + last
        case "michalewicz":
            return -sum(math.sin(v) * math.sin(i * v * v / math.pi) ** 20 for i, v in enumerate(u, 1))
        case "rastrigin":
            return 10 * d + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in u)
        case "rosenbrock":
            return sum(100 * (b - a * a) ** 2 + (a - 1) ** 2 for a, b in zip(u, u[1:]))
        case "schwefel":
            return 418.9828872724338 * d - sum(v * math.sin(math.sqrt(abs(v))) for v in u)
        case "sphere":
            return sum(v * v for v in u)
        case "styblinski-tang":
            return sum(v**4 - 16 * v**2 + 5 * v for v in u) / 2
        case "spin-glass":
            length = math.sqrt(sum(v * v for v in u))
            s = [math.sqrt(d) * v / length for v in u]
            terms = (couplings[i, j, k] * s[i] * s[j] * s[k] for i, j, k in product(range(d), repeat=3))
            return sum(terms) / d / d  # H is 1/d of the sum, and the energy per spin H/d


def plain_descent(request: dict, iterations: int, learning_rate: float) -> dict:
    """What a peer answers, from the formulas alone."""
    function, n, d, k, widths = (request[key] for key in ("function", "n", "d", "k", "widths"))
    low, high = BOXES[function]
    couplings = np.fromfile(request["couplings"]).reshape(d, d, d) if request["couplings"] else None
    parameters = np.fromfile(request["start"])

    def points(parameters: np.ndarray) -> list[list[float]]:
        rest = iter(parameters)
        take = lambda rows, columns: [[next(rest) for _ in range(columns)] for _ in range(rows)]  # noqa: E731
        if request["optimizer"] == "shallow":
            return take(n, d)
        y = take(n, k)
        sizes = [k, *widths, d]
        for layer, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
            weight, bias = take(outputs, inputs), take(1, outputs)[0]
            if layer:
                y = [[max(v, 0.0) for v in row] for row in y]
            y = [[sum(w * v for w, v in zip(row_w, row)) + b for row_w, b in zip(weight, bias)] for row in y]
        return y

    def values(parameters: np.ndarray) -> list[float]:
        box = [[low + (high - low) / (1 + math.exp(-v)) for v in row] for row in points(parameters)]
        return [(raw(function, u, couplings) - request["scale"]["offset"]) / request["scale"]["width"] for u in box]

    step_size, best_mean, best, h = learning_rate, math.inf, math.inf, 1e-5
    for _ in range(iterations):
        now = values(parameters)
        mean, best = sum(now) / n, min(best, *now)
        units = h * np.eye(parameters.size)
        slope = lambda e: (sum(values(parameters + e)) - sum(values(parameters - e))) / n  # noqa: E731
        gradient = [(8 * slope(e) - slope(2 * e)) / (12 * h) for e in units]  # fourth order in h
        parameters = parameters - step_size * np.array(gradient)
        if mean < best_mean:
            best_mean = mean
        else:
            step_size *= 0.9
    return {"best": best, "min_last": min(now), "mean_last": mean, "step_size_last": step_size}


def compare(label: str, one: dict, other: dict, tolerance: float) -> None:
    error = max(abs(one[key] - other[key]) / abs(other[key]) for key in NUMBERS)
    print(f"{label:60} {error:.1e}", flush=True)
    assert error <= tolerance, f"{label}: {one} and {other} differ by more than {tolerance:.0e}"


def main() -> None:
    jax, torch = Peer("jax_peer.py"), Peer("torch_peer.py", *sys.argv[1:])
    common = {"dtype": "f64", "repeats": 1}
    with tempfile.TemporaryDirectory() as folder:
        starts = Starts(folder)
        for function, optimizer in product(FUNCTIONS, ("shallow", "deep")):
            small = starts.request(function, optimizer, n=3, d=4, k=2, widths=(3, 5))
            # A rate large enough to overshoot exercises the rule as well.
            for rate in (0.1, 3.0):
                plain = plain_descent(small, 4, rate)
                for name, peer in (("JAX", jax), ("PyTorch", torch)):
                    reply = peer.ask(**small, **common, iterations=4, learning_rate=rate)
                    compare(f"{function}, {optimizer}, rate {rate}: {name}, plain", reply, plain, 1e-6)
        for function, optimizer in product(FUNCTIONS, ("shallow", "deep")):
            request = starts.request(function, optimizer) | common
            replies = [peer.ask(**request, iterations=100, learning_rate=RATE) for peer in (jax, torch)]
            compare(f"{function}, {optimizer}, 100 iterations: JAX, PyTorch", *replies, 1e-9)
        request = starts.request("spin-glass", "deep", d=20) | common | {"iterations": 20, "learning_rate": 0.1}
        compare(
            "spin-glass, deep: PyTorch naive, JAX",
            torch.ask(**request | {"function": "spin-glass-naive"}),
            jax.ask(**request),
            1e-9,
        )


if __name__ == "__main__":
    main()
