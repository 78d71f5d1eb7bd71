"""What is not seen is written down: each gap that the code can say is in the user's list of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

from graphlens_tracers.events import Gap

ROOT = Path(__file__).parents[2]
LIST = ROOT / "docs" / "not-seen.md"
SHORTEST = 12
"""Shorter pieces of a sentence say nothing by themselves."""


def sources() -> Iterator[ast.Module]:
    for folder in ("graphlens", "tracers", "tui"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ast.parse(path.read_text())


def texts(node: ast.AST) -> Iterator[str]:
    """Every constant piece of text in an expression."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def said() -> Iterator[tuple[str, str]]:
    """(kind, piece of its sentence) of every gap that is said, by the code."""
    for module in sources():
        for function in ast.walk(module):
            if not isinstance(function, ast.FunctionDef):
                continue
            named: dict[str, list[ast.expr]] = {}
            for part in ast.walk(function):
                if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
                    named.setdefault(part.targets[0].id, []).append(part.value)
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and is_gap(call) and len(call.args) > 1:
                    kind, what = call.args[:2]
                    words = named.get(what.id, []) if isinstance(what, ast.Name) else [what]
                    if isinstance(kind, ast.Constant):
                        yield from ((str(kind.value), text) for word in words for text in texts(word))


def is_gap(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in ("gap", "Gap")


def rows() -> dict[str, str]:
    """For each kind, what the list says of it, one line of text."""
    found: dict[str, str] = {}
    for line in LIST.read_text().splitlines():
        if line.startswith("| `"):
            kind, what = line.split("|")[1].strip(" `"), line
            found[kind] = found.get(kind, "") + what
    return found


def test_every_kind_of_gap_is_listed() -> None:
    kinds = get_args(get_type_hints(Gap)["kind"])
    text = LIST.read_text()

    assert kinds
    assert [kind for kind in kinds if f"`{kind}`" not in text] == []
    assert set(rows()) <= set(kinds)


def test_every_sentence_of_a_gap_is_listed_under_its_kind() -> None:
    found = [(kind, text.strip(" :,")) for kind, text in said()]
    listed = rows()
    missing = [
        (kind, text) for kind, text in found if len(text) >= SHORTEST and text not in listed.get(kind, "")
    ]

    assert len(found) > 20
    assert missing == []
