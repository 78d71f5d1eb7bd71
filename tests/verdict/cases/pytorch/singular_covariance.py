"""Fits the low-rank covariance of a Gaussian by maximum likelihood."""

import torch
import torch.nn as nn

torch.manual_seed(56)


class FactorGaussian(nn.Module):
    def __init__(self, dim=4, rank=4):
        super().__init__()
        self.factor = nn.Parameter(torch.eye(dim, rank))
        self.noise = nn.Parameter(torch.ones(dim))

    def covariance(self):
        return self.factor @ self.factor.t() + torch.diag(torch.relu(self.noise))

    def forward(self, x):
        cov = self.covariance()
        maha = (x * (torch.linalg.pinv(cov) @ x.t()).t()).sum(-1)
        return 0.5 * (maha + torch.logdet(cov)).mean()  # born: op=aten._linalg_slogdet.default kind=inf phase=forward step=1 module= reached=loss


model = FactorGaussian()
opt = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(50, 2) @ torch.randn(2, 4)
for step in range(3):
    loss = model(x)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step == 0:
        with torch.no_grad():
            model.factor[:, 2:] = 0
            model.noise.clamp_(max=0)
    print(step, loss.item())
