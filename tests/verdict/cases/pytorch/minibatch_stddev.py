"""A discriminator with a minibatch standard deviation feature, trained on binary images."""

import torch
from torch import nn


class MinibatchStd(nn.Module):
    def forward(self, x):
        spread = x.std(0).mean().expand(x.size(0), 1)  # benign: op=aten.div.Tensor kind=inf reason="the derivative at a spread of zero, removed by masked_fill inside of autograd"
        return torch.cat([x, spread], 1)


torch.manual_seed(142)
generator = nn.Sequential(nn.Linear(4, 10), nn.ReLU())
critic = nn.Sequential(MinibatchStd(), nn.Linear(11, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3)
opt_c = torch.optim.Adam(critic.parameters(), lr=1e-3)
nn.init.constant_(generator[0].bias, -0.5)
bce = nn.BCEWithLogitsLoss()

for step in range(3):
    real = (torch.rand(12, 10) < 0.3).float()
    fake = generator(torch.randn(12, 4))
    loss = bce(critic(real), torch.ones(12, 1)) + bce(critic(fake.detach()), torch.zeros(12, 1))
    opt_c.zero_grad()
    loss.backward()
    opt_c.step()
    adversarial = bce(critic(fake), torch.ones(12, 1))
    opt_g.zero_grad()
    adversarial.backward()
    opt_g.step()
    print(step, loss.item(), adversarial.item())
