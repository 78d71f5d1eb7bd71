"""Callbacks before and after each batch and epoch, as in Keras or fastai."""
import torch
from told import at, begin
from torch import nn


class Callback:
    def on_batch_begin(self, learner): ...
    def on_batch_end(self, learner): ...
    def on_epoch_end(self, learner): ...


class Average(Callback):
    def __init__(self):
        self.value = torch.zeros(())

    def on_batch_end(self, learner):
        self.value = 0.9 * self.value + 0.1 * learner.loss.detach()

    def on_epoch_end(self, learner):
        print("average", self.value.item())


class GradNorm(Callback):
    def on_batch_end(self, learner):
        self.norm = sum(p.grad.norm() ** 2 for p in learner.model.parameters()).sqrt()


class Noise(Callback):
    def on_batch_begin(self, learner):
        x, y = learner.batch
        learner.batch = (x + 0.01 * torch.randn_like(x), y)


class Learner:
    def __init__(self, model, callbacks):
        self.model, self.callbacks = model, callbacks
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def call(self, name):
        for callback in self.callbacks:
            getattr(callback, name)(self)

    def one_batch(self):
        begin("train")
        self.call("on_batch_begin")
        x, y = self.batch
        at("forward")
        self.loss = nn.functional.mse_loss(self.model(x), y)
        at("backward")
        self.loss.backward()
        at("optimizer")
        self.optimizer.step()
        at("other")
        self.call("on_batch_end")
        at("optimizer")
        self.optimizer.zero_grad()

    def fit(self, batches, epochs):
        for _ in range(epochs):
            for self.batch in batches:
                self.one_batch()
            begin("other")
            self.call("on_epoch_end")


torch.manual_seed(0)
batches = [(torch.randn(4, 3), torch.randn(4, 2)) for _ in range(4)]
Learner(nn.Linear(3, 2), [Noise(), Average(), GradNorm()]).fit(batches, 2)
