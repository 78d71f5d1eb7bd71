"""Gradients of many outputs at once, unused inputs, and a graph that is kept."""

import torch

torch.manual_seed(0)
x, unused = torch.rand(3, requires_grad=True), torch.rand(2, requires_grad=True)
y = (x.outer(x)).sin().sum(0)
rows = torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True, retain_graph=True)[0]
print(rows.tolist())
print(torch.autograd.grad(y.sum(), [x, unused], allow_unused=True, retain_graph=True)[1])
zero = torch.autograd.grad(y.sum(), [x, unused], allow_unused=True, materialize_grads=True, retain_graph=True)
print(zero[1].tolist())
torch.autograd.backward([y, y * 2], [torch.ones(3), torch.arange(3.0)], retain_graph=True, inputs=[x])
print(x.grad.tolist())
print(torch.autograd.functional.jacobian(lambda t: t.exp() * t, x.detach()).diag().tolist())
print(torch.autograd.functional.hvp(lambda t: (t**3).sum(), x.detach(), torch.ones(3))[1].tolist())
