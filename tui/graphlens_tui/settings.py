"""What a person has chosen for every run, from the table `view` of the file that has their keys:

    [view]
    theme = "light"     # or "dark"; else as the terminal's background is, where that is known
    ascii = true        # no characters but ASCII; false: the others in any terminal
    patience = 0.5      # seconds to wait whether a longer sequence of keys is meant
    restore = false     # open every run at its beginning, and remember nothing of it

GRAPHLENS_THEME and GRAPHLENS_ASCII win over the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from graphlens.text import clean
from graphlens_tui import glyphs
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.keys import PATIENCE, keys_file

LONGEST_PATIENCE = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices.

    Attributes:
        theme: "light", "dark", or "" for what suits the terminal.
        ascii: None for what suits the terminal.
        wrong: What of the file could not be used, a sentence each.
    """

    theme: str = ""
    ascii: bool | None = None
    patience: float = PATIENCE
    restore: bool = True
    wrong: tuple[str, ...] = ()

    def light(self, environment: Mapping[str, str] = os.environ) -> bool:
        """Whether to begin with dark text on light: GRAPHLENS_THEME says so, the file, or COLORFGBG."""
        wish = environment.get("GRAPHLENS_THEME", "") or self.theme
        if wish:
            return wish == "light"
        ground = environment.get("COLORFGBG", "").rpartition(";")[2]
        return ground in ("7", "15")

    def glyphs(self, environment: Mapping[str, str] = os.environ) -> Glyphs:
        """The characters to draw with."""
        if self.ascii is None or environment.get("GRAPHLENS_ASCII"):
            return glyphs.chosen(environment)
        return glyphs.ASCII if self.ascii else glyphs.UNICODE


_KNOWN: dict[str, tuple[Callable[[object], bool], str]] = {
    "theme": (lambda value: value in ("light", "dark", ""), '"light" or "dark"'),
    "ascii": (lambda value: isinstance(value, bool), "true or false"),
    "patience": (
        lambda value: type(value) in (int, float) and 0 < float(str(value)) <= LONGEST_PATIENCE,
        f"seconds, up to {LONGEST_PATIENCE:g}",
    ),
    "restore": (lambda value: isinstance(value, bool), "true or false"),
}


def load(path: Path | None = None) -> Settings:
    """The choices of this person; what is wrong with their file is said in `wrong`.

    A file that cannot be read at all is said by `keys.load`.
    """
    file = keys_file() if path is None else path
    try:
        chosen = tomllib.loads(file.read_text(encoding="utf-8")).get("view", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return Settings()
    if not isinstance(chosen, dict):
        return Settings(wrong=("view must be a table",))
    found, wrong = Settings(), []
    for name, value in chosen.items():
        if name not in _KNOWN:
            wrong.append(f"there is no {clean(str(name), 40)!r} in view: {', '.join(_KNOWN)}")
        elif not _KNOWN[name][0](value):
            wrong.append(f"view: {name} must be {_KNOWN[name][1]}")
        else:
            found = replace(found, **{name: value})
    return replace(found, wrong=tuple(wrong))
