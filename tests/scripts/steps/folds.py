"""k-fold cross-validation: a new model and optimizer in every fold."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
x = torch.randn(24, 3)
y = (x.prod(1) > 0).float()
scores = []
for fold in range(3):
    if fold:
        begin("other", "setup")
    held = torch.arange(24) % 3 == fold
    x_train, y_train, x_val, y_val = x[~held], y[~held], x[held], y[held]
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for epoch in range(4):
        begin("train")
        at("optimizer")
        optimizer.zero_grad()
        at("forward")
        loss = nn.functional.binary_cross_entropy_with_logits(model(x_train).squeeze(1), y_train)
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
    begin("eval")
    at("forward")
    with torch.no_grad():
        logits = model(x_val).squeeze(1)
    at("other", "forward")
    scores.append(((logits > 0).float() == y_val).float().mean().item())
print(scores)
