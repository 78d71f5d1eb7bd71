"""Zero-inflated log-normal regression of rainfall; dry days never reach the logarithm."""

import torch
from torch import nn


class RainModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))

    def forward(self, x):
        wet, mu, log_sigma = self.net(x).unbind(-1)
        return wet, mu, log_sigma.clamp(-3, 3)


def log_density(rain, wet, mu, log_sigma):
    rainy = rain > 0
    amount = torch.where(rainy, rain, torch.ones_like(rain)).log()
    log_normal = -0.5 * ((amount - mu) / log_sigma.exp()) ** 2 - log_sigma - amount
    positive = torch.where(rainy, log_normal, float("-inf"))  # benign: op=aten.scalar_tensor.default kind=inf reason="log of a density of zero, removed by logaddexp"
    dry = torch.where(rainy, float("-inf"), nn.functional.logsigmoid(-wet))  # benign: op=aten.scalar_tensor.default kind=inf reason="log of a density of zero, removed by logaddexp"
    return torch.logaddexp(dry, nn.functional.logsigmoid(wet) + positive)


torch.manual_seed(109)
model = RainModel()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
x = torch.randn(80, 4)
rain = torch.relu(x[:, 0] + 0.3 * torch.randn(80)).exp() - 1
for step in range(3):
    loss = -log_density(rain, *model(x)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
