"""Teaches a text and an image classifier to agree by the Jensen-Shannon divergence of their outputs."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(307)
text = nn.Linear(8, 5)
image = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 5))
optimizer = torch.optim.Adam([*text.parameters(), *image.parameters()], lr=5e-3)


def stocked(probabilities, stock):
    """Only what the shop has in stock can be meant."""
    kept = probabilities * stock
    return kept / kept.sum(-1, keepdim=True)


def jensen_shannon(p, q):
    middle = (0.5 * (p + q)).log()
    to_p = F.kl_div(middle, p, reduction="batchmean")  # born: op=aten.div.Tensor kind=nan phase=backward step=2 module= reached=gradient forward=aten.xlogy.Tensor
    to_q = F.kl_div(middle, q, reduction="batchmean")
    return 0.5 * (to_p + to_q)


for step in range(5):
    words, pixels = torch.randn(16, 8), torch.randn(16, 12)
    labels = torch.randint(0, 3, (16,))
    stock = torch.ones(16, 5)
    if step >= 2:
        stock[::4, 4] = 0.0
    p, q = stocked(text(words).softmax(-1), stock), image(pixels).softmax(-1)
    loss = F.nll_loss(q.log(), labels) + 0.3 * jensen_shannon(p, q)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step={step} loss={loss.item():.4f}")
