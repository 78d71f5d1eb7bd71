"""Which value a tensor is: identity by storage, version and geometry, never by `id()` alone.

This is the slow side's bookkeeping for the call that is under way. Recognised places leave no
trace here but in `vars`; `Values.follow` catches up when the slow side is needed again.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphlens_tracers.events import Phase, Spec, ValueId
from graphlens_tracers.pytorch.arguments import Geometry, contiguous, geometry_of, home_of
from graphlens_tracers.pytorch.checks import Vars
from graphlens_tracers.pytorch.plan import Leaf, Node, Place, gone, ran
from graphlens_tracers.pytorch.rounds import Rounds
from graphlens_tracers.pytorch.variables import Variable, View

if TYPE_CHECKING:
    from graphlens_tracers.pytorch.calls import Calls

_ALIKE = ("aten.detach", "aten.alias", "aten.lift_fresh")
"""Views that always lie like what they are views of."""
_TURN = ("aten.t.default", "aten.transpose.int")
"""Views of which the second undoes the first."""


class _Met(NamedTuple):
    """A tensor object that the slow side has met: which value it was, of which version of its storage."""

    tensor: weakref.ref[torch.Tensor]
    value: ValueId
    variable: Variable
    version: int
    geometry: Geometry | None


class Values:
    """The values of one call so far.

    Attributes:
        vars: By number, a weak reference to the storage that is this variable now, if there is one.
        blank: The same at the beginning of every call: the steady leaves are there.
        counts: How often each kind of operation ran at each place of the source.
        leaves: Those that were read; `outer`: those and the parts of them.
        restless: Those that were read and are not steady.
        makers: Which node makes a value, and as which output; `views`: the same of those that are views.
        offsets: Where views lie in their storage, of those whose node notes it.
        lies: The same in full: what moves does not lie where its node says.
        forward: The first operation of the forward phase that has run.
        at: How many places of the call are known here.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.vars: Vars = []
        self.blank: Vars = []
        self.forward: Node | None = None
        self.leaves: set[ValueId] = set()
        self.outer: dict[ValueId, Leaf] = {}
        self.restless: list[Leaf] = []
        self.makers: dict[ValueId, tuple[Node, int]] = {}
        self.views: dict[ValueId, tuple[Node, int]] = {}
        self.offsets: dict[ValueId, int] = {}
        self.lies: dict[ValueId, Geometry] = {}
        self.counts: dict[Any, int] = {}
        self.rounds = Rounds()
        self.alike: dict[ValueId, Place] = {}
        """Views that lie just like earlier ones, and what made them."""
        self.cells: dict[int, Leaf] = {}
        """Leaves with a storage that outlives a call, by its id."""
        self.at = 0
        self._numbers: dict[tuple[int, ...], int] = {}
        self._leaf_of: dict[int, Leaf] = {}  # by number
        self._readers: dict[ValueId, list[Place]] = {}  # whose outputs are in the memory of a value
        self._staying: dict[ValueId, list[tuple[Place, int]]] = {}
        self._homes: dict[int, Variable] = {}
        self._by_number: dict[int, Variable] = {}
        self._tensors: dict[int, _Met] = {}
        self._seen: set[int] = set()  # ids of storages, of some that are gone, too
        self._seen_to = 0

    def begin(self) -> None:
        """A new call."""
        self.vars[:] = self.blank
        self.forward = None
        self.leaves.clear()
        self.outer.clear()
        self.restless.clear()
        self.offsets.clear()
        self.lies.clear()
        self.counts.clear()
        self.rounds.begin()
        self.alike.clear()
        self._homes.clear()
        self._by_number.clear()
        self._seen.clear()
        self._seen_to = 0
        self._tensors.clear()
        self.at = 0

    def clear_numbers(self) -> None:
        """Between two calls: no place is known any more, and no variable has a number."""
        self.vars.clear()
        self.blank.clear()
        self._numbers.clear()
        self._leaf_of.clear()
        self._readers.clear()
        self._staying.clear()

    # ── numbers ──────────────────────────────────────────────────────────────────────────────

    def slot(self) -> int:
        """A number that nothing has yet."""
        self.vars.append(gone)
        self.blank.append(gone)
        return len(self.vars) - 1

    def _number(self, variable: Variable) -> int:
        content = variable.content
        number = self._numbers.get(content)
        if number is None:
            number = self._numbers[content] = self.slot()
        return number

    def numbered(self, number: int) -> Variable:
        """The variable that has a number in this call."""
        return self._by_number[number]

    def is_due(self, node: Node) -> bool:
        """Whether a node has not run in this call."""
        return self.vars[node.ran] is not ran

    def is_from(self, number: int, leaf: Leaf) -> bool:
        """Whether a variable of this number is, or was, that leaf."""
        return self._leaf_of.get(number) is leaf

    # ── what is read ─────────────────────────────────────────────────────────────────────────

    def variable_of(self, tensor: torch.Tensor) -> Variable | None:
        """The variable that holds a tensor; None when its storage is new to this call."""
        return self.variable_at(home_of(tensor))

    def variable_at(self, home: Any) -> Variable | None:
        """The variable of a storage; None when it is new to this call."""
        known = self._homes.get(id(home))
        if known is not None and known.home() is home:
            return known
        leaf = self.cells.get(id(home))
        if leaf is None or not leaf.steady or leaf.usual() is not home or leaf.value in self.leaves:
            return None
        if leaf.number < 0 or self.vars[leaf.number] is not leaf.sure:
            return None
        return self.read(leaf, leaf.geometry)

    def may_know(self, home: Any) -> bool:
        """Whether this call may have made or read a storage; False: it surely has not."""
        places = self._calls.places
        variables, seen = self.vars, self._seen
        for position in range(self._seen_to, len(places)):
            place = places[position]
            for _, number in place.makes:
                seen.add(id(variables[number]()))
            for _, number in place.turns:
                seen.add(id(variables[number]()))
            for index, _ in place.leaves:
                seen.add(id(variables[place.reads[index]]()))
        self._seen_to = len(places)
        leaf = self.cells.get(id(home))
        steady = leaf is not None and leaf.steady and leaf.usual() is home
        return steady or id(home) in seen or id(home) in self._homes

    def read(self, leaf: Leaf, geometry: Geometry | None) -> Variable:
        """A leaf is read for the first time in this call; it is bound to its storage already."""
        variable = Variable(leaf.value, leaf.usual, leaf)
        if leaf.number < 0:
            leaf.number, leaf.read = self._number(variable), self.slot()
            self._leaf_of[leaf.number] = leaf
            leaf.settle()
        variable.number = leaf.number
        if geometry is not None:
            variable.views[geometry] = View(leaf.value, 0, None)
        self.vars[leaf.number], self.vars[leaf.read] = leaf.usual, ran
        self._by_number[leaf.number] = variable
        self.leaves.add(leaf.value)
        self.outer[leaf.value] = leaf
        if not leaf.steady:
            self.restless.append(leaf)
        self._settle(variable)
        return variable

    def _settle(self, variable: Variable) -> None:
        home = variable.home()
        if home is not None:
            self._homes[id(home)] = variable

    def moving(self) -> set[ValueId]:
        """Leaves that were read and may lie otherwise each time."""
        return {leaf.value for leaf in self.restless if leaf.moves}

    # ── what has run ─────────────────────────────────────────────────────────────────────────

    def follow(self) -> None:
        """Catch up with the places that were recognised since the slow side last looked."""
        places, specs = self._calls.places, self._calls.specs
        if self.at == len(places):
            return
        touched: dict[Variable, None] = {}
        for position in range(self.at, len(places)):
            place = places[position]
            self.rounds.goes_on(position, place.node.loops)
            lie: Sequence[Geometry | None] = place.node.lies
            if specs is not None:
                lie = [lies_as(spec) for spec in specs[position]]
            if place.node.noted and self.lies:
                outputs = place.node.outputs
                lie = [self.lies.get(o.value, known) for o, known in zip(outputs, lie, strict=True)]
            touched.update(dict.fromkeys(self._recognised(place, lie)))
        for variable in touched:  # only now each is where `vars` says
            variable.home = self.vars[variable.number]
            self._settle(variable)
        self.at = len(places)

    def _recognised(self, place: Place, lie: Sequence[Geometry | None]) -> list[Variable]:
        """What a recognised place did to the values; gives the variables that it made or turned."""
        by_number = self._by_number
        for index, leaf in place.leaves:
            if place.reads[index] not in by_number:
                self._read_again(leaf)
        variables: list[Variable] = []
        for number in place.reads:
            variable = by_number.get(number)
            if variable is None:
                variable = self._read_again(self._leaf_of[number])
            variables.append(variable)
        for index, leaf in place.parts:
            self.outer[leaf.value] = leaf
            variables[index].part(leaf)
        changed = [
            self._made(place.node, output, number, gone, lie[output]) for output, number in place.makes
        ]
        if place.node.changes:
            for value in self._change(place.node, variables, place.values, place.through, lie):
                self.alike[value] = place
        turned = [(by_number.pop(number), new) for number, new in place.turns]
        for variable, new in turned:
            variable.number = new
            by_number[new] = variable
            changed.append(variable)
        self._count(place.node)
        return changed

    def _read_again(self, leaf: Leaf) -> Variable:
        number, known = leaf.number, self.vars[leaf.number]
        variable = self.read(leaf, leaf.geometry if leaf.steady else leaf.lies)
        self.vars[number] = known  # it may have been written since: then it is another by now
        return variable

    def _made(self, node: Node, output: int, number: int | None, home: Any, lie: Geometry | None) -> Variable:
        value = node.outputs[output].value
        variable = Variable(value, home)
        variable.number = self._number(variable) if number is None else number
        if lie is not None:
            variable.views[lie] = View(value, 0, None)
        self._by_number[variable.number] = variable
        return variable

    def _change(
        self,
        node: Node,
        variables: Sequence[Variable],
        values: Sequence[ValueId | None],
        through: Sequence[tuple[int, ValueId]],
        lie: Sequence[Geometry | None],
    ) -> list[ValueId]:
        """What it wrote, and the views that it made; gives those that lie just like an earlier one."""
        alike: list[ValueId] = []
        for read, output in node.writes:
            like = next((value for k, value in through if k == read), values[read])
            variables[read].write(node.outputs[output].value, lie[output], like)
        for output, base in enumerate(node.views):
            if base is None:
                continue
            value = node.outputs[output].value
            origin = (node.token, values[base], through) if node.token is not None else None
            always = node.info.name.startswith(_ALIKE) or self._turns_back(node, values[base])
            if not variables[base].see(value, lie[output], origin, always):
                alike.append(value)
        return alike

    def _turns_back(self, node: Node, read: ValueId | None) -> bool:
        """Whether it undoes the view that it reads."""
        made = self.views.get(read) if read is not None and node.info.name in _TURN else None
        return made is not None and node.token is not None and made[0].token == node.token

    def _count(self, node: Node) -> None:
        self.counts[node.stem] = self.counts.get(node.stem, 0) + 1
        if self.forward is None and node.phase is Phase.FORWARD:
            self.forward = node

    def add(
        self,
        node: Node,
        variables: Sequence[Variable],
        values: Sequence[ValueId | None],
        through: Sequence[tuple[int, ValueId]],
        parts: Sequence[tuple[int, Leaf]],
        lie: Sequence[Geometry | None],
        homes: Sequence[tuple[int, Any]],
    ) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...], list[ValueId]]:
        """What running this node did to the values.

        Gives what it made, the numbers that have changed, and the views that lie just like earlier ones.

        Args:
            lie: Where its outputs are.
            homes: (output, storage) of those that have memory of their own.
        """
        before = [(variable, variable.content) for variable in dict.fromkeys(variables)]
        for index, leaf in parts:
            self.outer[leaf.value] = leaf
            variables[index].part(leaf)
        makes: list[tuple[int, int]] = []
        for output, home in homes:
            variable = self._made(node, output, None, weakref.ref(home), lie[output])
            self.vars[variable.number] = variable.home
            self._settle(variable)
            makes.append((output, variable.number))
        alike = self._change(node, variables, values, through, lie)
        turns: list[tuple[int, int]] = []
        for variable, content in before:
            if variable.content != content:
                old, new = variable.number, self._number(variable)
                turns.append((old, new))
                variable.number = new
                if variable.leaf is not None:
                    self._leaf_of.setdefault(new, variable.leaf)
        for old, new in turns:
            self._by_number[new] = self._by_number.pop(old)
            self.vars[new], self.vars[old] = self.vars[old], gone
        self.vars[node.ran] = ran
        self._count(node)
        self.at += 1
        return tuple(makes), tuple(turns), alike

    def reads(self, place: Place) -> None:
        """From now on this place is one of those that may lie in what moves."""
        if any(base is not None for base in place.node.views) or place.node.writes:
            for index in range(len(place.values)):
                value = place.lies_like(index)
                if value is not None:
                    self._readers.setdefault(value, []).append(place)

    def stays(self, value: ValueId, place: Place, index: int) -> None:
        """This value tells an input of a place from other views by where it lies: so far it never moved."""
        self._staying.setdefault(value, []).append((place, index))

    def note(self, node: Node, outputs: set[int]) -> None:
        """From now on note where these outputs lie, and whatever lies in them further on."""
        ahead: list[tuple[Node, set[int]]] = [(node, outputs)]
        while ahead:
            at, more = ahead.pop()
            more = more - set(at.noted)
            if not more:
                continue
            at.noted = (*at.noted, *sorted(more))
            at.renew()
            moving = {at.outputs[output].value: at.lies[output] for output in more}
            for value, lie in moving.items():
                for place, index in self._staying.pop(value, ()):
                    where = place.ambiguous[index]._replace(offset=None, view=value)
                    if lie is not None and where.dims is None:
                        where = where._replace(shape=lie[1])  # where it comes to lie others may begin
                    place.ambiguous[index] = where
                    place.renew()
                for place in self._readers.get(value, ()):
                    ahead.append((place.node, place.lying_in(moving.__contains__)))

    def lie(self, value: ValueId, tensor: torch.Tensor) -> None:
        """Where a value that moves lies in this call."""
        geometry = geometry_of(tensor)
        if geometry is not None:
            self.offsets[value] = geometry[0]
            self.lies[value] = geometry

    def coincide(self, values: tuple[ValueId, ...], leaves: tuple[Leaf, ...]) -> bool:
        """Whether all of these lie alike in the call that is under way."""
        return len({self.lies.get(value) for value in values} | {leaf.lies for leaf in leaves}) == 1

    # ── which value ──────────────────────────────────────────────────────────────────────────

    def remember(self, tensor: torch.Tensor, variable: Variable, value: ValueId) -> None:
        """This very tensor object is that value, until its storage is written."""
        self._tensors[id(tensor)] = _Met(
            weakref.ref(tensor), value, variable, variable.version, geometry_of(tensor)
        )

    def forget_tensors(self) -> None:
        """Keep no reference to any tensor: what they are is known by their storages, too."""
        self._tensors.clear()

    def value_of(
        self, tensor: torch.Tensor, variable: Variable, geometry: Geometry | None
    ) -> tuple[ValueId, ValueId | None]:
        """Which value a tensor of a known variable reads, and which one it lies like if not like that."""
        seen = self._met(tensor, variable, geometry)
        view: tuple[ValueId, int] | None = None
        if seen is not None:
            view = seen.value, seen.version
        elif geometry is not None and geometry in variable.views:
            view = variable.views[geometry][:2]
        if view is None:
            return variable.last, None
        return (view[0], None) if view[1] == variable.version else (variable.last, view[0])

    def behind(self, values: Iterable[ValueId | None]) -> tuple[int, ...]:
        """Which places made those of these values that lie just like earlier ones: that they have run."""
        found = []
        for value in values:
            place = self.alike.get(value) if value is not None else None
            if place is not None:
                found.append(place.ran)
        return tuple(found)

    def knows(self, tensor: torch.Tensor, variable: Variable, geometry: Geometry | None) -> bool:
        """Whether this very tensor object was met before in this call, lying so."""
        return self._met(tensor, variable, geometry) is not None

    def _met(self, tensor: torch.Tensor, variable: Variable, geometry: Geometry | None) -> _Met | None:
        seen = self._tensors.get(id(tensor))
        if seen is None or seen.tensor() is not tensor or seen.variable is not variable:
            return None
        return seen if seen.geometry == geometry else None

    def is_part(self, variable: Variable, geometry: Geometry | None) -> bool:
        """Whether a tensor of a variable from outside lies as nothing that was seen of it."""
        return variable.leaf is not None and geometry is not None and geometry not in variable.views

    def note_at(self, node: Node, output: int, geometry: Geometry) -> None:
        """From now on note where an output lies: in this call it is there."""
        if output not in node.noted:
            self.note(node, {output})
            self.offsets[node.outputs[output].value] = geometry[0]
            self.lies[node.outputs[output].value] = geometry

    def is_free(self, variable: Variable) -> bool:
        """Whether the memory of a variable is as it came from outside, without a view of it made here."""
        return variable.version == 0 and all(view.value in self.outer for view in variable.views.values())


def lies_as(spec: Spec) -> Geometry:
    """Where a tensor of this spec lies in its storage."""
    shape = tuple(size or 0 for size in spec.shape or ())
    strides = spec.strides if spec.strides is not None else contiguous(shape)
    kind = spec.dtype + ("*" if spec.conj else "") + ("-" if spec.neg else "")
    return spec.offset, shape, strides, kind
