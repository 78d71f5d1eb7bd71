"""Image denoising in half precision with a summed squared error."""

import torch
from torch import nn

torch.manual_seed(152)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, image):
        return self.conv(image)


net = Denoiser().half()
opt = torch.optim.SGD(net.parameters(), lr=1e-7)
for step, side in enumerate([8, 16, 48, 8]):
    clean = torch.rand(4, 1, side, side) * 8
    noisy = (clean + torch.randn_like(clean)).half()
    err = net(noisy) - clean.half()
    loss = (err * err).sum()  # born: op=aten.sum.default kind=inf phase=forward step=2 module= reached=loss
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"side {side} step {step} loss {loss.item()}")
