"""Online regression on a ring buffer that a sensor driver fills through NumPy."""

import numpy as np
import torch

rng = np.random.default_rng(24)
torch.manual_seed(24)
memory = np.zeros((32, 3), dtype=np.float32)
window = torch.from_numpy(memory)


def driver(tick):
    for slot in range(8):
        reading = rng.normal(size=3)
        if tick == 2 and slot == 5:
            reading[1] = np.nan
        memory[(tick * 8 + slot) % 32] = reading


layer = torch.nn.Linear(3, 2)
head = torch.nn.Linear(2, 1)
opt = torch.optim.SGD([*layer.parameters(), *head.parameters()], lr=0.1)

for step in range(4):
    driver(step)
    hidden = torch.tanh(layer(window))  # born: op=aten.addmm.default kind=nan phase=data step=2 module= reached=loss
    loss = (head(hidden).squeeze(1) - torch.arange(32) / 32).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("tick", step, "loss", loss.item())
