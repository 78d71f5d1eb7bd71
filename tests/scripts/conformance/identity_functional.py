"""Modules called with weights from elsewhere, ensembles, swapped tensors, lazy modules."""

import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
weights = {name: w.detach().clone() for name, w in net.named_parameters()}
x = torch.randn(5, 3)
for step in range(3):
    grads = grad(lambda w: functional_call(net, w, (x,)).pow(2).mean())(weights)
    weights = {name: w - 0.1 * grads[name] for name, w in weights.items()}
    print(step, functional_call(net, weights, (x,)).sum().item())
nets = [nn.Linear(3, 2) for _ in range(3)]
stacked, buffers = stack_module_state(nets)
print(vmap(lambda w, b, t: functional_call(nets[0], (w, b), (t,)), (0, 0, None))(stacked, buffers, x).shape)
torch.utils.swap_tensors(nets[0].weight, nets[1].weight)
print(nets[0](x).sum().item(), nets[1](x).sum().item())
lazy = nn.Sequential(nn.LazyConv1d(4, 2), nn.Flatten(), nn.LazyLinear(3), nn.LazyBatchNorm1d())
print(lazy[2].weight.__class__.__name__, nn.parameter.UninitializedParameter.__name__)
print(lazy(torch.randn(2, 3, 6)).shape, lazy[2].weight.shape)
lazy(torch.randn(4, 3, 6)).pow(2).sum().backward()
print(lazy[2].weight.grad.norm().item())
