"""Deterministic algorithms are asked for, and filled memory; other switches of the whole process."""

import torch

torch.manual_seed(0)
torch.use_deterministic_algorithms(True)
torch.utils.deterministic.fill_uninitialized_memory = True
x = torch.randn(4, 3, requires_grad=True)
for step in range(3):
    y = x.index_add(0, torch.tensor([0, 0, 1]), torch.ones(3, 3)).cumsum(0)
    y[torch.tensor([1, 1])] = 2.0
    y.sum().backward()
    print(step, y.sum().item(), x.grad.sum().item(), torch.empty(2).isnan().all().item())
try:
    torch.nn.functional.nll_loss(torch.randn(2, 2, 2, 2), torch.zeros(2, 2, 2, dtype=torch.long))
    torch.histc(torch.ones(3), 2)
    torch.use_deterministic_algorithms(True, warn_only=True)
except RuntimeError as error:
    print(str(error)[:40])
torch.use_deterministic_algorithms(False)
torch.set_flush_denormal(True)
torch.set_float32_matmul_precision("high")
print((torch.ones(2, 2) @ torch.ones(2, 2)).tolist(), torch.backends.mkldnn.is_available())
with torch.backends.mkldnn.flags(enabled=False):
    print(torch.nn.functional.conv1d(torch.ones(1, 1, 4), torch.ones(1, 1, 2)).tolist())
print((torch.ones(3, 3).to_mkldnn() + torch.ones(3, 3).to_mkldnn()).to_dense().sum().item())
