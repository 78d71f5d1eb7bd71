"""A user's function under vmap, with and without a rule of its own, and under jvp."""

import torch
from torch.func import grad, jvp, vmap


class Cubed(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3, x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output[1])
        ctx.save_for_forward(output[1])

    @staticmethod
    def backward(ctx, grad, _):
        return 3 * ctx.saved_tensors[0] * grad

    @staticmethod
    def jvp(ctx, tangent):
        return 3 * ctx.saved_tensors[0] * tangent, None


class Ruled(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].cos()

    @staticmethod
    def vmap(info, in_dims, x):
        return Ruled.apply(x), in_dims[0]


torch.manual_seed(0)
x = torch.rand(4, 3)
print(vmap(lambda t: Cubed.apply(t)[0])(x).sum().item())
print(vmap(grad(lambda t: Cubed.apply(t)[0].sum()))(x).sum().item())
print(vmap(Ruled.apply)(x).sum().item(), vmap(grad(lambda t: Ruled.apply(t).sum()))(x).sum().item())
y = x.clone().requires_grad_()
vmap(Ruled.apply)(y).sum().backward()
print(y.grad.sum().item())
