"""Train a soft decision tree whose gates harden over time."""

import torch
from torch import nn

torch.manual_seed(4)
STEPS = 12


class SoftTree(nn.Module):
    def __init__(self, features, depth=2):
        super().__init__()
        self.splits = nn.Linear(features, 2**depth - 1)
        self.leaves = nn.Parameter(torch.randn(2**depth))
        self.depth = depth

    def forward(self, x, temperature):
        right = torch.sigmoid(self.splits(x) / temperature)  # born: op=aten.div.Tensor kind=nan phase=backward step=11 module= reached=gradient forward=aten.div.Tensor # benign: op=aten.div.Tensor kind=inf reason="saturates the sigmoid"
        reach = x.new_ones(len(x), 1)
        first = 0
        for level in range(self.depth):
            gate = right[:, first : first + 2**level]
            reach = torch.stack([reach * (1 - gate), reach * gate], dim=-1).flatten(1)
            first += 2**level
        return reach @ self.leaves


x = torch.rand(128, 5) * 2 - 1
y = torch.where(x[:, 0] > 0.1, torch.where(x[:, 1] > 0, 2.0, -1.0), 0.5)
tree = SoftTree(5)
optimizer = torch.optim.Adam(tree.parameters(), lr=0.05)
temperatures = torch.linspace(1.0, 0.0, STEPS).tolist()

for step in range(STEPS):
    optimizer.zero_grad()
    loss = (tree(x, temperatures[step]) - y).square().mean()
    loss.backward()
    optimizer.step()
    print(f"step {step:2d}  temperature {temperatures[step]:.2f}  loss {loss.item():.4f}")

with torch.no_grad():
    print("hard tree", (tree(x, 0.01) - y).square().mean().item())
