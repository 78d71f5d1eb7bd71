"""The page: what is in it without a browser, and how it behaves in a real one."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from exporters_shared import HOSTILE, exported, hostile_run
from factories import OpRow, leaf, new_run, ran, seen, write_run
from graphlens.exporters import Options
from graphlens.exporters._chosen import chosen, subject_of
from graphlens.store import Run
from graphlens.view.subject import forward_of
from graphlens_tracers.events import CallBegan, CallEnded, CallId, GraphId, NodeId, Seq


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small transformer, three steps, the last two with NaN."""
    return Run(write_run(tmp_path_factory.mktemp("runs") / "train.glens", nodes=700, steps=3, nan_from=1))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Everything is called as nothing should be."""
    return hostile_run(tmp_path_factory.mktemp("runs") / "hostile.glens")


class Elements(HTMLParser):
    """Elements of a document with their attributes, and the text in each script and style."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] in ("script", "style"):
            self.text.append(data)


def data_of(document: bytes) -> dict[str, Any]:
    """What the page is given."""
    found = re.search(r'id="graph">(.*?)</script>', document.decode(), re.DOTALL)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    told["ops"] = list(rows_of(**told["ops"]))
    for group in told["groups"]:
        group[5] = list(itertools.accumulate(group[5]))
    return told


def pairs(numbers: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Two by two."""
    return zip(numbers[::2], numbers[1::2], strict=True)


def copied(parts: list[Any]) -> list[Any]:
    """What is written as values and copies of earlier ones."""
    found: list[Any] = []
    for values, back, count in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        found += values
        for _ in range(count):
            found.append(found[-back])
    return found


def rows_of(
    kinds: Any, kind: Any, module: Any, seq: Any, took: Any, specs: Any, ranges: Any, inputs: Any, twin: Any
) -> Iterator[list[Any]]:
    """The operations, put together from what is written column by column, as the page's script does."""
    modules = [one for one, count in pairs(module) for _ in range(count)]
    numbers = [one + k * (one >= 0) for one, count in pairs(seq) for k in range(count)]
    bounds = pairs(ranges)
    last = 0
    columns = zip(copied(kind), copied(specs), copied(inputs), copied(twin), strict=True)
    for at, (number, made, read, far) in enumerate(columns):
        op, phase, file, line, form = kinds[number]
        last += (far - 1) // 2 if far else 0
        yield [
            op, modules[at], phase, file, line, numbers[at], took[at],
            [[~one] if one < 0 else [one, *next(bounds)] for one in listed(made)],
            [source_of(at, one) for one in listed(read)], last if far else -1, form,
        ]  # fmt: skip
    assert not list(bounds)


def listed(some: Any) -> list[Any]:
    """One stands without its list."""
    return some if isinstance(some, list) else [some]


def source_of(at: int, near: Any) -> Any:
    """What makes an input, of what is said from its reader."""
    if isinstance(near, list):
        return [at - near[0], near[1]]
    return near if near is None or near < 0 else at - near


# ── without a browser ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("which", ["run", "hostile"])
def test_page_is_one_file_whose_policy_names_what_may_run(which: str, request: pytest.FixtureRequest) -> None:
    document = exported(request.getfixturevalue(which), "html").decode()
    page = Elements(document)
    policy = next(facts["content"] for tag, facts in page.found if facts.get("http-equiv")) or ""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    scripts = re.findall(r"<script>(.*?)</script>", document, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
    assert len(scripts) == len(styles) == 1
    assert policy == (
        f"default-src 'none'; script-src {digest(scripts[0])}; style-src {digest(styles[0])}; "
        "base-uri 'none'; form-action 'none'"
    )
    tags = {tag for tag, _ in page.found}
    assert not tags & {"link", "img", "iframe", "object", "embed", "form", "base", "video", "a"}
    for _, facts in page.found:
        assert not {"src", "href", "style"} & set(facts)
        assert not [name for name in facts if name.startswith("on")]
    assert len([tag for tag, _ in page.found if tag == "script"]) == 2


def test_page_has_every_operation_once(run: Run) -> None:
    told = data_of(exported(run, "html"))
    picked = chosen(run, Options())
    subject = subject_of(picked)
    shown: list[int] = []
    for section in told["sections"]:
        walk = [section["root"]]
        while walk:
            for item in told["groups"][walk.pop()][5]:
                (walk if item < 0 else shown).append(~item if item < 0 else item)
    fed = [at for at, op in enumerate(told["ops"]) if op[5] < 0 and op[10] < 0]

    assert len(told["ops"]) - len(fed) == len(subject.nodes)
    assert len(shown) == len(set(shown))
    drawn = {node.node for node in forward_of(subject).nodes}
    for at, node in enumerate(subject.nodes):
        if node.node in drawn:
            assert at in shown
    names = [told["strings"][op[0]] for op in told["ops"]]
    assert names[: len(subject.nodes)] == [node.op for node in subject.nodes]


def test_rows_hold_each_item_once_and_lines_go_down(run: Run) -> None:
    for layout in data_of(exported(run, "html"))["layouts"]:
        points = [point for row in layout["rows"] for point in row]
        row = {point: at for at, points in enumerate(layout["rows"]) for point in points}

        assert sorted(points) == list(range(len(points)))
        for route in layout["routes"]:
            rows = [row[point] for point in route]
            assert rows == list(range(rows[0], rows[-1] + 1))


def test_ranges_are_those_of_the_call(run: Run) -> None:
    told = data_of(exported(run, "html", Options(step=0)))
    process = run.main
    for op in told["ops"][:: len(told["ops"]) // 20]:
        if op[5] < 0:
            continue
        seen = process.op(op[5])
        assert told["strings"][op[0]] == seen.node.op and op[6] == seen.took_ns
        for output, truth in zip(op[7], seen.outputs, strict=True):
            assert output[1:] == ([] if truth.low is None else [truth.low, truth.high])


def test_copies_share_their_rows(run: Run) -> None:
    """A page of many equal layers is no larger for it than their operations."""
    told = data_of(exported(run, "html"))
    blocks = [group for group in told["groups"] if told["strings"][group[1]] == "Block"]

    assert len(blocks) > 4
    assert len({group[4] for group in blocks}) <= 3


def test_bodies_of_loops_come_along(tmp_path: Path) -> None:
    """Declared or not: what an operation entered in the step that is shown is a section of its own."""
    log = new_run(tmp_path / "loop.glens")
    log.declare(
        *seen(
            ran(1, inputs=[100], op="Tanh"),
            leaves=[leaf(100, "h", "argument", 2)],
            graph=1,
            name="body",
            kind="body",
        )
    )
    log.declare(
        *seen(
            ran(2, inputs=[101], op="Less"),
            leaves=[leaf(101, "t", "argument", 2)],
            graph=2,
            name="cond",
            kind="body",
        )
    )
    log.declare(*seen(ran(0, inputs=[102], op="While", calls=2), leaves=[leaf(102, "x", "batch", 2)]))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    for number, graph_id in ((1, 1), (2, 1)):
        log.calls(
            CallBegan(
                CallId(number), GraphId(graph_id), Seq(log.seq), 0, "train", parent=CallId(0), at=NodeId(0)
            )
        )
        log.ran(OpRow(1, [(float(number), float(number))]))
        log.calls(CallEnded(CallId(number), Seq(log.seq - 1)))
    log.ran(0)
    log.calls(CallEnded(CallId(0), Seq(log.seq - 1)))
    log.finish()
    told = data_of(exported(Run(tmp_path / "loop.glens"), "html"))
    at = {told["strings"][op[0]]: number for number, op in enumerate(told["ops"])}

    assert [section["name"] for section in told["sections"]] == ["forward", "body", "cond"]
    assert told["enters"] == {str(at["While"]): [1, 2]}
    assert told["ops"][at["Tanh"]][5:8] == [1, 1000, [[told["strings"].index("f32[]"), 2.0, 2.0]]]
    assert told["ops"][at["Less"]][5] == -1


def test_phase_and_depth_are_how_it_begins(run: Run) -> None:
    shallow = data_of(exported(run, "html", Options(step=0, depth=0)))
    deep = data_of(exported(run, "html", Options(step=0, depth=9, phase="backward")))

    assert [len(section["open"]) for section in shallow["sections"]] == [1, 1, 1]
    full = data_of(exported(run, "html", Options(step=0, full=True)))
    assert [len(one["open"]) for one in full["sections"]] == [len(one["open"]) for one in deep["sections"]]
    assert deep["sections"][deep["start"]]["name"] == "backward"
    names = {deep["strings"][deep["groups"][at][0]] for at in deep["sections"][0]["open"]}
    assert {"attn", "mlp"} <= names


def test_hostile_names_are_data(hostile: Run) -> None:
    document = exported(hostile, "html")
    told = data_of(document)

    assert (
        b"alert(1)" in document and b"<script>alert" not in document and b"onerror=alert(1)>" not in document
    )
    assert document.count(b"</script>") == 2
    assert len(told["strings"]) > len(HOSTILE) and max(map(len, told["strings"])) <= 200
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e\u2066]", document.decode())


# ── in Chromium ──────────────────────────────────────────────────────────────────────────────


class Visit:
    """A page that was opened from a file, and all that went wrong in it."""

    def __init__(self, browser: Any, path: Path, **more: Any) -> None:
        self.trouble: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_page(viewport={"width": 1100, "height": 700}, **more)
        self.page.on("console", lambda said: self.trouble.append(said.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("dialog", self._asked_for)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def _asked_for(self, dialog: Any) -> None:
        self.trouble.append("a dialog")
        dialog.dismiss()

    def drawn(self) -> tuple[int, int]:
        """How many cards and how many open modules there are."""
        return self.page.locator(".card").count(), self.page.locator(".module").count()

    def chosen(self) -> str:
        """What the panel is about."""
        said: str = self.page.locator("#facts h2").inner_text()
        return said

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()


def written(run: Run, path: Path, **options: Any) -> Path:
    """The page of a run as a file."""
    path.write_bytes(exported(run, "html", Options(**options)))
    return path


@pytest.mark.long
def test_page_begins_where_the_nan_was_born(run: Run, browser: Any, tmp_path: Path) -> None:
    with Visit(browser, written(run, tmp_path / "a.html")) as visit:
        panel = visit.page.locator("aside").inner_text()

        assert visit.chosen() == "_softmax"
        assert "train.py:11" in panel and "torch.softmax(scores, -1)" in panel
        assert "f32[8,64]" in panel and "nan" in panel
        assert visit.page.locator(".birth").count() == 1
        assert visit.trouble == [] and visit.asked == [(tmp_path / "a.html").as_uri()]


@pytest.mark.long
def test_modules_open_and_close_in_place(run: Run, browser: Any, tmp_path: Path) -> None:
    """What was clicked stays where it is, and closing takes back what opening did."""
    with Visit(browser, written(run, tmp_path / "a.html", step=0)) as visit:
        before = visit.drawn()
        whole = visit.page.locator("#sheet").inner_html()
        closed = visit.page.locator('.card[aria-expanded="false"]').first
        group = closed.get_attribute("data-group")
        at = closed.locator("rect").first.bounding_box()
        closed.click()
        opened = visit.page.locator(f'.module[data-group="{group}"]')
        now = opened.locator("rect").first.bounding_box()

        assert visit.drawn()[1] == before[1] + 1 and visit.drawn()[0] > before[0]
        assert abs(at["x"] - now["x"]) < 1.5 and abs(at["y"] - now["y"]) < 1.5
        opened.locator("text").first.click()
        assert visit.drawn() == before
        visit.page.keyboard.press("Escape")
        plain = re.compile(r' (?:tabindex="[-\d]+"|class="[^"]*")')
        assert plain.sub("", visit.page.locator("#sheet").inner_html()) == plain.sub("", whole)
        assert visit.trouble == []


@pytest.mark.long
def test_nothing_overlaps(run: Run, browser: Any, tmp_path: Path) -> None:
    """Cards against cards, with all modules open that the page opens."""
    with Visit(browser, written(run, tmp_path / "a.html", step=0)) as visit:
        for _ in range(30):
            closed = visit.page.locator('.card[aria-expanded="false"]')
            if not closed.count():
                break
            closed.first.dispatch_event("click")
        boxes = visit.page.evaluate(
            "[...document.querySelectorAll('.card > rect:first-of-type')].map(rect => "
            "['x', 'y', 'width', 'height'].map(name => +rect.getAttribute(name)))"
        )

        assert len(boxes) > 100
        for k, (x, y, w, h) in enumerate(boxes):
            for x2, y2, w2, h2 in boxes[k + 1 :]:
                assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


@pytest.mark.long
def test_keyboard_alone_is_enough(run: Run, browser: Any, tmp_path: Path) -> None:
    with Visit(browser, written(run, tmp_path / "a.html", step=0)) as visit:
        press = visit.page.keyboard.press
        before = visit.drawn()
        press("/")
        visit.page.keyboard.type("h.2.attn softmax")
        assert visit.page.locator(".result").count() >= 2  # its backward, too
        press("Enter")
        assert visit.chosen() == "_softmax"
        press("Escape")
        press("ArrowDown")
        assert visit.chosen() == "bmm"
        press("ArrowUp")
        press("ArrowUp")
        assert visit.chosen() == "div"
        press("ArrowLeft")
        assert visit.chosen() == "attn"
        opened = visit.drawn()
        press("ArrowLeft")
        assert visit.drawn()[1] == opened[1] - 1
        press("Enter")
        assert visit.drawn() == opened
        scale = "document.getElementById('sheet').getAttribute('transform').match(/scale\\((.*)\\)/)[1]"
        now = float(visit.page.evaluate(scale))
        press("+")
        assert float(visit.page.evaluate(scale)) > now
        press("0")
        focused = visit.page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert "attn" in focused
        assert visit.drawn() != before and visit.trouble == []


@pytest.mark.long
def test_pointer_moves_and_zooms(run: Run, browser: Any, tmp_path: Path) -> None:
    with Visit(browser, written(run, tmp_path / "a.html", step=0)) as visit:
        moved = "document.getElementById('sheet').getAttribute('transform')"
        start, cards = visit.page.evaluate(moved), visit.drawn()
        visit.page.mouse.move(60, 400)
        visit.page.mouse.down()
        visit.page.mouse.move(160, 460, steps=4)
        visit.page.mouse.up()
        dragged = visit.page.evaluate(moved)
        visit.page.keyboard.down("Control")
        visit.page.mouse.wheel(0, -200)
        visit.page.keyboard.up("Control")

        assert len({start, dragged, visit.page.evaluate(moved)}) == 3
        assert visit.drawn() == cards
        numbers = [[float(one) for one in re.findall(r"-?[\d.]+", text)] for text in (start, dragged)]
        assert [round(b - a) for a, b in zip(*numbers, strict=True)] == [100, 60, 0]


@pytest.mark.long
def test_light_and_dark(run: Run, browser: Any, tmp_path: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    card = "getComputedStyle(document.querySelector('.card > rect')).fill"
    seen = {}
    for scheme in ("light", "dark"):
        with Visit(browser, written(run, tmp_path / "a.html"), color_scheme=scheme) as visit:
            seen[scheme] = visit.page.evaluate(paper), visit.page.evaluate(card)
            visit.page.keyboard.press("t")
            seen["not " + scheme] = visit.page.evaluate(paper), visit.page.evaluate(card)
    with Visit(browser, written(run, tmp_path / "b.html", theme="dark"), color_scheme="light") as visit:
        asked = visit.page.evaluate(paper), visit.page.evaluate(card)

    assert seen["light"] == seen["not dark"] and seen["dark"] == seen["not light"] == asked
    assert seen["light"][0] == "rgb(255, 255, 255)" != seen["dark"][0]


@pytest.mark.long
def test_phases_are_pages_of_their_own(run: Run, browser: Any, tmp_path: Path) -> None:
    with Visit(browser, written(run, tmp_path / "a.html")) as visit:
        names = visit.page.locator("#phases button").all_inner_texts()
        visit.page.locator("#facts .link", has_text="_softmax_backward").first.click()
        pressed = visit.page.locator('#phases [aria-pressed="true"]').inner_text()

        assert names == ["forward", "backward", "optimizer"]
        assert pressed == "backward" and visit.chosen().startswith("_softmax_backward")
        assert visit.trouble == []


@pytest.mark.long
def test_hostile_page_is_inert(hostile: Run, browser: Any, tmp_path: Path) -> None:
    """Everything is opened, chosen and searched; nothing runs, and nothing is asked for."""
    with Visit(browser, written(hostile, tmp_path / "a.html")) as visit:
        visit.page.evaluate(
            "document.querySelectorAll('.card').forEach(c => c.dispatchEvent(new Event('click')))"
        )
        for word in ("script", "img", "alert", "cmd"):
            visit.page.locator("#search").fill(word)
            if visit.page.locator(".result").count():
                visit.page.locator(".result").first.click()
        assert visit.page.locator("#sheet script, #sheet img, aside img, aside script").count() == 0
        assert "<script>alert(1)</script>" in visit.page.locator("#sheet").text_content()
        assert visit.trouble == [] and visit.asked == [(tmp_path / "a.html").as_uri()]


@pytest.mark.long
def test_policy_lets_nothing_else_run(run: Run, browser: Any, tmp_path: Path) -> None:
    """Twin: what somebody put into the file does not run, and is said by the browser."""
    path = written(run, tmp_path / "a.html")
    evil = "<script>window.evil = 1</script><img src='https://example.org/x.png' onerror='window.evil = 2'>"
    path.write_text(path.read_text().replace("</aside>", f"</aside>{evil}"))
    with Visit(browser, path) as visit:
        assert visit.page.evaluate("window.evil") is None
        assert any("Content Security Policy" in said for said in visit.trouble)
        assert not [url for url in visit.asked if not url.startswith("file:")] or any(
            "img-src" in said or "default-src" in said for said in visit.trouble
        )
