"""Linear model of a small weather table that is read from a CSV file."""

import tempfile

import numpy as np
import torch

rng = np.random.default_rng(26)
rows = [",".join(f"{v:.3f}" for v in rng.normal(size=4)) for _ in range(24)]
rows[17] = rows[17].split(",", 1)[0] + ",,0.5,1.0"
with tempfile.TemporaryFile("w+") as file:
    file.write("\n".join(rows))
    file.seek(0)
    table = np.genfromtxt(file, delimiter=",")

data = torch.from_numpy(table).float()  # born: op=aten._to_copy.default kind=nan phase=data step=0 module= reached=loss
x, y = data[:, :3], data[:, 3:]
w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)

for step in range(3):
    idx = slice(step * 8, step * 8 + 8)
    loss = ((x[idx] @ w + b - y[idx]) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.1 * p.grad
            p.grad = None
    print("step", step, "mse", loss.item())
