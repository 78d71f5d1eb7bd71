"""After each epoch the network is evaluated without gradients, and the best state is kept."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(48, 5)
data = TensorDataset(x, (x.sum(1) > 0).long())
net = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
best, kept = 0, None
for epoch in range(3):
    net.train()
    for batch, target in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(batch), target)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        right = sum((net(b).argmax(1) == t).sum().item() for b, t in DataLoader(data, 24))
    if right > best:
        best, kept = right, copy.deepcopy(net.state_dict())
    print(epoch, loss.item(), right)
net.load_state_dict(kept)
print(net(x).sum().item())
