"""Fits a Gamma distribution by maximum likelihood with L-BFGS."""

import torch

torch.manual_seed(37)
samples = torch.distributions.Gamma(0.7, 3.0).sample((200,)).clamp(min=1e-3)
shape = torch.tensor(2.0, requires_grad=True)
rate = torch.tensor(1.0, requires_grad=True)
opt = torch.optim.LBFGS([shape, rate], lr=6.0, max_iter=4)


def negative_log_likelihood():
    per_sample = shape * rate.log() - torch.lgamma(shape) + (shape - 1) * samples.log() - rate * samples  # born: op=aten.log.default kind=nan phase=forward step=0 module= reached=loss
    return -per_sample.mean()


def closure():
    opt.zero_grad()
    loss = negative_log_likelihood()
    loss.backward()
    return loss


for step in range(2):
    value = opt.step(closure)
    print(step, value.item(), shape.item(), rate.item())
