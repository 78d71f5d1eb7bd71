"""WGAN with gradient penalty: several critic steps for each one of the generator."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.9))
opt_c = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))


def penalty(real, fake):
    at("data", "forward")
    mix = torch.rand(len(real), 1)
    at("forward")
    x = (mix * real + (1 - mix) * fake).requires_grad_(True)
    score = critic(x)
    at("backward")
    grad = torch.autograd.grad(score.sum(), x, create_graph=True)[0]
    at("forward")
    return ((grad.norm(dim=1) - 1) ** 2).mean()


for step in range(9):
    begin("train")
    real = torch.randn(6, 2) + 2
    noise = torch.randn(6, 3)
    at("forward")
    with torch.no_grad():
        fake = generator(noise)
    loss = critic(fake).mean() - critic(real).mean() + 10 * penalty(real, fake)
    at("optimizer")
    opt_c.zero_grad()
    at("backward")
    loss.backward()
    at("optimizer")
    opt_c.step()
    if step % 3 == 2:
        at("data", "forward")
        noise = torch.randn(6, 3)
        at("forward")
        loss_g = -critic(generator(noise)).mean()
        at("optimizer")
        opt_g.zero_grad()
        at("backward")
        loss_g.backward()
        at("optimizer")
        opt_g.step()
        at("other")
        print(step, loss.item(), loss_g.item())
