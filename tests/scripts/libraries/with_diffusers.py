"""A small UNet of diffusers that learns to take noise away, then makes a picture."""

import hashlib
import sys

import torch
from diffusers import DDPMScheduler, UNet2DModel

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 3
torch.manual_seed(0)
model = UNet2DModel(
    sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8, 16),
    down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    norm_num_groups=4, attention_head_dim=8,
)
scheduler = DDPMScheduler(num_train_timesteps=50)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
clean = torch.rand(4, 1, 8, 8)
for step in range(steps):
    noise = torch.randn_like(clean)
    times = torch.randint(0, 50, (4,))
    noisy = scheduler.add_noise(clean, noise, times)
    loss = torch.nn.functional.mse_loss(model(noisy, times).sample, noise)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    print(step, round(loss.item(), 5))
scheduler.set_timesteps(3)
picture = torch.randn(1, 1, 8, 8)
for time in scheduler.timesteps:
    with torch.no_grad():
        predicted = model(picture, time).sample
    picture = scheduler.step(predicted, time, picture).prev_sample
print(round(picture.abs().mean().item(), 4))
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
