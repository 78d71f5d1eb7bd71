"""Trains a left-to-right hidden Markov model in log space with finite guards."""

import torch

torch.manual_seed(103)
S, V = 4, 6
log_start = torch.full((S,), -float("inf"))  # benign: op=aten.full.default kind=inf reason="log of a probability of zero"
log_start[0] = 0.0
trans = torch.nn.Parameter(torch.zeros(S, S))
emit = torch.nn.Parameter(torch.randn(S, V))
allowed = torch.eye(S).bool() | torch.diag(torch.ones(S - 1), 1).bool()
opt = torch.optim.Adam([trans, emit], lr=0.05)


def log_matmul(alpha, log_trans):
    scores = alpha[:, None] + log_trans
    top = scores.max(0).values.clamp(min=-1e30)
    total = (scores - top).exp().sum(0)
    reachable = total > 0
    return torch.where(reachable, top + torch.where(reachable, total, 1.0).log(), -1e30)


def log_likelihood(seq):
    log_trans = torch.log_softmax(trans.masked_fill(~allowed, -1e30), -1)
    log_emit = torch.log_softmax(emit, -1)
    alpha = log_start + log_emit[:, seq[0]]
    for symbol in seq[1:]:
        alpha = log_matmul(alpha, log_trans) + log_emit[:, symbol]
    return torch.logsumexp(alpha, 0)


sequences = [[0, 0, 1, 2, 3], [0, 1, 1, 2, 5], [0, 1, 2, 2, 4]]
for step in range(4):
    loss = -torch.stack([log_likelihood(s) for s in sequences]).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
