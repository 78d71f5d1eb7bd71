"""set_, resize_, untyped storages that are shared, swapped, grown and freed."""

import warnings

import torch

torch.manual_seed(0)
a, b = torch.arange(6.0), torch.zeros(2)
b.set_(a.untyped_storage(), 2, (2, 2), (2, 1))
b += 10
print(a.tolist())
c = torch.tensor([], dtype=torch.float32).set_(a.untyped_storage())
c[0] = 7
print(a[0].item(), c.shape, torch.empty(0).set_(a).sum().item())
grown = torch.ones(2, 2)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    grown.resize_(3, 3)
    grown[:] = torch.arange(9.0).view(3, 3)
    torch.add(torch.ones(4), 1, out=grown)
print(grown.shape, grown.sum().item())
for k in range(3):
    d = torch.full((4,), float(k))
    d.untyped_storage().resize_(0)
    d.untyped_storage().resize_(16)
    d.copy_(torch.arange(4.0))
    d.data = a[:4]
    print(d.sum().item())
e = torch.frombuffer(bytearray(a.numpy().tobytes()), dtype=torch.int32)
print(e.sum().item(), a.view(torch.int32).sum().item())
a.untyped_storage().copy_(torch.ones(6).untyped_storage())
print(a.tolist(), b.tolist())
