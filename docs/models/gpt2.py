"""GPT-2 of 12 layers with random weights, one training step; with --nan, a norm of layer 5 is broken."""

import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
config = GPT2Config(n_layer=12, n_embd=96, n_head=4, vocab_size=1000, n_positions=64)
model = GPT2LMHeadModel(config)
if "--nan" in sys.argv:
    with torch.no_grad():
        model.transformer.h[5].ln_2.weight.fill_(float("inf"))
        model.transformer.h[5].ln_2.bias.fill_(-float("inf"))
ids = torch.randint(1000, (2, 32))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
loss = model(ids, labels=ids).loss
loss.backward()
optimizer.step()
