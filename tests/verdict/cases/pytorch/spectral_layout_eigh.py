"""Learns edge weights so that the spectral layout of a cycle matches target positions."""

import torch

torch.manual_seed(68)
n = 6
ring = torch.stack([torch.arange(n), (torch.arange(n) + 1) % n])
weights = torch.ones(n, requires_grad=True)
angles = torch.arange(n) * (2 * torch.pi / n)
target = torch.stack([angles.cos(), angles.sin()], 1)
opt = torch.optim.Adam([weights], lr=0.01)


def layout(w):
    adjacency = torch.zeros(n, n, dtype=torch.float64).index_put((ring[0], ring[1]), w.double())
    adjacency = adjacency + adjacency.t()
    blocks = torch.block_diag(adjacency, torch.zeros(2, 2, dtype=torch.float64))
    laplacian = torch.diag(blocks.sum(1)) - blocks
    values, vectors = torch.linalg.eigh(laplacian)  # born: op=aten.div_.Tensor kind=nan phase=backward step=0 module= reached=gradient forward=aten._linalg_eigh.default
    return vectors[:n, 3:5].float(), values


for step in range(2):
    xy, spectrum = layout(weights)
    loss = ((xy @ xy.t() - target @ target.t() / 3) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, loss.item(), spectrum[:2].tolist())
