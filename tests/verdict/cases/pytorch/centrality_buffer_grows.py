"""Learn the ties of a small social network, with people weighed by a running centrality."""

import torch
from torch import nn


class Propagate(nn.Module):
    """Messages along learned ties."""

    def __init__(self, people):
        super().__init__()
        self.ties = nn.Parameter(torch.randn(people, people) * 0.1)
        self.register_buffer("score", torch.ones(people))

    def forward(self, x):
        strength = nn.functional.softplus(self.ties)
        if self.training:
            with torch.no_grad():
                self.score.copy_(torch.mv(strength, self.score))  # born: op=aten.mv.default kind=inf phase=forward step=41 module=propagate reached=state growth=yes
        weight = self.score / self.score.amax()
        return strength.softmax(dim=1) @ (x * weight[:, None])


class Network(nn.Module):
    def __init__(self, people, features):
        super().__init__()
        self.propagate = Propagate(people)
        self.out = nn.Linear(features, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.propagate(x))).squeeze(1)


def main():
    torch.manual_seed(21)
    people = 12
    x, y = torch.randn(people, 4), torch.randn(people)
    network = Network(people, 4)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for epoch in range(48):
        network.train()
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(x), y)
        loss.backward()
        optimizer.step()
        if epoch % 8 == 7:
            network.eval()
            with torch.no_grad():
                print(epoch, "mse", nn.functional.mse_loss(network(x), y).item())


main()
