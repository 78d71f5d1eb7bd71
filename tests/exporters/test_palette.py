"""Colours can be told apart by everyone: computed, as people with two kinds of cone see them."""

from __future__ import annotations

import itertools
import math

import pytest

from graphlens.exporters._palette import PAPER, ROLES, STRIPES

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip


def linear(colour: str) -> list[float]:
    """Linear RGB of "#rrggbb"."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def seen(colour: str, sight: str) -> tuple[float, float, float]:
    """CIE Lab of the colour as it is seen."""
    rgb = linear(colour)
    r, g, b = (min(1.0, max(0.0, sum(m * c for m, c in zip(row, rgb, strict=True)))) for row in SIGHT[sight])
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def contrast(a: str, b: str) -> float:
    """The contrast of WCAG 2."""
    high, low = sorted(
        (0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(a), linear(b))), reverse=True
    )
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_stripes_can_be_told_apart(theme: int, sight: str) -> None:
    for (a, one), (b, other) in itertools.combinations(STRIPES.items(), 2):
        apart = math.dist(seen(one[theme], sight), seen(other[theme], sight))
        assert apart >= 20, f"{a} and {b}: {apart:.1f}"


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_stripes_and_text_stand_out(theme: int) -> None:
    for category, pair in STRIPES.items():
        assert contrast(pair[theme], PAPER[theme]) >= 3, category
    for role in ("ink", "mute"):
        for under in ("paper", "frame", "frame2"):
            assert contrast(ROLES[role]["fill"][theme], ROLES[under]["fill"][theme]) >= 4.5, (role, under)
    for category in STRIPES:
        assert contrast(ROLES["mute"]["fill"][theme], ROLES[f"b-{category}"]["fill"][theme]) >= 4.5, category
        assert contrast(ROLES[f"t-{category}"]["fill"][theme], ROLES[f"b-{category}"]["fill"][theme]) >= 3, (
            category
        )
