"""Mixed-precision training with autocast to float16 and a dynamic gradient scaler."""

import torch
from torch import nn

torch.manual_seed(108)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=100)
x = torch.randn(64, 10)
y = 2 * x[:, :1] - x[:, 1:2]

for step in range(14):
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        out = model(x)  # benign: op=aten.mm.default kind=inf reason="skipped by the GradScaler"
    loss = nn.functional.mse_loss(out.float(), y)  # benign: op=aten._to_copy.default kind=inf reason="skipped by the GradScaler"
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    print(step, loss.item(), scaler.get_scale())
