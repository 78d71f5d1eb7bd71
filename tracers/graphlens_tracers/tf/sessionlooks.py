"""What is looked at in what a session runs, and how: by a fetch, or by TensorFlow's debugger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphlens_tracers.tf import compat, flow
from graphlens_tracers.tf.bodies import At, Body, Tensor
from graphlens_tracers.tf.flow import Conditions, Loops
from graphlens_tracers.tf.frames import Frame, Place
from graphlens_tracers.tf.function import FLOATS, Given, Made
from graphlens_tracers.tf.looking import ALIKE, range_of

_HANDING = (*flow.SWITCHES, *flow.ENTERS, *flow.NEXT)
"""Types that hand on a tensor as it is, to where it goes on: seen where it comes from."""
_WATCHABLE = ("float32", "float64")
"""Types that the debugger can look at."""


class Looked:
    """What is looked at in a part of a graph, and what tells which branches and iterations ran.

    Attributes:
        frames: By the loops that they are in; None: nothing is known of how often it ran.
        fetched: What is fetched, and when it is there to be.
        watched: What the debugger looks at, truths and numbers.
        fed: Truth values that are fed: their names.
        fixed: Ranges of constants.
        looked: The tensors that have a range.
        memory: How many tensors are memory that this run writes, `summed`: how many are added in an order
            that looking could change, `hidden`: of how many nothing else tells.
    """

    def __init__(
        self, name: str, order: Sequence[Made], given: Mapping[str, Given], roots: Sequence[str],
        optimised: bool, references: Mapping[Tensor, Tensor], health: bool,
    ) -> None:  # fmt: skip
        """Find it.

        Args:
            name: The function's; `roots`: what is fetched, and what is run for its effect.
            references: The memory of variables, as inputs have it, and the output that the variable is.
        """
        self._order, self._flow = order, flow.Flow(order)
        self.where = self._flow.where
        self._surely = flow.surely(order, roots, optimised)
        self.fixed: dict[Tensor, tuple[float, float]] = {}
        self.top = Frame(Body(0, name, fixed=self.fixed))
        self.frames: dict[Loops, Frame | None] = {(): self.top}
        self.fetched: dict[Tensor, Conditions] = {}
        self.watched: list[Tensor] = []
        self.fed: dict[Tensor, str] = {}
        self.looked: set[Tensor] = set()
        self.memory = self.summed = self.hidden = 0
        self._known: set[Tensor] = set()
        self._sources: dict[Tensor, Tensor] = {}
        self._places: dict[tuple[Frame, Tensor, Conditions], At] = {}
        if health:
            self._decide(given)
            self._look(flow.Memory(order, references), flow.order_of_sums(order, roots))
        self.looked.update(self.fixed)

    # ── what decides ─────────────────────────────────────────────────────────────────────────

    def _decide(self, given: Mapping[str, Given]) -> None:
        """Find what is to be known for branches and iterations to be known, in order."""
        deciding = {truth for where in self.where.values() for truth, _ in where.conditions or ()}
        for truth in deciding:
            leaf = given.get(truth.node)
            if leaf is not None and leaf.kind == "batch":
                self.fed[truth] = leaf.name
                self._known.add(truth)
        for one in self._order:
            for slot in range(len(one.outputs)):
                if Tensor(one.name, slot) in deciding or one.kind == "LoopCond":
                    self._ask(Tensor(one.name, slot))

    def _ask(self, truth: Tensor) -> None:
        where = self._flow.of(truth)
        frame, when = self.frame(where.loops), self._told(where.conditions)
        if frame is None or when is None:
            return
        self._known.add(truth)
        frame.truths.append((truth, when))
        if frame is self.top and not when and truth.node in self._surely:
            self.fetched[truth] = when
        else:
            self.watched.append(truth)

    def frame(self, loops: Loops) -> Frame | None:
        """The frame of what is in these loops; None where nothing is known of how often they went round."""
        if loops not in self.frames:
            self.frames[loops] = self._frame(loops)
        return self.frames[loops]

    def _frame(self, loops: Loops) -> Frame | None:
        outer, entered = self.frame(loops[:-1]), self._told(self._flow.entered.get(loops))
        conditions = [
            one for one in self._order if one.kind == "LoopCond" and self.where[one.name].loops == loops
        ]
        ends = [
            one for one in self._order
            if one.kind in flow.EXITS and self._flow.of(one.inputs[0]).loops == loops
        ]  # fmt: skip
        if outer is None or entered is None or len(conditions) != 1 or not ends:
            return None
        number = sum(frame is not None for frame in self.frames.values())
        body = Body(number, outer.body.function, outer.body, ends[0].name, "body", fixed=self.fixed)
        frame = Frame(body, loops, Tensor(conditions[0].name, 0), entered)
        outer.inner.append(frame)
        return frame

    def _told(self, conditions: Conditions | None) -> Conditions | None:
        """Conditions of which it is known whether they hold."""
        if conditions is None or any(truth not in self._known for truth, _ in conditions):
            return None
        return conditions

    def when(self, name: str) -> tuple[Frame, Conditions] | None:
        """In which frame an operation runs, and when; None where it is not known."""
        where = self.where[name]
        frame, when = self.frame(where.loops), self._told(where.conditions)
        return None if frame is None or when is None else (frame, when)

    # ── what is looked at ────────────────────────────────────────────────────────────────────

    def _look(self, memory: flow.Memory, summed: set[Tensor]) -> None:
        for one in self._order:
            found = self.when(one.name)
            for slot, spec in enumerate(one.outputs):
                tensor = Tensor(one.name, slot)
                if spec.dtype not in FLOATS:
                    continue
                if one.kind == "Const":
                    self.fixed[tensor] = range_of(compat.array(one.definition.attr["value"].tensor))
                elif found is None:
                    self.hidden += one.kind not in _HANDING
                elif tensor in memory.shared:
                    self._remember(one, tensor, memory, *found)
                else:
                    frame, when = found
                    if one.kind in flow.SWITCHES:
                        when = self._flow.of(tensor).conditions or when
                    if not self._hand_on(one, tensor, frame, when):
                        self._ask_for(one, tensor, tensor in summed, frame, when)

    def _hand_on(self, one: Made, tensor: Tensor, frame: Frame, when: Conditions) -> bool:
        """Whether its numbers are just those of another tensor that is looked at."""
        if not one.inputs or not (one.kind in _HANDING or (one.kind in ALIKE and tensor.slot == 0)):
            return False
        given = one.inputs[0]
        source = self._sources.get(given)
        if given in self.fixed and one.kind not in flow.SWITCHES:
            self.fixed[tensor] = self.fixed[given]
            return True
        if (
            source is None
            or source not in frame.sources
            or (self._is_fed(frame, when) and one.name not in self._surely)
        ):
            return False
        self._put(tensor, source, frame, when, FLOATS[one.outputs[tensor.slot].dtype] == "f8")
        return True

    def _is_fed(self, frame: Frame, when: Conditions) -> bool:
        """Whether it is known before a run that something runs in it, just once: it can be fetched."""
        return frame is self.top and all(truth in self.fed for truth, _ in when)

    def _ask_for(self, one: Made, tensor: Tensor, is_summed: bool, frame: Frame, when: Conditions) -> None:
        if one.kind in (*flow.ENTERS, *flow.NEXT):
            return  # TensorFlow has to see these themselves, or it does not know a loop that is not entered
        if is_summed:
            self.summed += 1
            return
        if self._is_fed(frame, when):
            if one.name not in self._surely:
                return
            self.fetched[tensor] = when
        elif one.outputs[tensor.slot].dtype in _WATCHABLE:
            self.watched.append(tensor)
        else:
            self.hidden += 1
            return
        self._put(tensor, tensor, frame, when, FLOATS[one.outputs[tensor.slot].dtype] == "f8")

    def _remember(
        self, one: Made, tensor: Tensor, memory: flow.Memory, frame: Frame, when: Conditions
    ) -> None:
        """The memory of a variable: it is looked at before it is written."""
        variable = memory.unwritten.get(tensor)
        if variable is None or frame is not self.top or when or one.outputs[0].dtype not in _WATCHABLE:
            self.memory += 1
            return
        if variable not in self.watched:
            self.watched.append(variable)
        self._put(tensor, variable, frame, when, one.outputs[0].dtype == "float64")

    def _put(self, tensor: Tensor, source: Tensor, frame: Frame, when: Conditions, is_wide: bool) -> None:
        """The range of a tensor is what is seen of another one."""
        body, key = frame.body, (frame, source, when)
        if key not in self._places:
            self._places[key] = At(is_wide, body.wide if is_wide else body.narrow)
            body.wide += is_wide
            body.narrow += not is_wide
            frame.places.append(Place(self._places[key], source, when))
            frame.sources.setdefault(source, when)
        body.ranges[tensor] = self._places[key]
        self._sources[tensor] = source
        self.looked.add(tensor)


def references_of(operations: Mapping[str, Any], variables: Sequence[str]) -> dict[Tensor, Tensor]:
    """The memory of variables as inputs have it, and the output that the variable is.

    Args:
        operations: By name; `variables`: types that are leaves.
    """
    return {
        Tensor(op.outputs[0].name, 0): Tensor(op.name, 0)
        for op in operations.values()
        if op.type in variables and op.outputs[0].dtype._is_ref_dtype
    }
