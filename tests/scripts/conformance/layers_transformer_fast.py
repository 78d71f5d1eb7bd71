"""The fast path of TransformerEncoder: it is taken, with and without a mask of padding."""

import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)
layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
net = nn.TransformerEncoder(layer, 2)
net.train()
net(torch.randn(2, 4, 8)).sum().backward()
print(layer.linear1.weight.grad is None, net.layers[0].linear1.weight.grad.sum().item())
net.eval()
padding = torch.tensor([[False] * 4, [False, False, True, True]])
with torch.no_grad():
    for step in range(3):
        x = torch.randn(2, 4, 8)
        print(net(x).sum().item())
        print(net(x, src_key_padding_mask=padding).sum().item())
whole = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
whole(torch.randn(2, 3, 8), torch.randn(2, 4, 8), tgt_mask=nn.Transformer.generate_square_subsequent_mask(4)).sum().backward()
print(whole.encoder.layers[0].linear1.weight.grad.sum().item())
