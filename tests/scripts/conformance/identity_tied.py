"""One weight in two places, one module in two places, and parameters that are replaced."""

import torch
from torch import nn


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.layer = nn.Linear(4, 4)
        self.again = self.layer
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x):
        return self.head(self.again(self.layer(self.words(x)).relu()).relu())


torch.manual_seed(0)
net = Words()
optimizer = torch.optim.Adagrad(net.parameters(), lr=0.1)
for step in range(4):
    tokens = torch.randint(0, 10, (3, 5))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(tokens).flatten(0, 1), tokens.flatten())
    loss.backward()
    optimizer.step()
    print(step, loss.item(), net.head.weight is net.words.weight, len(list(net.parameters())))
net.layer.weight = nn.Parameter(torch.eye(4))
print(net(tokens).sum().item())
del net.again
net.register_parameter("again", None)
print([name for name, _ in net.named_parameters()])
