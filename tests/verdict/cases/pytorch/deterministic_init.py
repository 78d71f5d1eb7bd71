"""A convolutional autoencoder trained with deterministic algorithms for reproducible runs."""

import torch
from torch import nn

torch.use_deterministic_algorithms(True)
torch.manual_seed(111)


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gain = nn.Parameter(torch.empty(channels, 1, 1))  # benign: op=aten.empty.memory_format kind=nan reason="written before it is read"
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.uniform_(self.gain, 0.9, 1.1)

    def forward(self, x):
        return x * self.gain


model = nn.Sequential(
    nn.Conv2d(1, 6, 3, stride=2, padding=1),
    Scale(6),
    nn.GroupNorm(2, 6),
    nn.ReLU(),
    nn.ConvTranspose2d(6, 1, 4, stride=2, padding=1),
)
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
buffer = torch.empty(3, 4, 1, 8, 8)  # benign: op=aten.empty.memory_format kind=nan reason="written before it is read"
for step in range(3):
    images = buffer[step].uniform_()
    loss = nn.functional.mse_loss(model(images), images)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item())
