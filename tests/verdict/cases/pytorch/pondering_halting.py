"""A recurrent network that learns for how many steps to ponder before it answers."""

import torch
import torch.nn.functional as F
from torch import nn

MOST = 5


class Ponder(nn.Module):
    def __init__(self, size=16):
        super().__init__()
        self.cell = nn.GRUCell(6, size)
        self.answer = nn.Linear(size, 1)
        self.halt = nn.Linear(size, 1)

    def forward(self, x):
        hidden = x.new_zeros(len(x), self.cell.hidden_size)
        answers, halts = [], []
        for _ in range(MOST):
            hidden = self.cell(x, hidden)
            answers.append(self.answer(hidden))
            halts.append(torch.sigmoid(self.halt(hidden)))
        halts[-1] = torch.ones_like(halts[-1])
        return torch.cat(answers, 1), torch.cat(halts, 1)


def halting_log_probabilities(halts):
    stay = torch.log1p(-halts)  # benign: op=aten.log1p.default kind=inf reason="nobody stays after the last step, cut off by a slice" # benign: op=aten.div.Tensor kind=nan reason="the derivative of a constant that nobody asks for"
    reach = F.pad(stay.cumsum(1)[:, :-1], (1, 0))
    return reach + halts.log()


torch.manual_seed(311)
prior = 0.3 * 0.7 ** torch.arange(MOST)
log_prior = (prior / prior.sum()).log()
model = Ponder()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(5):
    x = torch.sign(torch.randn(32, 6))
    parity = (x.prod(1, keepdim=True) > 0).float().expand(-1, MOST)
    answers, halts = model(x)
    logp = halting_log_probabilities(halts)
    errors = F.binary_cross_entropy_with_logits(answers, parity, reduction="none")
    divergence = (logp.exp() * (logp - log_prior)).sum(1).mean()
    loss = (logp.exp() * errors).sum(1).mean() + 0.01 * divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step} loss {loss.item():.4f} steps {(logp.exp() * torch.arange(1, MOST + 1)).sum(1).mean().item():.2f}")
