"""vmap, grad, jacobians forward and backward, a Hessian, vjp, jvp and linearize."""

import torch
from torch.func import functionalize, grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap


def f(x):
    return (x.sin() * x.flip(0)).cumsum(0).exp()


torch.manual_seed(0)
x, many = torch.rand(3), torch.rand(4, 3)
for k in range(2):
    print(vmap(f)(many).sum().item(), vmap(f, in_dims=1, out_dims=1)(many).sum().item())
    print(grad(lambda t: f(t).sum())(x).tolist(), grad_and_value(lambda t: f(t).sum())(x)[1].item())
    print(jacrev(f)(x).trace().item(), jacfwd(f)(x).trace().item(), hessian(lambda t: f(t).sum())(x).sum().item())
    print(vmap(grad(lambda t: f(t).sum()))(many).sum().item(), vmap(jacrev(f))(many).sum().item())
    value, back = vjp(f, x)
    print(back(torch.ones(3))[0].tolist(), jvp(f, (x,), (torch.ones(3),))[1].tolist())
    value, tangent = linearize(f, x)
    print(tangent(torch.ones(3)).tolist())
print(vmap(lambda t: torch.rand(2) + t.sum(), randomness="different")(many).shape)
print(functionalize(lambda t: t.clone().add_(1).view(-1).mul_(2))(x).tolist())
print(vmap(vmap(lambda a, b: a @ b, (None, 0)), (0, None))(many, many).shape, vmap(f, chunk_size=3)(many).sum().item())
