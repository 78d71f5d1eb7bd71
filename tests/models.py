"""Small models as a tracer declares them, for pictures: what to draw, without running anything."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from graphlens.view.subject import Illness, Subject
from graphlens_tracers.events import (
    LeafSeen,
    ModuleCallId,
    ModuleCallSeen,
    NodeId,
    NodeSeen,
    Output,
    Phase,
    ScopeId,
    ScopeSeen,
    Spec,
    ValueId,
)

Shape = tuple[int, ...]


@dataclass
class Model:
    """Declares operations one after the other. What is made from a NaN is NaN, as `ill` says."""

    name: str = "Net"
    nodes: list[NodeSeen] = field(default_factory=list)
    leaves: dict[ValueId, LeafSeen] = field(default_factory=dict)
    scopes: dict[ScopeId, ScopeSeen] = field(default_factory=dict)
    calls: dict[ModuleCallId, ModuleCallSeen] = field(default_factory=dict)
    specs: dict[ValueId, Spec] = field(default_factory=dict)
    ill: dict[ValueId, Illness] = field(default_factory=dict)
    stack: list[ModuleCallId] = field(default_factory=list)
    by_path: dict[str, ScopeId] = field(default_factory=dict)

    def _value(self, spec: Spec) -> ValueId:
        value = ValueId(len(self.specs))
        self.specs[value] = spec
        return value

    def leaf(self, kind: str, name: str, *shape: int, dtype: str = "float32") -> ValueId:
        """A value that no operation makes."""
        value = self._value(Spec(shape, dtype))
        self.leaves[value] = LeafSeen(value, kind, name, self.specs[value])  # type: ignore[arg-type]  # as typed
        return value

    def batch(self, name: str, *shape: int, dtype: str = "float32") -> ValueId:
        """What the script feeds in."""
        return self.leaf("batch", name, *shape, dtype=dtype)

    def parameter(self, name: str, *shape: int) -> ValueId:
        """What is learned."""
        return self.leaf("parameter", name, *shape)

    @contextmanager
    def module(self, name: str, kind: str) -> Iterator[None]:
        """Operations inside run in a call of this module."""
        outer = self.stack[-1] if self.stack else None
        above = self.scopes[self.calls[outer].scope].path if outer is not None else ""
        path = f"{above}.{name}" if above else name
        if path not in self.by_path:
            scope = ScopeId(len(self.scopes))
            self.by_path[path] = scope
            self.scopes[scope] = ScopeSeen(
                scope, self.calls[outer].scope if outer is not None else None, path, kind
            )
        nth = sum(
            1 for call in self.calls.values() if call.scope == self.by_path[path] and call.parent == outer
        )
        call = ModuleCallId(len(self.calls))
        self.calls[call] = ModuleCallSeen(call, outer, self.by_path[path], nth)
        self.stack.append(call)
        yield
        self.stack.pop()

    def ops(
        self, op: str, inputs: Sequence[ValueId], shapes: Sequence[Shape], *, phase: Phase = Phase.FORWARD,
        dtype: str = "float32", twin: NodeId | None = None, writes: tuple[tuple[int, int], ...] = (),
    ) -> list[ValueId]:  # fmt: skip
        """An operation with as many results as shapes."""
        outputs = tuple(Output(self._value(Spec(shape, dtype)), Spec(shape, dtype)) for shape in shapes)
        if any(self.ill.get(value) == "nan" for value in inputs):
            self.ill.update((output.value, "nan") for output in outputs)
        call = self.stack[-1] if self.stack and phase is Phase.FORWARD else None
        self.nodes.append(
            NodeSeen(
                NodeId(len(self.nodes)), f"{phase}/{op}/{len(self.nodes)}", f"aten.{op}.default", phase, "[]",
                tuple(inputs), outputs, self.calls[call].scope if call is not None else None, call,
                twin=twin, writes=writes,
            )
        )  # fmt: skip
        return [output.value for output in outputs]

    def op(
        self, op: str, *inputs: ValueId, shape: Shape | None = None, phase: Phase = Phase.FORWARD,
        dtype: str = "float32", twin: NodeId | None = None,
    ) -> ValueId:  # fmt: skip
        """An operation with one result, of the first input's shape where none is given."""
        shapes = [shape if shape is not None else self.shape(inputs[0])]
        return self.ops(op, inputs, shapes, phase=phase, dtype=dtype, twin=twin)[0]

    def shape(self, value: ValueId) -> Shape:
        """A value's shape."""
        return tuple(size or 0 for size in self.specs[value].shape or ())

    def linear(self, name: str, x: ValueId, out: int) -> ValueId:
        """A linear layer as PyTorch runs it: the weight transposed, then addmm."""
        with self.module(name, "Linear"):
            into = self.shape(x)[-1]
            weight = self.parameter(f"{name}.weight", out, into)
            bias = self.parameter(f"{name}.bias", out)
            turned = self.op("t", weight, shape=(into, out))
            return self.op("addmm", bias, x, turned, shape=(*self.shape(x)[:-1], out))

    def norm(self, name: str, x: ValueId) -> ValueId:
        """A layer norm: three results, one of them read on."""
        with self.module(name, "LayerNorm"):
            weight = self.parameter(f"{name}.weight", self.shape(x)[-1])
            bias = self.parameter(f"{name}.bias", self.shape(x)[-1])
            return self.ops("native_layer_norm", [x, weight, bias], [self.shape(x), (1,), (1,)])[0]

    def backward(self, loss: ValueId) -> None:
        """A gradient operation for every forward one on the way to the loss, in reverse."""
        made = {output.value: node for node in self.nodes for output in node.outputs}
        gradient = {loss: self.op("ones_like", loss, phase=Phase.BACKWARD)}
        for node in reversed([node for node in self.nodes if node.phase is Phase.FORWARD]):
            heads = [gradient[output.value] for output in node.outputs if output.value in gradient]
            if not heads:
                continue
            name = node.op.split(".")[1]
            kept = [value for value in node.inputs if value is not None and name not in ("add", "t", "view")]
            for value in node.inputs:
                if value is None or not self.specs[value].dtype.startswith("float"):
                    continue
                if name != "add":
                    back = self.op(
                        f"{name}_backward", heads[0], *kept[:2], shape=self.shape(value),
                        phase=Phase.BACKWARD, twin=node.node,
                    )  # fmt: skip
                else:
                    back = heads[0]
                if value in gradient and value in made:
                    back = self.op("add", gradient[value], back, phase=Phase.BACKWARD)
                gradient[value] = back

    def subject(self, ill: Mapping[ValueId, Illness] | None = None) -> Subject:
        """What a picture is made from."""
        inputs = {node.node: node.inputs for node in self.nodes}
        return Subject(
            self.name, self.nodes, inputs, self.leaves, self.scopes, self.calls, {},
            dict(self.ill if ill is None else ill), ("training step 0", "pytorch 2.9"),
        )  # fmt: skip


def mlp(*, backward: bool = True) -> Model:
    """Two linear layers and a loss with a target."""
    model = Model("MLP")
    x, y = model.batch("x", 8, 64), model.batch("y", 8, 10)
    with model.module("MLP", "MLP"):
        h = model.linear("fc1", x, 128)
        with model.module("act", "ReLU"):
            h = model.op("relu", h)
        out = model.linear("fc2", h, 10)
    loss = model.op("mse_loss", out, y, shape=())
    if backward:
        model.backward(loss)
    return model


def residual(blocks: int = 2) -> Model:
    """A convolutional net with a branch around each block, and a counter that nothing reads."""
    model = Model("ResNet")
    x = model.batch("x", 2, 16, 8, 8)
    with model.module("ResNet", "ResNet"), model.module("blocks", "Sequential"):
        for k in range(blocks):
            with model.module(str(k), "Block"):
                skip = x
                with model.module("conv", "Conv2d"):
                    x = model.op("convolution", x, model.parameter("conv.weight", 16, 16, 3, 3))
                with model.module("bn", "BatchNorm2d"):
                    count = model.leaf("buffer", "bn.num_batches_tracked", dtype="int64")
                    model.ops("add_", [count], [()], dtype="int64", writes=((0, 0),))
                    weight, mean = (
                        model.parameter("bn.weight", 16),
                        model.leaf("buffer", "bn.running_mean", 16),
                    )
                    x = model.ops("native_batch_norm", [x, weight, mean], [model.shape(x), (16,), (16,)])[0]
                x = model.op("relu", model.op("add", x, skip))
    model.backward(model.op("mean", x, shape=()))
    return model


def transformer(layers: int = 12, *, sick: int | None = None, backward: bool = True, wide: int = 64) -> Model:
    """A language model with masked attention; in layer `sick` the softmax makes NaN."""
    model = Model("GPT")
    ids = model.batch("ids", 2, 16, dtype="int64")

    with model.module("GPT", "GPT"):
        with model.module("wte", "Embedding"):
            table = model.parameter("wte.weight", 1000, wide)
            x = model.op("embedding", table, ids, shape=(2, 16, wide))
        for k in range(layers):
            with model.module(f"h.{k}", "Block"):
                skip = x
                x = model.norm("ln_1", x)
                with model.module("attn", "Attention"):
                    x = model.linear("qkv", x, 3 * wide)
                    parts = model.ops("split", [x], [(2, 16, wide)] * 3)
                    q, key, v = [model.op("transpose", model.op("view", part)) for part in parts]
                    scores = model.op("div", model.op("bmm", q, key, shape=(2, 16, 16)))
                    mask = model.op("tril", model.op("ones", shape=(16, 16), dtype="bool"), dtype="bool")
                    masked = model.op("masked_fill", scores, mask)
                    weights = model.op("_softmax", masked)
                    model.ill.setdefault(masked, "inf")
                    if k == sick:
                        model.ill[weights] = "nan"
                    x = model.op("bmm", weights, v, shape=(2, 16, wide))
                    x = model.linear("out", x, wide)
                skip = model.op("add", skip, x)
                x = model.norm("ln_2", skip)
                with model.module("mlp", "MLP"):
                    x = model.linear("up", x, 4 * wide)
                    x = model.op("gelu", x)
                    x = model.linear("down", x, wide)
                x = model.op("add", skip, x)
        x = model.norm("ln_f", x)
        with model.module("lm_head", "Linear"):
            x = model.op("mm", x, model.op("t", table, shape=(wide, 1000)), shape=(2, 16, 1000))
    loss = model.op("nll_loss_forward", x, shape=())
    if backward:
        model.backward(loss)
    return model


def two_towers() -> Model:
    """Three inputs, two of them through branches of one shape."""
    model = Model("Towers")
    inputs = [model.batch(name, 4, size) for name, size in (("user", 32), ("item", 32), ("context", 8))]
    with model.module("Towers", "Towers"):
        made = [model.op("relu", model.linear(name, x, 16)) for name, x in zip("abc", inputs, strict=True)]
        out = model.linear("out", model.op("cat", *made, shape=(4, 48)), 1)
    model.backward(model.op("mean", out, shape=()))
    return model


def flat(steps: int, *, backward: bool = False) -> Model:
    """No modules: a loop of `steps` times four operations."""
    model = Model("loop")
    x = model.batch("x", 4, 16)
    weights = [model.parameter(f"w{k}", 16, 16) for k in range(3)]
    for k in range(steps):
        x = model.op("add", model.op("mul", model.op("tanh", model.op("mm", x, weights[k % 3]))), x)
    loss = model.op("mean", x, shape=())
    if backward:
        model.backward(loss)
    return model


def shapeless(count: int) -> Model:
    """Operations in no order that repeats, each reading the one before and an earlier one."""
    rng = random.Random(count)
    model = Model("noise")
    made = [model.batch("x", 4)]
    for _ in range(count):
        op = rng.choice(["add", "mul", "sub", "div", "exp", "sin", "cos", "neg"])
        made.append(model.op(op, made[-1], rng.choice(made[-9:])))
    return model
