"""Small floats, and integers of all widths, that few operations know."""

import torch

torch.manual_seed(0)
x = torch.randn(4, 4)
for k in range(2):
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.bfloat16, torch.float16):
        small = (x * 4).to(dtype)
        print(dtype, small.float().sum().item(), small.view(torch.uint8 if small.element_size() == 1 else torch.int16).sum().item())
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.uint16, torch.uint32, torch.uint64, torch.bool):
        print(dtype, (x.abs() * 3).to(torch.int32).to(dtype).to(torch.int64).sum().item())
copied = small.clone()
copied.copy_(small)
print(torch.cat([small, copied]).shape, torch.empty(2, dtype=torch.float8_e8m0fnu).dtype)
print(torch.zeros(3, dtype=torch.float8_e5m2).float().tolist(), small[0, 1:].float().shape)
print(torch.tensor([1.0, float("nan")]).to(torch.float8_e4m3fn).float().tolist())
