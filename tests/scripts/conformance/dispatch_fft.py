"""Fourier transforms, complex numbers, conjugates that are only marked, and flips."""

import torch

torch.manual_seed(0)
x = torch.randn(8, requires_grad=True)
for k in range(3):
    spectrum = torch.fft.rfft(x)
    filtered = spectrum * torch.exp(1j * torch.linspace(0, 1, 5))
    back = torch.fft.irfft(filtered, n=8)
    power = (spectrum * spectrum.conj()).real.sum()
    (back.pow(2).sum() + power).backward()
    print(k, power.item(), x.grad.tolist())
z = torch.randn(3, 3, dtype=torch.complex64)
print(z.conj().is_conj(), z.H.sum().item(), (z.conj() @ z).diagonal().real.sum().item(), z.imag.neg().sum().item())
print(torch.view_as_real(z).shape, torch.view_as_complex(torch.ones(2, 2)).tolist(), z.conj().imag.is_neg())
print(torch.polar(torch.ones(2), torch.tensor([0.5, 1.0])).angle().tolist(), z.abs().max().item())
y = z.clone()
y.real[0] = 2
y.imag.mul_(0.5)
print(y.sum().item(), torch.fft.fftn(torch.ones(2, 2, 2)).sum().item(), torch.fft.fftshift(torch.arange(4)).tolist())
print(torch.stft(torch.ones(32), 8, return_complex=True, window=torch.hann_window(8)).abs().sum().item())
w = torch.randn(2, dtype=torch.complex128, requires_grad=True)
(w.abs() + (w * w.conj()).real).sum().backward()
print(w.grad.tolist(), torch.complex(torch.ones(1), torch.ones(1)).half().dtype)
