"""What is looked for, as it is typed: every word has to fit an operation.

relu                 in the name of the op, the module or the source file
op:mm mod:attn       the op, the module; dtype:bf16 shape:8,16 line:57 in:losses.py phase:backward too
re:^aten\\.(mm|bmm)   a regular expression over op, module or file
nan inf              whose numbers are not finite; both words: either of them
>1e4 <1e-7           an output whose largest size, |max|, is above or below
step:3 step:3:5      in step 3; in steps 3 and 4; step:3: is from 3 on
!op:view             each word with ! before it: whatever that does not fit
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from graphlens.letters import spec_text
from graphlens.session import Process
from graphlens_tracers.events import NodeSeen, Phase, Spec

NODE_FIELDS = ("op", "mod", "dtype", "shape", "line", "in", "phase", "re")
"""What a word may begin with, and a node alone answers; "" for a word that may fit anywhere."""
WORDS = "words, op: mod: dtype: shape: line: in: phase: step:3:5, nan, inf, >1e4, !not"
"""For who is asked for a query."""
_SIZE = re.compile(r"(?:absmax|max|\|x\|)?([<>])([0-9.]+(?:e[-+]?[0-9]+)?)", re.IGNORECASE)
_STEPS = re.compile(r"step:([0-9]{0,15})(?:(:)([0-9]{0,15}))?")


@dataclass(frozen=True, slots=True)
class Word:
    """One word that a node fits or does not.

    Attributes:
        name: The field.
        text: In small letters; of "re" the pattern as it was typed.
        without: Whether it has to not fit.
    """

    name: str
    text: str
    without: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """A bound on the largest size of an output."""

    limit: float
    above: bool
    without: bool = False


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps from `first` up to, not including, `stop`; None: without end."""

    first: int
    stop: int | None
    without: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: all of it has to fit.

    Attributes:
        nan, inf: Whether there has to be a NaN, an infinity; False: there must not be; None: whatever.
    """

    words: tuple[Word, ...] = ()
    sizes: tuple[Size, ...] = ()
    steps: tuple[Steps, ...] = ()
    nan: bool | None = None
    inf: bool | None = None

    @classmethod
    def parsed(cls, text: str) -> Query:
        """A query as it is typed; what looks like an unknown field is a word.

        Raises:
            ValueError: A pattern, a number or a phase is none; the message is for a person.
        """
        words: list[Word] = []
        sizes: list[Size] = []
        steps: list[Steps] = []
        ill: dict[str, bool | None] = {"nan": None, "inf": None}
        for typed in text.split():
            without = typed.startswith("!") and typed != "!"
            whole = typed[1:] if without else typed
            word = whole.lower()
            size = _SIZE.fullmatch(word)
            if word.removesuffix(":") in ill:
                ill[word.removesuffix(":")] = not without
            elif size is not None:
                sizes.append(Size(_number(size[2]), size[1] == ">", without))
            elif word.startswith("step:") and word != "step:":
                steps.append(_steps(word, without))
            else:
                words.append(_word(whole, without))
        return cls(tuple(words), tuple(sizes), tuple(steps), ill["nan"], ill["inf"])

    @property
    def empty(self) -> bool:
        """Whether everything fits."""
        return self == Query()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None


def _steps(word: str, without: bool) -> Steps:
    found = _STEPS.fullmatch(word)
    if found is None or not (found[1] or found[3]):
        raise ValueError(f"{word!r} is no steps: step:3, or step:3:5 for 3 and 4")
    first = int(found[1] or 0)
    if not found[2]:
        return Steps(first, first + 1, without)
    return Steps(first, int(found[3]) if found[3] else None, without)


def _word(whole: str, without: bool) -> Word:
    name, colon, rest = whole.partition(":")
    name = name.lower()
    if not colon or name not in NODE_FIELDS:
        return Word("", whole.lower(), without)
    if name == "re":
        try:
            re.compile(rest)
        except re.error as error:
            raise ValueError(f"{rest!r} is no pattern: {error}") from None
        return Word(name, rest, without)
    if name == "phase" and not any(str(phase).startswith(rest.lower()) for phase in Phase):
        raise ValueError(f"{rest!r} is no phase: {', '.join(str(phase) for phase in Phase)}")
    return Word(name, rest.lower(), without)


class Fitting:
    """Says which nodes fit the words of a query; what many nodes share is asked once."""

    def __init__(self, query: Query, process: Process) -> None:
        self._process = process
        self._words = [(word, self._test(word)) for word in query.words]
        self._paths: dict[object, str] = {}

    def fits(self, node: NodeSeen) -> bool:
        """Whether all words fit what a node is."""
        return all(test(node) is not word.without for word, test in self._words)

    def _test(self, word: Word) -> Callable[[NodeSeen], bool]:
        text, file = word.text, self._file
        if word.name == "op":
            return lambda node: text in node.op.lower()
        if word.name == "mod":
            return lambda node: text in self._module(node)
        if word.name == "line":
            return lambda node: text != "none" and str(self._place(node)[1]) == text
        if word.name == "in":
            return lambda node: text in file(node).lower()
        if word.name == "phase":
            return lambda node: str(node.phase).startswith(text)
        if word.name == "re":
            pattern = re.compile(text, re.IGNORECASE)
            return lambda node: any(pattern.search(one) for one in (node.op, self._module(node), file(node)))
        if word.name == "dtype":
            return lambda node: any(text in _dtypes(output.spec) for output in node.outputs)
        if word.name == "shape":
            shape = text.strip("[]")
            return lambda node: any(shape in _shape(output.spec) for output in node.outputs)
        return lambda node: (
            text in node.op.lower() or text in self._module(node) or text in file(node).lower()
        )

    def _module(self, node: NodeSeen) -> str:
        """In small letters."""
        found = self._paths.get(node.scope)
        if found is None:
            found = self._paths[node.scope] = self._process.scope_path(node).lower()
        return found

    def _place(self, node: NodeSeen) -> tuple[str, int | None]:
        site = self._process.site_of(node)
        return ("", None) if site is None else (site.file, site.line)

    def _file(self, node: NodeSeen) -> str:
        return self._place(node)[0]


def _dtypes(spec: Spec) -> tuple[str, str]:
    """Both ways of writing it: "float32", "f32"."""
    return spec.dtype, spec_text(spec).lower().partition("[")[0]


def _shape(spec: Spec) -> str:
    return spec_text(spec).lower().partition("[")[2]
