"""Sign-agnostic descent: every parameter moves by its gradient over the gradient's norm."""

import torch
import torch.nn as nn

torch.manual_seed(23)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
nn.init.constant_(model[0].bias, -1.0)
data = torch.rand(20, 3)
labels = data.sum(1, keepdim=True)


@torch.no_grad()
def normalised_step(parameters, lr):
    for p in parameters:
        direction = p.grad / torch.linalg.vector_norm(p.grad)  # born: op=aten.div.Tensor kind=nan phase=optimizer step=0 module= reached=parameter
        p.sub_(lr * direction)


for step in range(3):
    model.zero_grad()
    loss = (model(data) - labels).abs().mean()
    loss.backward()
    normalised_step(model.parameters(), lr=0.02)
    print(f"{step:02d} {loss.item():.4f}")
