"""Watched functions: what runs instead of a function of the script's, so that its numbers are seen.

A watched function is a copy of the script's, of its FunctionDef as the runtime has it, with the
minimum and maximum of every floating tensor beside it. The script's own graphs and functions stay
as they are: what it exports, prints or differentiates knows nothing of the copy.

What was seen is one more output, a vector. That of a body holds its number, its ranges, shapes that
nobody can know before, and the vectors of the bodies inside of it: branches and called functions
give out theirs, a loop collects those of its iterations in a list.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.births import MARK, Births
from graphlens_tracers.tf.bodies import CALLS, INNER, LOOPS, Body, Open, Ran, Vector
from graphlens_tracers.tf.looking import OURS, Looking

_COMPILED = ("_XlaMustCompile", "_XlaCompile")
"""Attributes that let XLA compile."""
DEEPEST = 32
"""Functions inside of functions that are watched; those further in run as they are."""
MOST_WAYS = 16
"""Ways through a function that are kept; others are read anew."""
_serial = itertools.count()


class _Way(NamedTuple):
    """One way through a function.

    Attributes:
        length: Of the vector; `places`: where records begin in it; `numbers`: what they begin with.
    """

    length: int
    places: npt.NDArray[np.int64]
    numbers: Vector
    ran: Ran


class Watched:
    """A function of the script's, and its copy.

    Attributes:
        name: Of the copy.
        bodies: By number; the first is the outermost.
        outputs: How many more outputs the copy has.
        unwatched: Functions that it enters, and which run as they are.
        compiled: Those of its functions that XLA would compile.
        originals: By the name of each copy, what it is a copy of.
        untold: An execution of which nothing is known but that it was.
    """

    def __init__(
        self,
        function: str,
        look: bool = True,
        shapes: Callable[[str], Sequence[Open]] = lambda function: (),
        births: Births | None = None,
        updates: Callable[[str], Collection[int]] = lambda function: (),
    ) -> None:
        """A copy, or the function itself.

        Args:
            look: False: there is no copy, the function itself runs, and nothing is known but that.
            shapes: The outputs of a function whose shapes are wanted.
            births: Keeps what is not finite when it is born; None: nothing is kept.
            updates: Which of a function's operations are an optimizer's: they are many, and are not asked.

        Raises:
            LookupError: The runtime does not know the function.
        """
        self.function = function
        self.bodies: list[Body] = []
        self._open = shapes
        self._births = births
        self._updates = updates
        self.outputs = int(look)
        self.unwatched: list[str] = []
        self.compiled: list[str] = []
        self.originals: dict[str, str] = {}
        self._ways: list[_Way] = []
        if not look:
            self.name = function
            self._body_of(function)
            self.untold = Ran(self.bodies[0])
            return
        definition = compat.definition(function)
        if definition is None:
            raise LookupError(f"the runtime knows no function {function}")
        self.name = self._copy(definition, self._body_of(function), (function,))
        self.untold = Ran(self.bodies[0])

    def remove(self) -> None:
        """Take the copies away."""
        for name in self.originals:
            compat.remove(name)

    def is_refused(self, error: BaseException) -> bool:
        """Whether TensorFlow refused the copy for what we added, before any of it ran.

        No operation of ours fails when it runs: then it is one that has no kernel here.
        """
        return self.outputs > 0 and f"node {OURS}" in compat.message(error)

    # ── what it told ─────────────────────────────────────────────────────────────────────────

    def ran(self, vector: Vector | None) -> Ran:
        """What ran in one execution, by the vector that it gave out; None: it told nothing.

        The same object, as long as executions go the same way.
        """
        if vector is None:
            return self.untold
        for way in reversed(self._ways):
            if way.length == len(vector) and np.array_equal(vector[way.places], way.numbers):
                break
        else:
            found, stop = self._read(vector, 0)
            assert stop == len(vector), f"{self.function}: {len(vector)} numbers told, {stop} understood"
            places = np.array(list(_places(found)))
            way = _Way(stop, places, vector[places], found)
            if not any(one.births for one in _all(found)):  # they are those of this time
                del self._ways[: len(self._ways) + 1 - MOST_WAYS]
                self._ways.append(way)
        way.ran.told = vector
        return way.ran

    def _read(
        self, vector: Vector, at: int, outer: Ran | None = None, iteration: int | None = None
    ) -> tuple[Ran, int]:
        """The body whose record begins at a place, and where what is inside of it ends."""
        body = self.bodies[int(vector[at])]
        stop = at + body.length
        ran = Ran(body, iteration, at, outer)
        while stop < len(vector) and vector[stop] == MARK and self._births is not None:
            born, stop = self._births.read(vector, stop)
            ran.births.append(born)
        for node, inner in itertools.groupby(body.inside, key=lambda one: one.node):
            entered = list(inner)
            if entered[0].attribute not in ("cond", "body"):
                one, stop = self._read(vector, stop, ran)
                ran.inside.append(one)
                continue
            cond, again = entered
            assert cond.node == node
            before = None
            for k in itertools.count():
                if cond.told:
                    one, stop = self._read(vector, stop, ran, k)
                    ran.inside.append(one)
                else:
                    ran.inside.append(Ran(cond, k))
                if stop >= len(vector) or int(vector[stop]) != again.number:
                    break
                one, stop = self._read(vector, stop, ran, k)
                one.before = before
                ran.inside.append(one)
                before = one
        return ran, stop

    # ── the copy ─────────────────────────────────────────────────────────────────────────────

    def _body_of(
        self, function: str, parent: Body | None = None, node: str = "", attribute: str = "", nth: int = 0
    ) -> Body:
        body = Body(len(self.bodies), function, parent, node, attribute, nth)
        self.bodies.append(body)
        if parent is not None:
            parent.inside.append(body)
        return body

    def _copy(
        self,
        definition: Any,
        body: Body,
        path: tuple[str, ...],
        outer: Looking | None = None,
        given: Sequence[str] = (),
    ) -> str:
        """Register the copy of one function; gives its name.

        Args:
            outer, given: As for `Looking`.
        """
        if any(definition.attr[name].b for name in _COMPILED if name in definition.attr):
            self.compiled.append(body.function)
        looking = Looking(definition, body, outer, given)
        looking.look()
        looking.look_at_shapes(self._open(body.function))
        if self._births is not None:
            looking.ask_for_births(self._births, self._updates(body.function))
        vectors = [vector for node in looking.live for vector in self._enter(looking, node, body, path)]
        looking.let_sums_wait()
        if body.attribute != "body" or body.parent is None:
            looking.give_out(looking.vector(vectors))
        else:
            cond = body.parent.inside[body.parent.inside.index(body) - 1]
            before = [looking.condition(cond.copy)] if cond.told else []
            looking.put_into_list(looking.vector(vectors, before))
        body.copy = self._register(definition, body)
        return body.copy

    def _register(self, definition: Any, body: Body) -> str:
        for part in (definition, *definition.node_def):
            for name in _COMPILED:
                part.attr.pop(name, None)
        name = definition.signature.name = f"{body.function}_watched_{next(_serial)}"
        compat.add(definition)
        self.originals[name] = body.function
        return str(name)

    def _enter(self, looking: Looking, node: Any, body: Body, path: tuple[str, ...]) -> list[str]:
        """Let a node enter copies of the functions that it enters; gives the vectors that come of it."""
        entered = [
            (attribute, nth, function)
            for attribute in INNER.get(node.op, ())
            for nth, function in enumerate(compat.functions(node.attr[attribute]))
        ]
        definitions = [compat.definition(function.name) for _, _, function in entered]
        if not entered:
            return []
        if None in definitions or len(path) >= DEEPEST or any(one.name in path for _, _, one in entered):
            self.unwatched += [function.name for _, _, function in entered]
            return []
        inner = [
            self._body_of(function.name, body, node.name, attribute, nth)
            for attribute, nth, function in entered
        ]
        if node.op in LOOPS:
            return self._loop(looking, node, inner, definitions, path)
        for one, definition, (_, _, function) in zip(inner, definitions, entered, strict=True):
            first = 0 if node.op in CALLS else 1  # the others begin with what is asked
            function.name = self._copy(definition, one, (*path, one.function), looking, _data(node)[first:])
        return [looking.one_more_output(node)]

    def _loop(
        self,
        looking: Looking,
        node: Any,
        inner: list[Body],
        definitions: Sequence[Any],
        path: tuple[str, ...],
    ) -> list[str]:
        """A loop: its iterations put their vectors into a list."""
        (cond, again), (condition, iteration) = inner, definitions
        seen = Looking(condition, cond)
        cond.told = seen.is_telling() and seen.is_pure()
        if not cond.told and seen.is_telling():
            self.unwatched.append(cond.function)
        if cond.told:
            self._copy(compat.definition(cond.function), cond, (*path, cond.function))
        again_name = self._copy(iteration, again, (*path, again.function), looking, _data(node))
        seen.one_more_argument()
        node.attr["cond"].func.name = self._register(condition, cond)
        node.attr["body"].func.name = again_name
        outputs = len(node.attr["T"].list.type)
        vectors = [looking.collect(node)]
        if cond.told:  # once more than the body
            given = [f"{node.name}:output:{k}" for k in range(outputs)]
            vectors.append(looking.condition(cond.copy, given, list(node.attr["T"].list.type)[:outputs]))
        return vectors


def _all(ran: Ran) -> Iterator[Ran]:
    """An execution, and those inside of it."""
    yield ran
    for inner in ran.inside:
        yield from _all(inner)


def _places(ran: Ran) -> Iterator[int]:
    """Where records begin."""
    return (one.at for one in _all(ran) if one.at >= 0)


def _data(node: Any) -> list[str]:
    """What a node reads, without what it only waits for."""
    return [name for name in node.input if not name.startswith("^")]
