"""Colours by what they are for, light and dark.

Every role has its own class, so that a picture's style sheet is only the dark colours of the roles
that occur in it; the light ones are plain attributes, which every program that shows SVG knows.
The stripes were chosen so that any two differ by a colour distance of 20 (CIE 1976) or more for
normal sight, protanopia, deuteranopia and tritanopia: a test computes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from graphlens.categories import Category

Theme = Literal["auto", "light", "dark"]
PAPER = ("#ffffff", "#14181d")
STRIPES: dict[Category, tuple[str, str]] = {
    Category.MATMUL: ("#16215a", "#7ab4cc"),
    Category.ATTENTION: ("#5f26d9", "#8459e0"),
    Category.NORM: ("#228a79", "#5adfa1"),
    Category.ACTIVATION: ("#d26a15", "#d88863"),
    Category.REDUCTION: ("#c932cc", "#cb8bf4"),
    Category.GATHER: ("#875b24", "#eded4b"),
    Category.RANDOM: ("#943544", "#da2726"),
    Category.COLLECTIVE: ("#501491", "#b143ad"),
    Category.FLOW: ("#5b173b", "#d65090"),
    Category.OPTIMIZER: ("#342a0d", "#e2bb5a"),
    Category.ELEMENTWISE: ("#3f5a74", "#cfe2e3"),
}
_QUIET = dict.fromkeys((Category.VIEW, Category.CAST, Category.ENDPOINT), ("#7d8894", "#78838f"))
_MODULE = ("#3f4c5a", "#b6c2cf")
_INK = ("#1f2933", "#e6ebf0")


def mixed(colour: str, paper: str, part: float) -> str:
    """`part` of a colour over paper: "#rrggbb" twice and again."""
    pairs = [(int(colour[k : k + 2], 16), int(paper[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(one * part + under * (1 - part)):02x}" for one, under in pairs)


Paint = dict[str, tuple[str, str]]
"""Attribute to its light and its dark value."""


def _roles() -> dict[str, Paint]:
    roles: dict[str, Paint] = {
        "paper": {"fill": PAPER},
        "ink": {"fill": _INK},
        "mute": {"fill": ("#5b6773", "#9aa7b4")},
        "onink": {"fill": ("#ffffff", "#14181d")},
        "end": {"fill": _INK, "stroke": _INK},
        "frame": {"fill": ("#f5f7f9", "#1a1f25"), "stroke": ("#c3ccd5", "#3b4650")},
        "frame2": {"fill": ("#eaeef2", "#20262d"), "stroke": ("#b9c3cd", "#46525e")},
        "sheet": {"fill": PAPER, "stroke": ("#c3ccd5", "#3b4650")},
        "wire": {"fill": ("none", "none"), "stroke": ("#75828f", "#75828f")},
        "tip": {"fill": ("#75828f", "#75828f")},
        "grad": {"fill": ("none", "none"), "stroke": ("#6d4bd1", "#b39dff")},
        "gradtip": {"fill": ("#6d4bd1", "#b39dff")},
        "saved": {"fill": ("none", "none"), "stroke": ("#9a6700", "#e3b341")},
        "savedtip": {"fill": ("#9a6700", "#e3b341")},
        "hot": {"fill": ("none", "none"), "stroke": ("#c81e1e", "#ff6b6b")},
        "hottip": {"fill": ("#c81e1e", "#ff6b6b")},
        "centre": {"fill": ("none", "none"), "stroke": _INK},
        "badge": {"fill": ("#fde8e8", "#3d1518"), "stroke": ("#c81e1e", "#ff6b6b")},
        "chip": {"fill": _MODULE},
        "param": {"fill": ("#8f6b00", "#e0b83a")},
        "buffer": {"fill": ("#7d8894", "#8d98a4")},
        "s-module": {"fill": _MODULE},
        "b-module": {"fill": ("#ffffff", "#20262d"), "stroke": _MODULE},
        "t-module": {"fill": ("#5b6773", "#9aa7b4")},
    }
    for category, (light, dark) in {**STRIPES, **_QUIET}.items():
        quiet = category in _QUIET
        fill = (
            mixed(light, PAPER[0], 0.04 if quiet else 0.1),
            mixed(dark, PAPER[1], 0.06 if quiet else 0.17),
        )
        roles[f"s-{category}"] = {"fill": (light, dark)}
        roles[f"b-{category}"] = {"fill": fill, "stroke": (light, dark)}
        roles[f"t-{category}"] = {
            "fill": ("#5b6773", "#9aa7b4")
            if quiet
            else (mixed(light, "#000000", 0.85), mixed(dark, "#ffffff", 0.85))
        }
    return roles


ROLES = _roles()


@dataclass
class Paints:
    """Hands out the attributes of roles and remembers which were used."""

    theme: Theme
    used: dict[str, None] = field(default_factory=dict)

    def __call__(self, role: str) -> str:
        """Attributes with a leading space, for one element."""
        paint = ROLES[role]
        if self.theme != "auto":
            return "".join(f' {name}="{pair[self.theme == "dark"]}"' for name, pair in paint.items())
        self.used[role] = None
        return f' class="{role}"' + "".join(f' {name}="{pair[0]}"' for name, pair in paint.items())

    def style(self) -> str:
        """The style sheet for readers who like it dark; empty for a fixed theme."""
        if self.theme != "auto":
            return ""
        rules = []
        for role in sorted(self.used):
            changed = [f"{name}:{dark}" for name, (light, dark) in ROLES[role].items() if light != dark]
            if changed:
                rules.append(f".{role}{{{';'.join(changed)}}}")
        return f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
