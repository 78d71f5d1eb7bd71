"""A VQ autoencoder whose codebook follows cluster means; dead codes are drawn again."""

import torch
from torch import nn


class Codebook(nn.Module):
    def __init__(self, codes=12, dim=3):
        super().__init__()
        self.register_buffer("codes", torch.randn(codes, dim))

    def forward(self, z):
        index = torch.cdist(z, self.codes).argmin(1)
        q = self.codes[index]
        if self.training:
            self.follow(z.detach(), index)
        return z + (q - z).detach(), nn.functional.mse_loss(z, q)

    def follow(self, z, index):
        one_hot = nn.functional.one_hot(index, len(self.codes)).float()
        means = one_hot.t() @ z / one_hot.sum(0)[:, None]  # benign: op=aten.div.Tensor kind=nan reason="dead codes, replaced by where"
        fresh = z[torch.randint(0, len(z), (len(self.codes),))]
        dead = one_hot.sum(0) == 0
        self.codes.lerp_(torch.where(dead[:, None], fresh, means), 0.2)


torch.manual_seed(127)
encoder, book, decoder = nn.Linear(6, 3), Codebook(), nn.Linear(3, 6)
opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
for step in range(4):
    x = torch.randn(10, 6)
    z, commitment = book(encoder(x))
    loss = nn.functional.mse_loss(decoder(z), x) + 0.25 * commitment
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
