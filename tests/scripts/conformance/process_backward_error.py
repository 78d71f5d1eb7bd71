"""An error in a backward, raised from a user's function, with a cause, ends the script."""

import torch


class Strict(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("no gradient here") from error


x = torch.ones(3, requires_grad=True)
print((x * 3).sum().item())
Strict.apply(x.sin()).sum().backward()
