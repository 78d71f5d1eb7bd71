"""Early stopping: train, evaluate the whole validation set at once, stop after some patience."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(24, 5), torch.randn(24, 1)
x_val, y_val = torch.randn(10, 5), torch.randn(10, 1)
model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
best, waited, epoch = float("inf"), 0, 0
while waited < 3 and epoch < 12:
    model.train()
    begin("train")
    at("data", loose=True)
    order = torch.randperm(24)
    for rows in order.split(8):
        at("data")
        xb, yb = x[rows], y[rows]
        at("optimizer")
        optimizer.zero_grad()
        at("forward")
        l2 = sum(p.pow(2).sum() for p in model.parameters())
        loss = nn.functional.mse_loss(model(xb), yb) + 1e-3 * l2
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        begin("train")
    model.eval()
    begin("eval")
    at("forward")
    with torch.no_grad():
        val = nn.functional.mse_loss(model(x_val), y_val)
    at("other")
    val = val.item()
    epoch += 1
    if val < best:
        best, waited = val, 0
        kept = {name: t.clone() for name, t in model.state_dict().items()}
    else:
        waited += 1
begin("other")
model.load_state_dict(kept)
begin("eval", "other")
at("forward")
with torch.no_grad():
    out = model(x_val)
at("other")
print(out.std().item())
