"""Angular margin training of speaker embeddings."""

import torch
import torch.nn.functional as F
from torch import nn


class AngularMargin(nn.Module):
    def __init__(self, dim, speakers, margin=0.1, scale=8.0):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(speakers, dim))
        self.margin, self.scale = margin, scale

    def forward(self, emb, speaker):
        cosine = F.normalize(emb) @ F.normalize(self.centers).t()
        theta = torch.acos(cosine)  # born: op=aten.acos.default kind=nan phase=forward step=0 module=margin reached=loss
        hot = F.one_hot(speaker, len(self.centers))
        return F.cross_entropy(self.scale * torch.cos(theta + self.margin * hot), speaker)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(24, 24, bias=False)
        self.margin = AngularMargin(24, 10)
        nn.init.eye_(self.net.weight)

    def forward(self, x, speaker):
        return self.margin(self.net(x), speaker)


torch.manual_seed(154)
model = Model()
opt = torch.optim.SGD(model.parameters(), lr=0.05)
speaker = torch.arange(10)
for step in range(2):
    x = model.margin.centers.detach() * 3 if step == 0 else torch.randn(10, 24)
    loss = model(x, speaker)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
