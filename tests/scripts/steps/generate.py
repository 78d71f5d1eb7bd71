"""A small transformer decodes greedily, token by token."""
import torch
from told import at, begin
from torch import nn


class Decoder(nn.Module):
    def __init__(self, vocabulary=17, width=8):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        hidden, _ = self.mix(self.embed(tokens))
        return self.head(hidden[:, -1])

    @torch.no_grad()
    def generate(self, tokens, length):
        for _ in range(length):
            begin("eval")
            at("forward")
            logits = self(tokens[:, -6:])
            scaled = logits / 0.8
            at("forward", "other")
            chosen = torch.multinomial(scaled.softmax(-1), 1)
            tokens = torch.cat([tokens, chosen], 1)
            if (chosen == 0).all():
                break
        return tokens


torch.manual_seed(0)
model = Decoder().eval()
for prompt in ([1, 2, 3], [4, 5]):
    begin("other")
    at("other", "data", loose=True)
    tokens = torch.tensor([prompt])
    out = model.generate(tokens, 5)
    begin("other")
    at("other", loose=True)
    print(out[0].tolist())
