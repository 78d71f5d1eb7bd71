"""torch.compile in its usual forms: whole, with breaks, disabled parts, a compiled step."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
fast = torch.compile(net, fullgraph=True)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)


@torch.compiler.disable
def logged(x):
    print("mean", x.mean().item())
    return x


@torch.compile(dynamic=True)
def loss_of(x):
    return logged(x).pow(2).mean() if x.sum() > 0 else x.abs().mean()


@torch.compile
def update():
    optimizer.step()


for step in range(4):
    optimizer.zero_grad()
    loss = loss_of(fast(torch.randn(3 + step, 4)))
    loss.backward()
    update()
    print(step, loss.item())
torch.compiler.reset()
print(torch.compiler.is_compiling(), torch._dynamo.is_compiling(), net(torch.ones(1, 4)).tolist())
