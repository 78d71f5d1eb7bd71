"""Lists of tensors in one operation, and fused and foreach optimizers."""

import torch

torch.manual_seed(0)
for step in range(3):
    xs = [torch.randn(3), torch.randn(2, 2), torch.randn(1)]
    ys = [torch.ones_like(x) for x in xs]
    torch._foreach_add_(xs, ys, alpha=2)
    torch._foreach_mul_(xs, 0.5)
    roots = torch._foreach_sqrt(torch._foreach_abs(xs))
    norms = torch._foreach_norm(roots)
    torch._foreach_lerp_(ys, roots, 0.3)
    torch._foreach_addcdiv_(ys, xs, torch._foreach_add(roots, 1.0), 0.1)
    torch._foreach_copy_(xs, ys)
    torch._foreach_zero_(roots)
    print(step, torch.stack(norms).tolist(), sum(x.sum().item() for x in xs))
for options in ({"foreach": True}, {"fused": True}, {"foreach": False}):
    for kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.Adagrad):
        torch.manual_seed(1)
        weights = [torch.nn.Parameter(torch.randn(n, 3)) for n in (1, 2, 4)]
        optimizer = kind(weights, lr=0.1, **options)
        for step in range(4):
            optimizer.zero_grad()
            sum((w**2).sum() for w in weights).backward()
            optimizer.step()
        print(kind.__name__, options, sum(w.sum().item() for w in weights))
