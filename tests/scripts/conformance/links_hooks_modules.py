"""Hooks on modules: before and after forward and backward, with changes, and global ones."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
seen = []
net[0].register_forward_pre_hook(lambda module, args: (args[0] * 2,))
net[0].register_forward_hook(lambda module, args, out: out + 1)
net[1].register_forward_hook(lambda module, args, kwargs, out: seen.append(out.mean().item()), with_kwargs=True)
net[2].register_full_backward_pre_hook(lambda module, grad: (grad[0] * 0.5,))
net[2].register_full_backward_hook(lambda module, given, grad: seen.append(grad[0].norm().item()))
net.register_state_dict_post_hook(lambda module, state, prefix, local: seen.append(len(state)))
everywhere = nn.modules.module.register_module_forward_hook(lambda module, args, out: seen.append(type(module).__name__))
for step in range(3):
    x = torch.randn(2, 3, requires_grad=True)
    net(x).pow(2).sum().backward()
    print(step, x.grad.sum().item())
everywhere.remove()
net.state_dict()
net(x)
print(seen)
