"""Which operations gave birth to numbers that are not finite, and which only handed them on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from graphlens.analyses.collectives import is_collective
from graphlens.analyses.flow import FINE, Flow, Health, Leaf, Made, Source, health_of
from graphlens.store import Call
from graphlens_tracers.events import LeafSeen, NodeSeen, Phase, Seq

Birth = Literal["born", "declared", "outside", "uninitialised"]
"""Out of finite numbers or infinities; meant so; come in from outside; memory that nobody has written."""

_UNINITIALISED = ("aten.empty", "aten.new_empty", "aten.empty_like", "aten.empty_strided", "aten.resize_")
_CONSTANTS = ("Const", "Fill")


@dataclass(frozen=True, slots=True)
class Bad:
    """An operation with an output that is not finite.

    Attributes:
        kind: "nan" or "inf": what its outputs hold, NaN where both.
        birth: Where its numbers came into the world; None for one that hands on what it was given.
        sources: The outputs it has them from.
        leaf: With "outside": what brought them in.
        collective: With "outside": when that was by a collective, from another rank, the one it was.
        by_hand: What was put in by hand and is not finite, in words.
        deduced: It runs where nobody sees it, before what ran at `seq`; in words, why it must be this one.
    """

    seq: Seq
    node: NodeSeen
    call: Call
    kind: str
    slots: tuple[int, ...]
    birth: Birth | None
    sources: tuple[Made, ...]
    leaf: LeafSeen | None = None
    collective: Seq | None = None
    deduced: str = ""
    by_hand: str = ""

    @property
    def phase(self) -> Phase:
        """Which part of training it belongs to."""
        return self.node.phase


class Births:
    """Judges the operations of one process, one outermost call after the other."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self.known: dict[Seq, Bad] = {}

    def judge(self, seqs: list[Seq]) -> list[Bad]:
        """These operations, all of one outermost call, in order."""
        found = []
        for seq in seqs:
            bad = self._judge(seq)
            if bad is not None:
                self.known[seq] = bad
                found.append(bad)
        return found

    def _judge(self, seq: Seq) -> Bad | None:
        flow = self._flow
        at = flow.at(seq)
        if at is None:
            return None
        node, call = at
        health = {slot: flow.health(Made(seq, slot)) for slot in range(len(node.outputs))}
        slots = tuple(slot for slot, one in health.items() if one.bad)
        if not slots and node.op.startswith(_UNINITIALISED):
            return Bad(seq, node, call, "nan", (0,), "uninitialised", ())
        if not slots:
            return None
        nan = any(health[slot].nan for slot in slots)
        kind = "nan" if nan else "inf"
        if flow.enters(seq):
            handed = [flow.made_by(Made(seq, slot)) for slot in slots]
            inner = tuple(one for one in handed if isinstance(one, Made))
            return Bad(seq, node, call, kind, slots, None if inner else "born", inner)
        sources, healths = self._inputs(seq)
        bad = tuple(
            one for one, its in zip(sources, healths, strict=True) if isinstance(one, Made) and its.bad
        )
        outside = next(
            (
                one.seen
                for one, its in zip(sources, healths, strict=True)
                if isinstance(one, Leaf) and its.bad
            ),
            None,
        )
        collective = None if bad else self._brought(seq)
        in_nan = any(its.nan for its in healths)
        in_inf = any(its.inf for its in healths)
        birth: Birth | None = None
        by_hand = self._by_hand(seq)
        if by_hand:
            return Bad(seq, node, call, kind, slots, "born", (), by_hand=by_hand)
        if node.op.startswith(_UNINITIALISED):
            birth = "uninitialised"
        elif node.op.startswith(ENTRY):
            birth = "outside" if nan or self._is_positive(seq, slots) else "declared"
        elif collective is not None:
            birth = "declared" if not nan and self._is_sentinel(seq, node) else "outside"
        elif in_nan or (in_inf and not nan):
            given = outside is not None and outside.kind == "constant" and not in_nan
            if not bad:
                meant = given or declares(node) or self._is_sentinel(seq, node)
                birth = "declared" if meant else "outside"
        elif declares(node):
            # A learning rate that is NaN is no mask.
            birth = "born" if node.phase is Phase.OPTIMIZER else "declared"
        elif node.op in SOURCES or (not in_inf and self._hands_on(seq, node, kind, sources)):
            birth = "outside"
        else:
            birth = "born"
        return Bad(seq, node, call, kind, slots, birth, bad, outside, collective)

    def _by_hand(self, seq: Seq) -> str:
        """What a person has put in that is not finite; "" for nothing."""
        again = self._flow.inputs_seen(seq)
        for fact in self._flow.process.unusual(seq, seq + 1):
            for one in fact.by_hand:
                looked = fact.numerics
                if one.input is not None:
                    looked = again[one.input] if one.input < len(again) else None
                if health_of(looked).bad:
                    what = f"output {fact.slot}" if one.input is None else f"input {one.input}"
                    return f"{what} was put in by hand while the script was held: {one.text}"
        return ""

    def _brought(self, seq: Seq) -> Seq | None:
        """The collective whose numbers an operation reads, which are not finite, and whose rank's own were.

        Those that the operation has written over cannot be looked at again: they are taken for it.
        """
        flow = self._flow
        again = flow.inputs_seen(seq)
        for k, source in enumerate(flow.sources(seq)):
            looked = again[k] if k < len(again) else None
            if not isinstance(source, Made) or not is_collective(flow.node(source.seq)):
                continue
            if not flow.health(source).bad and (looked is None or health_of(looked).bad):
                return source.seq
        return None

    def _hands_on(self, seq: Seq, node: NodeSeen, kind: str, sources: list[Source]) -> bool:
        """Whether it must have read something that is not finite, which nobody has looked at."""
        if kind != "nan" or short(node.op) not in _FINITE_STAYS or self._flow.inputs_seen(seq):
            return False
        return not all(isinstance(one, Made) and self._flow.range(one) is not None for one in sources)

    def _is_sentinel(self, seq: Seq, node: NodeSeen) -> bool:
        """Whether what comes in is minus infinity alone, and always was: it is meant so."""
        again = [one for one in self._flow.inputs_seen(seq) if one is not None]
        if not again or any(one.nan or one.pos_inf for one in again):
            return False
        seqs, nodes = self._flow.process.nodes_of(0, seq)
        before = seqs[nodes == node.node].tolist()
        return all(self._flow.health(Made(Seq(one), 0)).bad for one in before[:1])

    def _is_bad(self, source: Made) -> bool:
        """Whether an output is not finite, as far as PyTorch knows; memory that nobody has written may be."""
        return self._flow.health(source).bad or self._flow.node(source.seq).op.startswith(_UNINITIALISED)

    def _is_positive(self, seq: Seq, slots: tuple[int, ...]) -> bool:
        """Whether there is an infinity above zero among these outputs: that is no mask."""
        ranges = [self._flow.range(Made(seq, slot)) for slot in slots]
        return any(one is not None and one.high == math.inf for one in ranges)

    def _inputs(self, seq: Seq) -> tuple[list[Source], list[Health]]:
        """What an operation read, and whether that was finite."""
        flow = self._flow
        sources = flow.sources(seq)
        again = flow.inputs_seen(seq)
        healths = []
        for k, source in enumerate(sources):
            its = flow.health(source) if isinstance(source, Made) else FINE
            if k < len(again) and again[k] is not None:
                its = health_of(again[k])  # verified: somebody may have written to it meanwhile
                if its.bad and isinstance(source, Made) and not self._is_bad(source):
                    source = sources[k] = None
            healths.append(its)
        return sources, healths


def declares(node: NodeSeen) -> bool:
    """Whether what is not finite was given to it as a number: a mask's minus infinity, say."""
    if node.op in _CONSTANTS or (node.op.startswith("aten.") and node.op.split(".")[1] in _MAKERS):
        return True
    return any(not math.isfinite(number) for number in _numbers(node.form))


_MAKERS = ("scalar_tensor", "full", "full_like", "new_full")
SOURCES = (
    "IteratorGetNext", "OptionalGetValue", "StringToNumber", "DecodeCSV", "DecodeRaw", "ParseExampleV2",
    "PyFunc", "EagerPyFunc", "PyFuncStateless", "RestoreV2", "Placeholder",
)  # fmt: skip
"""Operations of TensorFlow that bring in numbers from outside."""
_FINITE_STAYS = (
    "add", "sub", "mul", "mm", "bmm", "cast", "gatherv2", "reshape", "concatv2", "readvariableop", "pack",
    "resourcegather", "stridedslice", "assignvariableop", "sum", "square", "squareddifference", "biasadd",
    "expanddims", "neg", "transpose", "conv2d",
)  # fmt: skip
"""What makes no NaN of finite numbers: where it seems to, some input was not looked at."""
ENTRY = "aten.lift_fresh"
"""What numbers of Python or NumPy become a tensor by."""


def _numbers(form: str) -> Iterator[float]:
    try:
        ahead: list[Any] = [json.loads(form)]  # Any: JSON
    except ValueError:
        return
    while ahead:
        one = ahead.pop()
        if isinstance(one, list):
            ahead += one
        elif isinstance(one, dict):
            ahead += one.values()
        elif isinstance(one, float):
            yield one
        elif isinstance(one, str) and one in ("inf", "-inf", "nan", "Infinity", "-Infinity", "NaN"):
            yield float(one.lower())


def short(op: str) -> str:
    """The name of an operation as people say it: "log" for "aten.log_.default" and for "Log"."""
    name = op.split(".")[1] if op.startswith("aten.") else op
    return _SAME.get(name, name.strip("_").lower())


_SAME = {
    "RealDiv": "div", "Div": "div", "DivNoNan": "div", "Xdivy": "div", "true_divide": "div",
    "Reciprocal": "reciprocal", "Inv": "reciprocal", "MatMul": "mm", "BatchMatMulV2": "bmm",
    "_softmax": "softmax", "Softmax": "softmax", "_log_softmax": "log_softmax", "LogSoftmax": "log_softmax",
    "AddV2": "add", "native_batch_norm": "batch_norm", "nll_loss_forward": "nll_loss",
}  # fmt: skip
