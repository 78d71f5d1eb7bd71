"""Learns an embedding with a batch-hard triplet loss on pairwise distances."""

import torch
from torch import nn

torch.manual_seed(2)


def pairwise(emb):
    diff = emb.unsqueeze(0) - emb.unsqueeze(1)
    return diff.pow(2).sum(-1).sqrt()  # born: op=aten.div.Tensor kind=nan phase=backward step=0 module= reached=gradient forward=aten.sqrt.default


def batch_hard(emb, labels, margin=0.5):
    dist = pairwise(emb)
    same = labels[:, None] == labels[None, :]
    hardest_pos = (dist * same).max(1).values
    hardest_neg = (dist + 1e3 * same).min(1).values
    return torch.relu(hardest_pos - hardest_neg + margin).mean()


net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
protos = torch.randn(5, 10)

for step in range(5):
    labels = torch.randint(0, 5, (20,))
    batch = protos[labels] + 0.3 * torch.randn(20, 10)
    loss = batch_hard(net(batch), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("triplet", step, float(loss))
