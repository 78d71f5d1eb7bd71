"""Float16 training with a hand-written dynamic loss scaler that skips overflowing steps."""

import torch
from torch import nn

torch.manual_seed(122)


class Scaler:
    def __init__(self, scale=2.0**22):
        self.scale = scale

    def overflow(self, params):
        return any(not bool(torch.isfinite(p.grad).all()) for p in params)

    def step(self, opt, params):
        if self.overflow(params):
            self.scale /= 4
            return False
        for p in params:
            p.grad.div_(self.scale)
        opt.step()
        return True


model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1)).half()
params = list(model.parameters())
opt = torch.optim.SGD(params, lr=0.02)
scaler = Scaler()
x = torch.randn(32, 8).half()
y = (x.float().sum(1, keepdim=True) * 0.4).half()
for step in range(5):
    opt.zero_grad()
    out = model(x)  # benign: op=aten.mm.default kind=inf reason="an overflow whose step is skipped"
    loss = ((out.float() - y.float()) ** 2).mean()  # benign: op=aten._to_copy.default kind=inf reason="an overflow whose step is skipped"
    (loss * scaler.scale).backward()
    done = scaler.step(opt, params)
    print(step, loss.item(), scaler.scale, "stepped" if done else "skipped")
