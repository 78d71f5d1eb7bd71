"""Trains a GRU to count and decodes with beam search after every epoch."""

import torch
from torch import nn

torch.manual_seed(104)
VOCAB, EOS = 9, 8


class Decoder(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, dim)
        self.cell = nn.GRUCell(dim, dim)
        self.out = nn.Linear(dim, VOCAB)

    def forward(self, token, hidden):
        hidden = self.cell(self.embed(token), hidden)
        return torch.log_softmax(self.out(hidden), -1), hidden


@torch.no_grad()
def beam_search(model, beams=3, length=5):
    scores = torch.full((beams,), float("-inf"))  # benign: op=aten.full.default kind=inf reason="idle beams that topk drops"
    scores[0] = 0.0
    tokens, hidden = torch.zeros(beams, 1, dtype=torch.long), torch.zeros(beams, 16)
    for _ in range(length):
        logp, hidden = model(tokens[:, -1], hidden)
        finished = tokens[:, -1] == EOS
        logp[finished] = float("-inf")  # benign: op=aten.index_put_.default kind=inf reason="a finished beam only repeats its end"
        logp[finished, EOS] = 0.0
        scores, flat = (scores[:, None] + logp).flatten().topk(beams)
        tokens = torch.cat([tokens[flat // VOCAB], (flat % VOCAB)[:, None]], 1)
        hidden = hidden[flat // VOCAB]
    return tokens[0].tolist(), scores[0].item()


model = Decoder()
opt = torch.optim.Adam(model.parameters(), lr=2e-2)
for epoch in range(3):
    hidden, loss = torch.zeros(4, 16), 0.0
    for t in range(5):
        logp, hidden = model(torch.full((4,), t), hidden)
        loss = loss + nn.functional.nll_loss(logp, torch.full((4,), t + 1 if t < 4 else EOS))
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(epoch, loss.item(), *beam_search(model))
