"""A variational autoencoder with transposed convolutions and a sample in the middle."""

import torch
from torch import nn

F = nn.functional


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ELU(), nn.Flatten(), nn.Linear(64, 6))
        self.up = nn.Sequential(nn.Linear(3, 64), nn.Unflatten(1, (4, 4, 4)), nn.ConvTranspose2d(4, 1, 4, 2, 1))

    def forward(self, x):
        mean, log = self.down(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (log / 2).exp()
        return self.up(z), -0.5 * (1 + log - mean.square() - log.exp()).sum(1).mean()


torch.manual_seed(0)
net = Vae()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(4):
    x = torch.rand(3, 1, 8, 8)
    made, divergence = net(x)
    loss = F.binary_cross_entropy_with_logits(made, x) + 0.1 * divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
