"""A U-Net (Ronneberger et al., 2015) of three levels, one training step."""

import torch
from torch import nn
from torch.nn import functional as F


def twice(wide: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(wide, out, 3, padding=1), nn.ReLU(), nn.Conv2d(out, out, 3, padding=1), nn.ReLU()
    )


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.down3 = twice(1, 16), twice(16, 32), twice(32, 64)
        self.bottom = twice(64, 128)
        self.up3, self.up2, self.up1 = (nn.ConvTranspose2d(2 * wide, wide, 2, 2) for wide in (64, 32, 16))
        self.join3, self.join2, self.join1 = twice(128, 64), twice(64, 32), twice(32, 16)
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.down3(F.max_pool2d(b, 2))
        x = self.bottom(F.max_pool2d(c, 2))
        x = self.join3(torch.cat([c, self.up3(x)], 1))
        x = self.join2(torch.cat([b, self.up2(x)], 1))
        x = self.join1(torch.cat([a, self.up1(x)], 1))
        return self.head(x)


torch.manual_seed(0)
model = UNet()
optimizer = torch.optim.Adam(model.parameters())
images, masks = torch.rand(2, 1, 32, 32), torch.randint(2, (2, 32, 32))
F.cross_entropy(model(images), masks).backward()
optimizer.step()
