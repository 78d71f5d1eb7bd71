"""In the manner of Accelerate: backward, accumulation and the optimizer go through a wrapper."""
import contextlib

import torch
from told import at, begin
from torch import nn


class WrappedOptimizer:
    def __init__(self, optimizer, accelerator):
        self.optimizer, self.accelerator = optimizer, accelerator

    def step(self):
        if self.accelerator.sync:
            self.optimizer.step()

    def zero_grad(self):
        if self.accelerator.sync:
            self.optimizer.zero_grad()


class Accelerator:
    def __init__(self, steps):
        self.steps, self.count, self.sync = steps, 0, True

    def prepare(self, model, optimizer):
        return model, WrappedOptimizer(optimizer, self)

    @contextlib.contextmanager
    def accumulate(self):
        self.count += 1
        self.sync = self.count % self.steps == 0
        yield

    def backward(self, loss):
        (loss / self.steps).backward()

    def clip_grad_norm_(self, parameters, norm):
        if self.sync:
            torch.nn.utils.clip_grad_norm_(parameters, norm)


torch.manual_seed(0)
accelerator = Accelerator(2)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
model, optimizer = accelerator.prepare(model, torch.optim.Adam(model.parameters()))
for epoch in range(2):
    model.train()
    begin("train")
    for step in range(6):
        with accelerator.accumulate():
            at("data")
            batch = torch.randn(4, 4)
            at("forward")
            loss = model(batch).abs().mean()
            at("backward")
            accelerator.backward(loss)
            at("optimizer")
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        if accelerator.sync:
            begin("train")
    begin("eval")
    model.eval()
    with torch.no_grad():
        x = torch.randn(4, 4)
        at("forward")
        metric = model(x).mean()
    at("other")
    print(epoch, metric.item())
