"""A Trainer class with a step method for training and one for validation."""
import torch
from told import at, begin
from torch import nn


class Trainer:
    def __init__(self, model, optimizer, epochs):
        self.model, self.optimizer, self.epochs = model, optimizer, epochs
        self.history = []

    def fit(self, train, valid):
        for epoch in range(self.epochs):
            self.model.train()
            self.run_epoch(train, self.train_step, "train")
            self.model.eval()
            with torch.no_grad():
                loss = self.run_epoch(valid, self.valid_step, "eval")
            self.history.append(loss)

    def run_epoch(self, batches, step, role):
        losses = []
        for batch in batches:
            begin(role)
            losses.append(step(batch))
        begin("other")
        return torch.stack(losses).mean().item()

    def train_step(self, batch):
        loss = self.compute_loss(batch)
        at("backward")
        loss.backward()
        at("optimizer")
        self.optimizer.step()
        self.optimizer.zero_grad()
        at("other")
        return loss.detach()

    def valid_step(self, batch):
        return self.compute_loss(batch)

    def compute_loss(self, batch):
        x, y = batch
        at("data")
        x = (x - x.mean(0)) / (x.std(0) + 1e-5)
        at("forward")
        return nn.functional.smooth_l1_loss(self.model(x), y)


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2))
trainer = Trainer(model, torch.optim.Adam(model.parameters(), 1e-2), 3)
train = [(torch.randn(6, 4), torch.randn(6, 2)) for _ in range(4)]
valid = [(torch.randn(6, 4), torch.randn(6, 2)) for _ in range(2)]
trainer.fit(train, valid)
print(trainer.history)
