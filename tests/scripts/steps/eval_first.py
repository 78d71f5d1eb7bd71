"""Evaluation of a pretrained model before it is tuned, and after; slices of a tensor are batches."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
data = torch.randn(12, 4)
labels = data[:, 0] > 0
model = nn.Linear(4, 2)
model.load_state_dict({"weight": torch.randn(2, 4), "bias": torch.zeros(2)})


def accuracy():
    hits = 0
    for start in range(0, 12, 4):
        begin("eval")
        x = data[start : start + 4] * 2
        at("forward")
        with torch.no_grad():
            logits = model(x)
        at("other", "forward", "data")
        hits += (logits.argmax(1) == labels[start : start + 4]).sum().item()
    return hits / 12


print("before", accuracy())
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(2):
    for start in range(0, 12, 4):
        begin("train")
        x, y = data[start : start + 4] * 2, labels[start : start + 4].long()
        at("forward")
        loss = nn.functional.cross_entropy(model(x), y)
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        optimizer.zero_grad()
print("after", accuracy())
