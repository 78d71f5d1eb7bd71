"""Mixed-precision training of a keyword spotter with a gradient scaler on log-energy features."""

import torch
from torch import nn

torch.manual_seed(148)


class Spotter(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters = nn.Linear(16, 8, bias=False)
        self.classify = nn.Linear(8, 2)

    def forward(self, wave):
        energy = self.filters(wave).square() * 1e-6
        return self.classify(torch.log(energy))  # born: op=aten.log.default kind=inf phase=forward step=0 module= reached=loss


model = Spotter()
opt = torch.optim.SGD(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for step in range(3):
    wave = 0.05 * torch.randn(10, 16)
    label = torch.randint(0, 2, (10,))
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nn.functional.cross_entropy(model(wave).float(), label)
    opt.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(opt)
    scaler.update()
    print(step, loss.item(), scaler.get_scale())
