"""Optimises axis-angle rotations of a point set, starting from no rotation."""

import torch

torch.manual_seed(155)
points = torch.randn(30, 3)
axis = torch.tensor([0.0, 0.0, 1.0])
goal = points @ torch.tensor([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
omega = torch.zeros(3, requires_grad=True)
shift = torch.zeros(3, requires_grad=True)
opt = torch.optim.Adam([omega, shift], lr=0.05)


def rotate(x, w):
    theta = (w * axis).sum()
    sinc = torch.where(theta.abs() < 1e-6, 1 - theta**2 / 6, theta.sin() / theta)  # born: op=aten.div.Tensor kind=nan phase=backward step=0 module= reached=gradient forward=aten.div.Tensor # benign: op=aten.div.Tensor kind=nan reason="the forward value, removed by where"
    cross = torch.linalg.cross(w.expand_as(x), x)
    return x + sinc * cross + 0.5 * torch.linalg.cross(w.expand_as(x), cross)


for step in range(3):
    loss = (rotate(points, omega) + shift - goal).square().sum(1).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), omega.tolist())
