"""TorchScript: scripted, traced, frozen, saved and loaded, with control flow."""

import io
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x, times: int = 2):
        for _ in range(times):
            x = self.a(x).relu()[:, :3]
        if bool(x.sum() > 100):
            return x
        return self.b(torch.cat([x, x[:, :1]], 1))


torch.manual_seed(0)
net = Net()
scripted = torch.jit.script(net)
traced = torch.jit.trace(net.b, torch.ones(1, 4))
optimizer = torch.optim.SGD(scripted.parameters(), lr=0.1)
for step in range(4):
    optimizer.zero_grad()
    loss = scripted(torch.randn(5, 3)).pow(2).mean() + traced(torch.ones(2, 4)).mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
file = io.BytesIO()
torch.jit.save(scripted, file)
file.seek(0)
print(torch.jit.load(file)(torch.ones(1, 3)).tolist())
frozen = torch.jit.freeze(torch.jit.script(net.eval()))
print(frozen(torch.ones(1, 3)).tolist(), frozen(torch.ones(1, 3), 1).tolist())
