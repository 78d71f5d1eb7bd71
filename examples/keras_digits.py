"""Train a small Keras network to read handwritten digits.

The data are scikit-learn's 1,797 digits of 8 by 8 pixels, which come with the package. A script as
one would write it at work: nothing in it knows about graphlens. Watch it with

    graphlens run examples/keras_digits.py

and plant a bug that people really make, the logarithm of a softmax, with `--nan`.
"""

from __future__ import annotations

import argparse
from typing import Any

import keras
from sklearn.datasets import load_digits


def digit_net(width: int, classes: int = 10) -> Any:
    """Two blocks, each halving the picture, and a classifier that gives logits."""
    layers: list[Any] = [keras.Input((8, 8, 1))]
    for channels in (width, 2 * width):
        layers += [
            keras.layers.Conv2D(channels, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.2), keras.layers.Dense(classes, name="logits")]
    return keras.Sequential(layers, name="digit_net")


def log_of_softmax(labels: Any, logits: Any) -> Any:
    """Cross entropy as one should not write it: a probability that rounds to zero has no logarithm."""
    chances = keras.ops.softmax(40.0 * logits)
    wanted: Any = keras.ops.one_hot(labels, 10)
    return keras.ops.sum(-wanted * keras.ops.log(chances), axis=-1)


def main() -> None:
    """Train, and say how well it reads what it has not seen."""
    parser = argparse.ArgumentParser(description="Train a small Keras network to read handwritten digits.")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nan", action="store_true", help="plant a bug: the logarithm of a softmax")
    given = parser.parse_args()

    keras.utils.set_random_seed(given.seed)
    digits: Any = load_digits()
    pictures = (digits.images[..., None] / 16.0).astype("float32")
    labels = digits.target.astype("int32")
    model = digit_net(given.width)
    loss = log_of_softmax if given.nan else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(pictures[:1500], labels[:1500], batch_size=64, epochs=given.epochs, verbose=2)
    _, accuracy = model.evaluate(pictures[1500:], labels[1500:], batch_size=64, verbose=0)
    print(f"reads {accuracy:.1%} of what it has not seen")


if __name__ == "__main__":
    main()
