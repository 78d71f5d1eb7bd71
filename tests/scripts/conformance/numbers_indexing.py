"""Scatter, gather, index_put, masks, nonzero, where, take, sort, unique, topk and their kind."""

import torch

torch.manual_seed(0)
for step in range(3):
    x = torch.randn(4, 5, requires_grad=True)
    index = torch.randint(0, 5, (4, 2))
    loss = x.gather(1, index).sum() + x[index[:, 0] > 1].pow(2).sum() + x[torch.arange(4), index[:, 1]].sin().sum()
    loss = loss + torch.zeros(4, 5).scatter_add(1, index, x[:, :2]).max() + x.index_select(1, index[0]).sum()
    loss = loss + torch.where(x > 0, x, x * 0.1).sum() + x.masked_fill(x < -1, 0.0).sum() + x.take(index).sum()
    loss = loss + x.masked_select(x > 0.5).sum() + x.topk(2)[0].sum() + x.sort(1, descending=True)[0][:, 0].sum()
    loss = loss + x.scatter_reduce(1, index, x[:, :2], "amax").sum() + x.kthvalue(2)[0].sum() + x.median() + x.cummax(0)[0].sum()
    loss.backward()
    print(step, loss.item(), x.grad.abs().sum().item(), (x > 1).nonzero().tolist())
    n = torch.randint(0, 4, (8,))
    print(n.unique(return_counts=True)[1].tolist(), n.bincount().tolist(), torch.unique_consecutive(n).tolist(), n.argsort(stable=True).tolist())
    print(torch.searchsorted(torch.arange(4), n).tolist(), torch.histc(x.detach(), 4).tolist(), torch.bucketize(n, torch.tensor([1, 2])).tolist())
    print(torch.isin(n, torch.tensor([1, 3])).tolist(), torch.combinations(n[:3]).tolist(), torch.cartesian_prod(n[:2], n[:2]).shape)
    y = torch.zeros(3, 3)
    y[[0, 2], [1, 1]] += 1
    y[y == 1] = torch.tensor([5.0, 6.0])
    y.index_fill_(0, torch.tensor([1]), 2.0).diagonal().fill_(step)
    print(y.tolist(), torch.nonzero(y > 4, as_tuple=True)[0].tolist(), torch.tril_indices(3, 3).shape)
