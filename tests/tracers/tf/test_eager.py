"""What runs eagerly: every operation as it ran, with its numbers, in the step that a person would say."""

from __future__ import annotations

import math
import threading
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras as _keras
import numpy as np
import pytest
from tensorflow.python.framework import op_callbacks

import graphlens
from graphlens.store import Process
from graphlens_tracers.events import NodeId, NodeSeen, Phase
from graphlens_tracers.tf import nodes
from graphlens_tracers.tf.compat import execute, text, tf
from recorded import recorded, recording, tensorflow

keras: Any = _keras  # its sources have the wrong types


class Observer:
    """Sees operations by TensorFlow's own callback, as a script of its own would."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[int], list[tuple[int, float, float]]]] = []

    def __call__(
        self, op_type: Any, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        if graph is None:
            made = []
            for one in outputs:
                low, high = math.inf, -math.inf
                if one.dtype.is_floating and one.shape.num_elements():
                    numbers = one.numpy().astype(np.float64)
                    low, high = float(numbers.min()), float(numbers.max())
                made.append((one._id, low, high))
            self.seen.append((text(op_type), [one._id for one in inputs], made))

    def __enter__(self) -> Observer:
        op_callbacks.add_op_callback(self)
        return self

    def __exit__(self, *_: object) -> None:
        op_callbacks.remove_op_callback(self)
        execute.execute = execute.quick_execute


def ran(process: Process) -> list[NodeSeen]:
    """The nodes that ran, in order."""
    rows = process.rows(0, process.op_count)
    return [process.nodes[NodeId(node)] for node in rows.node.tolist()]


def arithmetic() -> Any:
    """Numbers of several types, lists, several outputs, a tensor read twice, what only moves numbers."""
    x = tf.random.normal([4, 3], seed=1)
    first, second = tf.split(tf.concat([x, x * 2.0], 0), 2)
    half = tf.cast(x, tf.float16) / tf.constant(3.0, tf.float16)
    waves = tf.signal.fft(tf.cast(x, tf.complex64))
    masked = tf.where(x > 0.0, tf.math.log(x), tf.zeros_like(x))
    return tf.add_n([first, second, first]), half, tf.abs(waves), masked[1], tf.reshape(tf.transpose(x), [-1])


def variables() -> Any:
    """Variables that are written and read in turn, also where an operation is given the variable itself."""
    weights = tf.Variable(tf.ones([3, 2]), name="weights")
    weights.assign_add(tf.ones([3, 2]))
    product = tf.raw_ops.MatMul(a=tf.ones([1, 3]), b=weights)
    weights.assign(weights * product)
    return weights.read_value()


@pytest.mark.parametrize("program", [arithmetic, variables], ids=lambda program: program.__name__)
def test_every_operation_is_there_with_its_numbers(program: Callable[[], Any], tmp_path: Path) -> None:
    """Of the same types, reading what the observer saw them read, with NumPy's minimum and maximum."""
    observer = Observer()

    def watched() -> None:
        with observer:
            program()

    process = recorded(watched, tmp_path / "run.glens", of=tensorflow)

    assert [node.op for node in ran(process)] == [op for op, _, _ in observer.seen]
    values: dict[int, int] = {}  # by tensor, as the observer names it
    found = process.ranges(0, process.op_count)
    handles = {i for op, inputs, _ in observer.seen if "Variable" in op for i in inputs[:1]}
    for seq, (node, (_, inputs, made)) in enumerate(zip(ran(process), observer.seen, strict=True)):
        for value, tensor in zip(node.inputs, inputs, strict=True):
            if tensor in values and tensor not in handles:
                assert value == values[tensor]
        values |= {tensor: node.outputs[slot].value for slot, (tensor, _, _) in enumerate(made)}
        places = range(int(found.offsets[seq]), int(found.offsets[seq + 1]))
        looked = {int(found.slot[at]): (float(found.low[at]), float(found.high[at])) for at in places}
        for slot, (_, low, high) in enumerate(made):
            if low <= high or math.isnan(low):
                assert looked[slot] == pytest.approx((low, high), nan_ok=True, abs=0, rel=0)


def test_a_variable_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Each read reads what the last write made, and the first one of all the variable's leaf."""
    process = recorded(variables, tmp_path / "run.glens", of=tensorflow)

    content = None
    for node in ran(process):
        if node.op in ("ReadVariableOp", "MatMul"):
            assert node.inputs[-1] == content
        for _, output in node.writes:
            content = node.outputs[output].value
    assert content is not None


def test_a_variable_has_one_cell_in_functions_and_outside(tmp_path: Path) -> None:
    def program() -> None:
        weights = tf.Variable([1.0, 2.0], name="shared")
        double = tf.function(lambda: weights * 2.0)
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(double())
            weights.assign_sub(tape.gradient(loss, weights))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    leaves = [leaf for leaf in process.leaves.values() if leaf.name == "shared"]
    assert len(leaves) == 3  # of two traces of the function, and of what runs eagerly
    assert len({leaf.cell for leaf in leaves}) == 1


def test_a_function_is_entered_by_an_operation(tmp_path: Path) -> None:
    """Its calls are inside of the step, and what it gives out is what is read after it."""
    double = tf.function(lambda x: x * 2.0)

    process = recorded(lambda: tf.square(double(tf.ones([2]))), tmp_path / "run.glens", of=tensorflow)

    entering = next(node for node in ran(process) if node.calls is not None)
    square = next(node for node in ran(process) if node.op == "Square")
    inner = next(call for call in process.calls() if call.graph == entering.calls)
    outer = next(call for call in process.calls() if call.call == inner.parent)
    assert square.inputs == (entering.outputs[0].value,)
    assert outer.first <= inner.first <= inner.last < outer.last


def test_what_comes_after_a_functions_gradient_is_in_the_same_step(tmp_path: Path) -> None:
    """The gradient of a function is a function, too; that of what ran before it comes later."""

    def program() -> None:
        weights = tf.Variable(tf.ones([3]))
        loss_of = tf.function(lambda x: tf.reduce_mean(x * x))
        optimizer = keras.optimizers.Adam(0.1)
        for _ in range(4):
            with tf.GradientTape() as tape:
                loss = loss_of(tf.tanh(weights * 2.0))
            optimizer.apply_gradients(zip(tape.gradient(loss, [weights]), [weights], strict=True))

    process = recorded(program, tmp_path / "r.glens", of=tensorflow)

    assert [call.step for call in process.calls() if call.parent is None and call.role == "train"] == [
        0,
        1,
        2,
        3,
    ]


def test_a_gradient_of_some_rows_alone_is_followed(tmp_path: Path) -> None:
    """An embedding's gradient is no tensor: rows and where they belong."""

    def program() -> None:
        table = tf.Variable(tf.ones([4, 3]))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(tf.identity(table), [0, 2]) ** 2.0)
        table.assign_sub(tf.convert_to_tensor(tape.gradient(loss, table)))

    process = recorded(program, tmp_path / "r.glens", of=tensorflow)

    assert not [gap for gap in process.gaps if gap.kind == "failed"]
    assert any(node.op == "AssignSubVariableOp" for node in ran(process))


def test_gradients_belong_to_what_they_differentiate(tmp_path: Path) -> None:
    """Also of the same operation used twice, and of what a persistent tape is asked for again."""

    def program() -> None:
        x = tf.constant([0.5, 2.0])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = tf.tanh(tf.tanh(x)) + tf.nn.relu(x)
        tape.gradient(y, x)
        tape.gradient(y, x)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    operations = ran(process)
    tanhs = [node.node for node in operations if node.op == "Tanh"]
    of_tanhs = [node.twin for node in operations if node.op == "TanhGrad"]
    assert of_tanhs == [tanhs[1], tanhs[0]] * 2
    of_relus = {node.twin for node in operations if node.op == "ReluGrad"}
    assert of_relus == {node.node for node in operations if node.op == "Relu"}
    assert {node.phase for node in operations if node.op.endswith("Grad")} == {Phase.BACKWARD}


def test_shapes_are_those_of_each_call(tmp_path: Path) -> None:
    """The graph is the same; sequences of several lengths are declared once each."""

    def program() -> None:
        weights = tf.Variable(tf.ones([3, 1]))
        for length in (2, 5, 2, 7):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.ones([length, 3]) @ weights)
            weights.assign_sub(tape.gradient(loss, weights))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    trained = [call for call in process.calls() if call.role == "train"]
    products = [node for node in ran(process) if node.op == "MatMul" and node.phase is Phase.FORWARD]
    assert len({call.graph for call in trained}) == 1
    assert [process.specs(call, products[0].node)[0].shape for call in trained] == [
        (2, 1), (5, 1), (2, 1), (7, 1),
    ]  # fmt: skip
    assert len({call.shapes for call in trained}) == 3


def steps(process: Process) -> list[tuple[str, int | None]]:
    """Role and step of every call that was made from outside of functions."""
    return [(call.role, call.step) for call in process.calls() if call.parent is None]


def with_an_optimizer(batches: int) -> Any:
    """A loop of the script's own, with a validation after each of two epochs."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Input((3,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    optimizer = keras.optimizers.Adam(0.01)
    data = tf.data.Dataset.from_tensor_slices(tf.ones([4 * batches, 3])).batch(4)
    for _ in range(2):
        for x in data:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(model(x) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        for x in data:
            tf.reduce_mean(model(x))
    return model.get_weights()


def by_hand(batches: int) -> Any:
    """Without any layer or optimizer."""
    weights = tf.Variable(tf.ones([3, 1]))
    for _ in range(batches):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.ones([4, 3]) @ weights))
        weights.assign_sub(0.1 * tape.gradient(loss, weights))
    return weights


def in_two_functions(batches: int) -> Any:
    """The forward pass is a function, and what is learned from it another."""
    weights = tf.Variable(tf.ones([3, 1]))
    forward = tf.function(lambda x: tf.reduce_mean(tf.square(x @ weights)))
    learn = tf.function(lambda gradient: weights.assign_sub(0.1 * gradient))
    for _ in range(batches):
        with tf.GradientTape() as tape:
            loss = forward(tf.ones([4, 3]))
        learn(tape.gradient(loss, weights))
    return weights


def two_losses(batches: int) -> Any:
    """Two networks in turn, as adversaries are trained: one step a round."""
    one, other = tf.Variable(tf.ones([3, 1])), tf.Variable(tf.ones([3, 1]))
    for _ in range(batches):
        for mine in [one]:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(tf.ones([4, 3]) @ mine))
            mine.assign_sub(0.1 * tape.gradient(loss, mine))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(tf.ones([4, 3]) @ other))
        other.assign_sub(0.1 * tape.gradient(loss, other))
    return one, other


@pytest.mark.parametrize("training", [by_hand, in_two_functions], ids=lambda training: training.__name__)
def test_steps_are_counted(training: Callable[[int], Any], tmp_path: Path) -> None:
    """One a round; what comes before is the setting up, and steps after the first two declare nothing."""
    process = recorded(lambda: training(5), tmp_path / "run.glens", of=tensorflow)
    longer = recorded(lambda: training(9), tmp_path / "longer.glens", of=tensorflow)

    assert steps(process) == [("setup", None)] + [("train", step) for step in range(5)]
    assert len({call.graph for call in process.calls() if call.role == "train" and call.parent is None}) == 1
    assert len(longer.nodes) == len(process.nodes)
    assert len(list(longer.graphs())) == len(list(process.graphs()))


def test_an_evaluation_is_no_step(tmp_path: Path) -> None:
    process = recorded(lambda: with_an_optimizer(3), tmp_path / "run.glens", of=tensorflow)

    found = steps(process)
    assert [step for role, step in found if role == "train"] == list(range(6))
    assert [step for role, step in found if role == "eval"] == [2] * 3 + [5] * 3
    paths = {process.scope_path(node) for node in ran(process) if node.op == "MatMul"}
    assert all(path.startswith("sequential") and ".dense" in path for path in paths)
    assert {node.phase for node in ran(process) if node.op == "AssignSubVariableOp"} == {Phase.OPTIMIZER}


@pytest.mark.parametrize("program", [with_an_optimizer, by_hand, two_losses], ids=lambda one: one.__name__)
def test_it_computes_what_it_computes_without_us(program: Callable[[int], Any], tmp_path: Path) -> None:
    def weights() -> list[bytes]:
        return [np.asarray(one).tobytes() for one in tf.nest.flatten(program(3))]

    plain, traced = weights(), list[bytes]()

    recorded(lambda: traced.extend(weights()), tmp_path / "run.glens", of=tensorflow)

    assert traced == plain


def test_keras_run_eagerly(tmp_path: Path) -> None:
    """Layers, steps and weights, with every operation of the training step."""

    def fitted() -> bytes:
        keras.utils.clear_session()
        keras.utils.set_random_seed(5)
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, name="head")])
        model.compile("adam", "mse", run_eagerly=True)
        model.fit(np.ones([8, 3]), np.ones([8, 2]), batch_size=4, epochs=2, verbose=0)
        return b"".join(one.tobytes() for one in model.get_weights())

    plain, traced = fitted(), list[bytes]()

    process = recorded(lambda: traced.append(fitted()), tmp_path / "run.glens", of=tensorflow)

    assert traced == [plain]
    trained = [call.step for call in process.calls() if call.role == "train" and call.parent is None]
    assert trained == [0, 1, 2, 3]
    assert {process.scope_path(node) for node in ran(process) if node.op == "MatMul"} == {"sequential.head"}


def test_exact_counts_of_what_is_not_finite(tmp_path: Path) -> None:
    process = recorded(
        lambda: tf.math.log(tf.constant([[0.0, 1.0], [-1.0, -2.0]])), tmp_path / "run.glens", of=tensorflow
    )

    (fact,) = process.unusual(0, process.op_count)
    numbers = fact.numerics
    assert numbers is not None
    assert (numbers.nan, numbers.neg_inf, numbers.pos_inf, numbers.low) == (2, 1, 0, 0.0)
    assert numbers.where == ((0, 0), (1, 0), (1, 1))


def test_many_masks_do_not_hide_what_comes_after_them(tmp_path: Path) -> None:
    """Counts are kept of the first infinities of a step, and of the first NaN."""

    def program() -> None:
        scores = tf.ones([4, 4])
        for _ in range(80):
            tf.nn.softmax(tf.where(tf.eye(4) > 0, -math.inf, scores))
        tf.math.log(scores - 2.0)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)
    facts = {process.op(fact.seq).node.op: fact for fact in process.unusual(0, process.op_count)}

    assert facts["Log"].numerics is not None and facts["Log"].numerics.nan == 16
    assert facts["Log"].inputs[0] is not None and facts["Log"].inputs[0].low == -1.0


def test_threads_have_logs_of_their_own(tmp_path: Path) -> None:
    """Each with its steps; one that begins when another has ended goes on with its log."""
    double = tf.function(lambda x: x * 2.0)
    sums: list[float] = []

    def work(count: int) -> None:
        weights = tf.Variable(tf.ones([count]))
        for _ in range(count):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(double(weights))
            weights.assign_sub(tape.gradient(loss, weights))
        sums.append(float(tf.reduce_sum(weights)))

    def program() -> None:
        together = [threading.Thread(target=work, args=[count], name=f"worker {count}") for count in (2, 3)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        later = threading.Thread(target=work, args=[4], name="worker 4")
        later.start()
        later.join()

    recorded(program, tmp_path / "run.glens", of=tensorflow)

    processes = graphlens.load(tmp_path / "run.glens").processes()
    workers = [process for process in processes if process.started.thread.startswith("worker")]
    assert sorted(sums) == [-28.0, -15.0, -6.0]  # each weight loses 2 a step
    assert {process.started.thread for process in workers} == {"worker 2", "worker 3"}
    trained = [
        (call.thread or one.started.thread) for one in workers for call in one.calls() if call.role == "train"
    ]
    assert {name: trained.count(name) for name in trained} == {"worker 2": 2, "worker 3": 3, "worker 4": 4}


def test_python_inside_of_an_operation(tmp_path: Path) -> None:
    """What `tf.py_function` runs is seen, on the thread that it runs on."""

    def program() -> None:
        inside = tf.function(lambda x: tf.py_function(lambda y: tf.square(y) + 1.0, [x], tf.float32))
        inside(tf.constant(3.0))

    recorded(program, tmp_path / "run.glens", of=tensorflow)

    processes = graphlens.load(tmp_path / "run.glens").processes()
    assert "Square" in {node.op for process in processes for node in ran(process)}


def test_a_forked_child_writes_nothing(tmp_path: Path) -> None:
    """Its log is its parent's."""
    with recording(tmp_path / "run.glens", of=tensorflow) as tracer:
        tf.square(tf.ones([2]))
        tracer.forked()
        tf.exp(tf.ones([2]))

    process = graphlens.load(tmp_path / "run.glens").main
    assert "Square" in {node.op for node in ran(process)}
    assert "Exp" not in {node.op for node in ran(process)}


def test_a_step_that_is_only_an_error_ends(tmp_path: Path) -> None:
    given = tf.constant(float("nan"))
    fails = tf.function(lambda x: tf.debugging.check_numerics(x, "no number"))

    def program() -> None:
        with pytest.raises(tf.errors.InvalidArgumentError):
            fails(given)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert [call.ended for call in process.calls()] == [True, True]
    assert [bool(call.error) for call in process.calls()].count(True) == 1


def test_nothing_is_held(tmp_path: Path) -> None:
    gone: list[bool] = []

    def program() -> None:
        x = tf.ones([100]) * 2.0
        seen = weakref.ref(x)
        del x
        gone.append(seen() is None)

    recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert gone == [True]


def test_an_error_is_the_scripts_own(tmp_path: Path) -> None:
    """The same words, and the same frames."""

    def failing() -> tuple[str, list[str]]:
        try:
            tf.ones([2, 3]) @ tf.ones([2, 3])
        except tf.errors.InvalidArgumentError as error:
            return str(error), [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        raise AssertionError("nothing was raised")

    plain, traced = failing(), list[Any]()

    recorded(lambda: traced.append(failing()), tmp_path / "run.glens", of=tensorflow)

    assert traced == [plain]


def test_a_mistake_of_ours_ends_the_recording_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script goes on, and it is said."""

    def broken(*_: object) -> str:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(nodes, "eager_form", broken)
    found: list[float] = []

    process = recorded(
        lambda: found.append(float(tf.reduce_sum(tf.ones([3]) * 2.0))), tmp_path / "run.glens", of=tensorflow
    )

    assert found == [6.0]
    assert any("broken on purpose" in gap.what for gap in process.gaps if gap.kind == "failed")


def test_a_variable_is_known_after_it_was_assigned(tmp_path: Path) -> None:
    """What an assignment gives is a variable, too, of the same handle: it is not the one that is meant."""

    def program() -> None:
        weights = tf.Variable([1.0, 2.0], name="weights")
        for rate in (0.5, 0.25):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(weights * weights)
            weights.assign_sub(rate * tape.gradient(loss, weights))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    last = list(process.calls())[-1]
    read = next(node for node in process.order(last.graph) if process.nodes[node].op == "ReadVariableOp")
    assert [process.leaves[value].name for value in process.inputs(last.graph, read) if value] == ["weights"]


def test_random_numbers_are_drawn_at_the_same_place(tmp_path: Path) -> None:
    """Each draw has a seed of its own: it is an operation that runs again nevertheless."""

    def program() -> None:
        weights = tf.Variable([1.0, 2.0, 3.0])
        for _ in range(4):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(weights * tf.random.normal([3]))
            weights.assign_sub(tape.gradient(loss, weights))

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    drawn = [node.node for node in ran(process) if node.op == "RandomStandardNormal"]
    assert len(drawn) == 4
    assert len(set(drawn)) == 1


def test_layers_are_the_same_in_every_step(tmp_path: Path) -> None:
    """The first layer is called before anything of its step has run."""

    def program() -> None:
        layer = keras.layers.Dense(2)
        weights = tf.ones([2, 3])
        for _ in range(4):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(weights))
            tape.gradient(loss, layer.trainable_variables)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    products = [node for node in ran(process) if node.op == "MatMul" and node.phase is Phase.FORWARD]
    assert len(products) == 4
    assert len({node.node for node in products[1:]}) == 1
