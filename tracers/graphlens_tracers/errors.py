"""Every error that a person may see: what happened, to what, and what to do next.

The slug is the class's own and can be looked up; the class docstring is its explanation. Only
`graphlens.cli` prints them and exits.
"""

from __future__ import annotations

from typing import ClassVar


class GraphlensError(Exception):
    """The base of all errors that we raise on purpose."""

    slug: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return f"{super().__str__()} [{self.slug}]"


class BadRunFile(GraphlensError):
    """A run that cannot be read: damaged, by a newer format, or not a run at all."""

    slug = "bad-run-file"


class UnknownRun(GraphlensError):
    """No run of that name or at that path."""

    slug = "unknown-run"


class UnknownOp(GraphlensError):
    """The run has no operation of that number."""

    slug = "unknown-op"


class UnknownName(GraphlensError):
    """A name that must be one of a few is none of them."""

    slug = "unknown-name"


class FileExists(GraphlensError):
    """An output that is already there is not overwritten without --force."""

    slug = "file-exists"


class CannotWrite(GraphlensError):
    """A directory or file that we were told to write cannot be written."""

    slug = "cannot-write"


class NotInstalled(GraphlensError):
    """A format needs a package that is not installed, or does not load."""

    slug = "not-installed"


class NotLive(GraphlensError):
    """Only a script that still runs can be asked for this."""

    slug = "not-live"


class ValueGone(GraphlensError):
    """The tensor was freed and its numbers were not kept."""

    slug = "value-gone"


class NoTerminal(GraphlensError):
    """The terminal UI needs a terminal on standard input and output."""

    slug = "no-terminal"


class CannotStart(GraphlensError):
    """We failed before the script could start."""

    slug = "cannot-start"
    exit_code = 125


class Usage(GraphlensError):
    """Wrong words on the command line."""

    slug = "usage"
    exit_code = 2
