import torch

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(4):
    optimizer.zero_grad()
    x = torch.full((2, 4), float("inf") if step == 2 else 1.0 + step)
    loss = net(x).square().mean()
    loss.backward()
    optimizer.step()
    print("step", step)
