"""Train two heads with a factored optimizer; the second one is ramped in later."""

import torch
from torch import nn


class Factored(torch.optim.Optimizer):
    """Second moments kept as one row and one column a matrix."""

    def __init__(self, params, lr=1e-2, decay=0.9):
        super().__init__(params, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state, decay = self.state[p], group["decay"]
                if p.dim() < 2:
                    p.add_(p.grad, alpha=-group["lr"])
                    continue
                square = p.grad**2
                if not state:
                    state["row"], state["column"] = square.mean(dim=1), square.mean(dim=0)
                state["row"].lerp_(square.mean(dim=1), 1 - decay)
                state["column"].lerp_(square.mean(dim=0), 1 - decay)
                rows = state["row"] / state["row"].mean()  # born: op=aten.div.Tensor kind=nan phase=optimizer step=4 module= reached=parameter
                scale = rows.rsqrt()[:, None] * (state["column"] + 1e-8).rsqrt()[None, :]
                p.add_(p.grad * scale, alpha=-group["lr"])


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 16), nn.Tanh())
        self.price = nn.Linear(16, 3)
        self.volume = nn.Linear(16, 2)


torch.manual_seed(2)
x = torch.randn(64, 6)
price, volume = torch.tanh(x[:, :3]), x[:, 3:5] * x[:, 4:]
model = TwoHeads()
optimizer = Factored(model.parameters())
RAMP_FROM = 4

for step in range(8):
    hidden = model.trunk(x)
    loss = (model.price(hidden) - price).square().mean()
    if step >= RAMP_FROM:
        ramp = (step - RAMP_FROM) / 10
        loss = loss + ramp * (model.volume(hidden) - volume).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step={step} loss={loss.item():.5f}")
