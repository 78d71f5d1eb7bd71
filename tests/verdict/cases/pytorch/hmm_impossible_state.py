"""Fits the transition matrix of a small hidden Markov model by gradient descent in log space."""

import torch

torch.manual_seed(9)
STATES = 3
start = torch.tensor([0.0, float("-inf"), float("-inf")])
emission = torch.log_softmax(torch.randn(STATES, 5), dim=-1)
logits = torch.zeros(STATES, STATES, requires_grad=True)
allowed = torch.eye(STATES).bool() | torch.diag(torch.ones(STATES - 1), 1).bool()


def log_sum_exp(x):
    top = x.max(dim=0).values
    shifted = x - top  # born: op=aten.sub.Tensor kind=nan phase=forward step=0 module= reached=loss
    return top + shifted.exp().sum(0).log()


def log_likelihood(sequence):
    trans = torch.log_softmax(logits, dim=-1).masked_fill(~allowed, float("-inf"))
    alpha = start + emission[:, sequence[0]]
    for symbol in sequence[1:]:
        alpha = log_sum_exp(alpha[:, None] + trans) + emission[:, symbol]
    return torch.logsumexp(alpha, dim=0)


optimizer = torch.optim.Adam([logits], lr=0.1)
sequences = torch.randint(0, 5, (3, 6)).tolist()
for step in range(3):
    loss = -torch.stack([log_likelihood(s) for s in sequences]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
