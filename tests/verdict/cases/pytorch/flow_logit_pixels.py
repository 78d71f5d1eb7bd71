"""A one-layer normalising flow on pixel intensities that are mapped through a logit."""

import math

import torch

torch.manual_seed(33)
pixels = torch.randint(1, 255, (60, 6)).float()
pixels[pixels < 120] = 100.0
pixels[40:, 2] = 255.0

log_scale = torch.zeros(6, requires_grad=True)
shift = torch.zeros(6, requires_grad=True)
opt = torch.optim.Adam([log_scale, shift], lr=0.05)


def forward_flow(x):
    y = torch.logit(x)  # born: op=aten.logit.default kind=inf phase=forward step=2 module= reached=loss
    jacobian = (-torch.log(x) - torch.log1p(-x)).sum(-1)  # also: op=aten.log1p.default kind=inf phase=forward step=2 module= reached=loss
    return (y - shift) * torch.exp(-log_scale), jacobian - log_scale.sum()


for step, batch in enumerate((pixels / 255.0).split(20)):
    z, logdet = forward_flow(batch)
    prior = -0.5 * (z**2 + math.log(2 * math.pi)).sum(-1)
    loss = -(prior + logdet).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, "bits/dim", loss.item() / (6 * math.log(2)))
