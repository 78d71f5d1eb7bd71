"""Tensors whose memory is shared with other processes, and files that are tensors."""

import os
import tempfile

import torch

torch.manual_seed(0)
shared = torch.zeros(4).share_memory_()
if os.fork() == 0:
    shared += 3
    os._exit(0)
os.wait()
print(shared.tolist(), shared.is_shared())
net = torch.nn.Linear(2, 2)
net.share_memory()
print(net.weight.is_shared(), net(torch.ones(1, 2)).sum().item())
with tempfile.NamedTemporaryFile() as file:
    mapped = torch.from_file(file.name, shared=True, size=4, dtype=torch.float32)
    mapped.copy_(torch.arange(4.0))
    again = torch.from_file(file.name, shared=True, size=4, dtype=torch.float32)
    again += 1
    print(mapped.tolist(), torch.frombuffer(open(file.name, "rb").read(), dtype=torch.float32).sum().item())
pinned = torch.ones(2)
print(pinned.is_pinned(), torch.cuda.is_available())
