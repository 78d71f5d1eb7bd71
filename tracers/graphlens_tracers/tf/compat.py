"""All that is asked of TensorFlow's private parts, found by looking; what is missing is None and said."""

from __future__ import annotations

import contextlib
import functools
import os
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow
from tensorflow.core.framework import function_pb2 as _function_pb2
from tensorflow.python import pywrap_tfe as _pywrap_tfe
from tensorflow.python.client import pywrap_tf_session as _pywrap_tf_session
from tensorflow.python.client import session as _session
from tensorflow.python.eager import backprop as _backprop
from tensorflow.python.eager import context as _context
from tensorflow.python.eager import core as _core
from tensorflow.python.eager import execute as _execute
from tensorflow.python.eager import imperative_grad as _imperative_grad
from tensorflow.python.eager import record as _record
from tensorflow.python.eager.polymorphic_function import atomic_function as _atomic_function
from tensorflow.python.eager.polymorphic_function.polymorphic_function import Function as _Function
from tensorflow.python.framework import func_graph as _func_graph
from tensorflow.python.framework import function_def_to_graph as _function_def_to_graph
from tensorflow.python.framework import op_def_registry, tensor_util
from tensorflow.python.framework import ops as _ops
from tensorflow.python.ops import control_flow_util_v2 as _control_flow_util_v2
from tensorflow.python.ops import gradients_util as _gradients_util
from tensorflow.python.ops import resource_variable_ops as _resource_variable_ops
from tensorflow.python.ops import summary_ops_v2 as _summary_ops_v2
from tensorflow.python.ops import variable_scope as _variable_scope
from tensorflow.python.training import optimizer as _optimizer
from tensorflow.python.util import tf_stack as _tf_stack

from graphlens_tracers.events import Spec
from graphlens_tracers.tf.bodies import Tensor

# What types there are in their sources is wrong: most of TensorFlow is made at run time.
tf: Any = tensorflow
function_pb2: Any = _function_pb2
pywrap_tfe: Any = _pywrap_tfe
FALLBACK: Any = _core._FallbackException
backprop: Any = _backprop
context: Any = _context
record: Any = _record
execute: Any = _execute
imperative_grad: Any = _imperative_grad
atomic_function: Any = _atomic_function
func_graph: Any = _func_graph
function_def_to_graph: Any = _function_def_to_graph
ops: Any = _ops
control_flow_util_v2: Any = _control_flow_util_v2
gradients_util: Any = _gradients_util
resource_variable_ops: Any = _resource_variable_ops
summary_ops_v2: Any = _summary_ops_v2
tf_stack: Any = _tf_stack
pywrap_tf_session: Any = _pywrap_tf_session
session: Any = _session
variable_scope: Any = _variable_scope
optimizer: Any = _optimizer

HALF, BFLOAT16, FLOAT, DOUBLE, COMPLEX64, COMPLEX128, INT32, INT64, BOOL, VARIANT, RESOURCE = (
    int(kind.as_datatype_enum)
    for kind in (
        tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128,
        tf.int32, tf.int64, tf.bool, tf.variant, tf.resource,
    )
)  # fmt: skip
"""Types by their number in a proto."""
NUMBERS = frozenset(
    int(kind.as_datatype_enum)
    for kind in (
        tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128, tf.bool,
        tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64,
    )
)  # fmt: skip
"""Types whose elements can be kept."""

Context = context.Context
Function: Any = _Function
FUNCTION_ENTRY = "from_func_graph"
"""In `atomic_function`: every function that Python makes passes here on its way to the runtime."""


def lacks() -> tuple[str, ...]:
    """What this version does not offer, by name."""
    wanted = {
        "functions": hasattr(atomic_function, FUNCTION_ENTRY),
        "function calls": hasattr(Context, "call_function") and hasattr(Context, "add_function_def"),
        "what runs eagerly": hasattr(pywrap_tfe, "TFE_Py_FastPathExecute")
        and hasattr(pywrap_tfe, "TFE_Py_Execute")
        and hasattr(Context, "add_op_callback"),
        "stacks without ours": hasattr(tf_stack, "SentinelFilter")
        and hasattr(tf_stack, "_source_filter_stacks"),
        "sessions": hasattr(session.BaseSession, "_do_run"),
    }
    return tuple(name for name, there in wanted.items() if not there)


def definition(name: str) -> Any | None:
    """The FunctionDef that the runtime has of a name, a copy; None when there is none."""
    there = context.context()
    if not there.has_function(name):
        return None
    return there.get_function_def(name)


def new_definition(name: str) -> Any:
    """An empty FunctionDef."""
    made = function_pb2.FunctionDef()
    made.signature.name = name
    return made


def graph_of(name: str) -> Any | None:
    """A graph made of a function's definition; None where there is none, or it cannot be made."""
    found = definition(name)
    if found is None:
        return None
    try:
        with context.eager_mode():
            return function_def_to_graph.function_def_to_graph(found)
    except (KeyError, ValueError, RuntimeError, tf.errors.OpError):  # an operation of it is not registered
        return None


def add(definition: Any) -> None:
    """Register a FunctionDef."""
    context.context().add_function_def(definition)


def remove(name: str) -> None:
    """Take a function away; the runtime ends it when nothing runs it any more."""
    there = context.context()
    if there.has_function(name):
        there.remove_function(name)


def op_def(kind: str) -> Any | None:
    """The OpDef of a type of operation; None for one that is not registered: a function's name, for one."""
    found: Any = op_def_registry.get(kind)
    return found


def functions(attribute: Any) -> list[Any]:
    """The functions that an attribute of a node names, one or several."""
    return [attribute.func] if attribute.HasField("func") else list(attribute.list.func)


def array(tensor: Any) -> Any:
    """A TensorProto as a NumPy array."""
    return tensor_util.MakeNdarray(tensor)


def constant(tensor: Any) -> Any:
    """A TensorProto as an eager tensor."""
    return tf.constant(array(tensor), tf.as_dtype(tensor.dtype))


def graph_now() -> Any:
    """The graph that is being built; an empty one when operations run at once."""
    return ops.get_default_graph()


def graph_being_built() -> Any | None:
    """The graph that operations are added to; None where they run at once."""
    return None if context.executing_eagerly() else ops.get_default_graph()


def is_function_graph(graph: Any) -> bool:
    """Whether it becomes a function."""
    return isinstance(graph, func_graph.FuncGraph)


def is_of_loop(graph: Any) -> bool:
    """Whether it becomes the condition or the body of a loop."""
    kinds = (control_flow_util_v2.WhileCondFuncGraph, control_flow_util_v2.WhileBodyFuncGraph)
    return isinstance(graph, kinds)


def untaped() -> contextlib.AbstractContextManager[Any]:
    """Inside of it, no gradient tape watches."""
    made: contextlib.AbstractContextManager[Any] = record.stop_recording()
    return made


def is_eager_tensor(thing: Any) -> bool:
    """Whether it is a tensor that has its elements."""
    return isinstance(thing, ops.EagerTensor)


def is_taped() -> bool:
    """Whether any gradient tape records."""
    return not pywrap_tfe.TFE_Py_TapeSetIsEmpty()


def count(graph: Any) -> int:
    """How many operations a graph has."""
    return int(graph.version)


@cache
def type_name(kind: int) -> str:
    """The name of a type by its number in a proto."""
    try:
        return str(tf.as_dtype(kind).name)
    except TypeError:
        return f"type {kind}"


def described(spec: Any) -> str:
    """A tensor's type and shape in words: "float32[2,?]"; "float32[…]" where the rank is not known."""
    rank = spec.shape.rank
    sizes = "…" if rank is None else ",".join("?" if n is None else str(n) for n in spec.shape.as_list())
    return f"{spec.dtype.name}[{sizes}]"


# ── gradients ────────────────────────────────────────────────────────────────────────────────


def graph_name(tensor: Any) -> tuple[int, str] | None:
    """What makes a tensor, as (`id` of its graph, its operation's name); None for one in no graph."""
    if not isinstance(tensor, tf.Tensor) or isinstance(tensor, ops.EagerTensor):
        return None
    return id(tensor.graph), tensor.op.name


def outermost(graph: Any) -> Any:
    """The graph in which the building of this one began."""
    while getattr(graph, "outer_graph", None) is not None and is_function_graph(graph.outer_graph):
        graph = graph.outer_graph
    return graph


def directories() -> list[str]:
    """Where code lies that is not the user's: TensorFlow, and Keras, which need not be there yet."""
    packages = os.path.dirname(os.path.dirname(tf.__file__))
    return [os.path.join(packages, name) for name in ("tensorflow", "keras", "tf_keras")]


def text(name: Any) -> str:
    """A function's name, which is of bytes here and text there."""
    return name.decode() if isinstance(name, bytes) else str(name)


class Variable(NamedTuple):
    """What a variable is called; its `key` is what no other one of the process has."""

    name: str
    key: str
    kind: Literal["parameter", "buffer"]


def variables_of(graph: Any) -> dict[int, Variable]:
    """The variables that a graph captures, by `tensor_id` of their handles.

    Those that are gone by now, or that have no handle of their own but one on each device, are left out.
    """
    found: dict[int, Variable] = {}
    for reference in getattr(graph, "_weak_variables", ()):
        variable = reference()
        try:
            handle = getattr(variable, "handle", None)
        except ValueError:  # there are several
            continue
        if variable is not None and handle is not None:
            found[tensor_id(handle)] = identity(variable)
    return found


def tensor_id(tensor: Any) -> int:
    """A number that no other tensor of the process has or had."""
    return int(tensor._id)


def identity(variable: Any) -> Variable:
    """What a variable is."""
    name = str(getattr(variable, "_keras_path", "") or variable.name).removesuffix(":0")
    key = str(getattr(variable, "_unique_id", None) or id(variable))
    return Variable(name, key, "parameter" if getattr(variable, "trainable", True) else "buffer")


# ── eager ────────────────────────────────────────────────────────────────────────────────────

_variables: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
"""Those that were made eagerly, by the number of their handle."""


def note_variables(before: Callable[[], object]) -> Callable[[], None]:
    """Note every variable that is made from now on; the result undoes it. `before`: called before each."""
    base: Any = resource_variable_ops.BaseResourceVariable
    made = base.__init__

    @functools.wraps(made)
    def around_making(self: Any, *args: Any, **kwargs: Any) -> None:
        before()
        made(self, *args, **kwargs)
        number = getattr(getattr(self, "_handle", None), "_id", None)
        if number is not None:
            _variables.setdefault(number, self)  # what an assignment gives back has the same handle

    base.__init__ = around_making
    return functools.partial(setattr, base, "__init__", made)


def note_text(printed: Callable[[Any], object]) -> Callable[[], None]:
    """Call `printed` with each eager tensor that is written as text; the result undoes it."""
    base: Any = getattr(ops, "_EagerTensorBase", None)
    holders = [(ops, "numpy_text"), (base, "__format__")]
    originals = [
        (holder, name, vars(holder)[name]) for holder, name in holders if name in vars(holder or ops)
    ]
    for holder, name, original in originals:
        setattr(holder, name, _noting(original, printed))

    def undo() -> None:
        for holder, name, original in originals:
            setattr(holder, name, original)

    return undo


def _noting(original: Any, printed: Callable[[Any], object]) -> Any:
    @functools.wraps(original)
    def around_text(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        printed(tensor)
        try:
            return original(tensor, *args, **kwargs)
        except BaseException as error:
            leave_out(error)
            raise

    return around_text


def is_variable(given: Any) -> bool:
    """Whether it is a variable with a handle of its own."""
    return isinstance(given, resource_variable_ops.BaseResourceVariable)


def variable_of(tensor: Any) -> Any | None:
    """The variable whose handle a tensor is; None for any other tensor."""
    return _variables.get(tensor._id) if tensor._datatype_enum() == RESOURCE else None


def content(handle: Any) -> Spec:
    """What a variable holds, by its handle."""
    told = getattr(handle, "_handle_data", None)
    if told is None or not told.is_set or not told.shape_and_type:
        return Spec(None, "resource")
    shape, kind = told.shape_and_type[0].shape, told.shape_and_type[0].dtype
    sizes = None if shape.unknown_rank else tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
    return Spec(sizes, type_name(kind))


def device(tensor: Any) -> str:
    """Where an eager tensor is: "cpu", or what TensorFlow calls it."""
    name = str(tensor.device).rpartition("device:")[2].lower()
    return "cpu" if name in ("", "cpu:0") else name


def message(error: BaseException) -> str:
    """What an error of TensorFlow's says; "" for any other."""
    return str(getattr(error, "_message", ""))


def say(error: BaseException, words: str) -> None:
    """Let an error of TensorFlow's say something else."""
    setattr(error, "_message", words)  # noqa: B010  # TensorFlow's errors have it, and no type


def rename(error: BaseException, names: dict[str, str]) -> None:
    """Let an error of TensorFlow's speak of other functions: of the second instead of the first."""

    def said(words: Any) -> Any:
        if isinstance(words, str):
            for name, wanted in names.items():
                words = words.replace(name, wanted)
        return words

    message = getattr(error, "_message", None)
    if message is not None:
        say(error, said(message))
    error.args = tuple(map(said, error.args))


def leave_out(error: BaseException) -> None:
    """Take the frame that catches an error out of its traceback: it is ours, and raises the error again."""
    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None


def hide_frames(files: list[str]) -> Callable[[], None]:
    """Leave frames of these files out of the stacks that TensorFlow keeps, and prints with errors.

    The result undoes it.
    """
    base: Any = tf_stack.SentinelFilter
    original = base.get_filtered_filenames, base.__init__

    def get_filtered_filenames(self: Any) -> frozenset[str]:
        return frozenset((*original[0](self), *files))

    def made(self: Any) -> None:
        original[1](self)
        self.update()

    def put(methods: tuple[Any, Any]) -> None:
        base.get_filtered_filenames, base.__init__ = methods
        for stack in list(tf_stack._source_filter_stacks.values()):
            stack[0].update()

    put((get_filtered_filenames, made))
    return lambda: put(original)


def optimises() -> bool:
    """Whether Grappler rewrites functions before they run."""
    return not tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)


def shows_functions() -> bool:
    """Whether the script has asked for the graphs of what runs: `tf.summary.trace_on(graph=True)`."""
    asked = getattr(summary_ops_v2, "_current_trace_context", None)
    return asked is not None and bool(asked.graph)


# ── sessions ─────────────────────────────────────────────────────────────────────────────────


def session_optimises(run_in: Any) -> bool:
    """Whether Grappler rewrites what a session runs."""
    return not run_in._config.graph_options.rewrite_options.disable_meta_optimizer


def asks_for_more(run_in: Any, options: Any) -> bool:
    """Whether a run tells the script what it ran, operation by operation: then nothing is added to it.

    Args:
        options: The buffer with its RunOptions; None for none.
    """
    if run_in._config.graph_options.build_cost_model:
        return True
    if options is None:
        return False
    told = tf.compat.v1.RunOptions.FromString(pywrap_tf_session.TF_GetBuffer(options))
    watches = told.debug_options.debug_tensor_watch_opts
    return bool(told.trace_level or told.output_partition_graphs or watches)


def is_remote(run_in: Any) -> bool:
    """Whether another process runs what a session runs."""
    return bool(run_in._target)


def watch(tensors: Sequence[tuple[str, int]], url: str) -> bytes:
    """The RunOptions that let TensorFlow's debugger write of these tensors, as (operation, output)."""
    options = tf.compat.v1.RunOptions()
    for node, slot in tensors:
        options.debug_options.debug_tensor_watch_opts.add(
            node_name=node, output_slot=slot, debug_ops=["DebugNumericSummary"], debug_urls=[url]
        )
    return bytes(options.SerializeToString())


def with_watch(options: Any, watch: bytes) -> Any:
    """The buffer with a run's RunOptions, and these beside them.

    Args:
        options: As `BaseSession._do_run` takes it; None for none.
    """
    before = b"" if options is None else bytes(pywrap_tf_session.TF_GetBuffer(options))
    return pywrap_tf_session.TF_NewBufferFromString(before + watch)


def free(options: Any) -> None:
    """Free a buffer of `with_watch`."""
    pywrap_tf_session.TF_DeleteBuffer(options)


def dumped(content: bytes) -> tuple[Tensor, list[float]]:
    """What a file of the debugger's holds: the tensor, and what DebugNumericSummary says of it."""
    value = tf.compat.v1.Event.FromString(content).summary.value[0]
    name, slot, _ = value.node_name.rsplit(":", 2)
    return Tensor(name, int(slot)), np.frombuffer(value.tensor.tensor_content, "<f8").tolist()


class Output:
    """A tensor of a graph as `BaseSession._do_run` takes it, without holding the graph."""

    def __init__(self, tensor: Any) -> None:
        self._output = tensor._as_tf_output()

    def _as_tf_output(self) -> Any:
        return self._output
