"""Fits a polynomial with SGD under a warm-up and decay schedule taken from a config."""

import numpy as np
import torch

config = {"steps": 4, "warmup": 0, "lr": 0.05}
torch.manual_seed(21)


def schedule(step):
    with np.errstate(all="ignore"):
        warm = np.float64(step) / config["warmup"]
    return float(np.minimum(warm, 1.0 - step / config["steps"]))


x = torch.linspace(-1, 1, 50).unsqueeze(1)
basis = torch.cat([x**k for k in range(4)], dim=1)
y = 0.3 - x + 2 * x**3
model = torch.nn.Linear(4, 1, bias=False)
opt = torch.optim.SGD(model.parameters(), lr=config["lr"])
scheduler = torch.optim.lr_scheduler.LambdaLR(opt, schedule)

for step in range(config["steps"]):
    loss = (model(basis) - y).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()  # born: op=aten.add_.Tensor kind=nan phase=optimizer step=0 module= reached=parameter
    scheduler.step()
    print(step, loss.item())
