"""Networks in a package file, modules made by hand, dataclasses, containers and registries."""

import dataclasses
import io
import types

import torch
from torch import nn, package


@dataclasses.dataclass
class Output:
    logits: torch.Tensor
    hidden: dict


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleDict({"a": nn.Linear(2, 3), "b": nn.Linear(3, 1)})
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(())) for _ in range(2)])
        self.named = nn.ParameterDict({"shift": nn.Parameter(torch.zeros(1))})
        self.register_buffer("count", torch.zeros((), dtype=torch.long), persistent=False)

    def forward(self, *, x):
        self.count += 1
        hidden = self.parts["a"](x) * self.scales[0]
        return Output(self.parts["b"](hidden) * self.scales[1] + self.named["shift"], {"hidden": hidden})


torch.manual_seed(0)
net = Net()
net.forward = types.MethodType(lambda self, x: Net.forward(self, x=x), net)
for step in range(3):
    out = net(torch.randn(4, 2))
    (out.logits.mean() + out.hidden["hidden"].pow(2).mean()).backward()
    print(step, out.logits.sum().item(), net.count.item(), net.named["shift"].grad.tolist())
file = io.BytesIO()
with package.PackageExporter(file) as exporter:
    exporter.extern("torch.**")
    exporter.save_pickle("net", "layer.pkl", net.parts["a"])
file.seek(0)
loaded = package.PackageImporter(file).load_pickle("net", "layer.pkl")
print(loaded(torch.ones(1, 2)).tolist(), net.parts["a"](torch.ones(1, 2)).tolist())
net.apply(lambda module: module.register_buffer("seen", torch.ones(1)))
print(len(list(net.buffers())), net.to(torch.float64).named["shift"].dtype, net.half().count.dtype)
