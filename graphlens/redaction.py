"""A copy of a run without what is its owner's: to be shown to others.

What a person or a program has written as text occurs in `run.json`, in the events of a log, in `sources/`
and in `output.log` only, and the elements of tensors in files of their own: these are left out, or what they
say is replaced. What remains is what ran: types of operations, names of modules and functions, shapes,
ranges of numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from graphlens.decode import run_info
from graphlens.log import LOG_NAME
from graphlens_tracers import wire
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.wire import Kind

HIDDEN = "hidden"
"""What stands where something was."""
_SAID = (
    "format", "graphlens", "level", "steps", "framework", "keep", "python", "state", "exit_code", "signal",
)  # fmt: skip
"""What is kept of `run.json`."""
_ERROR = re.compile(r"[A-Za-z_][\w.]*")
_INPUT = re.compile(r"\$\d+")
_TYPES = ("dtype", "shape", "group")
"""Of an argument: what says nothing but its type, and which processes are in a group."""
Fields = dict[str, Any]


def redact(run: Path, into: Path) -> None:
    """Write the copy into a directory, which is there and empty.

    Of a run that is going on, what is in its log already.

    Raises:
        BadRunFile: It is damaged, of a newer format, or not a run.
        OSError: It cannot be written.
    """
    redaction, info = _Redaction(), run_info(run)
    (into / "run.json").write_text(json.dumps({"name": HIDDEN} | {key: getattr(info, key) for key in _SAID}))
    for file in sorted(run.iterdir()):
        if LOG_NAME.fullmatch(file.name):
            with (into / file.name).open("wb") as out:
                out.writelines(redaction.frames(file))


class _Redaction:
    """Files keep the same numbers all over a run."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._rules: dict[str, Callable[[Fields], Fields]] = {
            "RunStarted": lambda said: said | {"argv": [], "thread": "", "worker": ""},
            "SiteSeen": lambda said: said | {"file": self._file(said["file"])},
            "SourceSeen": lambda said: said | {"file": self._file(said["file"]), "digest": ""},
            "NodeSeen": lambda said: said | {"form": _form(said["form"])},
            "GraphSeen": lambda said: said | {"because": ""},
            "CallBegan": lambda said: said | {"thread": ""},
            "CallEnded": _error,
            "Unusual": _unusual,
            "Gap": lambda said: said | {"what": _words(said["what"])},
        }

    def frames(self, file: Path) -> Iterator[bytes]:
        """The frames of a log, one by one.

        Raises:
            BadRunFile: It is of a newer format, or what it says makes no sense.
        """
        try:
            for one in wire.frames(file.read_bytes()):
                body = one.body
                if one.kind in (Kind.DECLARATIONS, Kind.FACTS, Kind.CALLS):
                    body = json.dumps([self._event(*event) for event in json.loads(body)]).encode()
                yield wire.frame(one.kind, body, one.base, one.presupposed)
        except wire.NewerFormat as error:
            raise BadRunFile(f"{file.name}: {error}") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadRunFile(f"{file.name}: an event makes no sense: {error}") from None

    def _event(self, name: str, said: Fields) -> list[Any]:
        rule = self._rules.get(name)
        return [name, said if rule is None else rule(said)]

    def _file(self, path: str) -> str:
        """`file1.py`: the same one for the same path."""
        return self._files.setdefault(path, f"file{len(self._files) + 1}.py")


def _error(said: Fields) -> Fields:
    """Which error it was, and not what it said."""
    if said.get("error") is None:
        return said
    kind = _ERROR.match(said["error"])
    return said | {"error": HIDDEN if kind is None else kind[0]}


def _unusual(said: Fields) -> Fields:
    hands = [one | {"text": HIDDEN} for one in said.get("by_hand", ())]
    return _error(said) | {"kept": [], **({"by_hand": hands} if hands else {})}


def _words(what: str) -> str:
    """What was not seen, without the words of an error and without paths."""
    return re.sub(r"\S*[/\\]\S*", HIDDEN, what.partition(": ")[0])


def _form(text: str) -> str:
    """The arguments of an operation: which are its inputs, and how many others there are."""
    return json.dumps(_hidden(json.loads(text))) if text else text


def _hidden(value: Any) -> Any:
    """The same structure, with nothing of what was written in it but types and shapes."""
    if isinstance(value, dict):
        return {key: one if key in _TYPES else _hidden(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    is_input = isinstance(value, str) and _INPUT.fullmatch(value)
    return value if is_input or value is None or isinstance(value, bool) else HIDDEN
