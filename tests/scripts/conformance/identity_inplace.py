"""Every way to write in place: operators, out=, index assignment, copy_, foreach, where, fill."""

import torch

torch.manual_seed(0)
x = torch.arange(12.0).view(3, 4)
y = torch.zeros(3, 4)
for k in range(3):
    x += 1
    x[0] *= 2
    x[x > 20] = -1
    x[:, [1, 3]] = torch.tensor([0.5, 0.25])
    torch.mul(x, 2, out=y)
    torch.where(y > 3, y, torch.zeros(()), out=y)
    y.index_add_(0, torch.tensor([0, 2]), torch.ones(2, 4))
    y.scatter_(1, torch.tensor([[0], [1], [2]]), 9.0)
    y.masked_fill_(y.eq(9), 8).clamp_(max=5).copy_(y.flip(1))
    torch._foreach_add_([x[1], y[1]], 0.5)
    torch.nn.functional.relu_(y)
    y.t_()
    y.t_()
    x.swapaxes_(0, 1).swapaxes_(0, 1)
    y.put_(torch.tensor([0, 5]), torch.tensor([1.0, 2.0]), accumulate=True)
    print(k, x.sum().item(), y.sum().item())
x.requires_grad_()
z = x * 1
z[0, 1:3] = z[1, :2] + z[2, 2]
z.index_put_((torch.tensor([2]), torch.tensor([0])), torch.tensor(3.0))
z.sum().backward()
print(x.grad.tolist())
