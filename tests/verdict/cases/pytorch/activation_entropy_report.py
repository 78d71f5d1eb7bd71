"""A sparse mixture of experts that reports how evenly its experts are used."""

import torch
from torch import nn

torch.manual_seed(120)


class MoE(nn.Module):
    def __init__(self, experts=6, dim=5):
        super().__init__()
        self.gate = nn.Linear(dim, experts)
        self.experts = nn.ModuleList(nn.Linear(dim, 1) for _ in range(experts))

    def forward(self, x):
        weight, index = self.gate(x).softmax(-1).topk(2)
        outputs = torch.cat([expert(x) for expert in self.experts], 1)
        return (weight * outputs.gather(1, index)).sum(1), index


@torch.no_grad()
def usage_entropy(index, experts=6):
    share = torch.bincount(index.flatten(), minlength=experts) / index.numel()
    terms = share * share.log()  # benign: op=aten.log.default kind=inf reason="unused experts, replaced by nan_to_num"
    return -terms.nan_to_num().sum()


model = MoE()
nn.init.constant_(model.gate.bias[3:4].data, -20.0)
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(4):
    x = torch.randn(24, 5)
    out, index = model(x)
    loss = (out - x.abs().sum(1)).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), "entropy", usage_entropy(index).item())
