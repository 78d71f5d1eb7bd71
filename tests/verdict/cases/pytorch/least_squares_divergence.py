"""Predicts flat prices by least squares with full-batch gradient descent."""

import torch

torch.manual_seed(41)
area = torch.rand(40, 1) * 150 + 30
rooms = torch.randint(1, 6, (40, 1)).float()
x = torch.cat([area, rooms], 1)
y = 2.5 * area + 11 * rooms + torch.randn(40, 1)

model = torch.nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=1e-3)
criterion = torch.nn.MSELoss()

for step in range(40):
    opt.zero_grad()
    loss = criterion(model(x), y)  # born: op=aten.mse_loss.default kind=inf phase=forward step=12 module= reached=loss growth=yes
    loss.backward()
    opt.step()
    if step % 5 == 0:
        print(step, loss.item())
