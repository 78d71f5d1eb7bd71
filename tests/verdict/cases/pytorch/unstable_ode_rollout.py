"""Learns the coefficients of a predator-prey system through an explicit Euler rollout."""

import torch
from torch import nn


class LotkaVolterra(nn.Module):
    def __init__(self):
        super().__init__()
        self.coef = nn.Parameter(torch.tensor([1.5, 1.0, 3.0, 1.0]))

    def forward(self, state):
        prey, hunters = state.unbind(-1)
        a, b, c, d = self.coef
        return torch.stack([a * prey - b * prey * hunters, d * prey * hunters - c * hunters], -1)  # born: op=aten.mul.Tensor kind=inf phase=forward step=1 module=field reached=loss growth=yes


class Rollout(nn.Module):
    def __init__(self, dt):
        super().__init__()
        self.field, self.dt = LotkaVolterra(), dt

    def forward(self, state, count):
        path = [state]
        for _ in range(count):
            path.append(path[-1] + self.dt * self.field(path[-1]))
        return torch.stack(path)


torch.manual_seed(43)
model = Rollout(dt=0.1)
opt = torch.optim.SGD(model.parameters(), lr=1e-4)
for step, horizon in enumerate([20, 150]):
    state = torch.rand(6, 2) * 2 + (4.0 if step else 0.5)
    loss = (model(state, horizon).mean(0) - 2.0).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("horizon", horizon, "loss", loss.item())
