"""A character-level model that reports the perplexity of every epoch."""

import torch
from torch import nn

torch.manual_seed(53)
text = "the quick brown fox jumps over the lazy dog and runs away from the hungry bear "
alphabet = sorted(set(text))
ids = torch.tensor([alphabet.index(c) for c in text])


class CharRNN(nn.Module):
    def __init__(self, n, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(n, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.decode = nn.Linear(hidden, n)

    def forward(self, x):
        out, _ = self.lstm(self.embed(x))
        return self.decode(out)


model = CharRNN(len(alphabet))
criterion = nn.CrossEntropyLoss(reduction="sum")
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(3):
    logits = model(ids[None, :-1])
    loss = criterion(logits[0], ids[1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    perplexity = torch.exp(loss.detach())  # born: op=aten.exp.default kind=inf phase=other step=0 module= reached=output
    print(f"epoch {epoch} loss {loss.item():.2f} perplexity {perplexity.item():.2f}")
