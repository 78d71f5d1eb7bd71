"""An exponential moving average of the weights, and a validation with it every few steps."""
import copy

import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1))
ema = copy.deepcopy(model).eval().requires_grad_(False)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
val_x, val_y = torch.randn(8, 3), torch.randn(8, 1)


@torch.no_grad()
def update_ema(decay=0.9):
    for slow, fast in zip(ema.parameters(), model.parameters()):
        slow.mul_(decay).add_(fast, alpha=1 - decay)


for step in range(12):
    begin("train")
    x = torch.randn(8, 3)
    y = x.sum(1, keepdim=True)
    at("forward")
    loss = nn.functional.mse_loss(model(x), y)
    at("optimizer")
    optimizer.zero_grad()
    at("backward")
    loss.backward()
    at("optimizer")
    optimizer.step()
    scheduler.step()
    at("other")
    update_ema()
    if (step + 1) % 4 == 0:
        begin("eval")
        at("forward")
        with torch.no_grad():
            val = nn.functional.mse_loss(ema(val_x), val_y)
        at("other")
        print(step, loss.item(), val.item())
