"""Linear algebra with gradients: decompositions, solvers, determinants, powers, norms."""

import torch

torch.manual_seed(0)
L = torch.linalg
for step in range(2):
    a = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    s = a @ a.mT + torch.eye(4, dtype=torch.float64)
    u, d, vh = L.svd(a)
    values, vectors = L.eigh(s)
    q, r = L.qr(a)
    lu, pivots = L.lu_factor(a)
    loss = d.sum() + values.log().sum() + r.diagonal().abs().sum() + L.solve(s, torch.ones(4, dtype=torch.float64)).sum()
    loss = loss + L.inv(s).trace() + L.det(a) + L.slogdet(s)[1] + L.cholesky(s).sum() + L.pinv(a).sum()
    loss = loss + L.matrix_exp(a * 0.1).sum() + L.matrix_power(a, 3).mean() + L.norm(a, "nuc") + L.vector_norm(a, 3)
    loss = loss + L.lstsq(a, torch.ones(4, 1, dtype=torch.float64)).solution.sum() + torch.cholesky_solve(torch.eye(4, dtype=torch.float64), L.cholesky(s)).sum()
    loss = loss + torch.linalg.lu_solve(lu, pivots, torch.ones(4, 1, dtype=torch.float64)).sum() + L.cross(a[:, :3], a[:, 1:]).sum()
    loss.backward()
    # LAPACK's last digit depends on where in memory a matrix lies.
    numbers = loss.item(), a.grad.abs().sum().item(), L.eigvals(a.detach()).abs().sum().item()
    print(step, *(f"{number:.9f}" for number in numbers))
print(torch.einsum("bij,bjk->bik", torch.ones(2, 3, 4), torch.ones(2, 4, 5)).sum().item())
print(torch.einsum("i,j,ij->", torch.ones(3), torch.arange(3.0), torch.eye(3)).item(), torch.kron(torch.eye(2), torch.ones(1, 2)).tolist())
try:
    L.cholesky(torch.zeros(2, 2) - 1)
except L.LinAlgError as error:
    print(type(error).__name__)
