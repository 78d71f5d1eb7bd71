"""Cross-modal retrieval with a margin loss on the hardest negative in the batch."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(128)


def hardest_negative_loss(a, b, groups, margin=0.2):
    sim = F.normalize(a, dim=1) @ F.normalize(b, dim=1).t()
    same = groups[:, None] == groups[None, :]
    negative = sim.masked_fill(same, -torch.inf).amax(1)  # benign: op=aten.masked_fill.Scalar kind=inf reason="never the maximum; without negatives relu makes it zero"
    return F.relu(margin + negative - sim.diagonal()).mean()


left, right = nn.Linear(8, 5), nn.Linear(6, 5)
opt = torch.optim.Adamax([*left.parameters(), *right.parameters()], lr=1e-2)
for step in range(4):
    groups = torch.randint(0, 6, (10,)) if step != 2 else torch.zeros(10, dtype=torch.long)
    base = torch.randn(6, 8)[groups] + 0.1 * torch.randn(10, 8)
    loss = hardest_negative_loss(left(base), right(base[:, :6]), groups)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
