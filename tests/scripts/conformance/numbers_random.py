"""Random numbers: every distribution, generators, states that are kept and set again."""

import random

import numpy
import torch
from torch import distributions as D

torch.manual_seed(0)
numpy.random.seed(0)
random.seed(0)
own = torch.Generator().manual_seed(5)
for step in range(2):
    print(torch.rand(2).tolist(), torch.randn(2, generator=own).tolist(), torch.randperm(5).tolist())
    print(torch.randint(0, 9, (3,)).tolist(), torch.bernoulli(torch.full((4,), 0.5)).tolist(), torch.normal(1.0, 2.0, (2,)).tolist())
    print(torch.empty(2).exponential_().tolist(), torch.empty(2).geometric_(0.3).tolist(), torch.poisson(torch.ones(3)).tolist())
    kept = torch.get_rng_state()
    first = torch.rand(3)
    torch.set_rng_state(kept)
    print(torch.equal(first, torch.rand(3)))
    with torch.random.fork_rng():
        torch.manual_seed(7)
        torch.rand(3)
    m = torch.tensor([0.3], requires_grad=True)
    for made in (D.Normal(m, 1.0), D.Gamma(m + 1, 1.0), D.Beta(m + 1, m + 2), D.Dirichlet(torch.cat([m, m + 1])), D.StudentT(m + 3), D.Laplace(m, 1.0)):
        sample = made.rsample()
        (sample.sum() + made.log_prob(sample.detach()).sum()).backward()
    choice = D.Categorical(logits=torch.tensor([0.1, 0.2, 0.7]))
    print(m.grad.item(), choice.sample((4,)).tolist(), choice.entropy().item(), D.kl_divergence(D.Normal(0.0, 1.0), D.Normal(1.0, 2.0)).item())
    print(D.MultivariateNormal(torch.zeros(2), torch.eye(2)).rsample().tolist(), random.random(), numpy.random.rand())
    print(torch.nn.functional.gumbel_softmax(torch.zeros(3), hard=True).tolist(), torch.seed() > 0)
    torch.manual_seed(step)
