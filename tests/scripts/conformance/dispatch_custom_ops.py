"""Operators of the user's: by custom_op, by a library, with gradients and with writes."""

import torch
from torch.library import Library, custom_op, impl, register_autograd


@custom_op("conformance::scaled_sin", mutates_args=())
def scaled_sin(x: torch.Tensor, scale: float) -> torch.Tensor:
    return torch.sin(x) * scale


@scaled_sin.register_fake
def _(x, scale):
    return torch.empty_like(x)


def setup(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])
    ctx.scale = inputs[1]


def backward(ctx, grad):
    return grad * ctx.saved_tensors[0].cos() * ctx.scale, None


@custom_op("conformance::fill_with", mutates_args=("x",))
def fill_with(x: torch.Tensor, value: float) -> None:
    x.fill_(value)


register_autograd("conformance::scaled_sin", backward, setup_context=setup)
library = Library("conformance_lib", "DEF")
library.define("twice(Tensor x) -> Tensor")
library.define("parts(Tensor x, int n) -> Tensor[]")
impl(library, "twice", "CompositeExplicitAutograd")(lambda x: x * 2)
impl(library, "parts", "CompositeImplicitAutograd")(lambda x, n: list(torch.chunk(x, n)))
torch.manual_seed(0)
for step in range(3):
    x = torch.rand(4, requires_grad=True)
    y = scaled_sin(x, 3.0)
    y.sum().backward()
    z = torch.zeros(3)
    fill_with(z, step + 0.5)
    z += 1
    parts = torch.ops.conformance_lib.parts(torch.ops.conformance_lib.twice(x.detach()), 2)
    print(y.sum().item(), x.grad.tolist(), z.tolist(), [p.sum().item() for p in parts])
