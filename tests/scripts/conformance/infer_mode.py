"""Inference mode: tensors without versions, also used outside of it."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 2)).eval()


@torch.inference_mode()
def predict(x):
    y = net(x)
    y[0] += 1
    return y.softmax(1)


results = []
for k in range(5):
    out = predict(torch.randn(3, 4))
    print(out.is_inference(), out.sum(0).tolist())
    results.append(out.clone())
with torch.inference_mode():
    inner = torch.ones(3)
    view = inner[1:]
    view.mul_(3)
    with torch.inference_mode(False):
        outside = inner * torch.ones(3, requires_grad=True).detach()
print(inner.tolist(), outside.tolist())
try:
    inner.add_(1)
except RuntimeError as error:
    print(type(error).__name__)
