"""Self-supervised contrastive learning with an InfoNCE loss on unnormalised features."""

import torch
import torch.nn as nn

torch.manual_seed(59)


class InfoNCE(nn.Module):
    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, a, b):
        sim = torch.exp(a @ b.t() / self.temperature)  # born: op=aten.exp.default kind=inf phase=forward step=1 module= reached=loss
        return -torch.log(sim.diagonal() / sim.sum(1)).mean()


encoder = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
criterion = InfoNCE()
opt = torch.optim.SGD(encoder.parameters(), lr=2.0)
for step in range(3):
    x = torch.randn(24, 16)
    z1, z2 = encoder(x + 0.1 * torch.randn_like(x)), encoder(x + 0.1 * torch.randn_like(x))
    loss = criterion(z1, z2)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
