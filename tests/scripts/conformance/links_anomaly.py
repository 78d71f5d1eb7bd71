"""Anomaly mode is on: a backward that makes NaN raises, with the forward's traceback."""

import warnings

import torch

torch.manual_seed(0)
with torch.autograd.detect_anomaly(check_nan=True):
    x = torch.rand(3, requires_grad=True)
    (x.exp() * 2).sum().backward()
    print(x.grad.tolist())
    zero = torch.zeros(3, requires_grad=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            (zero.sqrt() * 0).sum().backward()
        except RuntimeError as error:
            print(error)
        print(len(caught), "sqrt" in str(caught[-1].message))
with torch.autograd.set_detect_anomaly(False):
    (zero.sqrt() * 0).sum().backward()
print(zero.grad.tolist())
