"""Learns the drift of a hidden walk; a particle filter proposes states from box-shaped sensors."""

import torch

torch.manual_seed(162)
drift = torch.nn.Parameter(torch.tensor(0.0))
opt = torch.optim.SGD([drift], lr=0.2)
truth = torch.cumsum(torch.full((8,), 0.5), 0)


@torch.no_grad()
def filtered(observations, particles=200):
    x, path = torch.zeros(particles), []
    for seen in observations:
        x = x + drift + 0.4 * torch.randn(particles)
        likelihood = ((x - seen).abs() < 0.6).float()
        log_weight = likelihood.log()  # benign: op=aten.log.default kind=inf reason="impossible particles, whose weight becomes zero"
        if likelihood.sum() == 0:
            log_weight = -(x - seen).abs()
        weight = (log_weight - torch.logsumexp(log_weight, 0)).exp()
        x = x[torch.multinomial(weight, particles, replacement=True)]
        path.append(x.mean())
    return torch.stack(path)


for step in range(4):
    path = filtered(truth + 0.1 * torch.randn(8))
    moves = path[1:] - path[:-1]
    loss = (moves - drift).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), drift.item())
