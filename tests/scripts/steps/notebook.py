"""A notebook run as a script: cells at top level, a training cell that was run twice."""
import torch
from told import at, begin
from torch import nn

# %%
torch.manual_seed(0)
x = torch.linspace(-1, 1, 20).unsqueeze(1)
y = x.pow(3) + 0.05 * torch.randn(20, 1)
print(x.shape, y.mean())

# %%
model = nn.Sequential(nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 1))
loss_fn = nn.MSELoss()

# %% a first look
begin("eval", "other")
at("forward")
with torch.no_grad():
    out = model(x)
at("other")
print(out[:3].flatten())

# %%
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(4):
    begin("train")
    at("forward")
    loss = loss_fn(model(x), y)
    at("optimizer")
    optimizer.zero_grad()
    at("backward")
    loss.backward()
    at("optimizer")
    optimizer.step()
begin("other")
print(loss.item())

# %% the same cell again, with another rate
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(4):
    begin("train")
    at("forward")
    loss = loss_fn(model(x), y)
    at("optimizer")
    optimizer.zero_grad()
    at("backward")
    loss.backward()
    at("optimizer")
    optimizer.step()
begin("other")
print(loss.item())

# %%
begin("eval", "other")
at("forward")
model.eval()
with torch.no_grad():
    error = (model(x) - y).abs().max()
at("other")
print(error)
