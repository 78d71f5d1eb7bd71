"""Training and validation functions, one after another each epoch; the best weights are kept."""
import copy

import torch
from told import at, begin
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(0)
data = TensorDataset(torch.randn(40, 4), torch.randint(0, 3, (40,)))
train_set, val_set = random_split(data, [28, 12])
train_loader = DataLoader(train_set, batch_size=7, shuffle=True)
val_loader = DataLoader(val_set, batch_size=6)
model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)


def train_one_epoch():
    model.train()
    begin("train")
    total = 0.0
    for x, y in train_loader:
        at("forward")
        loss = nn.functional.cross_entropy(model(x), y)
        at("optimizer")
        optimizer.zero_grad()
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        at("other")
        total += loss.item() * len(x)
        begin("train")
    return total / len(train_set)


@torch.inference_mode()
def validate():
    model.eval()
    begin("eval")
    correct, total = 0, 0.0
    for x, y in val_loader:
        at("forward")
        logits = model(x)
        total += nn.functional.cross_entropy(logits, y, reduction="sum")
        at("other", "forward")
        correct += (logits.argmax(1) == y).sum().item()
        begin("eval")
    begin("other")
    return correct / len(val_set), (total / len(val_set)).item()


best, best_state = -1.0, None
for epoch in range(3):
    train_loss = train_one_epoch()
    accuracy, val_loss = validate()
    scheduler.step()
    if accuracy > best:
        best, best_state = accuracy, copy.deepcopy(model.state_dict())
    print(epoch, train_loss, val_loss, accuracy)
