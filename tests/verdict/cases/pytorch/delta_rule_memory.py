"""A linear attention layer with a delta-rule memory learns to recall values by their keys."""

import torch
from torch import nn


class DeltaMemory(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.rate = nn.Linear(dim, 1)
        for layer in (self.query, self.key, self.value):
            nn.init.orthogonal_(layer.weight)

    def forward(self, x):
        q, k, v = self.query(x), self.key(x), self.value(x)
        beta = torch.sigmoid(self.rate(x))
        memory = x.new_zeros(x.shape[0], x.shape[2], x.shape[2])
        outputs = []
        for t in range(x.shape[1]):
            read = torch.einsum("bij,bi->bj", memory, k[:, t])  # born: op=aten.bmm.default kind=inf phase=forward step=3 module=memory reached=loss growth=yes
            change = beta[:, t] * (v[:, t] - read)
            memory = memory + k[:, t, :, None] * change[:, None, :]
            outputs.append(torch.einsum("bij,bi->bj", memory, q[:, t]))
        return torch.stack(outputs, dim=1)


class Recall(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.memory = DeltaMemory(dim)
        self.head = nn.Linear(dim, dim)

    def forward(self, x):
        return self.head(x + self.memory(self.norm(x)))


torch.manual_seed(308)
model = Recall()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step, length in enumerate([4, 8, 16, 192]):
    x = torch.randn(2, length, 24)
    loss = nn.functional.mse_loss(model(x)[:, -1], x[:, 0])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    print(f"step {step} length {length}: loss {loss.item():.4g}")
