"""Handwriting recognition with CTC where unalignable lines are given no weight."""

import torch
import torch.nn.functional as F
from torch import nn


class LineReader(nn.Module):
    def __init__(self, symbols=10):
        super().__init__()
        self.rnn = nn.RNN(8, 20, bidirectional=True)
        self.proj = nn.Linear(40, symbols)

    def forward(self, strips):
        return F.log_softmax(self.proj(self.rnn(strips)[0]), dim=-1)


torch.manual_seed(105)
reader = LineReader()
opt = torch.optim.Adam(reader.parameters(), lr=3e-3)
for step in range(3):
    strips = torch.randn(12, 3, 8)
    target_lengths = torch.tensor([4, 14, 6])
    targets = torch.randint(1, 10, (3, 14))
    input_lengths = torch.tensor([12, 12, 9])
    log_probs = reader(strips)
    loss = F.ctc_loss(log_probs, targets, input_lengths, target_lengths, zero_infinity=True)  # benign: op=aten._ctc_loss.Tensor kind=inf reason="set to zero by zero_infinity"
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("step", step, "ctc", loss.item())
