"""Half-precision training with a fixed loss scale and float32 master weights."""

import torch
from torch import nn

torch.manual_seed(62)
LOSS_SCALE = 2.0**14
model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1)).half()
master = [p.detach().float().requires_grad_() for p in model.parameters()]
opt = torch.optim.SGD(master, lr=1e-2, momentum=0.9)
x = torch.randn(32, 6).half()
y = (3 * x[:, :1].float() + 4).half()

for step in range(3):
    loss = nn.functional.mse_loss(model(x), y)
    scaled = loss * LOSS_SCALE  # born: op=aten.mul.Tensor kind=inf phase=forward step=0 module= reached=loss
    model.zero_grad()
    scaled.backward()
    for m, p in zip(master, model.parameters(), strict=True):
        m.grad = p.grad.float() / LOSS_SCALE
    opt.step()
    with torch.no_grad():
        for m, p in zip(master, model.parameters(), strict=True):
            p.copy_(m)
    print(step, loss.item())
