"""Adversarial training where a tensor hook normalises the gradient that reaches the encoder."""

import torch
from torch import nn

torch.manual_seed(63)


def unit_gradient(grad):
    return grad / grad.norm(dim=1, keepdim=True)  # born: op=aten.div.Tensor kind=nan phase=backward step=1 module= reached=gradient


class DomainNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 8)
        self.domain = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, x):
        h = torch.tanh(self.encoder(x))
        if h.requires_grad:
            h.register_hook(unit_gradient)
        return self.domain(h)


net = DomainNet()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    x = torch.randn(10, 4)
    domain = (x[:, 0] > 0).long()
    if step == 1:
        domain[7] = -100
    loss = nn.functional.cross_entropy(net(x), domain)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
