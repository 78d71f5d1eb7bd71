"""The words of the command line: those with arguments, tfdbg's, and every action of the table in `keys`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlens.text import clean
from graphlens_tracers.errors import Usage
from graphlens_tui.keys import ACTIONS, BY_ID, Keymap


@dataclass(frozen=True, slots=True)
class Word:
    """A word that takes arguments; the app's method is `word_` and this.

    Attributes:
        form: What follows it, for a person.
        also: Other words for the same.
        alone: The action that it is when nothing follows; "" where something has to, or may not.
    """

    name: str
    form: str
    help: str
    also: tuple[str, ...] = ()
    alone: str = ""


WORDS: tuple[Word, ...] = (
    Word("op", "N", "go to operation N", ("goto", "go")),
    Word("step", "N", "go to training step N"),
    Word("fold", "N", "open N levels of modules; 0 folds every step", alone="fold"),
    Word("search", "QUERY", "go to the next operation that fits", ("find",), "search"),
    Word("filter", "QUERY", "show only what fits; without a query all again", ("only",)),
    Word("mode", "NAME", "graph, tensor, health, runs"),
    Word("open", "RUN", "another run, by its name or path; last is the newest", ("edit_run",), "runs_mode"),
    Word("export", "FILE", "write the step: .svg, .html, .png, .json, …", alone="export"),
    Word("save", "FILE.npy", "write the tensor that is seen", alone="save"),
    Word("theme", "light|dark", "the colours", alone="theme"),
    Word("rules", "RULES", "hold the run against these rules", alone="rules"),
    Word("against", "step N|op N", "hold the tensor against another", ("diff",), "difference"),
    Word("element", "3,7", "go to an element of the tensor", ("@",), "element"),
    Word("eval", "EXPRESSION", "see an expression over x, the tensor", ("ev", "expression"), "expression"),
    Word("pt", "x[0,:] or NAME:0[0,:]", "see the elements of an output", ("p", "print_tensor", "pf")),
    Word("lt", "-f FILTER -n PATTERN -t OP", "show only these operations", ("list_tensors",)),
    Word("ni", "NAME", "go to an operation, and to its details", ("node_info",)),
    Word("li", "[-r] NAME", "what it reads; -r: all that led to it", ("list_inputs",)),
    Word("lo", "[-r] NAME", "what reads it; -r: all that came of it", ("list_outputs",)),
    Word("ls", "", "the source files, and what of them ran", ("list_source",)),
    Word("ps", "FILE[:LINE]", "a source file, with what each line made", ("print_source",)),
    Word("run", "-f has_inf_or_nan | -t N", "the next step, or the next that is not finite", ("r",)),
    Word("run_info", "", "about this run", ("ri",), "about"),
    Word("help", "WORD", "what a word does; alone: the table of keys", ("h",), "help"),
    Word("exit", "", "leave", ("quit", "q"), "leave"),
    Word("prev", "", "back to where you jumped from", (), "back"),
    Word("version", "", "of graphlens"),
)  # fmt: skip
BY_WORD = {name: word for word in WORDS for name in (word.name, *word.also)}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a line may become.

    Attributes:
        text: The line.
        help: What it does; `key`: a key that does the same.
    """

    text: str
    help: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Meant:
    """What a line means: a word and what follows it, or an action."""

    word: Word | None
    rest: str
    action: str = ""


def meant(line: str) -> Meant:
    """What was typed.

    Raises:
        Usage: No word and no action is called so; names the nearest.
    """
    line = line.strip().removeprefix(":").strip()
    first, _, rest = line.partition(" ")
    rest = rest.strip()
    if line.removeprefix("#").isdecimal():
        return Meant(BY_WORD["op"], line.removeprefix("#"))
    if line[:1] in ("/", "&"):
        return Meant(BY_WORD["search" if line[0] == "/" else "filter"], line[1:].strip())
    if line[:1] == "@":
        return Meant(BY_WORD["element"], line[1:].strip())
    word = BY_WORD.get(first.casefold())
    action = action_of(line)
    if action and (rest or word is None):
        return Meant(None, "", action)
    if word is not None:
        return Meant(None, "", word.alone) if word.alone and not rest else Meant(word, rest)
    raise Usage(f"there is no {clean(first, 40)!r}{nearest(first)}")


def action_of(line: str) -> str:
    """The action that is called so: by its id, its label, or its whole help; "" for none."""
    name = "_".join(line.casefold().replace("-", " ").split())
    if name in BY_ID:
        return name
    folded = " ".join(line.casefold().split())
    return next(
        (one.id for one in ACTIONS if folded and folded in (one.label.casefold(), one.help.casefold())), ""
    )


def nearest(name: str) -> str:
    """ "; do you mean …?" with what is written most alike; "" where nothing is."""
    names = [*BY_WORD, *BY_ID]
    found = difflib.get_close_matches(name.casefold()[:60], names, 1, 0.6)
    starts = [one for one in names if name and one.startswith(name.casefold())]
    best = next(iter([*starts[:1], *found]), "")
    return f": do you mean {best}?" if best else ": tab shows what there is"


def offers(line: str, keymap: Keymap, arguments: Sequence[str]) -> Iterator[Offer]:
    """What may be meant, the best first.

    Args:
        arguments: What may follow the first word, once that is there.
    """
    first, space, rest = line.partition(" ")
    word = BY_WORD.get(first.casefold())
    if space and word is not None:
        head, _, last = rest.rpartition(" ")
        begin = f"{first} {head} " if head else f"{first} "
        for argument in ordered(last, arguments):
            yield Offer(begin + argument, word.help)
        if not rest:
            yield Offer(line, f"{word.name} {word.form}: {word.help}")
        return
    known = {
        one.name: Offer(one.name, f"{one.form}  {one.help}".strip(), keymap.shown(one.alone or one.name))
        for one in WORDS
    }
    for action in ACTIONS:
        if action.id not in known and action.help:
            known[action.id] = Offer(action.id, action.help, keymap.shown(action.id))
    names = ordered(line.casefold().replace(" ", "_"), list(known))
    yield from (known[name] for name in names)
    for name, offer in known.items():  # by the words of its help
        if (
            name not in names
            and line.split()
            and all(one in offer.help.casefold() for one in line.casefold().split())
        ):
            yield offer


def ordered(text: str, names: Sequence[str]) -> list[str]:
    """Those that begin so, then those in which it is."""
    small = text.casefold()
    begin = [one for one in names if one.casefold().startswith(small)]
    return begin + [one for one in names if small in one.casefold() and one not in begin]


def options(rest: str, known: dict[str, bool], word: str) -> tuple[dict[str, str], list[str]]:
    """Options and the other words, as tfdbg has them.

    Args:
        known: For each option whether a value follows it.

    Raises:
        Usage: There is no such option, or its value is missing.
    """
    found: dict[str, str] = {}
    others: list[str] = []
    words = iter(rest.split())
    for one in words:
        if not (one.startswith("-") and len(one) > 1):
            others.append(one)
        elif one not in known:
            raise Usage(f"{word} has no {clean(one, 40)}: it has {' '.join(known) or 'no options'}")
        elif known[one]:
            value = next(words, None)
            if value is None:
                raise Usage(f"{word} {one} needs a word after it")
            found[one] = value
        else:
            found[one] = ""
    return found, others
