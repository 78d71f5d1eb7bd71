"""Learns which sensor to read with a relaxed categorical choice and hand-made Gumbel noise."""

import torch
from torch import nn


class Router(nn.Module):
    def __init__(self, choices=5):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(choices))

    def forward(self, n, tau):
        u = torch.randint(0, 16, (n, len(self.logits))) / 16
        gumbel = -torch.log(-torch.log(u))  # benign: op=aten.log.default kind=inf reason="noise of minus infinity that softmax removes"
        return torch.softmax((self.logits + gumbel) / tau, dim=-1)


torch.manual_seed(133)
router = Router()
readout = nn.Linear(1, 1)
opt = torch.optim.Adam([*router.parameters(), *readout.parameters()], lr=5e-2)
for step in range(5):
    signal = torch.randn(40, 1)
    sensors = torch.cat([signal, torch.randn(40, 4)], 1)
    choice = router(40, tau=max(0.5, 1.0 - 0.1 * step))
    reading = (choice * sensors).sum(1, keepdim=True)
    loss = nn.functional.mse_loss(readout(reading), signal)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), router.logits.softmax(0)[0].item())
