"""Text can be read on what it stands on: contrasts as WCAG 2 has them."""

from __future__ import annotations

import pytest

from graphlens_tui.palette import DARK, LIGHT, Palette

READ, SEEN = 4.5, 3.0
"""Of text that is to be read; of what may be overlooked, and of marks."""


def luminance(colour: str) -> float:
    """Relative luminance, from 0 for black to 1 for white."""
    parts = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 for none to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrasts_are_what_they_are_called() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
def test_text_can_be_read(palette: Palette) -> None:
    """On the panes; on the bars and boxes; under the cursor; and on a patch of its own colour."""
    words = ("mute", "text", "bright", "accent", "warn", "inf", "nan", "good")
    for word in words:
        assert contrast(getattr(palette, word), palette.ground) >= READ, word
        assert contrast(getattr(palette, word), palette.bar) >= 4.3, word
        for cursor in (palette.cursor, palette.cursor_away):
            assert contrast(getattr(palette, word), cursor) >= SEEN, word
    for family, colour in palette.category.items():
        assert contrast(colour, palette.ground) >= READ, family
        assert contrast(colour, palette.bar) >= 4.0, family
    for colour in palette.lanes:
        assert contrast(colour, palette.ground) >= READ, colour
    for patch in (palette.nan, palette.inf, palette.warn):
        assert contrast(palette.on_ill, patch) >= READ, patch
    assert contrast(palette.on_accent, palette.accent) >= READ
    assert contrast(palette.bright, palette.cells[0]) >= READ
    assert contrast(palette.faint, palette.ground) >= SEEN
    assert contrast(palette.faint, palette.bar) >= 2.9
    for sign in palette.signs:
        assert contrast(sign, palette.ground) >= SEEN
