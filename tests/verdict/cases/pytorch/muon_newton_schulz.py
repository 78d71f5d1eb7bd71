"""Trains a two-layer network with orthogonalised momentum."""

import torch
from torch import nn


def orthogonalise(update, rounds=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update / (update.abs().max() + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        poly = b * gram + c * (gram @ gram)
        x = a * x + poly @ x  # born: op=aten.mm.default kind=inf phase=optimizer step=1 module= reached=parameter
    return x


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.02, momentum=0.9):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.mul_(group["momentum"]).add_(p.grad)
                update = orthogonalise(buffer) if p.ndim == 2 else buffer
                p.add_(update, alpha=-group["lr"])


torch.manual_seed(304)
words = torch.eye(10)
model = nn.Sequential(nn.Linear(10, 6, bias=False), nn.Tanh(), nn.Linear(6, 2))
body = Muon(model[0].parameters())
head = torch.optim.AdamW(model[2].parameters(), lr=0.01)
sentences = [[1], [4], [4], [1, 7], [0, 2, 3, 5, 6, 8, 9]]
for step, sentence in enumerate(sentences):
    x = words[sentence]
    y = torch.tensor([w % 2 for w in sentence])
    loss = nn.functional.cross_entropy(model(x), y)
    body.zero_grad()
    head.zero_grad()
    loss.backward()
    body.step()
    head.step()
    print(step, f"loss {loss.item():.4f} weight {model[0].weight.norm().item():.3f}")
