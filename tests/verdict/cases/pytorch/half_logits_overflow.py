"""Image-text matching in float16 with a learned temperature."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Tower(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, 32)

    def forward(self, x):
        return torch.tanh(self.proj(x))


class Matcher(nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.text = Tower(20), Tower(12)
        self.log_scale = nn.Parameter(torch.tensor(math.log(8000.0)))

    def forward(self, images, texts):
        return self.log_scale.exp() * (self.image(images) @ self.text(texts).t())  # born: op=aten.mul.Tensor kind=inf phase=forward step=0 module= reached=loss


torch.manual_seed(18)
model = Matcher().half()
with torch.no_grad():
    model.image.proj.weight.mul_(20)
    model.text.proj.weight.mul_(20)
opt = torch.optim.SGD(model.parameters(), lr=1e-3)
latent = torch.randn(6, 12)
for step in range(2):
    images = torch.cat([latent, torch.randn(6, 8)], 1).half()
    logits = model(images, latent.half())
    loss = F.cross_entropy(logits, torch.arange(6))
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, "contrastive loss", loss.item())
