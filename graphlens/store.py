"""A run directory as a reader sees it: what was declared, what ran, and what the numbers were.

Nothing is read twice: `refresh` goes on where the log ended last time, and columns are decoded
where somebody looks. A run that is still being written and one that is finished read the same.
"""

from __future__ import annotations

import os
import threading
import tokenize
from collections.abc import Sequence
from pathlib import Path

from graphlens import log
from graphlens.calls import Call
from graphlens.decode import RunInfo, plain_file, read_at_most, run_info
from graphlens.follow import Delta, Locks, locked
from graphlens.ops import Op, OutputSeen
from graphlens.process import Process, Running
from graphlens.rows import INF, NAN, RAISED, Ranges, Rows
from graphlens.text import clean
from graphlens_tracers.errors import BadRunFile

__all__ = [
    "INF", "NAN", "RAISED", "Call", "Delta", "Op", "OutputSeen", "Process", "Ranges", "Rows", "Run",
    "RunInfo", "Running",
]  # fmt: skip

LARGEST_SOURCE = 16 << 20
LARGEST_OUTPUT = 64 << 20
"""Bytes of a source file and of `output.log` that are read at most."""


class Run(Locks):
    """A recorded run, or one that is being recorded.

    Attributes:
        path: Its directory.
        info: Its `run.json`, as of the last `refresh`.
        lock: Held while anything is read or asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.info = run_info(path)
        self._processes: dict[str, Process] = {}
        self._sources: dict[str, str | None] = {}
        self._output, self._output_of = b"", -1
        self.refresh()

    @locked
    def refresh(self) -> list[Delta]:
        """Read on what is new; for the first time, everything.

        Raises:
            BadRunFile: The run is of a newer format, or what it says makes no sense.
        """
        pages = log.pages_in(self.info.pages)
        try:
            latest = log.logs_in(self.path)
        except OSError as error:
            raise BadRunFile(f"{clean(str(self.path))} cannot be read: {error.strerror}") from error
        for stem in dict.fromkeys([*latest, *sorted(pages)]):
            if stem not in self._processes:
                self._processes[stem] = Process(self, stem, len(self._processes))
        deltas = [
            process.refresh(pages.get(stem, ()), latest.get(stem, -1))
            for stem, process in self._processes.items()
        ]
        return [delta for delta in deltas if delta is not None]

    @locked
    def refresh_info(self) -> bool:
        """Read `run.json` again; whether it says something new."""
        before, self.info = self.info, run_info(self.path)
        return before != self.info

    @locked
    def processes(self) -> Sequence[Process]:
        """The processes that recorded something, in order of their ids."""
        return list(self._processes.values())

    @property
    @locked
    def main(self) -> Process:
        """The process that trains, else that with the most operations; of ranks alike the first.

        Raises:
            BadRunFile: No process has recorded anything.
        """
        if not self._processes:
            raise BadRunFile(f"{clean(str(self.path))} has no log: nothing was recorded")

        def weight(process: Process) -> tuple[bool, int, int, int]:
            trains = any(call.role == "train" for call in process.calls())
            return trains, process.op_count, -process.rank, -process.id

        return max(self._processes.values(), key=weight)

    @locked
    def output(self) -> bytes:
        """What the script printed; b"" when that was not kept. Reads on when asked again."""
        try:
            with plain_file(self.path / "output.log") as fd:
                found = os.fstat(fd)
                if found.st_ino != self._output_of or found.st_size < len(self._output):
                    self._output, self._output_of = b"", found.st_ino  # its middle was cut out
                wanted = min(found.st_size, LARGEST_OUTPUT) - len(self._output)
                if wanted > 0:
                    self._output += log.read_on(fd, len(self._output), wanted)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise BadRunFile(f"output.log cannot be read: {error.strerror}") from error
        return self._output

    @locked
    def source(self, digest: str) -> str | None:
        """A kept source file by its digest, decoded as Python would; None when there is none."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            return None
        if digest not in self._sources:
            self._sources[digest] = self._read_source(digest)
        return self._sources[digest]

    def _read_source(self, digest: str) -> str | None:
        try:
            data = read_at_most(self.path / "sources" / digest, LARGEST_SOURCE)
        except OSError:
            return None  # it was too large, or unreadable when the script ran
        lines = iter(data.splitlines(keepends=True))
        try:
            encoding, _ = tokenize.detect_encoding(lambda: next(lines, b""))
        except SyntaxError:
            encoding = "utf-8"
        return data.decode(encoding, "replace")
