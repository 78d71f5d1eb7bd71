"""LSTM, GRU and RNN: several layers, both directions, packed sequences, projections, dropout."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

torch.manual_seed(0)
nets = nn.ModuleList([
    nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True, dropout=0.2),
    nn.GRU(3, 4, batch_first=True),
    nn.RNN(3, 4, nonlinearity="relu", batch_first=True),
    nn.LSTM(3, 4, proj_size=2, batch_first=True),
])
head = nn.LazyLinear(1)
for step in range(3):
    x = torch.randn(2, 5, 3)
    outs = [net(x)[0] for net in nets]
    packed, _ = nets[1](pack_padded_sequence(x, [5, 3], batch_first=True))
    padded, lengths = pad_packed_sequence(packed, batch_first=True)
    loss = head(torch.cat([*outs, padded], -1)).pow(2).mean()
    loss.backward()
    print(step, loss.item(), lengths.tolist(), nets[0].weight_hh_l1.grad.sum().item())
with torch.no_grad():
    out, (h, c) = nets.eval()[0](pack_sequence([torch.ones(4, 3), torch.ones(2, 3)]))
    print(out.data.sum().item(), h.shape, c.sum().item())
cell = nn.LSTMCell(3, 4)
state = None
for t in range(3):
    state = cell(torch.ones(2, 3), state)
state[0].sum().backward()
print(cell.weight_ih.grad.sum().item())
