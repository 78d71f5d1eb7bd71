"""Five thousand operations in one recurrent loop, then a backward through some of them."""

import torch

torch.manual_seed(0)
state = torch.randn(4)
weight = torch.randn(4, requires_grad=True)
with torch.no_grad():
    for k in range(1500):
        state = torch.tanh(state * weight + 0.1)
print(state.tolist())
state = torch.zeros(4)
for k in range(300):
    state = torch.sin(state * weight + 0.1)
state.sum().backward()
print(weight.grad.tolist())
