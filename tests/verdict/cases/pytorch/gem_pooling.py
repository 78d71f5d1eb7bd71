"""Trains an image retrieval head with generalised-mean pooling and a learnable exponent."""

import torch
from torch import nn


class GeM(nn.Module):
    def __init__(self, p=3.0):
        super().__init__()
        self.p = nn.Parameter(torch.tensor(p))

    def forward(self, x):
        powered = x.pow(self.p)  # born: op=aten.log.default kind=nan phase=backward step=0 module=pool reached=gradient forward=aten.pow.Tensor_Tensor
        return powered.mean((-2, -1)).clamp(min=1e-6).pow(1.0 / self.p)


class Retrieval(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.act = nn.ELU()
        self.pool = GeM()
        self.fc = nn.Linear(8, 4)

    def forward(self, images):
        return self.fc(self.pool(self.act(self.conv(images))))


torch.manual_seed(5)
net = Retrieval()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
criterion = nn.CrossEntropyLoss()
images, labels = torch.rand(32, 1, 10, 10), torch.randint(0, 4, (32,))

for step in range(4):
    optimizer.zero_grad()
    loss = criterion(net(images), labels)
    loss.backward()
    optimizer.step()
    print(f"step={step} loss={loss.item():.3f} p={net.pool.p.item():.4f}")
