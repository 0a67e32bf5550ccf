"""Step sizes of PyTorch's schedulers over a sequence of means, as the literals of src/rule/schedule.rs.

    pip install torch numpy
    python tests/reference/schedules.py
"""

import math
import torch

MEANS = [1.0 / (1 + t // 3) + 0.05 * math.sin(7.0 * t) for t in range(60)]


def sizes(make, takes_mean):
    parameter = torch.zeros(1, requires_grad=True)
    rule = torch.optim.SGD([parameter], lr=0.5)
    schedule = make(rule)
    found = []
    for mean in MEANS:
        found.append(rule.param_groups[0]["lr"])
        rule.step()
        schedule.step(mean) if takes_mean else schedule.step()
    return found


from torch.optim import lr_scheduler as s

for name, make, takes_mean in [
    ("plateau", lambda r: s.ReduceLROnPlateau(r), True),
    ("plateau, absolute, patience 2, cooldown 3", lambda r: s.ReduceLROnPlateau(r, factor=0.5, patience=2, threshold=0.01, threshold_mode="abs", cooldown=3, min_lr=0.01), True),
    ("cosine", lambda r: s.CosineAnnealingLR(r, T_max=60), False),
]:
    found = sizes(make, takes_mean)
    print(name, [found[i] for i in (0, 1, 5, 12, 20, 30, 45, 59)])
