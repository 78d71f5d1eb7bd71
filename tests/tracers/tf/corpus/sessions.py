"""Graphs and sessions, as people wrote for TensorFlow 1."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np

from corpus.programs import program
from graphlens_tracers.tf.compat import tf

v1 = tf.compat.v1
X = np.random.default_rng(7).normal(size=(6, 3)).astype(np.float32)
CONFIG = v1.ConfigProto()
CONFIG.graph_options.rewrite_options.disable_meta_optimizer = True


@program
def feeds_and_partial_fetches() -> Any:
    with tf.Graph().as_default(), v1.Session(config=CONFIG) as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        given = v1.placeholder_with_default(2.0, [], name="given")
        y = tf.nn.relu(x) * given
        with tf.control_dependencies([tf.debugging.assert_non_negative(y)]):
            z = tf.identity(y, name="z")
        some = session.run([y, "z:0"], {x: X}), session.run(tf.reduce_sum(z), {x: X, given: 3.0})
        return some, z.eval({x: X[:1]}), session.run({"a": (y, [x])}, {y: X, x: X})


@program
def variable_scopes() -> Any:
    def layer(x: Any, size: int, name: str) -> Any:
        with v1.variable_scope(name, reuse=v1.AUTO_REUSE):
            weight = v1.get_variable("w", [x.shape[-1], size], initializer=v1.glorot_normal_initializer(3))
            return tf.tanh(x @ weight + v1.get_variable("b", [size], initializer=v1.zeros_initializer()))

    with tf.Graph().as_default(), v1.Session(config=CONFIG) as session:
        v1.set_random_seed(5)
        first = layer(tf.constant(X), 3, "one")
        both = layer(first, 3, "one"), layer(first, 2, "two")
        session.run(v1.global_variables_initializer())
        return session.run(both), [one.name for one in v1.trainable_variables()]


def _trained(optimizer: Any, resource: bool) -> Any:
    with tf.Graph().as_default(), v1.Session(config=CONFIG) as session:
        x = v1.placeholder(tf.float32, [None, 3])
        weight = v1.get_variable("w", initializer=tf.ones([3, 1]), use_resource=resource)
        loss = tf.reduce_mean(tf.square(x @ weight - 1.0))
        step = v1.train.get_or_create_global_step()
        pairs = optimizer().compute_gradients(loss)
        clipped = [(tf.clip_by_norm(gradient, 0.5), variable) for gradient, variable in pairs]
        train = optimizer().apply_gradients(clipped, step)
        session.run(v1.global_variables_initializer())
        losses = [session.run(one, {x: X}) for _ in range(3) for one in (loss, train, step)]
        return losses, session.run([weight, tf.gradients(loss, weight)], {x: X})


@program
def optimizers_of_tensorflow_1() -> Any:
    kinds: list[Any] = [
        lambda: v1.train.AdamOptimizer(0.1),
        lambda: v1.train.MomentumOptimizer(0.1, 0.9),
        lambda: v1.train.RMSPropOptimizer(0.1),
        lambda: v1.train.AdagradOptimizer(0.1),
    ]
    return [_trained(kind, resource) for kind in kinds for resource in (False, True)]


@program
def loops_of_a_session() -> Any:
    with tf.Graph().as_default(), v1.Session(config=CONFIG) as session:
        x = v1.placeholder(tf.float32, [])
        _, y = tf.while_loop(lambda k, _: k < 4, lambda k, y: (k + 1, y * x), [0, 1.0])
        z = tf.cond(x > 1.0, lambda: x * 2.0, lambda: x - 1.0)
        return [session.run([y, z, tf.gradients(y, x)], {x: value}) for value in (0.5, 2.0)]


@program
def a_monitored_session() -> Any:
    with tf.Graph().as_default(), tempfile.TemporaryDirectory() as directory:
        step = v1.train.get_or_create_global_step()
        weight = v1.get_variable("w", [2], initializer=v1.ones_initializer())
        train = v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(weight**2.0), step)
        hooks = [v1.train.StopAtStepHook(3), v1.train.NanTensorHook(tf.reduce_sum(weight))]
        found = []
        make = v1.train.MonitoredTrainingSession
        with make(hooks=hooks, config=CONFIG, checkpoint_dir=directory, log_step_count_steps=None) as session:
            while not session.should_stop():
                found += [session.run(one) for one in (weight, train)]
        return found, v1.train.load_variable(v1.train.latest_checkpoint(directory), "w")


@program
def an_iterator_of_a_session() -> Any:
    found = []
    with tf.Graph().as_default(), v1.Session(config=CONFIG) as session:
        batches = v1.data.make_initializable_iterator(tf.data.Dataset.from_tensor_slices(X).batch(4))
        batch = tf.reduce_sum(batches.get_next())
        accuracy, update = v1.metrics.mean(batch)
        session.run([batches.initializer, v1.local_variables_initializer()])
        try:
            while True:
                found.append(session.run([batch, update]))
        except tf.errors.OutOfRangeError as error:
            found.append([str(error.message).partition("\n")[0]])
        return found, session.run(accuracy)


@program
def a_saver() -> Any:
    with tempfile.TemporaryDirectory() as directory, tf.Graph().as_default():
        weight = v1.get_variable("w", initializer=[1.0, 2.0])
        bumped, saver = weight.assign(weight * 3.0), v1.train.Saver()
        with v1.Session(config=CONFIG) as session:
            session.run(v1.global_variables_initializer())
            session.run(bumped)
            path = saver.save(session, f"{directory}/model", global_step=1)
        with v1.Session(config=CONFIG) as session:
            saver.restore(session, path)
            return session.run(weight)


@program
def a_frozen_graph() -> Any:
    with tf.Graph().as_default() as graph, v1.Session(config=CONFIG) as session:
        weight = v1.get_variable("w", initializer=[1.0, 2.0])
        tf.multiply(v1.placeholder(tf.float32, [2], name="x"), weight, name="y")
        session.run(weight.initializer)
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["y"])
    with tf.Graph().as_default(), v1.Session(config=CONFIG) as session:
        (y,) = tf.import_graph_def(frozen, return_elements=["y:0"], name="again")
        return session.run(y, {"again/x:0": [3.0, 4.0]})
