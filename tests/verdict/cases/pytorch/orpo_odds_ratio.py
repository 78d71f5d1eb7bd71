"""Aligns a toy dialogue model to preferred answers with the odds ratio objective."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(301)
VOCABULARY, PROMPT = 12, 3


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, 24)
        self.rnn = nn.GRU(24, 48, batch_first=True)
        self.head = nn.Linear(48, VOCABULARY)

    def forward(self, tokens):
        hidden, _ = self.rnn(self.embed(tokens))
        return self.head(hidden)


def answer_logp(model, tokens):
    """The mean log-probability of the tokens after the prompt."""
    logits = model(tokens[:, :-1])
    logp = logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return logp[:, PROMPT - 1 :].mean(-1)


def log_odds(logp):
    return logp - torch.log1p(-torch.exp(logp))  # born: op=aten.div.Tensor kind=nan phase=backward step=8 module= reached=gradient forward=aten.log1p.default # benign: op=aten.log1p.default kind=inf reason="removed by logsigmoid"


prompts = torch.randint(0, VOCABULARY, (8, PROMPT))
chosen = torch.cat([prompts, (prompts[:, :1] + torch.arange(6)) % VOCABULARY], dim=1)
rejected = torch.cat([prompts, torch.randint(0, VOCABULARY, (8, 6))], dim=1)
model = Policy().to(torch.bfloat16)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
for step in range(40):
    good, bad = answer_logp(model, chosen), answer_logp(model, rejected)
    preference = F.logsigmoid(log_odds(good) - log_odds(bad))
    loss = -good.mean() - 0.5 * preference.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 5 == 0:
        print(f"step {step}: loss {loss.item():.4f} margin {(good - bad).mean().item():.3f}")
