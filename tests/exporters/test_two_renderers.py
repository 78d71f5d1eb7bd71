"""A browser and Cairo draw the same: an SVG of ours asks nothing that only one of them can do."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphlens.exporters import Options
from graphlens.exporters.svg import picture
from models import Model, residual, transformer

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
BLOCK = 12
"""Pixels that are taken together: letters may differ by less."""
MOST = 45
"""Of 255, by which a block may differ: half of what an absent letter does."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]


def size_of(document: str) -> tuple[int, int]:
    """In whole pixels."""
    found = re.search(r'width="([\d.]+)" height="([\d.]+)"', document)
    assert found is not None
    return int(float(found[1]) + 0.999), int(float(found[2]) + 0.999)


def blocks(png: bytes, wide: int, high: int) -> Any:  # Any: an array of numbers
    """Mean colours, block by block."""
    image = pytest.importorskip("PIL.Image")
    shown = image.open(io.BytesIO(png)).convert("RGB")
    assert shown.size == (wide, high)
    return np.asarray(shown.resize((wide // BLOCK, high // BLOCK), image.Resampling.BOX), float)


def by_chromium(document: str, folder: Path) -> Any:
    """As a browser of 96 dots an inch shows it, with its style sheet."""
    wide, high = size_of(document)
    (folder / "picture.svg").write_text(document)
    shot = folder / "shot.png"
    options = "--headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1".split()
    sized = f"--window-size={wide},{high}"
    where = (folder / "picture.svg").as_uri()
    data = f"--user-data-dir={folder / 'profile'}"
    command = [str(CHROMIUM), *options, sized, data, f"--screenshot={shot}", where]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return blocks(shot.read_bytes(), wide, high)


def by_cairo(document: str) -> Any:
    """With the colours of its attributes alone."""
    cairosvg = pytest.importorskip("cairosvg")
    wide, high = size_of(document)
    plain = re.sub(r"<style>.*?</style>", "", document, flags=re.DOTALL).encode()
    return blocks(cairosvg.svg2png(bytestring=plain, output_width=wide, output_height=high), wide, high)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("model", [residual(), transformer(6, sick=3)], ids=["residual", "sick"])
def test_both_draw_the_same(model: Model, theme: str, tmp_path: Path) -> None:
    document = picture(model.subject(), Options(theme=theme))  # type: ignore[arg-type]  # as typed

    assert np.abs(by_chromium(document, tmp_path) - by_cairo(document)).max() < MOST


def test_a_card_that_is_missing_is_seen(tmp_path: Path) -> None:
    """Twin: the measure above is not blind."""
    document = picture(residual().subject(), Options(theme="light"))
    one = re.search(r'<g[^>]*data-id="f2".*?</g>', document, re.DOTALL)
    assert one is not None

    assert np.abs(by_chromium(document.replace(one[0], ""), tmp_path) - by_cairo(document)).max() > MOST
