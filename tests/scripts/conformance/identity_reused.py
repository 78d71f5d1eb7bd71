"""Tensors die and their addresses are used again, a thousand times, also in cycles."""

import gc

import torch


class Holder:
    pass


torch.manual_seed(0)
total = torch.zeros(())
for k in range(200):
    a = torch.full((5,), float(k))
    b = a + 1
    del a
    c = torch.arange(5.0)
    total += (b * c).sum()
    if k % 50 == 0:
        holder = Holder()
        holder.me, holder.tensor = holder, b
        del holder
        gc.collect()
print(total.item())
x = torch.ones(3, requires_grad=True)
kept = [x.exp() for _ in range(4)]
sum(t.sum() for t in kept[::2]).backward()
kept.clear()
for _ in range(4):
    y = x.exp().sqrt()
    y.sum().backward()
print(x.grad.tolist())
