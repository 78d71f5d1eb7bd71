"""Functions of the user's, in all the ways in which they are written."""

import torch
from torch.autograd.function import once_differentiable


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, power):
        ctx.save_for_backward(x, w)
        ctx.power = power
        return x.pow(power) * w

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        dx = grad * w * ctx.power * x.pow(ctx.power - 1) if ctx.needs_input_grad[0] else None
        dw = (grad * x.pow(ctx.power)).sum(0) if ctx.needs_input_grad[1] else None
        return dx, dw, None


class Sorted(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return torch.sort(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx, grad, _):
        (order,) = ctx.saved_tensors
        return torch.zeros_like(grad).scatter(-1, order, grad)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


torch.manual_seed(0)
x, w = torch.rand(4, 3, requires_grad=True), torch.rand(3, requires_grad=True)
for k in range(3):
    out, order = Sorted.apply(Scaled.apply(x, w, 3))
    fixed = Scaled.apply(x.detach(), w, 2)
    (Doubled.apply(out * 1) * torch.arange(3) + fixed).sum().backward()
    print(order.tolist(), x.grad.sum().item(), w.grad.tolist())
