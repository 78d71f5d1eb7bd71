"""Validation over several batches inside of the training loop, every second step."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
validation = [(torch.randn(4, 4), torch.randn(4, 1)) for _ in range(3)]
for step in range(6):
    begin("train")
    x, y = torch.randn(4, 4), torch.randn(4, 1)
    at("forward")
    loss = nn.functional.l1_loss(model(x), y)
    at("optimizer")
    optimizer.zero_grad()
    at("backward")
    loss.backward()
    at("optimizer")
    optimizer.step()
    if step % 2 == 1:
        model.eval()
        total = 0.0
        with torch.inference_mode():
            for x, y in validation:
                begin("eval")
                at("forward")
                loss = nn.functional.l1_loss(model(x), y)
                at("other")
                total += loss.item()
        model.train()
        print(step, total / len(validation))
