"""Nested tensors, strided and jagged."""

import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)
parts = [torch.randn(2, 4), torch.randn(3, 4)]
earlier = torch.nested.nested_tensor(parts)
for k in range(2):
    strided = torch.nested.nested_tensor(parts)
    print((earlier + strided).unbind()[0].sum().item(), strided.size(0), strided.to_padded_tensor(0.0).sum().item(), (strided * 2).unbind()[1].sum().item())
    print(nn.functional.linear(strided, torch.ones(2, 4)).unbind()[0].tolist())
    jagged = torch.nested.nested_tensor(parts, layout=torch.jagged, requires_grad=True)
    out = nn.functional.layer_norm(jagged.sin() @ torch.ones(4, 4), (4,)) + 1
    out.values().sum().backward()
    print(out.shape[0], out.values().sum().item(), jagged.grad.values().shape)
    print([t.sum().item() for t in jagged.unbind()], jagged.offsets().tolist())
    q = jagged.detach().unflatten(-1, (2, 2)).transpose(1, 2)
    print(nn.functional.scaled_dot_product_attention(q, q, q).transpose(1, 2).values().sum().item())
print(torch.nested.as_nested_tensor(parts).requires_grad, jagged.mean(1).shape)
net = nn.Linear(4, 3)
net(torch.nested.nested_tensor(parts, layout=torch.jagged)).values().sum().backward()
print(net.weight.grad.sum().item())
