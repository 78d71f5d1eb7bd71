"""Autocast and a GradScaler; one batch overflows, so that its step is skipped."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
batches = [torch.randn(4, 4) for _ in range(6)]
batches[2][0, 0] = float("inf")

for epoch in range(2):
    for batch in batches:
        begin("train")
        at("optimizer")
        optimizer.zero_grad(set_to_none=True)
        at("forward")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(batch).float().pow(2).mean()
        at("optimizer", "forward")
        scaled = scaler.scale(loss)
        at("backward")
        scaled.backward()
        at("optimizer")
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
