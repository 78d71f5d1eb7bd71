"""Small programs, one for each thing that a function of TensorFlow may hold. Each gives what it computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from graphlens_tracers.tf.compat import tf

Program = Callable[[], Any]
PROGRAMS: dict[str, Program] = {}


def program(make: Program) -> Program:
    """Put it into the corpus under its name."""
    PROGRAMS[make.__name__] = make
    return make


def numbers(*shape: int) -> Any:
    """The same ordinary numbers each time."""
    return tf.constant(np.random.default_rng(7).normal(size=shape).astype(np.float32))


def differentiated(compute: Callable[[Any], Any], x: Any) -> Any:
    """A function's value and gradient, computed inside of one function."""

    @tf.function
    def both(given: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = compute(given)
        return value, tape.gradient(value, given)

    return both(x)


# ── control flow ─────────────────────────────────────────────────────────────────────────────


@program
def nested_loops() -> Any:
    def compute(x: Any) -> Any:
        for i in tf.range(3):
            for _ in tf.range(i):
                x = tf.tanh(x) * 1.5
        return x

    return differentiated(tf.function(compute), numbers(4))


@program
def break_and_continue() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        total = tf.constant(0.0)
        for k in tf.range(20):
            if k % 2 == 0:
                continue
            total += tf.cast(k, tf.float32) * x
            if total > 30.0:
                break
        return total

    return compute(tf.constant(1.5))


@program
def no_iteration() -> Any:
    return tf.function(lambda x: tf.while_loop(lambda i, _: i < 0, lambda i, y: (i + 1, y * 2.0), [0, x]))(
        numbers(3)
    )


@program
def condition_with_numbers() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        while tf.reduce_max(tf.abs(x)) > 0.1:
            x = x * 0.5
        return x

    return compute(numbers(5))


@program
def condition_with_a_variable() -> Any:
    left = tf.Variable(3.0)

    @tf.function
    def compute(x: Any) -> Any:
        while left > 0.0:
            left.assign_sub(1.0)
            x = tf.sqrt(tf.abs(x))
        return x

    return compute(numbers(3)), left.read_value()


@program
def switch() -> Any:
    @tf.function
    def compute(k: Any, x: Any) -> Any:
        return tf.switch_case(k, [lambda: x, lambda: tf.sin(x), lambda: tf.linalg.matvec(x[:, None], x[:1])])

    return [compute(tf.constant(k), numbers(3)) for k in (0, 1, 2, 7, -1)]


@program
def branch_in_a_gradient() -> Any:
    def compute(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.exp(x), lambda: x**3.0)

    return differentiated(compute, numbers(4)), differentiated(compute, -numbers(4))


@program
def maps_and_scans() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        summed = tf.scan(lambda a, b: a + tf.sin(b), x)
        return tf.map_fn(tf.reduce_sum, x), summed, tf.vectorized_map(lambda row: row * tf.reduce_max(row), x)

    return compute(numbers(4, 3))


@program
def tensor_arrays() -> Any:
    def compute(x: Any) -> Any:
        array = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
        for k in tf.range(4):
            array = array.write(k, x * tf.cast(k, tf.float32))
        return array.stack()

    return differentiated(tf.function(compute), numbers(2))


@program
def a_function_that_calls_itself_by_another() -> Any:
    inner = tf.function(lambda x: tf.nn.softplus(x))
    outer = tf.function(lambda x: inner(x) + inner(inner(x)) * 2.0)
    return differentiated(outer, numbers(3))


# ── gradients ────────────────────────────────────────────────────────────────────────────────


@program
def second_derivatives() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.sin(x) ** 2.0)
            first = inner.gradient(y, x)
        return outer.jacobian(first, x)

    return compute(numbers(3))


@program
def forward_mode() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as forward:
            y = tf.tanh(x) * tf.exp(x)
        return forward.jvp(y)

    return compute(numbers(3))


@program
def custom_gradient() -> Any:
    @tf.custom_gradient
    def clipped(x: Any) -> Any:
        return tf.identity(x), lambda upstream: tf.clip_by_norm(upstream, 0.5)

    return differentiated(lambda x: clipped(x) ** 2.0, numbers(3))


@program
def recomputed() -> Any:
    return differentiated(tf.recompute_grad(lambda x: tf.tanh(tf.sin(x)) * x), numbers(4))


@program
def tape_outside_of_the_function() -> Any:
    weight = tf.Variable(numbers(3, 2))
    function = tf.function(lambda x: tf.reduce_mean(tf.nn.relu(x @ weight)))
    with tf.GradientTape(persistent=True) as tape:
        loss = function(numbers(4, 3))
    return loss, tape.gradient(loss, weight), tape.gradient(loss, [weight])


# ── state ────────────────────────────────────────────────────────────────────────────────────


@program
def variables_in_turn() -> Any:
    a, b = tf.Variable(1.0), tf.Variable([1.0, 2.0])

    @tf.function
    def compute(x: Any) -> Any:
        a.assign_add(x)
        b.scatter_nd_update([[0]], [a])
        a.assign(a * 2.0)
        return a + tf.reduce_sum(b)

    return compute(tf.constant(3.0)), compute(tf.constant(4.0)), a.read_value(), b.read_value()


@program
def random_numbers() -> Any:
    tf.random.set_seed(3)
    generator = tf.random.Generator.from_seed(5)

    @tf.function
    def compute() -> Any:
        return (
            tf.random.normal([3]),
            tf.random.uniform([2], seed=9),
            generator.normal([2]),
            tf.random.shuffle([1, 2, 3]),
        )

    return compute(), compute()


@program
def stateless_random_numbers() -> Any:
    return tf.function(lambda seed: tf.random.stateless_normal([4], seed))(tf.constant([1, 2]))


@program
def tables_and_queues() -> Any:
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.5, 2.5]), -1.0)
    queue = tf.queue.FIFOQueue(5, [tf.float32], [[]])

    @tf.function
    def compute(words: Any) -> Any:
        queue.enqueue(3.0)
        return table.lookup(words) * queue.dequeue()

    return compute(tf.constant(["b", "c"]))


@program
def a_dataset_inside() -> Any:
    @tf.function
    def compute() -> Any:
        total = tf.constant(0.0)
        for x in tf.data.Dataset.range(5).map(lambda k: tf.cast(k, tf.float32) * 2.0):
            total += x
        return total

    return compute()


@program
def an_iterator() -> Any:
    batches = iter(tf.data.Dataset.from_tensor_slices(numbers(6, 2)).batch(2))
    step = tf.function(lambda: tf.reduce_sum(next(batches)))
    return step(), step(), step()


@program
def python_inside() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        y = tf.py_function(lambda given: given * 2.0, [x], tf.float32)
        z = tf.numpy_function(np.sin, [x], tf.float32)
        return tf.ensure_shape(y, [3]) + tf.ensure_shape(z, [3])

    return compute(numbers(3)), differentiated(lambda x: tf.py_function(tf.sin, [x], tf.float32), numbers(3))


@program
def prints_and_asserts() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        tf.print("seen", x, output_stream="file:///dev/null")
        tf.debugging.assert_all_finite(x, "ill")
        return tf.debugging.check_numerics(x * 2.0, "ill")

    return compute(numbers(3))


# ── kinds of tensors ─────────────────────────────────────────────────────────────────────────


@program
def many_types() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        kinds = [tf.float16, tf.bfloat16, tf.float64, tf.complex64, tf.complex128, tf.int8, tf.int64, tf.bool]
        made = [tf.cast(x, kind) for kind in kinds]
        return made, [tf.math.real(one) if one.dtype.is_complex else tf.cast(one, tf.float32) for one in made]

    return compute(numbers(5))


@program
def small_floats() -> Any:
    return tf.function(lambda x: tf.cast(tf.cast(x, tf.dtypes.experimental.float8_e4m3fn), tf.float32) * 2.0)(
        numbers(4)
    )


@program
def strings() -> Any:
    @tf.function
    def compute(words: Any) -> Any:
        parts = tf.strings.split(words)
        return (
            tf.strings.to_number(parts.flat_values),
            tf.strings.length(words),
            tf.strings.join([words, "!"]),
        )

    return compute(tf.constant(["1.5 2", "3"]))


@program
def ragged() -> Any:
    @tf.function
    def compute(rows: Any) -> Any:
        return tf.reduce_mean(rows, axis=1), (rows * 2.0).to_tensor()

    return compute(tf.ragged.constant([[1.0, 2.0], [], [3.0]]))


@program
def sparse() -> Any:
    @tf.function
    def compute(matrix: Any) -> Any:
        return tf.sparse.sparse_dense_matmul(matrix, tf.ones([3, 2])), tf.sparse.reduce_sum(matrix)

    return compute(tf.sparse.SparseTensor([[0, 1], [1, 2]], [1.5, -2.0], [2, 3]))


@program
def unknown_shapes() -> Any:
    @tf.function(input_signature=[tf.TensorSpec(None), tf.TensorSpec([None, 3])])
    def compute(x: Any, y: Any) -> Any:
        return tf.reduce_sum(x * 2.0), tf.reshape(y, [-1]) + 1.0

    return compute(numbers(2), numbers(2, 3)), compute(numbers(2, 2), numbers(1, 3))


@program
def nothing_at_all() -> Any:
    return tf.function(lambda x: (x[:0] * 2.0, tf.reduce_max(x[:0]), tf.concat([x[:0], x], 0)))(numbers(3))


@program
def linear_algebra() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        square = tf.linalg.matmul(x, x, transpose_b=True) + 3.0 * tf.eye(3)
        values, vectors = tf.linalg.eigh(square)
        return tf.linalg.cholesky(square), values, tf.abs(vectors), tf.linalg.inv(square), tf.linalg.svd(x)[0]

    return compute(numbers(3, 3))


@program
def signals() -> Any:
    return tf.function(lambda x: (tf.signal.rfft(x), tf.signal.stft(x, 8, 4), tf.reverse(x, [0])))(
        numbers(16)
    )


@program
def pictures() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        boxes = tf.constant([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.9, 1.0]])
        kept = tf.image.non_max_suppression(boxes, tf.constant([0.5, 0.9]), 2)
        return tf.image.resize(x, [5, 5]), tf.image.adjust_contrast(x, 0.5), kept

    return compute(numbers(1, 3, 3, 3))


@program
def sequences() -> Any:
    @tf.function
    def compute(logits: Any) -> Any:
        return tf.nn.ctc_loss([[1, 2]], logits, [2], [5], logits_time_major=False, blank_index=0)

    return compute(numbers(1, 5, 4))


@program
def embeddings() -> Any:
    table = tf.Variable(numbers(5, 3))

    @tf.function
    def compute(ids: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, ids) ** 2.0)
        gradient = tape.gradient(loss, table)
        table.scatter_sub(tf.IndexedSlices(0.1 * gradient.values, gradient.indices))
        return loss, gradient.values

    return compute(tf.constant([1, 1, 4])), table.read_value()


@program
def compiled() -> Any:
    inner = tf.function(lambda x: tf.tanh(x) * 2.0, jit_compile=True)
    return tf.function(lambda x: inner(x) + 1.0)(numbers(3))


@program
def devices() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        with tf.device("/CPU:0"):
            return tf.exp(x)

    return compute(numbers(3))


@program
def composite_arguments() -> Any:
    @tf.function
    def compute(given: dict[str, Any], *, scale: float) -> dict[str, Any]:
        return {"sum": tf.add_n(given["many"]) * scale, "flag": given["flag"]}

    return compute({"many": [numbers(2), numbers(2)], "flag": tf.constant(True)}, scale=2.0)


# ── layers ───────────────────────────────────────────────────────────────────────────────────


def layer(name: str, make: Callable[[], Any], *shape: int) -> None:
    """A Keras layer and its gradients."""

    def run() -> Any:
        keras.utils.set_random_seed(11)
        made = make()
        x = numbers(*shape) if name != "embedding" else tf.constant([[1, 2, 0]])
        made(x)

        @tf.function
        def step() -> Any:
            with tf.GradientTape() as tape:
                y = made(x, training=True)
                loss = tf.reduce_mean(y * y)
            return y, tape.gradient(loss, made.trainable_variables)

        return step()

    PROGRAMS[f"layer_{name}"] = run


LAYERS = keras.layers
layer("dense", lambda: LAYERS.Dense(3, activation="gelu"), 2, 4)
layer("conv2d", lambda: LAYERS.Conv2D(2, 3), 1, 5, 5, 2)
layer("conv1d_transposed", lambda: LAYERS.Conv1DTranspose(2, 3), 1, 4, 2)
layer("depthwise", lambda: LAYERS.DepthwiseConv2D(3), 1, 5, 5, 2)
layer("batch_norm", lambda: LAYERS.BatchNormalization(), 4, 3)
layer("layer_norm", lambda: LAYERS.LayerNormalization(), 4, 3)
layer("lstm", lambda: LAYERS.LSTM(3, return_sequences=True), 2, 4, 3)
layer("gru", lambda: LAYERS.GRU(3, recurrent_dropout=0.2), 2, 4, 3)
layer("bidirectional", lambda: LAYERS.Bidirectional(LAYERS.SimpleRNN(2)), 2, 4, 3)
layer(
    "attention",
    lambda: keras.Sequential([LAYERS.Dense(4), LAYERS.Lambda(lambda x: LAYERS.Attention()([x, x]))]),
    2,
    3,
    4,
)
layer("embedding", lambda: LAYERS.Embedding(4, 3), 0)
layer(
    "dropout",
    lambda: keras.Sequential([LAYERS.Dense(4), LAYERS.Dropout(0.5), LAYERS.GaussianNoise(0.1)]),
    3,
    4,
)
layer(
    "pooling",
    lambda: keras.Sequential([LAYERS.MaxPooling2D(), LAYERS.Conv2D(2, 1), LAYERS.GlobalAveragePooling2D()]),
    1,
    4,
    4,
    2,
)
