"""A run of a small transformer that never ran: as large as a benchmark wants it, in a moment.

Declarations are made one by one as a tracer would; rows and ranges of all steps at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factories import WIDTHS, LogWriter, Ranged, encode, new_run, out, ran, site
from graphlens_tracers import wire
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    Event,
    GraphId,
    GraphSeen,
    LeafSeen,
    ModuleCallId,
    ModuleCallSeen,
    NodeSeen,
    Numerics,
    Phase,
    ScopeId,
    ScopeSeen,
    Seq,
    SiteId,
    SourceSeen,
    Spec,
    TracerStarted,
    Unusual,
    ValueId,
)
from graphlens_tracers.wire import Kind

PAUSE = 320
"""Nanoseconds between two operations of a synthetic run; whole ticks."""

SOURCE = '''\
"""A small transformer, trained on noise."""

import torch
from torch import nn


class Attention(nn.Module):
    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(-2, -1) / 8
        weights = torch.softmax(scores, -1)
        return self.out(weights @ v)


class MLP(nn.Module):
    def forward(self, x):
        return self.down(torch.relu(self.up(x)))


class Block(nn.Module):
    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def forward(self, ids):
        x = self.wte(ids)
        for block in self.h:
            x = block(x)
        return self.head(self.ln_f(x))


def main():
    for step in range(STEPS):
        loss = nn.functional.cross_entropy(model(ids), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


main()
'''
CALLED, MODEL, LOSS, BACKWARD, STEP = 42, 36, 36, 38, 39
"""Lines of SOURCE."""
FILE = "/home/ada/train.py"


@dataclass(frozen=True)
class Op:
    """One op of a block: where, what, which parameters it reads, its line, and what else it reads."""

    inside: str
    op: str
    reads: tuple[str, ...]
    line: int
    also: str = ""  # "skip": the residual; "last": the op before it; "view": it changes no data


BLOCK = (
    Op("ln_1", "aten.native_layer_norm.default", ("weight", "bias"), 22),
    Op("attn.qkv", "aten.t.default", ("weight",), 9, "view"),
    Op("attn.qkv", "aten.addmm.default", ("bias",), 9, "last"),
    Op("attn", "aten.clone.default", (), 9),
    Op("attn", "aten.transpose.int", (), 10, "view"),
    Op("attn", "aten.bmm.default", (), 10, "last"),
    Op("attn", "aten.div.Tensor", (), 10),
    Op("attn", "aten._softmax.default", (), 11),
    Op("attn", "aten.bmm.default", (), 12, "last"),
    Op("attn.out", "aten.t.default", ("weight",), 12, "view"),
    Op("attn.out", "aten.addmm.default", ("bias",), 12, "last"),
    Op("", "aten.add.Tensor", (), 22, "skip"),
    Op("ln_2", "aten.native_layer_norm.default", ("weight", "bias"), 23),
    Op("mlp.up", "aten.t.default", ("weight",), 17, "view"),
    Op("mlp.up", "aten.addmm.default", ("bias",), 17, "last"),
    Op("mlp", "aten.relu.default", (), 17),
    Op("mlp.down", "aten.t.default", ("weight",), 17, "view"),
    Op("mlp.down", "aten.addmm.default", ("bias",), 17, "last"),
    Op("", "aten.add.Tensor", (), 23, "skip"),
)
KINDS = {"ln_1": "LayerNorm", "ln_2": "LayerNorm", "attn": "Attention", "mlp": "MLP"}
OPTIMIZER = ("aten.lerp_.Scalar", "aten.mul_.Tensor", "aten.addcdiv_.default")
OPS_PER_BLOCK = 2 * len(BLOCK) + len(OPTIMIZER) * sum(len(op.reads) for op in BLOCK)


@dataclass
class Transformer:
    """The declarations of one training step, every id said before it is referred to."""

    events: list[Event] = field(default_factory=list)
    nodes: list[NodeSeen] = field(default_factory=list)
    scopes: dict[str, tuple[ScopeId, ModuleCallId]] = field(default_factory=dict)
    sites: dict[tuple[int, int | None], SiteId] = field(default_factory=dict)
    parameters: list[tuple[ValueId, str]] = field(default_factory=list)
    grads: dict[ValueId, ValueId] = field(default_factory=dict)
    values: int = 0

    def value(self) -> ValueId:
        """The next value id."""
        self.values += 1
        return ValueId(self.values - 1)

    def scope(self, path: str, kind: str) -> None:
        """A module and its one call, once."""
        if path in self.scopes:
            return
        parent, call = self.scopes.get(path.rpartition(".")[0], (None, None))
        scope, new = ScopeId(len(self.scopes)), ModuleCallId(len(self.scopes))
        self.events += [ScopeSeen(scope, parent, path, kind), ModuleCallSeen(new, call, scope)]
        self.scopes[path] = scope, new

    def line(self, line: int, outer: int | None = CALLED) -> SiteId:
        """A frame on this line of SOURCE, called from the line `outer`."""
        if (line, outer) not in self.sites:
            beyond = None if outer is None else self.line(outer, None if outer == CALLED else CALLED)
            text = SOURCE.splitlines()[line - 1]
            self.sites[line, outer] = SiteId(len(self.sites))
            where: dict[str, Any] = {"column": len(text) - len(text.lstrip()), "end": len(text)}
            function = "forward" if line < 34 else "main" if line < CALLED else "<module>"
            self.events.append(site(self.sites[line, outer], line, FILE, beyond, function=function, **where))
        return self.sites[line, outer]

    def leaf(self, name: str, kind: Any, *shape: int) -> ValueId:
        """A value that no op makes."""
        value = self.value()
        self.events.append(LeafSeen(value, kind, name, Spec(shape, "float32")))
        if kind == "parameter":
            self.parameters.append((value, name))
        return value

    def op(
        self,
        op: str,
        phase: Phase,
        inputs: Sequence[ValueId],
        site: SiteId,
        *,
        path: str = "",
        shape: tuple[int, ...] = (8, 64),
        ranged: Ranged = "f4",
        alias: int | None = None,
        **more: Any,
    ) -> ValueId:
        """A node with one output; its value."""
        value = self.value()
        scope, call = self.scopes.get(path, (None, None))
        node = ran(
            len(self.nodes),
            inputs=inputs,
            outputs=[out(value, *shape, ranged=ranged, alias=alias)],
            op=op,
            phase=phase,
            site=site,
            **{"scope": scope, "module_call": call, **more},
        )
        self.nodes.append(node)
        self.events.append(node)
        return value

    def block(self, root: str, k: int, x: ValueId) -> ValueId:
        """One layer; what it returns."""
        path = f"{root}.h.{k}"
        self.scope(path, "Block")
        before = last = skip = x
        for step in BLOCK:
            where = f"{path}.{step.inside}" if step.inside else path
            for depth in range(step.inside.count(".") + 1 if step.inside else 0):
                inside = step.inside.split(".")[: depth + 1]
                self.scope(".".join([path, *inside]), KINDS.get(inside[-1], "Linear"))
            leaves = [
                self.leaf(f"{where}.{name}".partition(".")[2], "parameter", 64, 64) for name in step.reads
            ]
            view = step.also == "view"
            inputs = leaves if view and leaves else [before, *leaves]
            inputs += {"skip": [skip], "last": [last]}.get(step.also, [])
            site = self.line(step.line, MODEL)
            last = self.op(
                *(step.op, Phase.FORWARD, inputs, site),
                path=where,
                alias=0 if view else None,
            )
            before = before if view else last
            skip = last if step.also == "skip" else skip
        return before

    def backward(self, loss: ValueId) -> None:
        """The twin of every forward op, last first."""
        site = self.line(BACKWARD)
        ones = self.op("aten.ones_like.default", Phase.BACKWARD, [loss], site, shape=())
        self.grads[loss] = ones
        for node in reversed([node for node in self.nodes if node.phase is Phase.FORWARD]):
            head = self.grads.get(node.outputs[0].value, ones)
            name = node.op.split(".")[1]
            inputs = (
                [head]
                if node.outputs[0].alias == 0
                else [head, *(v for v in node.inputs[:1] if v is not None)]
            )
            made = self.op(
                *(f"aten.{name}_backward.default", Phase.BACKWARD, inputs, site),
                twin=node.node,
                scope=node.scope,
                module_call=node.module_call,
            )
            self.grads.update({value: made for value in node.inputs if value is not None})

    def optimizer(self) -> None:
        """The update of every parameter, in place."""
        site = self.line(STEP)
        for value, name in self.parameters:
            moment = self.leaf(f"exp_avg.{name}", "state", 64, 64)
            for op in OPTIMIZER:
                target = value if "addcdiv" in op else moment
                inputs = [target, self.grads.get(value, moment)]
                moment_or_value = self.op(
                    *(op, Phase.OPTIMIZER, inputs, site), writes=((0, 0),), alias=0, shape=(64, 64)
                )
                moment = moment if target == value else moment_or_value

    def step(self, layers: int) -> None:
        """All of one training step."""
        self.scope("GPT", "GPT")
        self.scope("GPT.wte", "Embedding")
        ids = self.leaf("ids", "batch", 8)
        table = self.leaf("wte.weight", "parameter", 64, 64)
        x = self.op(
            *("aten.embedding.default", Phase.FORWARD, [table, ids], self.line(28, MODEL)), path="GPT.wte"
        )
        for k in range(layers):
            x = self.block("GPT", k, x)
        wide = self.op("aten._to_copy.default", Phase.FORWARD, [x], self.line(LOSS), ranged="f8")
        best = self.op("aten.argmax.default", Phase.FORWARD, [wide], self.line(LOSS), ranged="", shape=(8,))
        loss = self.op(
            "aten.nll_loss_forward.default", Phase.FORWARD, [wide, best], self.line(LOSS), shape=()
        )
        self.backward(loss)
        self.optimizer()


def write_transformer(path: Path, nodes: int, steps: int, nan_from: int | None, info: dict[str, Any]) -> Path:
    """See `factories.write_run`."""
    log = new_run(path, **info)
    model = Transformer()
    digest = hashlib.sha256(SOURCE.encode()).hexdigest()
    (path / "sources").mkdir()
    (path / "sources" / digest).write_text(SOURCE)
    (path / "output.log").write_text("".join(f"step {k} loss {1 / (k + 1):.4f}\r\n" for k in range(steps)))
    setup = [
        model.op(
            "aten.normal_.default",
            Phase.OTHER,
            [model.leaf(f"empty{k}", "unknown")],
            model.line(CALLED, None),
        )
        for k in range(4)
    ]
    model.step(max(1, round((nodes - 8) / OPS_PER_BLOCK)))
    step_nodes = tuple(node.node for node in model.nodes[len(setup) :])
    log.declare(
        TracerStarted("pytorch", "2.13.0"),
        SourceSeen(FILE, digest),
        *model.events,
        GraphSeen(GraphId(0), None, "setup", "setup", "ran", nodes=tuple(n.node for n in model.nodes[:4])),
        GraphSeen(GraphId(1), None, "step", "step", "ran", nodes=step_nodes),
    )
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), None, "setup"))
    log.ran(*range(len(setup)))
    log.calls(CallEnded(CallId(0), Seq(3)))
    born = next(
        k for k, node in enumerate(model.nodes[4:]) if k > len(step_nodes) // 8 and "softmax" in node.op
    )
    Steps(log, model.nodes[4:], steps, None if nan_from is None else (nan_from, born)).write()
    if nan_from is not None and nan_from < steps:
        first = 4 + nan_from * len(step_nodes) + born
        bad = Numerics(512, nan=512, pos_inf=0, neg_inf=0, where=((0, 0), (0, 1)))
        log.facts(*(Unusual(Seq(first + k), 0, bad) for k in range(16)))
    log.finish()
    return path


@dataclass
class Steps:
    """Many calls of graph 1 as frames; everything from op `bad[1]` of step `bad[0]` on is NaN."""

    log: LogWriter
    nodes: list[NodeSeen]
    steps: int
    bad: tuple[int, int] | None

    def __post_init__(self) -> None:
        count = len(self.nodes)
        self.count, self.first_node = count, int(self.nodes[0].node)
        self.start, self.ended, self.begun = self.log.seq, 0, 0
        self.width = np.array([sum(WIDTHS[o.ranged] for o in node.outputs) for node in self.nodes])
        self.took = np.random.default_rng(1).integers(500, 40_000, count)
        self.began = np.concatenate([[0], np.cumsum(self.took + PAUSE)])[:-1]
        self.slots_before = np.concatenate([[0], np.cumsum(np.tile(self.width, self.steps))])

    def write(self) -> None:
        """All frames, cut where a page would have been full."""
        at, total = 0, self.count * self.steps
        while at < total:
            full = (
                int(np.searchsorted(self.slots_before, self.slots_before[at] + wire.MAX_SLOTS, "right")) - 1
            )
            stop = min(total, at + wire.MAX_ROWS, full)
            # A block a step: (first row in the frame, stop).
            cuts = [at, *range((at // self.count + 1) * self.count, stop, self.count)]
            blocks = list(zip(cuts, [*cuts[1:], stop], strict=True))
            where = np.arange(at, stop)
            self.log.put(Kind.ROWS, self.rows(where, blocks), self.start + at)
            ranges = self.ranges(where, blocks)
            if ranges:
                self.log.put(Kind.RANGES, ranges, self.start + at)
            calls = self.calls(stop)
            if calls:
                self.log.put(Kind.CALLS, encode(calls), self.start + at)
            at = stop
        self.log.seq = self.start + total

    def rows(self, where: npt.NDArray[np.int64], blocks: list[tuple[int, int]]) -> bytes:
        """The body of a ROWS frame."""
        k = where % self.count
        gaps = np.where(np.isin(where, [first for first, _ in blocks]), 0, PAUSE // wire.TICK).astype("<u2")
        heads = [
            wire.BLOCK.pack(
                first - int(where[0]),
                self.first_node + first % self.count,
                1_000_000_000 + first // self.count * 50_000_000 + int(self.began[first % self.count]),
                self.start + first,
            )
            for first, _ in blocks
        ]
        return (
            wire.ROWS_HEADER.pack(len(where), len(blocks), 0, 0)
            + b"".join(heads)
            + self.took[k].astype("<u4").tobytes()
            + gaps.tobytes()
        )

    def ranges(self, where: npt.NDArray[np.int64], blocks: list[tuple[int, int]]) -> bytes:
        """The body of a RANGES frame; empty when nothing has a range."""
        base = int(self.slots_before[where[0]])
        step, k = where // self.count, where % self.count
        low = -1.0 - k % 7
        high = low + 3.5
        if self.bad is not None:
            nan = (step > self.bad[0]) | ((step == self.bad[0]) & (k >= self.bad[1]))
            low[nan] = high[nan] = np.nan
        slots = np.zeros(int(self.slots_before[where[-1] + 1]) - base, "<u8")
        place = self.slots_before[where] - base
        narrow, wide = self.width[k] == 1, self.width[k] == 2
        slots[place[narrow]] = np.column_stack([low, high]).astype("<f4")[narrow].view("<u8")[:, 0]
        slots[place[wide]] = low[wide].view("<u8")
        slots[place[wide] + 1] = high[wide].view("<u8")
        heads = [
            wire.RANGE_BLOCK.pack(
                *(self.start + first, self.first_node + first % self.count, stop - first),
                int(self.slots_before[first]) - base,
            )
            for first, stop in blocks
        ]
        return (
            wire.RANGES_HEADER.pack(len(blocks), len(slots)) + b"".join(heads) + slots.tobytes()
            if len(slots)
            else b""
        )

    def calls(self, stop: int) -> list[Event]:
        """Steps that began or ended before op `stop`."""
        events: list[Event] = []
        while self.begun * self.count < stop or (self.ended + 1) * self.count <= stop:
            first = self.start + self.begun * self.count
            if self.begun == self.ended and first - self.start < stop:
                events.append(CallBegan(CallId(self.begun + 1), GraphId(1), Seq(first), self.begun, "train"))
                self.begun += 1
            elif (self.ended + 1) * self.count <= stop:
                first = self.start + self.ended * self.count
                last = first + self.count - 1
                events.append(CallEnded(CallId(self.ended + 1), Seq(last)))
                self.ended += 1
            else:
                break
        return events
