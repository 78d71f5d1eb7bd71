"""Gradient modes by call, decorator, context and generator, and what inherits them."""

import torch


@torch.no_grad()
def frozen(x):
    return x * 2


@torch.no_grad()
def numbers(x):
    for k in range(3):
        yield x * k


@torch.enable_grad()
def alive(x):
    return x * 3


x = torch.ones(2, requires_grad=True)
for step in range(3):
    with torch.set_grad_enabled(step % 2 == 0):
        y = x * 2
        with torch.no_grad():
            z = alive(x)
    print(step, y.requires_grad, z.requires_grad, frozen(x).requires_grad)
    z.sum().backward()
    for value in numbers(x):
        print(value.requires_grad, (value * x).requires_grad)
torch.set_grad_enabled(False)
w = x.exp()
torch.set_grad_enabled(True)
with torch.autograd.graph.allow_mutation_on_saved_tensors():
    v = x * 1
    u = v.sin()
    v.add_(1)
    u.sum().backward()
with torch.autograd.set_multithreading_enabled(False), torch.autograd.forward_ad.dual_level():
    (x * 2).sum().backward()
with torch.autograd._force_original_view_tracking(True):
    print(x.detach().view(2, 1).shape)
print(w.requires_grad, x.grad.tolist(), torch.is_grad_enabled(), torch.is_inference_mode_enabled())
