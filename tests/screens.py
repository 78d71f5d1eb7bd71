"""The app on a run without a terminal: what is on its screen as text, and keys pressed on it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from textual.pilot import Pilot

from factories import write_run
from graphlens.session import Delta, Run, RunState, Saved, Session, load
from graphlens_tui.app import GraphlensApp
from graphlens_tui.keys import Keymap, tokens
from graphlens_tui.listing import Opened

GOLDEN = Path(__file__).parent / "tui" / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"
NAMES = {
    "/": "slash", "?": "question_mark", "!": "exclamation_mark", "]": "right_square_bracket",
    "[": "left_square_bracket", "{": "left_curly_bracket", "}": "right_curly_bracket", ":": "colon",
    "$": "dollar_sign", "%": "percent_sign", "@": "at",
}  # fmt: skip


@dataclass
class Screen:
    """An app that is being looked at."""

    app: GraphlensApp
    pilot: Pilot[Opened]

    async def rest(self, seconds: float = 0.0) -> None:
        """Until nothing is under way any more, and the details are made."""
        await self.pilot.pause(0.08 + seconds)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Keys as people write them: "gd", "ctrl+d"."""
        for key in keys:
            for token in tokens(key):
                await self.pilot.press(NAMES.get(token, token))
        await self.rest()

    async def wait(self, until: Callable[[], bool], seconds: float = 10.0) -> None:
        """Until something is so. Raises AssertionError when it is not in time."""
        for _ in range(int(seconds / 0.05)):
            if until():
                return
            await self.pilot.pause(0.05)
        raise AssertionError(f"not within {seconds} s")

    def text(self) -> str:
        """The screen, line by line, without spaces at the ends of lines."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips) + "\n"

    def status(self) -> str:
        """The line above the footer."""
        return self.text().splitlines()[-2]


@contextlib.asynccontextmanager
async def showing(
    session: Session, size: tuple[int, int] = (120, 40), keymap: Keymap | None = None
) -> AsyncIterator[Screen]:
    """The app on a session, once everything there is has been looked at."""
    app = GraphlensApp(session, keymap)
    async with app.run_test(size=size) as pilot:
        screen = Screen(app, pilot)
        with contextlib.suppress(AssertionError):
            await screen.wait(lambda: app.model.shown is None or app.model.ill.known, 5)
            if len(app.model.ill.seqs):  # it is judged by itself then
                await screen.wait(lambda: app.health.findings is not None or bool(app.health.trouble), 10)
        await screen.rest()
        yield screen


def saved(tmp_path: Path, *, nodes: int = 120, steps: int = 3, nan_from: int | None = 1) -> Saved:
    """A session on a small run of a transformer whose second step goes bad."""
    return Saved(write_run(tmp_path / "small.glens", nodes=nodes, steps=steps, nan_from=nan_from))


def same_as_golden(text: str, name: str) -> None:
    """Compare with a file that a person has looked at; UPDATE_GOLDEN=1 writes it anew."""
    file = GOLDEN / f"{name}.txt"
    if UPDATE or not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), (
        f"UPDATE_GOLDEN=1 writes {file.name} anew; then read its diff"
    )


@dataclass
class FakeSession:
    """A run that grows when a test says so, and nobody who could be asked for anything."""

    path: Path
    state: RunState = RunState.RUNNING
    printed: bytes = b""
    told: list[Callable[[Delta], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run: Run = load(self.path)

    def watch(self, told: Callable[[Delta], None]) -> Callable[[], None]:
        """Tell what there is, and later what comes."""
        self.told.append(told)
        for process in self.run.processes():
            told(Delta(process.id, (), (0, process.end)))  # type: ignore[arg-type]  # plain numbers
        return lambda: self.told.remove(told)

    def grow(self) -> None:
        """Read on, and tell."""
        self.run.refresh_info()
        for delta in self.run.refresh():
            for told in self.told:
                told(delta)

    def output(self) -> bytes:
        """What the script printed."""
        return self.printed

    def close(self) -> None:
        """Nothing to end."""
