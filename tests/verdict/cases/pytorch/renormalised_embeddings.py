"""A translation model of a knowledge graph; entity vectors are put back on the sphere after each step."""

import torch
from torch import nn


class TransE(nn.Module):
    def __init__(self, entities=15, relations=3, dim=6):
        super().__init__()
        self.entity = nn.Embedding(entities, dim, padding_idx=0)
        self.relation = nn.Embedding(relations, dim)

    def forward(self, h, r, t):
        return (self.entity(h) + self.relation(r) - self.entity(t)).abs().sum(-1)

    def renormalise(self):
        weight = self.entity.weight.data
        weight.div_(weight.norm(dim=1, keepdim=True))  # born: op=aten.div_.Tensor kind=nan phase=optimizer step=0 module= reached=parameter


torch.manual_seed(146)
model = TransE()
opt = torch.optim.SGD(model.parameters(), lr=0.05)
triples = torch.stack([torch.randint(1, 15, (40,)), torch.randint(0, 3, (40,)), torch.randint(1, 15, (40,))])
for step in range(3):
    h, r, t = triples[:, torch.randperm(40)[:20]]
    t[0] = 0 if step == 2 else t[0]
    corrupted = torch.randint(1, 15, (20,))
    loss = torch.relu(1 + model(h, r, t) - model(h, r, corrupted)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    model.renormalise()
    print(step, loss.item())
