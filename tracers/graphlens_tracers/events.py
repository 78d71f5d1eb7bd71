"""What a tracer may say: ids, phases, specs, and one event a fact.

Everything here is frozen, standard library only, and read on both sides of the process
boundary. An event is written as JSON, ``["NodeSeen", {"node": 4, ...}]``, with fields left out
that have their default. Fields are only ever added, at the end and with a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NewType

FORMAT = 1
"""Raise it when an old reader would misread a new event."""

Seq = NewType("Seq", int)
"""Position in one process: starts at 0, one per operation that ran, one counter for all its
threads. Shown as N, or RANK:N."""
NodeId = NewType("NodeId", int)
ValueId = NewType("ValueId", int)
GraphId = NewType("GraphId", int)
ScopeId = NewType("ScopeId", int)
SiteId = NewType("SiteId", int)
CallId = NewType("CallId", int)
CellId = NewType("CellId", int)
ProcId = NewType("ProcId", int)
ModuleCallId = NewType("ModuleCallId", int)
WiringId = NewType("WiringId", int)


class Phase(StrEnum):
    """Which part of training an operation belongs to."""

    DATA = "data"  # making the batch: loading, collating, augmenting
    FORWARD = "forward"  # the model and the loss
    BACKWARD = "backward"
    OPTIMIZER = "optimizer"  # inside Optimizer.step (not its closure), unscaling, clipping, zero_grad
    OTHER = "other"  # set-up, item(), logging, averaging


@dataclass(frozen=True, slots=True)
class Spec:
    """What a tensor is, without its numbers."""

    shape: tuple[int | None, ...] | None  # None: unknown rank
    dtype: str  # "float32", without a framework's prefix
    device: str = "cpu"
    strides: tuple[int, ...] | None = None  # None: contiguous
    offset: int = 0  # elements into the storage
    layout: str = "strided"
    conj: bool = False  # its memory holds the complex conjugates of its elements
    neg: bool = False  # its memory holds the negatives of its elements


@dataclass(frozen=True, slots=True)
class Output:
    """One result of a node.

    Attributes:
        value: Its id, unique in the process.
        spec: As first seen.
        alias: Index of the input whose memory it shares (a view); None when it has its own.
        ranged: How its minimum and maximum are stored: "" (not looked at), "f2" float16, "b2"
            bfloat16, "f4" float32, "f8" float64. Every row of the node has that many slots.
    """

    value: ValueId
    spec: Spec
    alias: int | None = None
    ranged: Literal["", "f2", "b2", "f4", "f8"] = ""


@dataclass(frozen=True, slots=True)
class Numerics:
    """How the numbers of one tensor look, without the numbers.

    Attributes:
        size: Elements (not bytes).
        nan: How many are NaN.
        pos_inf: How many are +inf.
        neg_inf: How many are -inf.
        low: Smallest finite element; None when there is none.
        high: Largest finite element; None when there is none.
        mean: Mean of the finite elements, in float64; None when not computed.
        where: Indices of the first few elements that are not finite.
        scan: "full", or "sampled" when the counts are estimates.
        zeros: How many are exactly zero; None when not counted.
    """

    size: int
    nan: int
    pos_inf: int
    neg_inf: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    where: tuple[tuple[int, ...], ...] = ()
    scan: Literal["full", "sampled"] = "full"
    zeros: int | None = None


# ── declarations: said once ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class RunStarted:
    """First event of every log; said again when more is known, the last one holds.

    Attributes:
        thread: Name of the thread whose log it is; "" for the one that imported the framework. Of a framework
            that came second its name: each has a log of its own, whatever threads it runs on.
        worker: What the process is called by those who started it ("Process-1"); "" when it has no name.
        parent: The process that started it.
        world: How many ranks train together, this being one of them, or started by one; 0: none is known.
        began: When this log began, in seconds since 1970; 0: not said.
    """

    argv: tuple[str, ...]
    pid: int
    rank: int = 0
    format: int = FORMAT
    python: str = ""
    thread: str = ""
    worker: str = ""
    parent: int = 0
    world: int = 0
    began: float = 0.0


@dataclass(frozen=True, slots=True)
class TracerStarted:
    """A framework arrived and its tracer began."""

    tracer: str
    framework_version: str
    lacks: tuple[str, ...] = ()  # capabilities this version does not offer


@dataclass(frozen=True, slots=True)
class ScopeSeen:
    """A module of the model, declared before any operation inside it.

    Attributes:
        path: Dotted, the root's class name first: "GPT2.transformer.h.0.attn".
        kind: The module's class name; "name scope" or "variable_scope" for those of TensorFlow.
        site: Where the script has made it; None where nobody saw that.
    """

    scope: ScopeId
    parent: ScopeId | None
    path: str
    kind: str
    site: SiteId | None = None


@dataclass(frozen=True, slots=True)
class ModuleCallSeen:
    """The `nth` call of a module inside one call of its caller; the same id in every step."""

    module_call: ModuleCallId
    parent: ModuleCallId | None
    scope: ScopeId
    nth: int = 0


@dataclass(frozen=True, slots=True)
class SiteSeen:
    """A place in the user's source: one frame, and the site that called it.

    Lines count from 1, columns from 0 in UTF-8 bytes as in `ast`; -1 when unknown.
    """

    site: SiteId
    outer: SiteId | None
    file: str
    line: int
    column: int
    end_line: int
    end: int
    function: str


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """A file of the user's, kept in `sources/` under `digest` so that lines stay right."""

    file: str
    digest: str


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A place where an operation runs; it may not have run yet, and may be in many graphs.

    Attributes:
        key: The same place in another graph, another run: phase, op, site, module call, k-th.
        op: The framework's own name ("aten.mm.default", "MatMul").
        form: JSON of the call's arguments: tensors as "$k" (k-th input), lists kept, scalars exact.
        inputs: Values it reads, in argument order; None for an argument with no value.
        outputs: Values it makes, in result order; a tensor written in place is one of them.
        scope: The innermost module; for a backward operation its twin's.
        module_call: The call of that module; None outside modules.
        writes: (input, output) for each input changed in place: which output is its new value.
        controls: Nodes that must run before it without handing it a value.
        calls: The graph it enters, for a call to a traced function.
        twin: For a backward operation, the forward one it differentiates.
        remakes: For a recomputed operation (checkpoint), the one it repeats.
        formula: For a backward operation, what it is part of: the autograd node whose formula it belongs
            to ("MulBackward0"), "AccumulateGrad[NAME]" where a gradient is put into a parameter's, or
            "sum of gradients" where those of a value that was used more than once are added up. Empty
            for what code of the user's did meanwhile: hooks, checkpoints.
        through: (input, value) for each input that lies otherwise than the value it reads: it is that
            memory, laid out as this value. An old view of what was written since, for one.
    """

    node: NodeId
    key: str
    op: str
    phase: Phase
    form: str
    inputs: tuple[ValueId | None, ...]
    outputs: tuple[Output, ...]
    scope: ScopeId | None = None
    module_call: ModuleCallId | None = None
    site: SiteId | None = None
    writes: tuple[tuple[int, int], ...] = ()
    controls: tuple[NodeId, ...] = ()
    calls: GraphId | None = None
    twin: NodeId | None = None
    remakes: NodeId | None = None
    formula: str = ""
    through: tuple[tuple[int, ValueId], ...] = ()


@dataclass(frozen=True, slots=True)
class WiringSeen:
    """What a node reads in some graphs, where it is not what its own declaration says."""

    wiring: WiringId
    node: NodeId
    inputs: tuple[ValueId | None, ...]
    through: tuple[tuple[int, ValueId], ...] = ()


@dataclass(frozen=True, slots=True)
class GraphSeen:
    """One way through a step, or a traced function: nodes in order, as a splice of an earlier graph.

    Attributes:
        base, keep: The first `keep` nodes, and their wiring, are those of `base`.
        nodes: Those that follow; more may come as `GraphGrew`.
        wirings: Of those nodes that read other values than they were declared with.
        family: What it is a variant or a retrace of.
        arguments: Of a function, the leaves that it is given, in order, also those that no node reads.
        results: Of a function, the values that it gives out, in order.
        because: Of a retrace, in words the first argument that is not as in the trace most like it:
            "x: float32[2,3], was float32[4,3]".
    """

    graph: GraphId
    parent: GraphId | None
    name: str
    kind: Literal["step", "setup", "function", "body", "branch", "session", "stream"]
    order: Literal["ran", "topological"]
    base: GraphId | None = None
    keep: int = 0
    nodes: tuple[NodeId, ...] = ()
    wirings: tuple[WiringId, ...] = ()
    family: str = ""
    arguments: tuple[ValueId, ...] = ()
    results: tuple[ValueId, ...] = ()
    because: str = ""


@dataclass(frozen=True, slots=True)
class GraphGrew:
    """More nodes at the end of a graph that is being recorded."""

    graph: GraphId
    nodes: tuple[NodeId, ...]
    wirings: tuple[WiringId, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphNamed:
    """What a graph turned out to be, said when its first call has ended: "train", "eval", "train#2"."""

    graph: GraphId
    name: str
    kind: Literal["step", "setup", "function", "body", "branch", "session", "stream"]


@dataclass(frozen=True, slots=True)
class LeafSeen:
    """A value that no node of its graph makes. `cell`: the storage or variable that outlives a call.

    An "argument" is handed over by the node that enters the graph, in the same order.
    """

    value: ValueId
    kind: Literal[
        "parameter", "buffer", "state", "batch", "constant", "earlier", "capture", "unknown", "argument"
    ]
    name: str
    spec: Spec
    cell: CellId | None = None


@dataclass(frozen=True, slots=True)
class ShapesSeen:
    """All output specs of a call, shared by every call whose leaves have these shapes.

    `specs`: for each node of the graph in order, each of its outputs. Shapes 0 is, for every
    graph, "as the nodes declare".
    """

    shapes: int
    graph: GraphId
    specs: tuple[Spec, ...]


# ── calls: one a step ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CallBegan:
    """One execution of a graph begins: a step, a function call, a loop iteration.

    Attributes:
        graph: The graph it follows as far as is known now.
        first: Its first operation. May be said late: the ops from `first` on are this call's, and
            no longer the call's before it on the same strand.
        step: The training step; None before the first one.
        thread: The name of the thread it runs on, where that is not the one of `RunStarted`: threads
            that are not alive at the same time may share a log.
        epoch: The epoch that it is in, as the script or Keras counts them; None where nobody is seen to
            count, and where it was made in another call: it is in the same one.
    """

    call: CallId
    graph: GraphId
    first: Seq
    step: int | None
    role: Literal["setup", "train", "eval", "other"]
    strand: int = 0
    parent: CallId | None = None
    at: NodeId | None = None
    iteration: int | None = None
    replays: CallId | None = None
    thread: str = ""
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class CallTurned:
    """The call left the graph it was following, and follows this one."""

    call: CallId
    graph: GraphId


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over; only now is it sure which graph, step and role it was.

    What is as `CallBegan` and `CallTurned` said is left out.

    Attributes:
        last: Its last operation (inclusive); one before its first when it ran none.
        graph, role: None: as said.
        step: None: as said; -1: before the first step.
        shapes: Which `ShapesSeen`; 0: as the nodes declare.
        error: What ended it, when that was an exception.
        epoch: None: as said; -1: none.
    """

    call: CallId
    last: Seq
    graph: GraphId | None = None
    role: Literal["setup", "train", "eval", "other"] | None = None
    step: int | None = None
    shapes: int = 0
    error: str | None = None
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class CallsRan:
    """Several calls that are over, said at once: those that one call made, and itself.

    Attributes:
        call: The id of the first; the others have the next ones.
        calls: Each as (graph, first, last, step, parent, at, iteration), in the words of `CallBegan` and
            `CallEnded`; -1 for None.
        shapes: Which `ShapesSeen` each has; none: all are as the nodes declare.
        epoch: That of all of them, as in `CallBegan`.
    """

    call: CallId
    role: Literal["setup", "train", "eval", "other"]
    calls: tuple[tuple[int, int, int, int, int, int, int], ...]
    strand: int = 0
    shapes: tuple[int, ...] = ()
    epoch: int | None = None


# ── facts: only what is unusual ──────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Bound:
    """What a leaf was in this call, where that is not its cell's usual content."""

    call: CallId
    leaf: ValueId
    cell: CellId | None = None
    producer: Seq | None = None
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """A tensor whose elements are in `values-PID-NONCE.bin`, in order, as little-endian numbers of its dtype.

    Attributes:
        spec: Of the whole tensor.
        at, size: Which bytes of the file; crc: their CRC-32.
        start: The first element that is there, counted in order; a large tensor is there in part.
        input: It is not the output, but this input, as it was when the operation ran.
    """

    spec: Spec
    at: int
    size: int
    crc: int
    start: int = 0
    input: int | None = None


@dataclass(frozen=True, slots=True)
class ByHand:
    """A person has replaced a tensor while the operation was held.

    Attributes:
        text: The expression that was put in.
        input: It is not the output, but this input, before the operation ran.
    """

    text: str
    input: int | None = None


@dataclass(frozen=True, slots=True)
class Unusual:
    """Non-finite counts, a changed spec, an error, kept elements: facts of one occurrence.

    Attributes:
        slot: The output; -1 with `error`, the exception the operation raised.
        inputs: With `numerics`, how the inputs looked right after it; None for one that was not looked at,
            or that the operation has written over. None at all: nobody looked. Without: what a dataset of
            TensorFlow is made of.
        kept: The output and inputs whose elements are kept.
        printed: The script has written the output as text. Said of what is not finite.
        by_hand: What was replaced. Of an output `numerics` are of what was put in, and its range of what
            the operation had made.
    """

    seq: Seq
    slot: int
    numerics: Numerics | None = None
    spec: Spec | None = None
    error: str | None = None
    inputs: tuple[Numerics | None, ...] = ()
    kept: tuple[Kept, ...] = ()
    printed: bool = False
    by_hand: tuple[ByHand, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Something was not looked at, and why: it is shown wherever a verdict is.

    Said again with a higher count when it happens again: the last one of a (kind, what) holds.
    """

    kind: Literal[
        "compiled", "thread", "fork", "process", "dropped", "unreadable", "sampled", "untraced", "failed",
        "unfused", "unkept", "unheld",
    ]  # fmt: skip
    what: str
    first: Seq
    count: int


@dataclass(frozen=True, slots=True)
class LogFinished:
    """Last event of a log that ended by itself. Its absence means the process died."""

    dropped: int = 0


Declaration = (
    RunStarted | TracerStarted | ScopeSeen | ModuleCallSeen | SiteSeen | SourceSeen | NodeSeen
    | WiringSeen | GraphSeen | GraphGrew | GraphNamed | LeafSeen | ShapesSeen
)  # fmt: skip
CallEvent = CallBegan | CallTurned | CallEnded | CallsRan
Fact = Bound | Unusual | Gap | LogFinished
Event = Declaration | CallEvent | Fact

EVENTS: tuple[type[Event], ...] = (
    RunStarted, TracerStarted, ScopeSeen, ModuleCallSeen, SiteSeen, SourceSeen, NodeSeen, GraphSeen,
    GraphGrew, GraphNamed, LeafSeen, ShapesSeen, CallBegan, CallTurned, CallEnded, Bound, Unusual, Gap,
    LogFinished, WiringSeen, CallsRan,
)  # fmt: skip
"""Every kind of event, in the order a reader meets them."""
