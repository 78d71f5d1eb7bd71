"""Dual numbers by hand, through a network, and together with a backward."""

import torch
import torch.autograd.forward_ad as fwad
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
for k in range(3):
    x, direction = torch.randn(2, 3), torch.randn(2, 3)
    with fwad.dual_level():
        out = net(fwad.make_dual(x, direction))
        value, tangent = fwad.unpack_dual(out)
        print(k, value.sum().item(), tangent.sum().item())
    p = torch.rand(3, requires_grad=True)
    with fwad.dual_level():
        dual = fwad.make_dual(p, torch.ones(3))
        twice = fwad.unpack_dual((dual**3).sum())
        (twice.primal + twice.tangent).backward()
    print(p.grad.tolist())
print(torch._efficientzerotensor((2,)).add(torch.ones(2)).tolist())
print(torch.autograd.gradcheck(lambda t: t.sin(), torch.rand(2, dtype=torch.float64, requires_grad=True), check_forward_ad=True))
