"""Contrastive learning with a momentum encoder and a queue of keys."""
import copy

import torch
import torch.nn.functional as F
from told import at, begin
from torch import nn

torch.manual_seed(0)
query_encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
key_encoder = copy.deepcopy(query_encoder)
for p in key_encoder.parameters():
    p.requires_grad = False
queue = F.normalize(torch.randn(4, 16), dim=0)
pointer = 0
optimizer = torch.optim.SGD(query_encoder.parameters(), lr=0.03, momentum=0.9)
criterion = nn.CrossEntropyLoss()


def augment(x):
    return x + 0.1 * torch.randn_like(x)


for step in range(6):
    begin("train")
    images = torch.randn(4, 6)
    im_q, im_k = augment(images), augment(images)
    at("forward")
    q = F.normalize(query_encoder(im_q), dim=1)
    with torch.no_grad():
        at("other")
        for fast, slow in zip(query_encoder.parameters(), key_encoder.parameters()):
            slow.data = slow.data * 0.99 + fast.data * 0.01
        at("forward")
        k = F.normalize(key_encoder(im_k), dim=1)
    positive = (q * k).sum(1, keepdim=True)
    negative = q @ queue.clone().detach()
    logits = torch.cat([positive, negative], 1) / 0.07
    labels = torch.zeros(4, dtype=torch.long)
    loss = criterion(logits, labels)
    at("optimizer")
    optimizer.zero_grad()
    at("backward")
    loss.backward()
    at("optimizer")
    optimizer.step()
    at("other")
    queue[:, pointer : pointer + 4] = k.T
    pointer = (pointer + 4) % 16
