"""torch.func: gradients of a function of the parameters, and a step by hand."""
import torch
from told import at, begin
from torch import nn
from torch.func import functional_call, grad_and_value

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
params = {name: p.detach() for name, p in model.named_parameters()}
x = torch.randn(16, 3)
y = x.norm(dim=1, keepdim=True)


def loss_fn(params, x, y):
    return nn.functional.mse_loss(functional_call(model, params, (x,)), y)


step_fn = grad_and_value(loss_fn)
for step in range(6):
    begin("train")
    at("forward", "backward")
    grads, loss = step_fn(params, x, y)
    at("optimizer")
    params = {name: p - 0.1 * grads[name] for name, p in params.items()}
    at("other")
    print(step, loss.item())
