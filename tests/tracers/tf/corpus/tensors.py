"""Kinds of tensors, and what computes with them."""

from __future__ import annotations

from typing import Any

from corpus.programs import numbers, program
from graphlens_tracers.tf.compat import tf


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


@program
def checked_numbers() -> Any:
    tf.debugging.enable_check_numerics()
    try:
        compute = tf.function(tf.math.log)
        return compute(tf.abs(numbers(3)) + 1.0), tf.exp(numbers(2)), compute(-tf.abs(numbers(3)))
    except tf.errors.InvalidArgumentError as error:
        return [error.message.partition(" : ")[0]]
    finally:
        tf.debugging.disable_check_numerics()


class Masked(tf.experimental.ExtensionType):  # type: ignore[misc]  # TensorFlow has no types
    """A type of the script's own."""

    values: tf.Tensor  # pyright: ignore[reportInvalidTypeForm]
    mask: tf.Tensor  # pyright: ignore[reportInvalidTypeForm]


@program
def types_of_the_script() -> Any:
    doubled = tf.function(lambda given: Masked(given.values * 2.0, given.mask))
    made = doubled(Masked(numbers(3), tf.constant([True, False, True])))
    return made.values, made.mask


@program
def many_outputs() -> Any:
    return tf.function(lambda x: [*tf.unstack(x), tf.experimental.numpy.sum(x)])(numbers(300))
