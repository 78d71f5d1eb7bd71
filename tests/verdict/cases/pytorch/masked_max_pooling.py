"""Text classification with a convolution and max pooling over the words that are there."""

import torch
from torch import nn


class TextCNN(nn.Module):
    def __init__(self, vocab=50, dim=12, classes=3):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.conv = nn.Conv1d(dim, 16, 3, padding=1)
        self.fc = nn.Linear(16, classes)

    def forward(self, ids, lengths):
        h = self.conv(self.embed(ids).transpose(1, 2))
        absent = torch.arange(ids.size(1)) >= lengths[:, None]
        h = h.masked_fill(absent[:, None, :], -torch.inf)  # benign: op=aten.masked_fill.Scalar kind=inf reason="never the maximum"
        return self.fc(h.amax(-1))


torch.manual_seed(110)
model = TextCNN()
opt = torch.optim.RMSprop(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.StepLR(opt, 2, 0.5)
for step in range(4):
    ids = torch.randint(0, 50, (8, 11))
    lengths = torch.randint(1, 12, (8,))
    labels = ids[:, 0] % 3
    loss = nn.functional.cross_entropy(model(ids, lengths), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    scheduler.step()
    print(step, loss.item())
