"""Learn which banner a visitor clicks from logged choices, reweighed by a propensity model."""

import torch
import torch.nn.functional as F
from torch import nn

BANNERS, FEATURES, CAP = 4, 6, 20.0


class Logger(nn.Module):
    """How likely the site was to show each banner."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Linear(FEATURES, BANNERS)

    def forward(self, visitor):
        return self.logits(visitor).softmax(dim=1)


def weigh(propensities, shown):
    chosen = propensities.gather(1, shown[:, None]).squeeze(1)
    return (1.0 / chosen).clamp(max=CAP)  # born: op=aten.reciprocal.default kind=inf phase=forward step=4 module= reached=gradient


torch.manual_seed(40)
visitors = torch.randn(160, FEATURES)
visitors[83] *= 400
truth = torch.randn(FEATURES, BANNERS)
shown = torch.distributions.Categorical(logits=visitors[:, :BANNERS].clamp(-2, 2)).sample()
clicked = (torch.rand(160) < torch.sigmoid((visitors @ truth).gather(1, shown[:, None]).squeeze(1))).float()

logger, clicks = Logger(), nn.Linear(FEATURES, BANNERS)
optimizer = torch.optim.Adam([*logger.parameters(), *clicks.parameters()], lr=0.02)
for step, rows in enumerate(torch.arange(160).split(20)):
    propensities = logger(visitors[rows])
    weights = weigh(propensities, shown[rows])
    guess = clicks(visitors[rows]).gather(1, shown[rows, None]).squeeze(1)
    per_visitor = F.binary_cross_entropy_with_logits(guess, clicked[rows], reduction="none")
    likely = F.nll_loss(torch.log(propensities + 1e-8), shown[rows])
    loss = (weights * per_visitor).mean() + likely
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"batch {step}: loss {loss.item():.4f}, largest weight {weights.max().item():.2f}")
