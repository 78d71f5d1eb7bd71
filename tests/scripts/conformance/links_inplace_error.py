"""A saved value is overwritten: the error, and its version numbers, are what they are without us."""

import torch

x = torch.ones(3, requires_grad=True)
for _ in range(3):
    y = x.exp()
    y.mul_(2)
    try:
        y.sum().backward()
    except RuntimeError as error:
        print(error)
leaf = torch.ones(2, requires_grad=True)
try:
    leaf.add_(1)
except RuntimeError as error:
    print(error)
loss = (x * 2).sum()
loss.backward()
try:
    loss.backward()
    (x.exp().sum()).backward()
    z = x.exp().sum()
    z.backward()
    z.backward()
except RuntimeError as error:
    print(str(error)[:60])
print(x._version, y._version, x.grad.tolist())
