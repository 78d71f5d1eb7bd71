"""Memory that NumPy shares: what it writes is there without an operation."""

import numpy
import torch

torch.manual_seed(0)
array = numpy.arange(6, dtype=numpy.float32)
tensor = torch.from_numpy(array)
for k in range(3):
    array += 1
    print(k, tensor.sum().item(), (tensor * 2)[k].item())
    tensor.mul_(2)
    print(array.tolist())
other = torch.ones(3)
view = other.numpy()
view[1] = 5
print(other.exp().tolist(), numpy.shares_memory(view, other.numpy()))
print(torch.as_tensor([[1, 2], [3, 4]]).sum().item(), torch.tensor(array).sum().item())
print(numpy.sin(other).sum(), numpy.asarray(other.to(torch.float64)).dtype, torch.asarray(array)[0].item())
print(float(other @ other), numpy.add(array[:3], other.numpy()).tolist(), array.dtype.type(1) * other)
x = torch.randn(3, requires_grad=True)
try:
    x.numpy()
except RuntimeError as error:
    print(error)
print(x.detach().numpy().shape, numpy.array(x.tolist()).shape)
