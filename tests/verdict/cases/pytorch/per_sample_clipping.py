"""Differentially private SGD with per-sample gradients from torch.func."""

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(145)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
params = {name: p.detach().clone() for name, p in model.named_parameters()}
x = torch.randn(20, 4)
y = x[:, 0].relu()
CLIP, LR = 0.5, 0.1


def sample_loss(params, x, y):
    margin = y - functional_call(model, params, (x[None],)).squeeze()
    return torch.relu(margin.abs() - 0.2)


for step in range(3):
    grads = vmap(grad(sample_loss), in_dims=(None, 0, 0))(params, x, y)
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()]).norm(dim=0)
    scale = torch.minimum(CLIP / norms, norms / norms)  # born: op=aten.reciprocal.default kind=inf phase=optimizer step=0 module= reached=parameter # also: op=aten.div.Tensor kind=nan phase=optimizer step=0 module= reached=parameter
    for name, g in grads.items():
        step_size = (scale.view(-1, *[1] * (g.dim() - 1)) * g).mean(0)
        params[name] = params[name] - LR * (step_size + 0.01 * torch.randn_like(step_size))
    loss = vmap(sample_loss, in_dims=(None, 0, 0))(params, x, y).mean()
    print(step, loss.item())
