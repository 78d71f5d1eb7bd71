"""The five sparse layouts, their products, sums, and gradients."""

import warnings

import torch

warnings.filterwarnings("ignore")
torch.manual_seed(0)
dense = torch.tensor([[1.0, 0, 2, 0], [0, 0, 0, 3], [4, 0, 0, 0], [0, 5, 6, 0]])
right = torch.randn(4, 2)
layouts = {
    "coo": dense.to_sparse(),
    "csr": dense.to_sparse_csr(),
    "csc": dense.to_sparse_csc(),
    "bsr": dense.to_sparse_bsr((2, 2)),
    "bsc": dense.to_sparse_bsc((2, 2)),
}
for k in range(2):
    for name, sparse in layouts.items():
        print(name, sparse.layout, sparse.values().sum().item(), sparse.to_dense().sum().item())
    print((layouts["coo"] @ right).sum().item(), (layouts["csr"] @ right).sum().item())
x = torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 0]], [3.0, 4.0, 5.0], (2, 3), requires_grad=True)
torch.sparse.sum(x).backward()
print(x.grad, x.coalesce().indices().tolist())
print((x.detach() + x.detach()).coalesce().values().tolist(), x.detach().t().to_dense().tolist())
weight = torch.randn(4, 2, requires_grad=True)
torch.sparse.mm(layouts["coo"], weight).pow(2).sum().backward()
print(weight.grad.sum().item(), torch.sparse.softmax(layouts["coo"], 1).to_dense().sum().item())
table = torch.nn.Embedding(6, 2, sparse=True)
optimizer = torch.optim.SparseAdam(table.parameters())
for k in range(3):
    optimizer.zero_grad()
    table(torch.tensor([1, 3, 1])).pow(2).sum().backward()
    optimizer.step()
print(table.weight.sum().item(), table.weight.grad.layout)
