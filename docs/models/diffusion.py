"""A diffusion U-Net of `diffusers` with random weights, one training step."""

import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch.nn import functional as F

torch.manual_seed(0)
model = UNet2DModel(
    sample_size=16, in_channels=1, out_channels=1, layers_per_block=2, block_out_channels=(32, 64, 64),
    down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), norm_num_groups=8,
)  # fmt: skip
schedule = DDPMScheduler(num_train_timesteps=100)
optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
images, noise = torch.rand(2, 1, 16, 16), torch.randn(2, 1, 16, 16)
times = torch.randint(100, (2,))
F.mse_loss(model(schedule.add_noise(images, noise, times), times).sample, noise).backward()
optimizer.step()
