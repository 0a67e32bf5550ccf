"""Prints the step sizes of PyTorch's ReduceLROnPlateau, which tests/protocol.rs compares with this crate's rule.

    pip install torch==2.15.0 numpy
    python plateau.py > plateau.txt

Two kinds of lines, numbers separated by blanks. A rule is: initial factor patience threshold min_lr eps.

    trace RULE | means | the rate of each iteration
    end RULE | a mean | iterations with that mean | the rate after them
"""

import math
import random
import warnings

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

PAPER = (0.9, 0, 0.0, 0.0, 0.0)
DEEP_CONVEXITY = (0.99, 1, 1e-10, 1e-10, 1e-8)


def rates(rule: tuple, means: list[float]) -> list[float]:
    """The rate of each iteration, and the one after the last."""
    initial, factor, patience, threshold, min_lr, eps = rule
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=initial)
    scheduler = ReduceLROnPlateau(
        optimizer,
        mode="min",
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode="abs",
        cooldown=0,
        min_lr=min_lr,
        eps=eps,
    )
    found = [optimizer.param_groups[0]["lr"]]
    for mean in means:
        scheduler.step(mean)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def line(numbers: list) -> str:
    return " ".join(map(repr, numbers))


def main() -> None:
    warnings.simplefilter("ignore")  # the scheduler is stepped without an optimizer
    draws = random.Random(0)
    # Falls, stalls, exact repeats, and changes about as large as the threshold of 1e-10.
    noisy, mean = [], 0.5
    for _ in range(400):
        mean += draws.choice([0.0, 0.0, 1e-10, -1e-10, -1.5e-10, 5e-11, -5e-11, 1e-3 * draws.gauss(-0.2, 1.0)])
        noisy.append(mean)
    steps = [1.0, 0.75, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.375, 0.0, 0.0, 0.0]
    for initial, rule, means in [
        (1.0, PAPER, noisy[:300]),
        (1e-10, PAPER, noisy[:300]),
        (0.1, DEEP_CONVEXITY, noisy),
        (1.2e-6, DEEP_CONVEXITY, noisy),
        (1e-6, DEEP_CONVEXITY, noisy),
        (1.0, (0.5, 0, 0.25, 0.0, 0.0), steps),
        (1.0, (0.5, 1, 0.0, 0.3, 0.0), steps),
        (1.0, (0.5, 3, 0.1, 0.0, 0.25), steps),
        (0.2, (0.5, 0, 0.0, 0.3, 0.0), steps),
        (1.0, (0.5, 0, 0.0, 0.0, 0.25), steps),
    ]:
        print("trace", line([initial, *rule]), "|", line(means), "|", line(rates((initial, *rule), means)[:-1]))
    for step in range(20):
        rule = (math.pow(10, -6 + 7 * step / 19), *DEEP_CONVEXITY)
        print("end", line(list(rule)), "| 0.5 | 4000 |", repr(rates(rule, [0.5] * 4000)[-1]))
    rule = (0.1, *DEEP_CONVEXITY)
    for iterations in (2292, 2293, 4000):
        print("end", line(list(rule)), "| 0.5 |", iterations, "|", repr(rates(rule, [0.5] * iterations)[-1]))


if __name__ == "__main__":
    main()
