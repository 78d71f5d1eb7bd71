"""Sparse coding with a custom autograd function for a fractional-power penalty."""

import torch
from torch.autograd import Function


class SquareRootPenalty(Function):
    @staticmethod
    def forward(ctx, code):
        ctx.save_for_backward(code)
        return code.abs().sqrt().sum()

    @staticmethod
    def backward(ctx, grad_output):
        (code,) = ctx.saved_tensors
        slope = 0.5 * code.sign() / code.abs().sqrt()  # born: op=aten.div.Tensor kind=nan phase=backward step=1 module= reached=gradient
        return grad_output * slope


torch.manual_seed(39)
dictionary = torch.nn.functional.normalize(torch.randn(8, 16), dim=0)
signal = torch.randn(10, 8)
code = (0.5 * torch.randn(10, 16)).requires_grad_()
opt = torch.optim.SGD([code], lr=0.05)

for step in range(4):
    reconstruction = code @ dictionary.t()
    loss = 0.5 * (signal - reconstruction).pow(2).sum() + 0.1 * SquareRootPenalty.apply(code)
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        code[code.abs() < 0.05] = 0.0
    print(step, loss.item())
