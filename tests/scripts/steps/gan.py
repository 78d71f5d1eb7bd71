"""A GAN: two networks, two optimizers, one step for both; samples after each epoch."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
latent = 4
netG = nn.Sequential(nn.Linear(latent, 8), nn.ReLU(), nn.Linear(8, 2))
netD = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
optG = torch.optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
optD = torch.optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
real_data = torch.randn(24, 2) * 0.5 + 1
fixed_noise = torch.randn(4, latent)

for epoch in range(2):
    begin("train")
    at("data", loose=True)
    for real in real_data.split(8):
        at("data")
        ones, zeros = torch.ones(8, 1), torch.zeros(8, 1)
        at("optimizer")
        optD.zero_grad()
        at("forward")
        d_real = bce(netD(real), ones)
        at("data", "forward")
        noise = torch.randn(8, latent)
        at("forward")
        fake = netG(noise)
        d_fake = bce(netD(fake.detach()), zeros)
        d_loss = d_real + d_fake
        at("backward")
        d_loss.backward()
        at("optimizer")
        optD.step()
        optG.zero_grad()
        at("forward")
        g_loss = bce(netD(fake), ones)
        at("backward")
        g_loss.backward()
        at("optimizer")
        optG.step()
        begin("train")
    begin("eval", "other")
    at("forward")
    with torch.no_grad():
        samples = netG(fixed_noise)
    at("other")
    print(epoch, samples.mean().item())
