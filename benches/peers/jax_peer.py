"""The JAX peer: all iterations in one compiled `lax.scan`, buffers donated, gradients by `value_and_grad`, update rules of optax.

    python jax_peer.py [--threads T]

The protocol is in protocol.py; what was tried to make this fast, with numbers, in README.md.
"""

import argparse
import json
import os
import time
from functools import cache

import numpy as np
from protocol import Request, serve

ARGUMENTS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGUMENTS.add_argument("--threads", type=int, default=1, help="threads of the process, for its lifetime")
ARGUMENTS.add_argument("--platform", default="cpu", choices=["cpu", "cuda"], help="where to compute")
GIVEN = ARGUMENTS.parse_args()
THREADS = GIVEN.threads
# XLA reads these once, when it starts. Its default vectors are 256 bits wide, also where AVX-512 is there.
os.environ["NPROC"] = str(THREADS)
os.environ["XLA_FLAGS"] = (
    f"--xla_cpu_prefer_vector_width=512 --xla_cpu_multi_thread_eigen={'true' if THREADS > 1 else 'false'}"
)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jax import Array, lax  # noqa: E402

try:
    import optax
except ModuleNotFoundError:  # gradient descent, which is all that jax_batch.py has, does without it
    optax = None

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", GIVEN.platform)


def ackley(u: Array) -> Array:
    bowl = jnp.exp(-0.2 * jnp.sqrt(jnp.mean(u**2, -1)))
    return -20 * bowl - jnp.exp(jnp.mean(jnp.cos(2 * jnp.pi * u), -1)) + 20 + jnp.e


def levy(u: Array) -> Array:
    v = (u - 1) / 4
    w = 1 + v
    inner = jnp.sum(v[:, :-1] ** 2 * (1 + 10 * jnp.sin(jnp.pi * w[:, :-1] + 1) ** 2), -1)
    last = v[:, -1] ** 2 * (1 + jnp.sin(2 * jnp.pi * w[:, -1]) ** 2)
    return jnp.sin(jnp.pi * w[:, 0]) ** 2 + inner + last


def michalewicz(u: Array) -> Array:
    i = jnp.arange(1, u.shape[-1] + 1, dtype=u.dtype)
    return -jnp.sum(jnp.sin(u) * jnp.sin(i * u**2 / jnp.pi) ** 20, -1)


def rastrigin(u: Array) -> Array:
    return 10 * u.shape[-1] + jnp.sum(u**2 - 10 * jnp.cos(2 * jnp.pi * u), -1)


def rosenbrock(u: Array) -> Array:
    return jnp.sum(100 * (u[:, 1:] - u[:, :-1] ** 2) ** 2 + (u[:, :-1] - 1) ** 2, -1)


def schwefel(u: Array) -> Array:
    return 418.9828872724338 * u.shape[-1] - jnp.sum(u * jnp.sin(jnp.sqrt(jnp.abs(u))), -1)


def sphere(u: Array) -> Array:
    return jnp.sum(u**2, -1)


def styblinski_tang(u: Array) -> Array:
    return jnp.sum(u**4 - 16 * u**2 + 5 * u, -1) / 2


def spin_glass(u: Array, paired: Array) -> Array:
    """Energy per spin; `paired` is `Request.paired_couplings`.

    3h - 2 stop_gradient(h) has the value h and, as Y is held constant, the gradient 3Y: one product, none backward.
    """
    d = u.shape[-1]
    spins = jnp.sqrt(jnp.asarray(d, u.dtype)) * u / jnp.linalg.norm(u, axis=-1, keepdims=True)
    held = lax.stop_gradient(spins)
    pairs = jnp.concatenate([held[:, j : j + 1] * held[:, j:] for j in range(d)], axis=1)
    h = jnp.sum(spins * (pairs @ paired), -1) / d**2
    return 3 * h - 2 * lax.stop_gradient(h)


def griewank(u: Array) -> Array:
    i = jnp.arange(1, u.shape[-1] + 1, dtype=u.dtype)
    return jnp.sum(u**2, -1) / 4000 - jnp.prod(jnp.cos(u / jnp.sqrt(i)), -1) + 1


def lennard_jones(u: Array) -> Array:
    atoms = u.reshape(u.shape[0], -1, 3)
    i, j = np.triu_indices(atoms.shape[1], 1)
    # Nearer than √0.3 the energy is that at √0.3.
    inverse = 1 / jnp.maximum(jnp.sum((atoms[:, i] - atoms[:, j]) ** 2, -1), 0.3) ** 3
    return jnp.sum(inverse**2 - 2 * inverse, -1)


def turned_rastrigin(u: Array, matrix: Array) -> Array:
    v = u @ matrix.T
    return jnp.sum(v**2 - 10 * jnp.cos(2 * jnp.pi * v) + 10, -1)


def phase_retrieval(u: Array, matrix: Array, squares: Array) -> Array:
    return jnp.mean(((u @ matrix.T) ** 2 - squares) ** 2, -1)


OBJECTIVES = {  # name: (low end of the box, high end, raw function)
    "ackley": (-32.768, 32.768, ackley),
    "levy": (-10, 10, levy),
    "michalewicz": (0, np.pi, michalewicz),
    "rastrigin": (-5.12, 5.12, rastrigin),
    "rosenbrock": (-5, 10, rosenbrock),
    "schwefel": (-500, 500, schwefel),
    "sphere": (-5.12, 5.12, sphere),
    "styblinski-tang": (-5, 5, styblinski_tang),
    "spin-glass": (-1, 1, spin_glass),
    "griewank": (-600, 600, griewank),
    "lennard-jones": (-4, 4, lennard_jones),
    "turned-rastrigin": (-5.12, 5.12, turned_rastrigin),
    "phase-retrieval": (-1, 1, phase_retrieval),
}


def network(parameters: list[Array]) -> Array:
    """Embeddings, then (weight, bias) pairs; without any pair this is the shallow optimizer's y."""
    y, *layers = parameters
    pairs = list(zip(layers[::2], layers[1::2]))
    for i, (weight, bias) in enumerate(pairs):
        y = (jax.nn.relu(y) if i else y) @ weight.T + bias
    return y


def plateau(objective, learning_rate: float):
    """Gradient descent as in the paper: the start and an iteration of its state (parameters, best, step size, best mean)."""

    def start(parameters):
        dtype = parameters[0].dtype
        return parameters, *(jnp.asarray(value, dtype) for value in (jnp.inf, learning_rate, jnp.inf))

    def iterate(state, *data):
        parameters, best, step_size, best_mean = state
        (mean, least), gradient = jax.value_and_grad(objective, has_aux=True)(parameters, *data)
        parameters = jax.tree.map(lambda p, g: p - step_size * g, parameters, gradient)
        step_size = jnp.where(mean < best_mean, step_size, 0.9 * step_size)
        return (parameters, jnp.minimum(best, least), step_size, jnp.minimum(best_mean, mean)), (least, mean, 1)

    return start, iterate


def by_optax(objective, rule: dict, learning_rate: float):
    """A rule of optax with the constants of PyTorch: the start and an iteration of its state (parameters, best, optax's state)."""
    match rule:
        case {"name": "momentum" | "nesterov" as name, "momentum": momentum}:
            transformation = optax.sgd(learning_rate, momentum=momentum, nesterov=name == "nesterov")
        case {"name": "rms-prop", "smoothing": smoothing, "epsilon": epsilon}:
            transformation = optax.rmsprop(learning_rate, decay=smoothing, eps=epsilon, eps_in_sqrt=False)
        case {"name": "adam", "betas": betas, "epsilon": epsilon}:
            transformation = optax.adam(learning_rate, *betas, eps=epsilon)
        case {"name": "adam-w", "betas": betas, "epsilon": epsilon, "decay": decay}:
            transformation = optax.adamw(learning_rate, *betas, eps=epsilon, weight_decay=decay)
        case _:
            raise ValueError(f"no such update rule here: {rule}")

    def start(parameters):
        return parameters, jnp.asarray(jnp.inf, parameters[0].dtype), transformation.init(parameters)

    def iterate(state, *data):
        parameters, best, inner = state
        (mean, least), gradient = jax.value_and_grad(objective, has_aux=True)(parameters, *data)
        updates, inner = transformation.update(gradient, inner, parameters)
        return (optax.apply_updates(parameters, updates), jnp.minimum(best, least), inner), (least, mean, 1)

    return start, iterate


def lbfgs(objective, history: int):
    """optax's L-BFGS with its zoom line search: as `by_optax`. Minima are not known, as the line search has the means alone."""
    transformation = optax.lbfgs(memory_size=history)

    def start(parameters):
        return parameters, jnp.asarray(jnp.nan, parameters[0].dtype), transformation.init(parameters)

    def iterate(state, *data):
        parameters, best, inner = state
        mean_of = lambda parameters: objective(parameters, *data)[0]  # noqa: E731
        mean, gradient = optax.value_and_grad_from_state(mean_of)(parameters, state=inner)
        updates, inner = transformation.update(
            gradient, inner, parameters, value=mean, grad=gradient, value_fn=mean_of
        )
        # Every step of the line search evaluates value and gradient once, and hands the last of them on.
        evaluations = inner[-1].info.num_linesearch_steps
        return (optax.apply_updates(parameters, updates), best, inner), (best, mean, evaluations)

    return start, iterate


@cache
def compile_descent(function: str, iterations: int, rule: str, learning_rate: float, shapes: tuple, data: tuple):
    """The start of a descent; the descent, compiled for parameters of `shapes`; and the seconds that took."""
    low, high, raw = OBJECTIVES[function]

    def objective(parameters, scale, data):
        u = low + (high - low) * jax.nn.sigmoid(network(parameters))
        values = (raw(u, *data) - scale["offset"]) / scale["width"]
        return jnp.mean(values), jnp.min(values)

    match json.loads(rule):
        case {"name": "gradient-descent"}:
            start, iterate = plateau(objective, learning_rate)
        case {"name": "lbfgs", "history": history}:
            start, iterate = lbfgs(objective, history)
        case other:
            start, iterate = by_optax(objective, other, learning_rate)

    def descend(state, *data):
        return lax.scan(lambda state, _: iterate(state, *data), state, length=iterations)

    scalar = jax.ShapeDtypeStruct((), shapes[0].dtype)
    started = time.perf_counter()
    compiled = (
        jax.jit(descend, donate_argnums=0)
        .lower(
            jax.eval_shape(start, list(shapes)),
            {"offset": scalar, "width": scalar},
            list(data),
        )
        .compile()
    )
    return start, compiled, time.perf_counter() - started


def answer(request: Request) -> dict:
    dtype = {"f32": np.float32, "f64": np.float64}[request.dtype]
    parameters = [jnp.asarray(array, dtype) for array in request.parameters()]
    scale = {key: dtype(value) for key, value in request.scale.items()}
    match request.function:
        case "spin-glass":
            data = [request.paired_couplings()]
        case "turned-rastrigin" | "phase-retrieval":
            data = request.matrices()
        case _:
            data = []
    data = [jnp.asarray(array, dtype) for array in data]
    start, descend, compile_seconds = compile_descent(
        request.function,
        request.iterations,
        json.dumps(request.rule),
        request.learning_rate,
        tuple(jax.ShapeDtypeStruct(array.shape, dtype) for array in parameters),
        tuple(jax.ShapeDtypeStruct(array.shape, dtype) for array in data),
    )

    def timed() -> tuple[float, tuple, tuple]:
        # Copies, as the buffers are donated.
        state = jax.block_until_ready(jax.tree.map(jnp.array, start(parameters)))
        started = time.perf_counter()
        state, trace = jax.block_until_ready(descend(state, scale, data))
        seconds = time.perf_counter() - started
        # L-BFGS evaluates its start once more than its line searches do.
        evaluations = int(trace[2].sum()) + (request.rule["name"] == "lbfgs")
        return seconds / evaluations * 1e6, state, trace

    timed()  # warm
    runs = [timed() for _ in range(request.repeats)]
    _, (_, best, *rest), (minima, means, _) = runs[-1]
    return {
        "us_per_iteration": [microseconds for microseconds, *_ in runs],
        "compile_seconds": compile_seconds,
        "best": float(best),
        "min_last": float(minima[-1]),
        "mean_first": float(means[0]),
        "mean_last": float(means[-1]),
        "step_size_last": float(rest[0]) if request.rule["name"] == "gradient-descent" else request.learning_rate,
    }


if __name__ == "__main__":
    serve(answer)
