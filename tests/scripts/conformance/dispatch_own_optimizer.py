"""An optimizer of the user's own, with helpers, and one that is wrapped."""

import torch
from torch import nn


def moved(buffer, grad, momentum):
    return buffer.mul_(momentum).add_(grad)


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-2, momentum=0.9):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["buffer"] = torch.zeros_like(p)
                p.add_(moved(state["buffer"], p.grad, group["momentum"]).sign(), alpha=-group["lr"])
        return loss


class Slow:
    def __init__(self, inner):
        self.inner, self.count = inner, 0

    def step(self):
        self.count += 1
        self.inner.step()


torch.manual_seed(0)
net = nn.Linear(3, 1)
optimizer = Slow(Lion(net.parameters()))
for step in range(4):
    net.zero_grad()
    loss = (net(torch.randn(5, 3)) - 1).abs().mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
for step in range(3):
    print(optimizer.inner.step(lambda: net(torch.ones(1, 3)).sum()).item())
