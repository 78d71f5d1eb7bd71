"""A GAN (Goodfellow et al., 2014), one step of both sides."""

import torch
from torch import nn
from torch.nn import functional as F


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 64 * 4 * 4)
        self.up1 = nn.ConvTranspose2d(64, 32, 4, 2, 1)
        self.up2 = nn.ConvTranspose2d(32, 1, 4, 2, 1)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.fc(noise)).view(-1, 64, 4, 4)
        return torch.tanh(self.up2(F.relu(self.up1(x))))


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 4, 2, 1)
        self.conv2 = nn.Conv2d(32, 64, 4, 2, 1)
        self.fc = nn.Linear(64 * 4 * 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.conv1(x), 0.2)
        x = F.leaky_relu(self.conv2(x), 0.2)
        return self.fc(x.flatten(1))


torch.manual_seed(0)
generator, discriminator = Generator(), Discriminator()
of_generator = torch.optim.Adam(generator.parameters(), 2e-4)
of_discriminator = torch.optim.Adam(discriminator.parameters(), 2e-4)
real, noise = torch.rand(4, 1, 16, 16), torch.randn(4, 16)
yes, no = torch.ones(4, 1), torch.zeros(4, 1)

fake = generator(noise)
of_discriminator.zero_grad()
right = F.binary_cross_entropy_with_logits(discriminator(real), yes)
wrong = F.binary_cross_entropy_with_logits(discriminator(fake.detach()), no)
(right + wrong).backward()
of_discriminator.step()

of_generator.zero_grad()
F.binary_cross_entropy_with_logits(discriminator(fake), yes).backward()
of_generator.step()
