"""A graph attention layer with a softmax over the incoming edges of every node."""

import torch
from torch import nn


class GATLayer(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.lin = nn.Linear(fan_in, fan_out, bias=False)
        self.a_src, self.a_dst = nn.Linear(fan_out, 1), nn.Linear(fan_out, 1)

    def forward(self, x, src, dst):
        h = self.lin(x)
        e = nn.functional.leaky_relu(self.a_src(h)[src] + self.a_dst(h)[dst], 0.2).squeeze(-1)
        top = torch.full((len(x),), float("-inf")).scatter_reduce(0, dst, e.detach(), "amax")  # benign: op=aten.full.default kind=inf reason="nodes without edges, whose maximum nobody gathers"
        w = (e - top[dst]).exp()
        total = torch.zeros(len(x)).index_add(0, dst, w)
        alpha = w / total[dst]
        return torch.zeros_like(h).index_add(0, dst, alpha[:, None] * h[src])


torch.manual_seed(129)
n = 15
src, dst = torch.randint(0, n, (40,)), torch.randint(0, n - 4, (40,))
x, y = torch.randn(n, 4), torch.randint(0, 2, (n,))
gat, out = GATLayer(4, 8), nn.Linear(8, 2)
opt = torch.optim.Adam([*gat.parameters(), *out.parameters()], lr=1e-2)
for step in range(4):
    loss = nn.functional.cross_entropy(out(torch.relu(gat(x, src, dst))), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
