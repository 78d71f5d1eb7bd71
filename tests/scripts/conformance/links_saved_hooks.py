"""What is saved for backward is packed by the user, moved, or may not be saved at all."""

import torch
from torch import nn
from torch.autograd.graph import disable_saved_tensors_hooks, save_on_cpu, saved_tensors_hooks

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 4))
sizes = []


def pack(tensor):
    sizes.append(tensor.numel())
    return tensor.half() if tensor.is_floating_point() else tensor


for step in range(3):
    with saved_tensors_hooks(pack, lambda packed: packed.float()):
        loss = net(torch.randn(2, 4)).exp().sum()
    loss.backward()
    with save_on_cpu(pin_memory=False):
        loss = loss.detach() + net(torch.randn(2, 4)).exp().sum()
    loss.backward()
    print(step, loss.item(), net[0].weight.grad.sum().item())
    net.zero_grad()
print(sizes)
try:
    with disable_saved_tensors_hooks("not here"), saved_tensors_hooks(pack, pack):
        print("not reached")
except RuntimeError as error:
    print(error)
