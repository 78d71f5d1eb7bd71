"""Two networks with an optimizer each; one's output is the other's input."""

import torch
from torch import nn

torch.manual_seed(0)
maker = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 2))
judge = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
make_step = torch.optim.Adam(maker.parameters(), lr=0.01, betas=(0.5, 0.999))
judge_step = torch.optim.Adam(judge.parameters(), lr=0.01, betas=(0.5, 0.999))
loss = nn.BCEWithLogitsLoss()
for step in range(5):
    real = torch.randn(8, 2) + 2
    fake = maker(torch.randn(8, 4))
    judge_step.zero_grad()
    judged = loss(judge(real), torch.ones(8, 1)) + loss(judge(fake.detach()), torch.zeros(8, 1))
    judged.backward()
    judge_step.step()
    make_step.zero_grad()
    made = loss(judge(fake), torch.ones(8, 1))
    made.backward()
    make_step.step()
    print(step, judged.item(), made.item())
