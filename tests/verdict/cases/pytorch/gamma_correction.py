"""Learns per-channel gains of a toy camera pipeline that ends in a gamma curve."""

import torch

torch.manual_seed(4)
raw = torch.rand(8, 3, 12, 12)
raw[:, :, :2, :] = 0.0
reference = (raw * torch.tensor([1.2, 1.0, 1.6]).view(1, 3, 1, 1)).clamp(0, 1) ** (1 / 2.2)

gain = torch.nn.Parameter(torch.ones(1, 3, 1, 1))
black = torch.nn.Parameter(torch.zeros(1, 3, 1, 1))
opt = torch.optim.SGD([gain, black], lr=0.5)


def develop(x):
    linear = ((x - black) * gain).clamp(0, 1)
    return linear ** (1 / 2.2)  # born: op=aten.pow.Tensor_Scalar kind=inf phase=backward step=0 module= reached=gradient forward=aten.pow.Tensor_Scalar


for step in range(4):
    out = develop(raw)
    loss = torch.nn.functional.l1_loss(out, reference)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), gain.detach().flatten().tolist())
