"""The same memory under other names: detach, .data, alias, requires_grad_ and back."""

import torch

torch.manual_seed(0)
weight = torch.randn(3, requires_grad=True)
for step in range(4):
    out = (weight * weight).sum()
    out.backward()
    weight.data -= 0.1 * weight.grad.data
    weight.data[0] = weight.detach()[1]
    weight.grad = None
    shadow = weight.detach()
    shadow[2] += 1
    print(step, out.item(), weight.tolist(), weight._version, shadow._version)
weight.data = torch.full((3,), 2.0)
print((weight * 3).sum().item(), shadow.tolist())
frozen = weight.detach().requires_grad_()
(frozen.exp() * weight).sum().backward()
print(frozen.grad.tolist(), weight.grad.tolist())
