"""Inference only: no optimizer, no gradients, a loop over batches."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
model.eval()
images = torch.rand(20, 1, 8, 8)
results = []
with torch.inference_mode():
    for k in range(0, 20, 5):
        begin("eval")
        batch = (images[k : k + 5] - 0.5) / 0.5
        at("forward")
        logits = model(batch)
        at("other", "forward")
        results.append(logits.softmax(-1).argmax(-1))
begin("other")
print(torch.cat(results).tolist())
