"""Weights that are computed: parametrizations, weight and spectral norm, orthogonal, pruning."""

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x):
        return x.triu()


torch.manual_seed(0)
net = nn.Sequential(
    parametrizations.weight_norm(nn.Linear(4, 5)),
    parametrizations.spectral_norm(nn.Linear(5, 4)),
    parametrizations.orthogonal(nn.Linear(4, 4)),
    nn.Linear(4, 4),
)
parametrize.register_parametrization(net[3], "weight", Symmetric())
prune.l1_unstructured(net[3], "bias", amount=2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    optimizer.zero_grad()
    with parametrize.cached():
        loss = (net(torch.randn(6, 4)) + net(torch.ones(1, 4))).pow(2).mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), net[1].weight.norm().item())
net[3].weight = torch.eye(4)
parametrize.remove_parametrizations(net[3], "weight")
prune.remove(net[3], "bias")
print(net(torch.ones(1, 4)).tolist(), [name for name, _ in net[3].named_parameters()])
