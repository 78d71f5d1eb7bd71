"""All losses, with their reductions and weights."""

import warnings

import torch
from torch.nn import functional as F

warnings.filterwarnings("ignore")
torch.manual_seed(0)
for step in range(2):
    x = torch.randn(4, 5, requires_grad=True)
    y, t, signs = torch.rand(4, 5), torch.tensor([0, 2, 4, 1]), torch.tensor([1.0, -1, 1, -1])
    log, p = x.log_softmax(1), x.sigmoid()
    losses = [
        F.mse_loss(x, y), F.l1_loss(x, y), F.smooth_l1_loss(x, y), F.huber_loss(x, y, delta=0.5),
        F.cross_entropy(x, t, label_smoothing=0.1), F.cross_entropy(x, y.softmax(1)), F.nll_loss(log, t, weight=torch.rand(5)),
        F.binary_cross_entropy(p, y), F.binary_cross_entropy_with_logits(x, y, pos_weight=torch.rand(5)),
        F.kl_div(log, y.softmax(1), reduction="batchmean"), F.poisson_nll_loss(x, y), F.gaussian_nll_loss(x, y, torch.ones(4, 1)),
        F.hinge_embedding_loss(x, y.sign()), F.cosine_embedding_loss(x, y, signs), F.margin_ranking_loss(x[:, 0], y[:, 0], signs),
        F.multi_margin_loss(x, t), F.multilabel_margin_loss(x, t.new_full((4, 5), -1)), F.soft_margin_loss(x, y.round() * 2 - 1),
        F.triplet_margin_loss(x, y, y.flip(0)), F.multilabel_soft_margin_loss(x, y.round()),
        F.cross_entropy(x, t, ignore_index=2, reduction="sum"), F.ctc_loss(
            torch.randn(6, 2, 4, requires_grad=True).log_softmax(2), torch.tensor([[1, 2], [3, 3]]), [6, 6], [2, 1]),
    ]  # fmt: skip
    total = sum(losses)
    total.backward()
    print([round(loss.item(), 5) for loss in losses], x.grad.sum().item())
