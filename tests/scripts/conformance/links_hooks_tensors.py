"""Hooks on tensors, on nodes of the graph, on parameters and on several gradients at once."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(3, 3)
log = []
net.weight.register_hook(lambda grad: grad * 2)
net.bias.register_post_accumulate_grad_hook(lambda p: log.append(p.grad.sum().item()))
for step in range(3):
    x = torch.randn(4, 3, requires_grad=True)
    hidden = net(x)
    hidden.retain_grad()
    handle = hidden.register_hook(lambda grad: grad.clamp(-0.5, 0.5))
    out = hidden.sin()
    out.grad_fn.register_prehook(lambda grads: (grads[0] + 0.1,))
    out.grad_fn.register_hook(lambda inputs, outputs: log.append(inputs[0].norm().item()))
    torch.autograd.graph.register_multi_grad_hook([hidden, x], lambda grads: log.append(len(grads)))
    out.sum().backward()
    handle.remove()
    print(step, hidden.grad.sum().item(), x.grad.sum().item())
print(log, net.weight.grad.sum().item())
