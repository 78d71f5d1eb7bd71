"""Exported programs: made, run, saved and loaded; and fx graphs, changed and run."""

import io

import torch
from torch import fx, nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(x).relu() + x


torch.manual_seed(0)
net = Net()
program = torch.export.export(net, (torch.ones(2, 3),))
for k in range(3):
    print(program.module()(torch.randn(2, 3)).sum().item())
file = io.BytesIO()
torch.export.save(program, file)
file.seek(0)
print(torch.export.load(file).module()(torch.ones(2, 3)).sum().item())
graph = fx.symbolic_trace(net)
for node in graph.graph.nodes:
    if node.op == "call_method" and node.target == "relu":
        node.target = "sigmoid"
graph.recompile()
optimizer = torch.optim.SGD(graph.parameters(), lr=0.1)
for step in range(3):
    optimizer.zero_grad()
    loss = graph(torch.randn(4, 3)).pow(2).mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
print(fx.Interpreter(graph).run(torch.ones(1, 3)).tolist())
