"""Matches two point clouds with an entropic optimal transport loss."""

import torch

torch.manual_seed(55)
source = (0.2 * torch.randn(16, 2)).requires_grad_()
target = torch.tensor([6.0, 0.0]) + 0.2 * torch.randn(16, 2)


def sinkhorn(x, y, eps, rounds=5):
    cost = torch.cdist(x, y) ** 2
    kernel = torch.exp(-cost / eps)
    a = torch.full((len(x),), 1 / len(x))
    b = torch.full((len(y),), 1 / len(y))
    v = torch.ones_like(b)
    for _ in range(rounds):
        u = a / (kernel @ v)  # born: op=aten.div.Tensor kind=inf phase=forward step=2 module= reached=loss
        v = b / (kernel.t() @ u)
    plan = u[:, None] * kernel * v[None, :]
    return (plan * cost).sum()


opt = torch.optim.Adam([source], lr=0.05)
for step, eps in enumerate([20.0, 5.0, 0.2]):
    opt.zero_grad()
    loss = sinkhorn(source, target, eps)
    loss.backward()
    opt.step()
    print(step, "eps", eps, "transport", loss.item())
