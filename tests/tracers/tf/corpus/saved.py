"""What is written to files, and what is read from them."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import keras as _keras
import numpy as np

from corpus.programs import numbers, program
from corpus.training import X, Y, small
from graphlens_tracers.tf.compat import tf

keras: Any = _keras  # its sources have the wrong types


class Scaled(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """What is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(2.0)
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [3.0]), -1.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def scaled(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: x * self.weight, lambda: -x)

    @tf.function
    def looked_up(self, words: Any, twice: bool = False) -> Any:
        return self.table.lookup(words) * (2.0 if twice else 1.0)


@program
def a_saved_model() -> Any:
    with tempfile.TemporaryDirectory() as directory:
        module = Scaled()
        module.looked_up(tf.constant(["a", "b"]))
        tf.saved_model.save(module, directory, signatures={"serve": module.scaled})
        loaded = tf.saved_model.load(directory)
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(loaded.scaled(tf.abs(numbers(3))))
        loaded.weight.assign(5.0)
        words = loaded.looked_up(tf.constant(["a", "b"]))
        served = loaded.signatures["serve"](x=numbers(3))
        return y, tape.gradient(y, loaded.weight), words, loaded.scaled(numbers(2)), served


@program
def a_saved_model_in_a_session() -> Any:
    with tempfile.TemporaryDirectory() as directory:
        module = Scaled()
        tf.saved_model.save(module, directory, signatures={"serve": module.scaled})
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], directory)
            serve = loaded.signature_def["serve"]
            return session.run(serve.outputs["output_0"].name, {serve.inputs["x"].name: [1.0, 2.0]})


@program
def a_saved_keras_model() -> Any:
    with tempfile.TemporaryDirectory() as directory:
        model = small(keras.layers.BatchNormalization())
        model.compile("adam", "mse")
        model.fit(X, Y, verbose=0)
        model.save(f"{directory}/model.keras")
        model.export(f"{directory}/served", verbose=False)
        again = keras.models.load_model(f"{directory}/model.keras")
        again.fit(X, Y, verbose=0)
        served = tf.saved_model.load(f"{directory}/served").serve(tf.constant(X))
        return model.predict(X, verbose=0), again.predict(X, verbose=0), served


@program
def checkpoints() -> Any:
    with tempfile.TemporaryDirectory() as directory:
        weight, optimizer = tf.Variable(numbers(3)), keras.optimizers.Adam(0.1)
        optimizer.apply_gradients([(tf.ones(3), weight)])
        checkpoint = tf.train.Checkpoint(weight=weight, step=tf.Variable(0))
        manager = tf.train.CheckpointManager(checkpoint, directory, max_to_keep=2)
        for _ in range(3):
            checkpoint.step.assign_add(1)
            manager.save()
        weight.assign(tf.zeros(3))
        checkpoint.restore(manager.latest_checkpoint).assert_consumed()
        late = tf.train.Checkpoint()
        late.restore(manager.checkpoints[0])
        late.weight = tf.Variable(tf.zeros(3))
        names = sorted(os.path.basename(path) for path in manager.checkpoints)
        return weight.read_value(), late.weight.read_value(), checkpoint.step.read_value(), names


@program
def summaries() -> Any:
    with tempfile.TemporaryDirectory() as directory:
        writer = tf.summary.create_file_writer(directory)

        @tf.function
        def step(k: Any) -> Any:
            with writer.as_default(), tf.summary.record_if(k % 2 == 0):
                tf.summary.scalar("loss", tf.cast(k, tf.float32) * 0.5, step=k)
            return k

        with writer.as_default(step=7):
            tf.summary.scalar("outside", 0.5)
            tf.summary.text("words", "what was said")
        for k in range(3):
            step(tf.constant(k, tf.int64))
        writer.close()
        (file,) = os.listdir(directory)
        events = list(tf.compat.v1.train.summary_iterator(os.path.join(directory, file)))
        return [(one.step, value.tag, value.tensor) for one in events for value in one.summary.value]


@program
def records() -> Any:
    def example(k: int) -> bytes:
        floats = tf.train.Feature(float_list=tf.train.FloatList(value=[k * 0.5]))
        made: bytes = tf.train.Example(features=tf.train.Features(feature={"x": floats})).SerializeToString()
        return made

    with tempfile.TemporaryDirectory() as directory:
        with tf.io.TFRecordWriter(f"{directory}/data") as writer:
            for k in range(3):
                writer.write(example(k))
        kinds = {"x": tf.io.FixedLenFeature([], tf.float32)}
        data = tf.data.TFRecordDataset(f"{directory}/data")
        found = list(data.map(lambda one: tf.io.parse_single_example(one, kinds)["x"]))
        tf.data.Dataset.range(3).save(f"{directory}/saved")
        picture = tf.io.decode_png(tf.io.encode_png(tf.constant(np.arange(12).reshape(2, 2, 3), tf.uint8)))
        return found, list(tf.data.Dataset.load(f"{directory}/saved")), picture


@program
def shown_as_they_run() -> Any:
    compute = tf.function(lambda x: tf.math.bessel_i1e(x) * 2.0)  # what no other function here computes
    with tempfile.TemporaryDirectory() as directory:
        with tf.summary.create_file_writer(directory).as_default():
            tf.summary.trace_on(graph=True)
            y = compute(numbers(3))
            tf.summary.trace_export("traced", step=0)
        (file,) = os.listdir(directory)
        events = tf.compat.v1.train.summary_iterator(os.path.join(directory, file))
        (written,) = [value.tensor.string_val[0] for one in events for value in one.summary.value]
        told = tf.compat.v1.RunMetadata.FromString(written)
        graphs = [[node.name for node in one.pre_optimization_graph.node] for one in told.function_graphs]
        return y, [sorted(names) for names in graphs if "BesselI1e" in names]
