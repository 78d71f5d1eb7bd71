"""Memory that other libraries gave or take: dlpack, buffers, the array interface, C pointers."""

import array
import ctypes

import numpy
import torch

torch.manual_seed(0)
for step in range(3):
    x = torch.arange(4.0) + step
    y = torch.from_dlpack(x)
    y[0] = 9
    z = numpy.from_dlpack(x)
    z += 1
    print(x.tolist(), torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x)).sum().item())
    raw = array.array("f", [1, 2, 3])
    buffer = torch.frombuffer(raw, dtype=torch.float32)
    raw[1] = 5
    print(buffer.sum().item(), torch.asarray(raw).tolist())
    ctypes.cast(x.data_ptr(), ctypes.POINTER(ctypes.c_float))[2] = -4
    print((x * 2).tolist(), x.exp().sum().item(), memoryview(x.numpy())[1])


class Offers:
    __array_interface__ = numpy.ones(2).__array_interface__
    kept = numpy.ones(2)


print(torch.as_tensor(numpy.asarray(Offers())).shape, torch.from_dlpack(numpy.arange(3)).sum().item())
