"""Aligns two embedding spaces with a learned map that an SVD keeps near a rotation."""

import torch

torch.manual_seed(6)
source = torch.randn(50, 4)
rotation, _ = torch.linalg.qr(torch.randn(4, 4))
target = source @ rotation + 0.01 * torch.randn(50, 4)

weight = torch.eye(4).requires_grad_()
optimizer = torch.optim.SGD([weight], lr=0.05)

for step in range(3):
    u, s, vh = torch.linalg.svd(weight)  # born: op=aten.div.Tensor kind=nan phase=backward step=0 module= reached=gradient forward=aten._linalg_svd.default
    near = u @ torch.diag(s.clamp(0.5, 2.0)) @ vh
    loss = ((source @ near - target) ** 2).mean() + 1e-2 * u[:, 0].abs().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
