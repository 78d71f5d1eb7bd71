"""Quantised tensors, fake quantisation, a dynamically quantised network."""

import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)
torch.backends.quantized.engine = "x86" if "x86" in torch.backends.quantized.supported_engines else "qnnpack"
x = torch.linspace(-1, 1, 8)
for k in range(2):
    q = torch.quantize_per_tensor(x, 0.1, 10, torch.quint8)
    print(q.int_repr().tolist(), q.dequantize().sum().item(), q.q_scale())
    c = torch.quantize_per_channel(x.view(2, 4), torch.tensor([0.1, 0.2]), torch.tensor([0, 0]), 0, torch.qint8)
    print(c.dequantize().sum().item(), q[2:4].dequantize().tolist(), q.view(2, 4).shape, q.clone().q_zero_point())
    y = x.clone().requires_grad_()
    torch.fake_quantize_per_tensor_affine(y, 0.1, 0, -8, 7).sum().backward()
    print(y.grad.tolist())
net = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
small = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
for k in range(3):
    print([round(v, 3) for v in small(torch.randn(1, 8))[0].tolist()])
print(type(small[0]).__module__.split(".")[-1])
