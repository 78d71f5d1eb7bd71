"""Supervised contrastive learning with one view per image."""

import torch
import torch.nn.functional as F

torch.manual_seed(60)


def supervised_contrastive(features, labels, temperature=0.5):
    sim = features @ features.t() / temperature
    eye = torch.eye(len(labels), dtype=torch.bool)
    positive = (labels[:, None] == labels[None]) & ~eye
    sim = sim - sim.max(1, keepdim=True).values.detach()
    log_prob = sim - torch.log((sim.exp() * ~eye).sum(1, keepdim=True))
    per_anchor = (positive * log_prob).sum(1) / positive.sum(1)  # born: op=aten.div.Tensor kind=nan phase=forward step=1 module= reached=loss
    return -per_anchor.mean()


projector = torch.nn.Linear(12, 6)
opt = torch.optim.Adam(projector.parameters(), lr=1e-2)
batches = [[0, 0, 1, 1, 2, 2, 2, 1], [0, 0, 1, 1, 2, 1, 0, 1], [2, 2, 1, 0, 0, 1, 1, 0]]
for step, labels in enumerate(map(torch.tensor, batches)):
    images = torch.randn(8, 12) + labels[:, None]
    loss = supervised_contrastive(F.normalize(projector(images), dim=1), labels)
    opt.zero_grad(set_to_none=False)
    loss.backward()
    opt.step()
    print("supcon", step, loss.item())
