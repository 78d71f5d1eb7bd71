"""One validation batch before training, to see that nothing is broken; then epochs of both."""
import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
xs, ys = torch.randn(30, 4), torch.randint(0, 2, (30,))
train_x, train_y, val_x, val_y = xs[:20], ys[:20], xs[20:], ys[20:]
model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def evaluate(limit):
    model.eval()
    losses = []
    with torch.no_grad():
        for start in range(0, limit, 5):
            begin("eval")
            x, y = val_x[start : start + 5], val_y[start : start + 5]
            at("forward")
            loss = criterion(model(x), y)
            at("other")
            losses.append(loss.item())
    model.train()
    return sum(losses) / len(losses)


print("sanity", evaluate(5))
for epoch in range(2):
    for start in range(0, 20, 5):
        begin("train")
        x, y = train_x[start : start + 5], train_y[start : start + 5]
        at("optimizer")
        optimizer.zero_grad()
        at("forward")
        loss = criterion(model(x), y)
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
    print(epoch, evaluate(10))
