"""Masked autoencoding of sensor windows; the loss averages over hidden values only."""

import torch
import torch.nn as nn

torch.manual_seed(13)


def masked_mse(pred, target, mask):
    err = (pred - target) ** 2
    return (err * mask).sum() / mask.sum()  # born: op=aten.div.Tensor kind=nan phase=forward step=3 module= reached=loss


net = nn.Sequential(nn.Linear(12, 48), nn.GELU(), nn.Linear(48, 12))
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=10)
windows = torch.randn(40, 12).cumsum(1)
hide = [0.5, 0.3, 0.1, 0.0, 0.2]

for step, ratio in enumerate(hide):
    batch = windows[step * 8 : (step + 1) * 8]
    mask = (torch.rand_like(batch) < ratio).float()
    loss = masked_mse(net(batch * (1 - mask)), batch, mask)
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    print(step, loss.item(), sched.get_last_lr()[0])
