"""Normalisations in training and evaluation, with momentum None, without statistics, synchronised."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True),
    nn.BatchNorm2d(4, momentum=None), nn.BatchNorm2d(4, track_running_stats=False), nn.LocalResponseNorm(2),
    nn.Flatten(2), nn.LayerNorm(16), nn.RMSNorm(16),
)
synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(3))).eval()
for step in range(4):
    loss = net(torch.randn(3, 2, 6, 6)).pow(2).sum()
    loss.backward()
    print(step, loss.item(), net[1].running_mean.sum().item(), net[4].num_batches_tracked.item())
    if step == 1:
        net.eval()
    if step == 2:
        net.train()
        net[1].reset_running_stats()
        net[1].eval()
print(type(synchronised[0]).__name__, synchronised(torch.ones(2, 3)).sum().item())
fused = nn.utils.fusion.fuse_conv_bn_eval(net[0].eval(), net[1].eval())
print(fused(torch.ones(1, 2, 6, 6)).sum().item())
