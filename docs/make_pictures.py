"""Makes the pictures of the README: two real recordings, exported, and looked at in the real UI.

    make pictures

Nothing is drawn by hand or retouched: the SVGs are what `graphlens export` writes, and the terminal
is Textual's own export of what `graphlens open` shows.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURES = Path(__file__).with_name("pictures")
COLUMNS, ROWS = 132, 40


def graphlens(*words: str | Path) -> None:
    """One command, from the project's root, so that the pictures name files relative to it."""
    command = [sys.executable, "-m", "graphlens", *(str(word) for word in words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # the same numbers on every machine of a kind
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


async def screenshot(run: Path, picture: Path) -> None:
    """The UI on `run`, at its first operation with a number that is not finite."""
    from graphlens_tui.app import GraphlensApp

    from graphlens.session import Saved

    session = Saved(run)
    try:
        app = GraphlensApp(session)
        async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
            await pilot.pause(1.0)
            await pilot.press("right_square_bracket", "n")
            await pilot.pause(1.0)
            picture.write_text(app.export_screenshot(title="graphlens open last"))
    finally:
        session.close()


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="graphlens-pictures-") as folder:
        healthy, ill = Path(folder, "digits.glens"), Path(folder, "digits-nan.glens")
        graphlens("record", "-o", healthy, "examples/digits.py", "--epochs", "2")
        graphlens("record", "-o", ill, "examples/digits.py", "--nan", "--epochs", "16")
        graphlens("export", "--force", healthy, "-o", PICTURES / "digits.svg")
        graphlens("export", "--force", ill, "-o", PICTURES / "digits-nan.svg")
        asyncio.run(screenshot(ill, PICTURES / "tui.svg"))


if __name__ == "__main__":
    main()
