"""What recording TensorFlow's functions costs, beside what TensorFlow's own checks cost.

    python benchmarks/functions.py [--models fit,loop,recurrent,eager,capture] [--rounds 9]

Each model trains in a process of its own, on one thread. Within a round all ways follow each other,
each making its functions anew and running them once before it is timed; a cost is the median over
the rounds of that round's ratio to plain. Time is CPU time of the process. "capture" is no row of
the table: it is what the first training step of ResNet50 takes, which traces it, and our share of that.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WAYS = ("plain", "structure", "health", "check_numerics", "dump CONCISE_HEALTH")
Training = tuple[Callable[[], object], int]
"""What runs some training steps, and how many."""


def network(keras: Any) -> Any:
    """A small convolutional network."""
    layers: list[Any] = [
        keras.Input((28, 28, 1)), keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.BatchNormalization(), keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, activation="relu"), keras.layers.Flatten(), keras.layers.Dropout(0.2),
        keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10),
    ]  # fmt: skip
    return keras.Sequential(layers)


def fit() -> Training:
    """Keras: a small convolutional network."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model: Any = network(keras)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pictures = np.random.default_rng(0).normal(size=(640, 28, 28, 1)).astype(np.float32)
    labels = np.arange(640) % 10
    return lambda: model.fit(pictures, labels, batch_size=32, verbose=0), 20


def loop() -> Training:
    """A loop of the script's own around one function: six layers, batch 256."""
    tf = tensorflow()
    weights = [tf.Variable(tf.random.normal([64, 64], seed=1) * 0.1) for _ in range(6)]

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            h = x
            for weight in weights:
                h = tf.nn.relu(h @ weight) + h
            loss = tf.reduce_mean(h * h)
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(0.001 * gradient)
        return loss

    x = tf.random.normal([256, 64], seed=2)
    return lambda: [step(x) for _ in range(50)], 50


def recurrent() -> Training:
    """A loop inside of a function, 40 times forth and back."""
    tf = tensorflow()
    weight = tf.Variable(tf.random.normal([64, 64], seed=1) * 0.1)

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            h = tf.zeros([32, 64])
            for k in tf.range(40):
                h = tf.tanh(x[k] + h @ weight)
            loss = tf.reduce_mean(h * h)
        weight.assign_sub(0.01 * tape.gradient(loss, weight))
        return loss

    x = tf.random.normal([40, 32, 64], seed=2)
    return lambda: [step(x) for _ in range(20)], 20


def eager() -> Training:
    """The network of `fit` in a loop of the script's own without any function: 500 operations a step."""
    import keras

    tf = tensorflow()
    keras.utils.set_random_seed(1)
    model = network(keras)
    optimizer: Any = keras.optimizers.Adam()
    loss_of: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    x, y = tf.random.normal([32, 28, 28, 1], seed=1), tf.range(32) % 10

    def run() -> None:
        for _ in range(10):
            with tf.GradientTape() as tape:
                loss = loss_of(y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    return run, 10


MODELS: dict[str, tuple[str, Callable[[], Training]]] = {
    "fit": ("Keras fit, small CNN, batch 32, Adam", fit),
    "loop": ("tf.function, 6 layers of 64, batch 256", loop),
    "recurrent": ("RNN of 40 steps, a loop in the function", recurrent),
    "eager": ("small CNN, batch 32, Adam, no function", eager),
}


def tensorflow() -> Any:
    """TensorFlow, whose sources have the wrong types."""
    import tensorflow

    return tensorflow


@contextmanager
def way(name: Any, folder: Path) -> Iterator[None]:
    """One way to run."""
    debugging = tensorflow().debugging
    if name in ("structure", "health"):
        from graphlens_tracers.api import Options
        from graphlens_tracers.sink import LogSink
        from graphlens_tracers.tf.tracer import TensorFlowTracer

        sink, tracer = LogSink(str(folder), str(folder), sys.argv), TensorFlowTracer()
        tracer.start(sink, Options(level=name))
        try:
            yield
        finally:
            tracer.stop()
            sink.close()
    elif name == "check_numerics":
        debugging.enable_check_numerics()
        try:
            yield
        finally:
            debugging.disable_check_numerics()
    elif name.startswith("dump"):
        debugging.experimental.enable_dump_debug_info(str(folder / "dump"), name.split()[1])
        try:
            yield
        finally:
            debugging.experimental.disable_dump_debug_info()
    else:
        yield


def cpu_time(run: Callable[[], object]) -> float:
    """Seconds that the process computes."""
    began = time.process_time()
    run()
    return time.process_time() - began


def measured(model: str, rounds: int) -> dict[str, Any]:
    """Milliseconds of a plain step, and for each way the median ratio to it."""
    threading = tensorflow().config.threading
    threading.set_intra_op_parallelism_threads(1)
    threading.set_inter_op_parallelism_threads(1)
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name in WAYS:
            with tempfile.TemporaryDirectory() as folder, way(name, Path(folder)):
                run, steps = MODELS[model][1]()
                # From one line: what runs eagerly is known by the lines that call it.
                took = [cpu_time(run) for _ in range(2)]
                times[name].append(took[1] / steps * 1e3)
    plain = times["plain"]
    cost = {
        name: statistics.median(one / other for one, other in zip(times[name], plain, strict=True))
        for name in WAYS[1:]
    }
    return {"plain_ms": statistics.median(plain), "cost": cost}


def captured() -> dict[str, float]:
    """Seconds of CPU that a first training step of ResNet50 takes, and of those ours, by what for."""
    import keras
    import numpy as np

    from graphlens_tracers.tf.tracer import TensorFlowTracer

    seconds = {"noted": 0.0, "declared": 0.0}

    def timed(method: str, what: str) -> None:
        original = getattr(TensorFlowTracer, method)

        def around(*args: Any) -> Any:
            began = time.process_time()
            try:
                return original(*args)
            finally:
                seconds[what] += time.process_time() - began

        setattr(TensorFlowTracer, method, around)

    timed("_note", "noted")
    timed("_watch", "declared")
    applications: Any = keras.applications
    model: Any = applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=10)
    model.compile("adam", "sparse_categorical_crossentropy")
    with tempfile.TemporaryDirectory() as folder, way("structure", Path(folder)):
        began = time.process_time()
        model.train_on_batch(np.zeros((2, 64, 64, 3), np.float32), np.zeros(2))
        return {"all": time.process_time() - began, **seconds}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", default=",".join((*MODELS, "capture")))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        found = captured() if given.one == "capture" else measured(given.one, given.rounds)
        print(json.dumps(found))
        return
    print(f"{platform.platform()}, Python {platform.python_version()}, {given.rounds} rounds\n")
    print("| | plain |", *(f"{name} |" for name in WAYS[1:]))
    print("|---|---:|", *("---:|" for _ in WAYS[1:]), sep="")
    for model in given.models.split(","):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--one", model, "--rounds", str(given.rounds)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        if model == "capture":
            whole = found.pop("all")
            shares = ", ".join(f"{name} {100 * took / whole:.1f} %" for name, took in found.items())
            print(f"\nResNet50, first training step: {whole:.1f} s, of that {shares}", flush=True)
            continue
        cells = (f"{found['cost'][name]:.2f}" for name in WAYS[1:])
        print("|", MODELS[model][0], "|", f"{found['plain_ms']:.2f} ms |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
