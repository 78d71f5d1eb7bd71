"""Files and copies: torch.save and load, pickle, deepcopy, state dicts, and what they share."""

import copy
import io
import pickle

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
tied = {"a": net[0].weight, "b": net[0].weight.detach()[1], "net": net}
optimizer = torch.optim.Adam(net.parameters())
net(torch.randn(5, 3)).sum().backward()
optimizer.step()
file = io.BytesIO()
torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "tied": tied["b"]}, file)
print(len(file.getvalue()) > 1000)
file.seek(0)
loaded = torch.load(file, weights_only=True)
fresh = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
print(fresh.load_state_dict(loaded["net"]))
other = torch.optim.Adam(fresh.parameters())
other.load_state_dict(loaded["optimizer"])
twin = copy.deepcopy(tied)
twin["a"].data.add_(1)
print((twin["b"] - tied["b"]).tolist(), twin["net"][0].weight is twin["a"])
again = pickle.loads(pickle.dumps(net))
for one in (net, fresh, twin["net"], again):
    print(one.eval()(torch.ones(1, 3)).sum().item())
fresh(torch.ones(1, 3)).sum().backward()
other.step()
print(copy.copy(net)[0].weight is net[0].weight, fresh[0].weight.sum().item())
