"""Logistic regression with an Adam update written by hand."""

import torch

torch.manual_seed(51)
x = torch.randn(80, 4)
y = (x @ torch.tensor([1.0, -1.0, 0.5, 0.0]) > 0).float()
params = {"w": torch.zeros(4, requires_grad=True), "b": torch.zeros((), requires_grad=True)}
state = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in params.items()}
BETA1, BETA2, LR, EPS = 0.9, 0.999, 0.05, 1e-8


def adam(params, t):
    with torch.no_grad():
        for name, p in params.items():
            m, v = state[name]
            m.mul_(BETA1).add_(p.grad, alpha=1 - BETA1)
            v.mul_(BETA2).addcmul_(p.grad, p.grad, value=1 - BETA2)
            m_hat = m / (1 - BETA1**t)  # born: op=aten.div.Tensor kind=inf phase=optimizer step=0 module= reached=parameter
            v_hat = v / (1 - BETA2**t)  # also: op=aten.div.Tensor kind=inf phase=optimizer step=0 module= reached=parameter
            p -= LR * m_hat / (v_hat.sqrt() + EPS)
            p.grad = None


for step in range(3):
    logits = x @ params["w"] + params["b"]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
    loss.backward()
    adam(params, step)
    print(step, loss.item())
