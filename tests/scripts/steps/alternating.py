"""Alternating optimizers: even steps fit one half of the model, odd steps the other."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
encoder, decoder = nn.Linear(6, 2), nn.Linear(2, 6)
opt_e = torch.optim.SGD(encoder.parameters(), lr=0.05)
opt_d = torch.optim.SGD(decoder.parameters(), lr=0.05)
data = torch.randn(8, 6)
for step in range(8):
    begin("train")
    at("optimizer")
    opt_e.zero_grad()
    opt_d.zero_grad()
    at("forward")
    loss = (decoder(encoder(data)) - data).pow(2).mean()
    at("backward")
    loss.backward()
    at("optimizer")
    if step % 2 == 0:
        opt_e.step()
    else:
        opt_d.step()
