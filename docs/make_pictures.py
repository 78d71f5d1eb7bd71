"""Makes the pictures of the README: real recordings, exported, and looked at in the real UI.

    make pictures

Nothing is drawn by hand or retouched: the SVGs are what `graphlens export` writes, and the terminal
is Textual's own export of what `graphlens open` shows. Needs PyTorch and TensorFlow.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURES = Path(__file__).with_name("pictures")
COLUMNS, ROWS = 150, 46
# As `graphlens run` records, so that what the script printed is in the picture too.
IN_A_TERMINAL = ("--pty", "--size=24x80", "--quiet")


def graphlens(*words: str | Path) -> None:
    """One command, from the project's root, so that the pictures name files relative to it."""
    command = [sys.executable, "-m", "graphlens", *(str(word) for word in words)]
    # One thread: the same numbers on every machine of a kind.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


async def screenshot(run: Path, picture: Path) -> None:
    """The UI on `run`, at its first operation with a number that is not finite."""
    from graphlens.session import Saved
    from graphlens_tui.app import GraphlensApp

    session = Saved(run)
    try:
        app = GraphlensApp(session)
        async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
            await pilot.pause(1.0)
            await pilot.press("exclamation_mark")
            await pilot.pause(1.0)
            picture.write_text(self_contained(app.export_screenshot(title="graphlens open last")))
    finally:
        session.close()


def self_contained(svg: str) -> str:
    """Without the fonts that it would fetch: whatever monospaced one the reader has is fine."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "Fira Code, Menlo, Consolas, DejaVu Sans Mono")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="graphlens-pictures-") as folder:
        healthy, ill, keras = (Path(folder, f"{name}.glens") for name in ("digits", "digits-nan", "keras"))
        graphlens("record", "-o", healthy, "examples/digits.py", "--epochs", "2")
        graphlens("record", *IN_A_TERMINAL, "-o", ill, "examples/digits.py", "--nan", "--epochs", "16")
        graphlens("export", "--force", healthy, "-o", PICTURES / "digits.svg")
        graphlens("export", "--force", ill, "-o", PICTURES / "digits-nan.svg")
        graphlens("record", "-o", keras, "examples/keras_digits.py", "--epochs", "1")
        graphlens("export", "--force", keras, "-o", PICTURES / "keras-digits.svg")
        asyncio.run(screenshot(ill, PICTURES / "tui.svg"))


if __name__ == "__main__":
    main()
