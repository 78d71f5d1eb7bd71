"""Default type and device are changed, by call, by context and by mode."""

import warnings

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
net = torch.nn.Linear(2, 2)
for step in range(3):
    loss = net(torch.randn(3, 2)).pow(2).mean()
    loss.backward()
    print(step, loss.dtype, loss.item())
torch.set_default_dtype(torch.float32)
torch.set_default_device("cpu")
print(torch.ones(2).dtype, torch.get_default_device())
with torch.device("meta"):
    shape = torch.nn.Linear(3, 4)(torch.ones(2, 3))
    with torch.device("cpu"):
        print(torch.ones(2).exp().sum().item(), shape.device)
torch.set_default_device("meta")
print(torch.ones(3).device, torch.ones(3, device="cpu").sum().item())
torch.set_default_device(None)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.set_default_tensor_type(torch.DoubleTensor)
print(torch.tensor([0.5]).dtype, torch.FloatTensor([1, 2]).sum().item(), torch.Tensor(2, 2).shape)
torch.set_printoptions(precision=2)
print(torch.linspace(0, 1, 3))
