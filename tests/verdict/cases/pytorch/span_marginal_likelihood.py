"""Extractive question answering trained on the summed likelihood of all answer positions."""

import torch
import torch.nn as nn

torch.manual_seed(161)


class SpanModel(nn.Module):
    def __init__(self, vocab=40, dim=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True, bidirectional=True)
        self.start = nn.Linear(2 * dim, 1)

    def forward(self, ids):
        return self.start(self.mix(self.embed(ids))[0]).squeeze(-1)


def marginal_nll(scores, answers):
    everything = torch.logsumexp(scores, -1)
    right = torch.logsumexp(scores.masked_fill(~answers, float("-inf")), -1)  # benign: op=aten.masked_fill.Scalar kind=inf reason="removed by logsumexp, every row has an answer"
    return (everything - right).mean()


model = SpanModel()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(3):
    ids = torch.randint(0, 40, (6, 14))
    answers = ids < 4
    answers[:, 2] = True
    loss = marginal_nll(model(ids), answers)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("step", step, "nll", loss.item())
