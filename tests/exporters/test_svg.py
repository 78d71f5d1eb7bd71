"""What a reader of the picture sees: nothing overlaps, nothing is lost, nothing is dangerous."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from factories import write_run
from graphlens.exporters import Options
from graphlens.exporters.svg import picture
from inks import SVG, inks, overlaps, read
from models import Model, flat, mlp, residual, shapeless, transformer, two_towers

GOLDEN = Path(__file__).parent / "golden"
MODELS: dict[str, Callable[[], Model]] = {
    "mlp": mlp,
    "residual": residual,
    "transformer": transformer,
    "sick": lambda: transformer(12, sick=4),
    "short": lambda: transformer(4, sick=2),
    "towers": two_towers,
    "flat": lambda: flat(50, backward=True),
    "long": lambda: flat(2000),
    "noise": lambda: shapeless(900),
    "empty": lambda: Model("nothing"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("phase", ["auto", "both", "backward"])
def test_nothing_overlaps(name: str, phase: str) -> None:
    document = picture(MODELS[name]().subject(), Options(phase=phase))  # type: ignore[arg-type]  # as typed

    assert overlaps(document) == []


def test_nothing_overlaps_when_everything_is_open() -> None:
    assert overlaps(picture(transformer(3).subject(), Options(full=True))) == []


def test_overlap_is_found() -> None:
    """Twin: the check above sees two boxes that share an edge's width."""
    document = picture(mlp().subject(), Options())
    root = read(document)
    box = next(element for element in root.iter(f"{SVG}g") if element.get("data-id") == "f0")
    moved = next(element for element in root.iter(f"{SVG}g") if element.get("data-id") == "f2")
    for rect in box.findall(f"{SVG}rect"):
        rect.set("y", next(iter(moved.findall(f"{SVG}rect"))).get("y", ""))
        rect.set("x", next(iter(moved.findall(f"{SVG}rect"))).get("x", ""))

    assert any(found.startswith("boxes") for found in overlaps(ET.tostring(root, "unicode")))


@pytest.mark.parametrize("name", ["mlp", "residual", "short"])
def test_golden(name: str) -> None:
    """Written on the first run; look at the picture before you commit a change of it."""
    document = picture(MODELS[name]().subject(), Options())
    path = GOLDEN / f"{name}.svg"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(document)

    assert document == path.read_text()


MACHINES = {
    "as it is": {"PYTHONHASHSEED": "0"},
    "far away": {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8"},
    "bare": {"PYTHONHASHSEED": "77", "TZ": "America/St_Johns", "LC_ALL": "POSIX", "PATH": os.devnull},
}
DIGESTS = """
import contextlib, hashlib, locale, sys
sys.path[:0] = sys.argv[2:]
with contextlib.suppress(locale.Error):
    locale.setlocale(locale.LC_ALL, "")
from pathlib import Path
from exporters_shared import exported
from graphlens.exporters.svg import picture
from graphlens.store import Run
from models import transformer, two_towers
for model in (transformer(6, sick=2), two_towers()):
    print(hashlib.sha256(picture(model.subject()).encode()).hexdigest())
for name in ("svg", "html", "dot", "json", "graphml", "mermaid", "explorer", "trace", "csv"):
    print(name, hashlib.sha256(exported(Run(Path(sys.argv[1])), name)).hexdigest())
"""


def test_same_bytes_on_any_machine(tmp_path: Path) -> None:
    """Nothing of a set's order, an address in memory, a clock, a locale or a program reaches a file."""
    run = write_run(tmp_path / "train.glens", nodes=200, steps=2, nan_from=1)
    tests = str(Path(__file__).parent.parent)
    found = {}
    for name, variables in MACHINES.items():
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS, str(run), tests, *[path for path in sys.path if path]],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found[name] = done.stdout

    assert found["as it is"].count("\n") == 11
    assert len(set(found.values())) == 1, found


HOSTILE = [
    "quote\" apostrophe' <b>bold</b> &amp; &lt;",
    "]]><script>alert(1)</script>",
    "\x1b]52;c;aGk=\x07 \x00 \x08 \x7f",
    "\u202egnp.exe \u200b\u2066 \ufeff",
    "\ud800 half \udfff",
    "\uffff\ufffe \U000e0041",
    "名前 ميسا 🙂 é",
    "x" * 1_000_000,
    "--><!-- ${jndi} %s {{x}} \\N \\G",
    "javascript:alert(1)",
    "",
    " \t\n\r ",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_text(name: str) -> None:
    """Whatever a script calls things, the picture is well-formed, inert and short."""
    model = Model(name)
    x = model.batch(name, 2, 3)
    with model.module(name or "m", name), model.module(name or "m", name):
        x = model.op(name, x, model.parameter(name, 3))
        x = model.op("add", x)
    with model.module(name or "m", name):
        x = model.op(name, x)
    model.backward(model.op(name, x, shape=()))
    document = picture(model.subject())
    root = read(document)

    known = {"svg", "title", "desc", "style", "g", "rect", "path", "text", "tspan"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= known
    names = {key for element in root.iter() for key in element.attrib}
    assert not {key for key in names if key.startswith("on") or "href" in key or key == "id"} - {"id"}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\u200b\ufeff]", document)
    document.encode()
    assert len(document) < 60_000
    assert overlaps(document) == []


def test_no_script_no_link_no_font_no_path() -> None:
    document = picture(transformer(12, sick=4).subject())

    for word in (
        "<script",
        "href",
        "url(",
        "@import",
        "@font-face",
        "javascript:",
        "<!",
        "<?",
        "foreignObject",
    ):
        assert word not in document


def test_title_says_what_is_shown() -> None:
    root = read(picture(transformer(12).subject()))
    title, about = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and about is not None and about.text is not None

    assert title.text == "GPT"
    assert "forward | backward" in about.text
    assert "drawn once: h.0–11 ×12" in about.text
    assert root.get("role") == "img"
    assert set((root.get("aria-labelledby") or "").split()) == {"title", "about"}


def test_themes() -> None:
    """A fixed theme has no style sheet; the automatic one is light, and dark for who wants it."""
    subject = mlp().subject()
    light, dark, auto = (picture(subject, Options(theme=theme)) for theme in ("light", "dark", "auto"))

    assert "<style>" not in light and "<style>" not in dark
    assert "prefers-color-scheme:dark" in auto
    assert "var(" not in auto  # some renderers draw it black
    assert re.sub(r' class="[^"]*"', "", re.sub(r"<style>.*</style>\n", "", auto)) == light
    assert "#14181d" in dark and 'fill="#ffffff"' not in dark


def test_birth_is_marked_and_the_rest_steps_back() -> None:
    document = picture(transformer(12, sick=4).subject())
    root = read(document)
    texts = [ink.what for ink in inks(root)[1]]
    dimmed = [group for group in root.iter(f"{SVG}g") if group.get("opacity") and group.get("data-id")]
    lit = [group for group in root.iter(f"{SVG}g") if not group.get("opacity") and group.get("data-id")]

    assert [said for said in texts if "born" in said] == ["①NaN born here"]
    assert texts.count("NaN") == 1  # at the loss
    assert dimmed and lit
    for copies in ("h.0–3Block", "h.5–11Block"):  # copies with other health are other copies
        assert copies in texts
    born = next(group for group in lit if any("born" in "".join(one.itertext()) for one in group))
    assert born.get("data-op") == "_softmax"


def test_arrows_of_the_backward_pass_go_up() -> None:
    model = mlp()
    document = picture(model.subject(), Options(phase="both", theme="light"))
    paths = re.findall(r'<path d="M[\d.]+ ([\d.]+)[^"]*?V?([\d.]+)"[^>]*stroke="#6d4bd1"', document)

    assert len(paths) >= 4
    assert all(float(start) > float(end) for start, end in paths)


def test_every_coordinate_has_at_most_one_decimal() -> None:
    document = picture(transformer(12, sick=4).subject())
    for values in re.findall(r' (?:d|x|y|width|height|viewBox)="([^"]*)"', document):
        for number in re.findall(r"-?\d+(?:\.\d+)?", values):
            assert re.fullmatch(r"-?\d+(\.\d)?", number), values
            assert number != "-0"
