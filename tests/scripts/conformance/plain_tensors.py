"""No module, no optimizer: gradient descent as in the first lesson."""

import torch

torch.manual_seed(0)
x = torch.linspace(-3, 3, 40)
y = torch.sin(x)
a, b, c, d = (torch.randn((), requires_grad=True) for _ in range(4))
for step in range(12):
    guess = a + b * x + c * x**2 + d * x**3
    loss = (guess - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        for weight in (a, b, c, d):
            weight -= 1e-5 * weight.grad
            weight.grad = None
    if step % 4 == 0:
        print(step, loss.item())
print(a.item(), b.item(), c.item(), d.item())
