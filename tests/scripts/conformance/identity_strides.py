"""expand, as_strided, broadcast, overlapping windows, zero strides, negative steps by flip."""

import torch

torch.manual_seed(0)
x = torch.randn(6, requires_grad=True)
windows = x.as_strided((4, 3), (1, 1))
grown = x[:2].expand(3, 2)
for k in range(3):
    y = windows.sum(1) * (k + 1)
    z = grown * torch.tensor([1.0, 2.0])
    (y.sum() + z.sum()).backward(retain_graph=True)
    print(k, y.tolist(), x.grad.tolist())
zero = torch.zeros(1).expand(4)
print((zero + 1).sum().item(), zero.stride(), zero.is_contiguous())
a, b = torch.broadcast_tensors(torch.arange(3).view(1, 3), torch.arange(2).view(2, 1))
print((a * b).tolist(), x.flip(0).sum().item(), torch.as_strided(x, (2, 2), (2, 2), 1).tolist())
out = torch.zeros(3, 3)
out.as_strided((3,), (4,)).fill_(1)
print(out.tolist(), out.T.is_contiguous(), out.T.contiguous().stride())
w = (x * 2).as_strided((2, 2), (1, 1))
w.sum().backward()
print(x.grad.tolist())
