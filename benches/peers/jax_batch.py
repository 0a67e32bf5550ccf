"""The JAX peer for batches: all runs of a sweep at once by `vmap`, all iterations in one compiled `lax.scan`.

    python jax_batch.py [--platform cpu|cuda]

A line of JSON on stdin has function, optimizer, dtype, iterations, scale, n, d, k and widths as in `Request` of protocol.py, and `rates`: each
seed is run at each of them. The starts of the seeds are in the file `start`, one after the other. The answer has the `seconds` of the compiled program,
the number of `runs`, `best`, the mean over the runs of the smallest F, and the `version` and the `device` of JAX.
"""

import json
import sys
import time

import numpy as np
from jax_peer import OBJECTIVES, jax, jnp, lax, network, plateau


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

    def run(parameters, step_size):
        start, iterate = plateau(objective, step_size)
        return lax.scan(lambda state, _: (iterate(state)[0], None), start(parameters), length=request["iterations"])[0][1]

    batch = jax.jit(jax.vmap(run)).lower(parameters, step_sizes).compile()
    begun = time.perf_counter()
    best = batch(parameters, step_sizes).block_until_ready()
    return {
        "seconds": time.perf_counter() - begun,
        "runs": int(best.size),
        "best": float(jnp.mean(best)),
        "version": f"JAX {jax.__version__}",
        "device": str(jax.devices()[0].device_kind),
    }


for line in sys.stdin:
    try:
        answer = descend(json.loads(line))
    except Exception as error:  # noqa: BLE001: every error is an answer to the bench
        answer = {"error": f"{type(error).__name__}: {error}"[:1000]}
    print(json.dumps(answer), flush=True)
