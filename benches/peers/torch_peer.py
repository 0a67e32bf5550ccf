"""The PyTorch peer: eager, or with the objective and its gradient in one `torch.compile`d graph.

    python torch_peer.py [--threads T] [--compile]

The protocol is in protocol.py. Besides the functions of the JAX peer this one has "spin-glass-naive":
all d³ products of every point, as the formula is written.
"""

import argparse
import math
import time
from collections.abc import Callable
from functools import cache

import torch
from protocol import Request, serve
from torch import Tensor


def ackley(u: Tensor) -> Tensor:
    bowl = torch.exp(-0.2 * torch.sqrt((u**2).mean(-1)))
    return -20 * bowl - torch.exp(torch.cos(2 * math.pi * u).mean(-1)) + 20 + math.e


def levy(u: Tensor) -> Tensor:
    v = (u - 1) / 4
    w = 1 + v
    inner = (v[:, :-1] ** 2 * (1 + 10 * torch.sin(math.pi * w[:, :-1] + 1) ** 2)).sum(-1)
    last = v[:, -1] ** 2 * (1 + torch.sin(2 * math.pi * w[:, -1]) ** 2)
    return torch.sin(math.pi * w[:, 0]) ** 2 + inner + last


def michalewicz(u: Tensor) -> Tensor:
    i = torch.arange(1, u.shape[-1] + 1, dtype=u.dtype)
    return -(torch.sin(u) * torch.sin(i * u**2 / math.pi) ** 20).sum(-1)


def rastrigin(u: Tensor) -> Tensor:
    return 10 * u.shape[-1] + (u**2 - 10 * torch.cos(2 * math.pi * u)).sum(-1)


def rosenbrock(u: Tensor) -> Tensor:
    return (100 * (u[:, 1:] - u[:, :-1] ** 2) ** 2 + (u[:, :-1] - 1) ** 2).sum(-1)


def schwefel(u: Tensor) -> Tensor:
    return 418.9828872724338 * u.shape[-1] - (u * torch.sin(torch.sqrt(u.abs()))).sum(-1)


def sphere(u: Tensor) -> Tensor:
    return (u**2).sum(-1)


def styblinski_tang(u: Tensor) -> Tensor:
    return (u**4 - 16 * u**2 + 5 * u).sum(-1) / 2


def on_sphere(u: Tensor) -> Tensor:
    return math.sqrt(u.shape[-1]) * u / torch.linalg.vector_norm(u, dim=-1, keepdim=True)


def spin_glass(u: Tensor, paired: Tensor, j: Tensor, k: Tensor) -> Tensor:
    """Energy per spin; `paired` is `Request.paired_couplings`, and (j, k) are its pairs.

    3h - 2 detach(h) has the value h and, as Y is held constant, the gradient 3Y: one product, none backward.
    """
    d = u.shape[-1]
    spins = on_sphere(u)
    held = spins.detach()
    pairs = held.index_select(1, j) * held.index_select(1, k)
    h = (spins * (pairs @ paired)).sum(-1) / d**2
    return 3 * h - 2 * h.detach()


def spin_glass_naive(u: Tensor, couplings: Tensor) -> Tensor:
    """Energy per spin, a d×d×d outer product a point."""
    d = u.shape[-1]
    energies = [(couplings * s[:, None, None] * s[None, :, None] * s[None, None, :]).sum() for s in on_sphere(u)]
    return torch.stack(energies) / d**2


OBJECTIVES = {  # name: (low end of the box, high end, raw function)
    "ackley": (-32.768, 32.768, ackley),
    "levy": (-10, 10, levy),
    "michalewicz": (0, math.pi, michalewicz),
    "rastrigin": (-5.12, 5.12, rastrigin),
    "rosenbrock": (-5, 10, rosenbrock),
    "schwefel": (-500, 500, schwefel),
    "sphere": (-5.12, 5.12, sphere),
    "styblinski-tang": (-5, 5, styblinski_tang),
    "spin-glass": (-1, 1, spin_glass),
    "spin-glass-naive": (-1, 1, spin_glass_naive),
}


def network(parameters: list[Tensor]) -> Tensor:
    """Embeddings, then (weight, bias) pairs; without any pair this is the shallow optimizer's y."""
    y, *layers = parameters
    pairs = list(zip(layers[::2], layers[1::2]))
    for i, (weight, bias) in enumerate(pairs):
        y = torch.nn.functional.linear(torch.relu(y) if i else y, weight, bias)
    return y


@cache
def value_and_gradient(function: str, shapes: tuple, dtype: torch.dtype, compiled: bool) -> Callable:
    """(parameters, offset, width, couplings) -> (mean, least, gradient); `shapes` and `dtype` tell graphs apart."""
    low, high, raw = OBJECTIVES[function]

    def objective(parameters, offset, width, couplings):
        u = low + (high - low) * torch.sigmoid(network(parameters))
        values = (raw(u, *couplings) - offset) / width
        return values.mean(), values.detach().min()

    def eager(parameters, *constants):
        mean, least = objective(parameters, *constants)
        return mean, least, torch.autograd.grad(mean, parameters)

    def functional(parameters, *constants):
        gradient, (mean, least) = torch.func.grad_and_value(objective, has_aux=True)(parameters, *constants)
        return mean, least, gradient

    return torch.compile(functional, fullgraph=True, dynamic=False) if compiled else eager


def answer(request: Request, compiled: bool) -> dict:
    if request.rule["name"] != "gradient-descent":
        raise ValueError(f"no such update rule here: {request.rule['name']}")
    dtype = {"f32": torch.float32, "f64": torch.float64}[request.dtype]
    start = [torch.tensor(array, dtype=dtype) for array in request.parameters()]
    couplings = {
        "spin-glass": lambda: [
            torch.tensor(request.paired_couplings(), dtype=dtype),
            *torch.triu_indices(request.d, request.d),
        ],
        "spin-glass-naive": lambda: [torch.tensor(request.raw_couplings(), dtype=dtype)],
    }.get(request.function, list)()
    constants = (*(torch.tensor(request.scale[key], dtype=dtype) for key in ("offset", "width")), couplings)
    evaluate = value_and_gradient(request.function, tuple(request.shapes()), dtype, compiled)

    def timed(iterations: int) -> dict:
        parameters = [p.clone().requires_grad_(not compiled) for p in start]
        step_size, best_mean, best, trace = request.learning_rate, math.inf, math.inf, []
        started = time.perf_counter()
        for _ in range(iterations):
            mean, least, gradient = evaluate(parameters, *constants)
            mean, least = mean.item(), least.item()
            trace.append((least, mean))
            best = min(best, least)
            with torch.no_grad():
                for p, g in zip(parameters, gradient):
                    p.sub_(g, alpha=step_size)
            if mean < best_mean:
                best_mean = mean
            else:
                step_size *= 0.9
        return {
            "us_per_iteration": (time.perf_counter() - started) / iterations * 1e6,
            "best": best,
            "min_last": least,
            "mean_last": mean,
            "step_size_last": step_size,
        }

    started = time.perf_counter()
    timed(1)
    compile_seconds = time.perf_counter() - started
    timed(min(request.iterations, 10))  # warm
    runs = [timed(request.iterations) for _ in range(request.repeats)]
    return runs[-1] | {
        "us_per_iteration": [run["us_per_iteration"] for run in runs],
        "compile_seconds": compile_seconds,
    }


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--compile", action="store_true")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch._dynamo.config.recompile_limit = 1000  # a bench asks for many shapes in one process
    serve(lambda request: answer(request, options.compile))
