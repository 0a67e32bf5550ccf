"""The JAX peer for batches: all runs of a sweep at once by `vmap`, all iterations in one compiled `lax.scan`.

    python jax_batch.py [--platform cpu|cuda]

A line of JSON on stdin has the fields of `Request` in protocol.py, with the start of every seed one after the other in the file
`start`, and `rates`: every seed is run at every rate. The answer has `seconds` of the compiled program, and `best`, the mean of the
smallest F of the runs.
"""

import json
import sys
import time

import numpy as np
from jax_peer import OBJECTIVES, jax, jnp, lax, network


def descend(request: dict) -> dict:
    n, d, k, widths = request["n"], request["d"], request["k"], request["widths"]
    dtype = {"f32": jnp.float32, "f64": jnp.float64}[request["dtype"]]
    low, high, raw = OBJECTIVES[request["function"]]
    offset, width = request["scale"]["offset"], request["scale"]["width"]
    sizes = [k, *widths, d]
    layers = [shape for i, o in zip(sizes, sizes[1:]) for shape in ((o, i), (o,))]
    shapes = [(n, d)] if request["optimizer"] == "shallow" else [(n, k), *layers]
    starts = np.fromfile(request["start"], "<f8").reshape(-1, sum(np.prod(shape) for shape in shapes))
    ends = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
    rates = np.asarray(request["rates"])
    # Every seed at every rate.
    parameters = [
        jnp.asarray(np.repeat(part.reshape(len(starts), *shape), len(rates), 0), dtype)
        for part, shape in zip(np.split(starts, ends, 1), shapes)
    ]
    step_sizes = jnp.asarray(np.tile(rates, len(starts)), dtype)

    def objective(parameters):
        x = jax.nn.sigmoid(network(parameters))
        values = (raw(low + (high - low) * x) - offset) / width
        return jnp.mean(values), jnp.min(values)

    def iterate(state, _):
        parameters, best, step_size, best_mean = state
        (mean, least), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        parameters = jax.tree.map(lambda p, g: p - step_size * g, parameters, gradient)
        step_size = jnp.where(mean < best_mean, step_size, 0.9 * step_size)
        return (parameters, jnp.minimum(best, least), step_size, jnp.minimum(best_mean, mean)), None

    def run(parameters, step_size):
        infinite = jnp.asarray(jnp.inf, dtype)
        state = parameters, infinite, step_size, infinite
        return lax.scan(iterate, state, length=request["iterations"])[0][1]

    begun = time.perf_counter()
    batch = jax.jit(jax.vmap(run)).lower(parameters, step_sizes).compile()
    compiled = time.perf_counter()
    best = batch(parameters, step_sizes).block_until_ready()
    seconds = time.perf_counter() - compiled
    return {
        "seconds": seconds,
        "compile_seconds": compiled - begun,
        "runs": int(best.size),
        "best": float(jnp.mean(best)),
        "version": jax.__version__,
        "device": str(jax.devices()[0].device_kind),
    }


for line in sys.stdin:
    try:
        answer = descend(json.loads(line))
    except Exception as error:  # noqa: BLE001: every error is an answer to the bench
        answer = {"error": f"{type(error).__name__}: {error}"[:1000]}
    print(json.dumps(answer), flush=True)
