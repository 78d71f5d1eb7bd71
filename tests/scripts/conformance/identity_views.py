"""Views of views, written through, read through others, and kept after their base is gone."""

import torch

torch.manual_seed(0)
base = torch.randn(4, 6)
rows = [base[k] for k in range(4)]
column, block = base[:, 2], base[1:3, 2:5]
for k in range(3):
    rows[1].add_(1)
    block.mul_(0.5)
    column[::2] = k
    flat = base.view(-1)
    flat[7] = flat[8] + flat[9]
    same = base.t().t()
    print(k, column.sum().item(), block.sum().item(), same.sum().item(), base.diagonal().sum().item())
kept = base.unfold(1, 3, 2).select(0, 1)
del base, rows, column, flat, same
print(kept.sum().item(), block._base is kept._base)
x = torch.randn(3, 4, requires_grad=True)
y = x * 1
z = y[1]
z.mul_(2)
y[0].copy_(z)
y.narrow(1, 0, 2).zero_()
y.sum().backward()
print(x.grad.tolist())
