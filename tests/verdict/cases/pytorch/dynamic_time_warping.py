"""Learns a warped template with a soft-DTW loss whose table is bordered by infinity."""

import torch

torch.manual_seed(117)
GAMMA = 0.5


def soft_min(*values):
    return -GAMMA * torch.logsumexp(-torch.stack(values) / GAMMA, 0)  # benign: op=aten.stack.default kind=inf reason="a border that the soft minimum ignores"


def soft_dtw(a, b):
    cost = (a[:, None] - b[None]) ** 2
    inf = torch.tensor(torch.inf)
    table = {(i, -1): inf for i in range(len(a))} | {(-1, j): inf for j in range(len(b))}
    table[-1, -1] = torch.tensor(0.0)
    for i in range(len(a)):
        for j in range(len(b)):
            best = soft_min(table[i - 1, j], table[i, j - 1], table[i - 1, j - 1])
            table[i, j] = cost[i, j] + best
    return table[len(a) - 1, len(b) - 1]


template = torch.zeros(5, requires_grad=True)
opt = torch.optim.Adam([template], lr=0.1)
time = torch.linspace(0, 3.14, 6)
for step in range(3):
    series = [torch.sin(time * s) for s in (0.8, 1.0, 1.2)]
    loss = torch.stack([soft_dtw(template, s) for s in series]).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
