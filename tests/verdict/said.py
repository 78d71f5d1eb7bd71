"""What a tool says of one case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """What a tool says of a case.

    Attributes:
        spoke: Whether it says that something is not finite.
        line: Where in the case, the innermost; 0 where it names no line of it.
        op: What it calls the operation; "" where it names none.
        failed: Why the tool could not be used, though the case runs without it.
        right: Whether all else that the case states is as it says; only graphlens is asked for that.
    """

    spoke: bool
    line: int = 0
    op: str = ""
    failed: str = ""
    right: bool | None = None


SILENT = Said(False)
