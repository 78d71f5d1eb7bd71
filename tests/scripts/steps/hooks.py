"""In the manner of Lightning: the loop is the library's, the steps are methods of the module."""
import torch
from told import at, begin
from torch import nn


class LightModule(nn.Module):
    def on_train_epoch_end(self, outputs): ...
    def on_validation_epoch_end(self, outputs): ...


class Classifier(LightModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)

    def training_step(self, batch, index):
        x, y = batch
        at("forward")
        loss = nn.functional.cross_entropy(self(x), y)
        at("other")
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, index):
        x, y = batch
        at("forward")
        logits = self(x)
        at("other", "forward")
        return (logits.argmax(-1) == y).float().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def on_validation_epoch_end(self, outputs):
        print(torch.stack(outputs).mean().item())

    def log(self, name, value):
        self.logged = (name, value.item())


class Fit:
    def __init__(self, max_epochs, sanity=1):
        self.max_epochs, self.sanity = max_epochs, sanity

    def fit(self, module, train, val):
        optimizer = module.configure_optimizers()
        self.validate(module, val[: self.sanity])
        for epoch in range(self.max_epochs):
            module.train()
            outputs = [self.training(module, optimizer, batch, i) for i, batch in enumerate(train)]
            begin("other")
            module.on_train_epoch_end(outputs)
            self.validate(module, val)

    def training(self, module, optimizer, batch, i):
        begin("train")

        def closure():
            loss = module.training_step(batch, i)
            at("optimizer")
            optimizer.zero_grad()
            at("backward")
            loss.backward()
            at("optimizer")
            return loss

        at("optimizer")
        loss = optimizer.step(closure)
        at("other")
        return loss.detach()

    def validate(self, module, val):
        module.eval()
        with torch.no_grad():
            outputs = []
            for i, batch in enumerate(val):
                begin("eval")
                outputs.append(module.validation_step(batch, i))
        begin("other")
        module.on_validation_epoch_end(outputs)
        module.train()


torch.manual_seed(0)
train = [(torch.randn(5, 4), torch.randint(0, 3, (5,))) for _ in range(4)]
val = [(torch.randn(5, 4), torch.randint(0, 3, (5,))) for _ in range(2)]
Fit(2).fit(Classifier(), train, val)
