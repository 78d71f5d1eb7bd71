"""Keras: models and how they are trained."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import keras as _keras
import numpy as np
import pytest

from corpus.programs import numbers, program
from graphlens_tracers.tf.compat import tf

keras: Any = _keras  # its sources have the wrong types

LAYERS = keras.layers
X = np.random.default_rng(7).normal(size=(16, 4)).astype(np.float32)
Y = (X.sum(1, keepdims=True) > 0).astype(np.float32)


def small(*more: Any) -> Any:
    """A network of two layers."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    return keras.Sequential([LAYERS.Dense(3, activation="tanh"), *more, LAYERS.Dense(1)])


def trained(model: Any, **how: Any) -> Any:
    """The weights after training, and what was measured."""
    history = model.fit(X, Y, **{"batch_size": 8, "epochs": 2, "verbose": 0, **how})
    return model.get_weights(), history.history


@program
def fit_with_validation() -> Any:
    model = small(LAYERS.Dropout(0.3))
    model.compile("adam", "mse", metrics=["mae"])
    weights = {0: 1.0, 1: 2.0}
    return trained(model, validation_split=0.25, class_weight=weights), model.evaluate(X, Y, verbose=0)


@program
def fit_with_callbacks() -> Any:
    model = small()
    model.compile("sgd", "mse")
    with tempfile.TemporaryDirectory() as directory:
        callbacks = [
            keras.callbacks.EarlyStopping("loss", patience=1, min_delta=10.0),
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
            keras.callbacks.ModelCheckpoint(f"{directory}/best.weights.h5", save_weights_only=True),
            keras.callbacks.CSVLogger(f"{directory}/log.csv"),
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, sorted(logs))),
        ]
        found = trained(model, epochs=5, callbacks=callbacks)
        model.load_weights(f"{directory}/best.weights.h5")
        with open(f"{directory}/log.csv") as log:
            return found, model.get_weights(), [line.split(",")[0] for line in log]


@program
def one_batch_at_a_time() -> Any:
    model = small()
    model.compile("rmsprop", "mse", metrics=["mae"])
    losses = [model.train_on_batch(X[:8], Y[:8], return_dict=True) for _ in range(3)]
    return losses, model.test_on_batch(X, Y), model.predict_on_batch(X), model(X[:2], training=False)


class Custom(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A model that says itself what a step is."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = LAYERS.Dense(3, activation="relu"), LAYERS.Dense(1)
        self.tracker = keras.metrics.Mean("loss")

    def call(self, x: Any) -> Any:
        return self.head(self.hidden(x))

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2.0) + 0.01 * tf.nn.l2_loss(self.head.kernel)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, self.trainable_variables), 0.5)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}

    @property
    def metrics(self) -> list[Any]:
        return [self.tracker]


@program
def a_custom_step() -> Any:
    keras.utils.set_random_seed(5)
    model = Custom()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    return trained(model)


@program
def several_steps_at_a_time() -> Any:
    model = small(LAYERS.BatchNormalization())
    model.compile("adamw", "mse", steps_per_execution=2, weighted_metrics=["mae"])
    return trained(model, sample_weight=np.linspace(0.5, 1.5, 16).astype(np.float32))


@program
def run_eagerly() -> Any:
    model = small(LAYERS.Dropout(0.3))
    model.compile("adam", "mse", run_eagerly=True)
    return trained(model)


@program
def mixed_precision() -> Any:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = small(LAYERS.Activation("linear", dtype="float32"))
        model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)), "mse")
        return trained(model)
    finally:
        keras.mixed_precision.set_global_policy("float32")


@program
def recurrent_layers() -> Any:
    keras.utils.set_random_seed(5)
    layers = [LAYERS.Reshape((4, 1)), LAYERS.Masking(), LAYERS.GRU(2, return_sequences=True), LAYERS.LSTM(2)]
    model = keras.Sequential([*layers, LAYERS.Dense(1)])
    model.compile("adam", "mse")
    return trained(model, epochs=1)


@program
def several_inputs_and_outputs() -> Any:
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = LAYERS.Dense(3, activation="gelu")
    both = LAYERS.Concatenate()([shared(a), shared(b)])
    model = keras.Model([a, b], [LAYERS.Dense(1, name="one")(both), LAYERS.Dense(1, name="two")(both)])
    model.compile("adam", ["mse", "mae"], loss_weights=[1.0, 0.5])
    history = model.fit([X, X[::-1]], [Y, Y], batch_size=8, verbose=0)
    return model.get_weights(), history.history, model.predict([X, X], verbose=0)


class Penalised(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """A layer with a loss of its own, and weights that are not trained."""

    def build(self, shape: Any) -> None:
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

    def call(self, x: Any, training: bool = False) -> Any:
        self.add_loss(0.01 * keras.ops.mean(x**2))
        if training:
            self.seen.assign_add(1.0)
        return x


@program
def layers_of_the_script() -> Any:
    model = small(Penalised())
    model.compile("sgd", "mse", metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    return trained(model)


@program
def preprocessing() -> Any:
    scaled, words = LAYERS.Normalization(), LAYERS.TextVectorization(output_sequence_length=3)
    scaled.adapt(X)
    words.adapt(["a b c", "b c"])
    lookup = LAYERS.StringLookup(vocabulary=["x", "y"])
    data = tf.data.Dataset.from_tensor_slices((X[:4], tf.constant(["a b", "c", "", "d"])))
    batches = data.batch(2).map(lambda x, text: (scaled(x), words(text)))
    return list(batches), lookup(tf.constant(["y", "z"])), LAYERS.CategoryEncoding(3)(tf.constant([0, 2]))


@program
def a_loop_of_the_script() -> Any:
    model, metric = small(LAYERS.Dropout(0.2)), keras.metrics.Mean()
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0, use_ema=True)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = keras.losses.BinaryCrossentropy(from_logits=True)(y, model(x, training=True))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True)
        )
        metric.update_state(loss)
        return loss

    batches = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(16, seed=3).batch(8)
    return [step(x, y) for _ in range(2) for x, y in batches], metric.result(), model.get_weights()


@program
def augmentation() -> Any:
    keras.utils.set_random_seed(5)
    model = keras.Sequential([LAYERS.RandomFlip(), LAYERS.RandomRotation(0.1), LAYERS.Rescaling(0.5)])
    return model(numbers(2, 4, 4, 1), training=True), model(numbers(2, 4, 4, 1))


def _fit_of(name: str) -> Callable[[], Any]:
    def run() -> Any:
        keras_2 = pytest.importorskip(name)
        keras_2.utils.set_random_seed(5)
        model = keras_2.Sequential([keras_2.layers.Dense(3, activation="tanh"), keras_2.layers.Dense(1)])
        model.compile("adam", "mse")
        return trained(model, validation_split=0.25)

    run.__name__ = name
    return run


program(_fit_of("tf_keras"))
