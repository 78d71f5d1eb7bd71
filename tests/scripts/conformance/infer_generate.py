"""Words are made one by one; keys and values are kept from step to step."""

import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 16)
        self.qkv, self.out, self.head = nn.Linear(16, 48), nn.Linear(16, 16), nn.Linear(16, 20)

    def forward(self, tokens, past=None):
        x = self.words(tokens)
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, 2, 8).permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        return self.head(x + self.out(y.transpose(1, 2).flatten(2))), (k, v)


torch.manual_seed(0)
net = Decoder().eval()
tokens = torch.randint(0, 20, (2, 3))
with torch.no_grad():
    logits, past = net(tokens)
    for _ in range(8):
        choice = torch.multinomial((logits[:, -1] / 0.8).softmax(-1), 1)
        tokens = torch.cat([tokens, choice], 1)
        logits, past = net(choice, past)
print(tokens.tolist(), past[0].shape)
