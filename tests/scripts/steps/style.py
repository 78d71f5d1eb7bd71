"""An image is optimised, not a model: style and content losses of a fixed network's features."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)).requires_grad_(False)
content, style = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)


def gram(f):
    f = f.flatten(2)
    return f @ f.transpose(1, 2) / f.numel()


with torch.no_grad():
    begin("eval", "other")
    at("forward")
    wanted_content = features(content)
    wanted_style = gram(features(style))
begin("other")
at("other", "data", loose=True)
image = content.clone().requires_grad_(True)
optimizer = torch.optim.Adam([image], lr=0.05)
for step in range(6):
    begin("train")
    at("optimizer")
    optimizer.zero_grad()
    at("forward")
    f = features(image)
    loss = (f - wanted_content).pow(2).mean() + 10 * (gram(f) - wanted_style).pow(2).sum()
    at("backward")
    loss.backward()
    at("optimizer")
    optimizer.step()
    at("optimizer", "other")
    with torch.no_grad():
        image.clamp_(0, 1)
    if step % 3 == 2:
        at("other")
        print(step, f"{loss:.5f}")
