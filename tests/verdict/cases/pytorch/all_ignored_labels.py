"""Fine-tunes a toy language model on the answers only."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(12)
VOCAB, LENGTH = 40, 12


class TinyLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(VOCAB, 16)
        self.rnn = nn.GRU(16, 24, batch_first=True)
        self.lm_head = nn.Linear(24, VOCAB, bias=False)

    def forward(self, ids):
        return self.lm_head(self.rnn(self.wte(ids))[0])


def collate(prompt_lengths):
    ids = torch.randint(0, VOCAB, (len(prompt_lengths), LENGTH))
    labels = ids.clone()
    for row, n in enumerate(prompt_lengths):
        labels[row, :n] = -100
    return ids, labels


loader = [collate(lengths) for lengths in ([4, 6], [11, 3], [12, 14], [5, 5])]
model = TinyLM()
optim = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step, (ids, labels) in enumerate(loader):
    logits = model(ids)
    loss = F.cross_entropy(logits[:, :-1].reshape(-1, VOCAB), labels[:, 1:].reshape(-1))  # born: op=aten.nll_loss_forward.default kind=nan phase=forward step=2 module= reached=loss
    loss.backward()
    optim.step()
    optim.zero_grad()
    print("step", step, "loss", loss.item())
