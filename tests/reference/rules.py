"""Steps of PyTorch's optimizers on f(t) = sum a t^2 / 2 + sum cos(3 t), as the literals of src/rule/tests.rs.

    pip install torch numpy
    python tests/reference/rules.py
"""

import torch

CURVATURES = torch.tensor([1.0, 10.0, 0.1, 3.0], dtype=torch.float64)
START = [0.5, -0.3, 2.0, -1.25]
STEPS = 25
RULES = {
    "gradient-descent": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.05),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05),
}

for name, make in RULES.items():
    t = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    rule = make([t])
    found = []
    for step in range(1, STEPS + 1):
        rule.zero_grad()
        (0.5 * (CURVATURES * t * t).sum() + torch.cos(3 * t).sum()).backward()
        rule.step()
        if step in (1, 2, STEPS):
            found.append(t.tolist())
    print(f'    ("{name}", [')
    for row in found:
        print("        [" + ", ".join(repr(x) for x in row) + "],")
    print("    ]),")
