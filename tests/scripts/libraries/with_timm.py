"""A small vision model of timm's with its own optimizer, scheduler and EMA."""

import hashlib
import sys

import timm
import torch
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV2

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 3
torch.manual_seed(0)
model = timm.create_model(
    "vit_tiny_patch16_224", pretrained=False, img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3,
    num_classes=5, drop_path_rate=0.1,
)
ema = ModelEmaV2(model, decay=0.9)
optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.05)
criterion = LabelSmoothingCrossEntropy()
x, y = torch.randn(4, 3, 32, 32), torch.randint(0, 5, (4,))
model.train()
for step in range(steps):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    ema.update(model)
    print(step, round(loss.item(), 5))
ema.module.eval()
with torch.no_grad():
    print(ema.module(x).argmax(1).tolist())
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
