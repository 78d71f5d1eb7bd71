"""Backpropagates through a long recurrence and clips the gradient norm."""

import torch
from torch import nn

torch.manual_seed(22)


class SineRNN(nn.Module):
    def __init__(self, inputs=2, hidden=16, gain=5.0):
        super().__init__()
        self.inp = nn.Linear(inputs, hidden)
        self.rec = nn.Linear(hidden, hidden, bias=False)
        nn.init.orthogonal_(self.rec.weight, gain=gain)
        self.out = nn.Linear(hidden, 1)

    def forward(self, seq):
        h = seq.new_zeros(seq.size(1), self.rec.in_features)
        for x in seq:
            h = torch.sin(self.inp(x) + self.rec(h))  # born: op=aten.mm.default kind=inf phase=backward step=0 module=rec reached=gradient forward=aten.mm.default
        return self.out(h)


net = SineRNN()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(2):
    seq = torch.rand(90, 8, 2)
    target = seq.prod(-1).sum(0).unsqueeze(1)
    loss = nn.functional.smooth_l1_loss(net(seq), target)
    opt.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
    opt.step()
    print("step", step, "loss", loss.item(), "grad norm", norm.item())
