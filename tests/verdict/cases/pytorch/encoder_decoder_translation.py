"""A sequence-to-sequence transformer from torch.nn that learns to reverse digits."""

import torch
from torch import nn

torch.manual_seed(101)
PAD, BOS, VOCAB = 0, 1, 12


class Seq2Seq(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.src, self.tgt = nn.Embedding(VOCAB, dim), nn.Embedding(VOCAB, dim)
        self.transformer = nn.Transformer(dim, 2, 1, 1, 32, dropout=0.0, batch_first=True)
        self.out = nn.Linear(dim, VOCAB)

    def forward(self, src, tgt):
        causal = nn.Transformer.generate_square_subsequent_mask(tgt.size(1))  # benign: op=aten.full.default kind=inf reason="a causal mask that softmax removes"
        padded = torch.zeros(src.shape).masked_fill(src == PAD, float("-inf"))  # benign: op=aten.masked_fill.Scalar kind=inf reason="a padding mask that softmax removes"
        h = self.transformer(self.src(src), self.tgt(tgt), tgt_mask=causal, src_key_padding_mask=padded, memory_key_padding_mask=padded)  # benign: op=aten.full.default kind=inf reason="a causal mask to compare with"
        return self.out(h)


def batch(n=6):
    src = torch.randint(2, VOCAB, (n, 6))
    src[0, 4:] = PAD
    tgt = torch.cat([torch.full((n, 1), BOS), src.flip(1)], 1)
    return src, tgt[:, :-1], tgt[:, 1:]


model = Seq2Seq()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(3):
    src, tgt_in, tgt_out = batch()
    logits = model(src, tgt_in)
    loss = nn.functional.cross_entropy(logits.transpose(1, 2), tgt_out, ignore_index=PAD)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("step", step, "loss", loss.item())
