"""Tensors without data: the meta device, fake tensors, and graphs made of them."""

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

torch.manual_seed(0)
with torch.device("meta"):
    net = nn.Sequential(nn.Linear(1000, 2000), nn.ReLU(), nn.Linear(2000, 10))
out = net(torch.empty(64, 1000, device="meta"))
out.sum().backward()
print(out.shape, out.device, net[0].weight.grad.shape)
real = nn.Linear(3, 2, device="meta").to_empty(device="cpu")
nn.init.ones_(real.weight)
nn.init.zeros_(real.bias)
print(real(torch.ones(1, 3)).tolist())
with FakeTensorMode() as fake:
    a = torch.randn(4, 5)
    b = (a @ a.t()).relu()
    print(type(b).__name__, b.shape)
inside = fake.from_tensor(torch.ones(2, 3))
with fake:
    print((inside * 2).shape)
graph = make_fx(lambda x: (x.sin() + 1).sum(), tracing_mode="fake")(torch.ones(3))
print([node.op for node in graph.graph.nodes])
print(graph(torch.ones(3)).item(), make_fx(lambda x: x.cos())(torch.zeros(2))(torch.zeros(2)).tolist())
