"""Train a small convolutional network to read handwritten digits.

The data are scikit-learn's 1,797 digits of 8 by 8 pixels, which come with the package. A script as
one would write it at work: nothing in it knows about graphlens. Watch it with

    graphlens run examples/digits.py

and plant a bug that people really make, the logarithm of a softmax, with `--nan`.
"""

from __future__ import annotations

import argparse
import hashlib

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn


class Block(nn.Module):
    """Convolution, normalisation, activation."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class DigitNet(nn.Module):
    """Two blocks, each halving the picture, and a classifier."""

    def __init__(self, width: int, classes: int = 10) -> None:
        super().__init__()
        self.block1 = Block(1, width)
        self.block2 = Block(width, 2 * width)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.25)
        self.hidden = nn.Linear(2 * width * 2 * 2, 64)
        self.out = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.block1(x))
        x = self.pool(self.block2(x))
        x = self.drop(x.flatten(1))
        return self.out(F.relu(self.hidden(x)))


def careless_loss(scores: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Cross entropy as the formula has it, of scores that are sharpened by a low temperature.

    Goes well until the model is sure of itself: a probability that has become exactly 0 has the
    logarithm -inf, and 0 * -inf is NaN. `F.cross_entropy` subtracts logarithms instead.
    """
    probabilities = F.softmax(scores / temperature, dim=1)
    wanted = F.one_hot(labels, scores.shape[1])
    return -(wanted * probabilities.log()).sum(dim=1).mean()


def load() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images [n, 1, 8, 8] and labels [n]: 1,440 to learn from and 357 to be tested on."""
    pixels, targets = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    labels = torch.tensor(targets)
    order = torch.randperm(len(labels))
    images, labels = images[order], labels[order]
    return images[:1440], labels[:1440], images[1440:], labels[1440:]


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor, batch: int) -> float:
    """How many of the digits are read correctly, from 0 to 1."""
    model.eval()
    right = 0
    for start in range(0, len(labels), batch):
        scores = model(images[start : start + batch])
        right += int((scores.argmax(dim=1) == labels[start : start + batch]).sum())
    model.train()
    return right / len(labels)


def digest(model: nn.Module) -> str:
    """Of every parameter and buffer, to the last bit."""
    sha = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        sha.update(name.encode())
        sha.update(tensor.contiguous().numpy().tobytes())
    return sha.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small network on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--steps", type=int, help="stop after that many training steps")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--width", type=int, default=24, help="channels of the first block")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--nan", action="store_true", help="plant a bug: a loss that turns into NaN after a while"
    )
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    images, labels, test_images, test_labels = load()
    model = DigitNet(arguments.width)
    optimizer = torch.optim.SGD(model.parameters(), lr=arguments.lr)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.95)

    step = 0
    for epoch in range(arguments.epochs):
        order = torch.randperm(len(labels))
        losses = []
        for start in range(0, len(order), arguments.batch):
            if step == arguments.steps:
                break
            chosen = order[start : start + arguments.batch]
            optimizer.zero_grad()
            scores = model(images[chosen])
            if arguments.nan:
                loss = careless_loss(scores, labels[chosen], temperature=0.8**epoch)
            else:
                loss = F.cross_entropy(scores, labels[chosen])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
        schedule.step()
        accuracy = evaluate(model, test_images, test_labels, arguments.batch)
        mean = sum(losses) / len(losses)
        print(f"epoch {epoch + 1:2}  loss {mean:.4f}  accuracy {accuracy:.1%}", flush=True)
        if step == arguments.steps:
            break

    print(f"{step} steps, parameters {digest(model)[:16]}")


if __name__ == "__main__":
    main()
