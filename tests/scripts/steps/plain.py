"""The loop of every tutorial: epochs, batches from a loader, the loss logged now and then."""
import torch
from told import at, begin
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(32, 6)
targets = (inputs.sum(1) > 0).long()
loader = DataLoader(TensorDataset(inputs, targets), batch_size=8, shuffle=True)
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

begin("train")
for epoch in range(3):
    running = 0.0
    for i, (x, y) in enumerate(loader):
        at("optimizer")
        optimizer.zero_grad()
        at("forward")
        output = model(x)
        loss = criterion(output, y)
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        at("other")
        running += loss.item()
        begin("train")
    print(f"epoch {epoch}: {running / len(loader):.4f}")
