"""The Tensor mode on tensors of every kind: many axes, formats, parts, and what was not kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlens
from graphlens.session import Saved
from graphlens_tracers import keeping
from graphlens_tracers.api import Keep
from graphlens_tracers.events import Seq
from graphlens_tui import cells as cells_module
from recorded import ops, recording
from screens import Screen, showing
from tensor_screens import Truth, ask, cells, frame, header, tensor


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Tensors of many kinds."""
    torch = pytest.importorskip("torch")
    run = tmp_path_factory.mktemp("several") / "run.glens"
    torch.manual_seed(5)
    cube, row, column = torch.randn(3, 4, 5), torch.randn(5), torch.randn(4, 1)
    vector = torch.arange(37)
    half = torch.tensor([[1.0, -2.5], [float("nan"), 3e38]]).bfloat16()
    whole = torch.randn(3, 2, dtype=torch.complex64)
    with recording(run, keep=Keep.of("all")):
        added = cube + row
        scaled = added * column
        roots = scaled.sqrt()
        tripled = vector * 3
        half.neg()
        turned = whole.exp()
        torch.zeros(0, 3).cos()
    named = {"roots": roots, "scaled": scaled, "tripled": tripled, "cube": cube, "turned": turned}
    return run, {name: [one.numpy().copy()] for name, one in {**named, "row": row}.items()}


async def test_slices_of_more_dimensions(several: tuple[Path, Truth]) -> None:
    """`[` `]` change the index, `d` chooses, `x` `y` let dimensions change places, `@` goes anywhere."""
    run, made = several
    roots = made["roots"][0]

    def same(screen: Screen, array: np.ndarray[Any, Any]) -> None:
        shown = [[float(one) for one in row] for row in cells(screen)]
        np.testing.assert_allclose(shown, array, rtol=6e-3)

    async with tensor(run, "aten.sqrt.default") as screen:
        same(screen, roots[0])
        assert "[<0>, : , : ]  y=dim1 x=dim2" in header(screen)
        await screen.press("]", "]", "j")
        same(screen, roots[2])
        await screen.press("]", "k")
        assert screen.app.tensor.sheet is not None and screen.app.tensor.sheet.place[0] == 2
        await ask(screen, "@", "[1, 3, -1]")
        same(screen, roots[1])
        assert "cell [1,3,4] =" in header(screen)
        await screen.press("x")
        same(screen, roots[:, :, 4].T)
        assert "[ : , : ,<4>]  y=dim1 x=dim0" in header(screen)
        await screen.press("y")
        same(screen, roots[:, 3, :].T)
        for words in ("9,9,9", "1,2", "one"):
            await ask(screen, "@", words)
            assert "no" in screen.status().split("sqrt")[1]
        same(screen, roots[:, 3, :].T)
        places = [tuple(place) for place in np.argwhere(np.isnan(roots)).tolist()]
        await ask(screen, "@", "0,0,0")
        before = [(0, 0, 0)] if places[0] == (0, 0, 0) else []
        for place in places[len(before) :]:
            await screen.press("n")
            assert tuple(screen.app.tensor.sheet.place) == place


async def test_inputs_that_broadcast_are_linked(several: tuple[Path, Truth]) -> None:
    """[3, 4, 5] with [5], and with [4, 1], as NumPy does it."""
    run, made = several
    cube, row = made["cube"][0], made["row"][0]
    async with tensor(run, "aten.add.Tensor") as screen:
        await ask(screen, "@", "2,3,1")
        shown = re.search(r"add\((.*?), (.*?)\)", header(screen))
        assert shown
        assert float(shown[1]) == pytest.approx(cube[2, 3, 1], rel=6e-3)
        assert float(shown[2]) == pytest.approx(row[1], rel=6e-3)
        assert screen.text().count("cursor linked") == 2


async def test_one_dimension_is_folded(several: tuple[Path, Truth]) -> None:
    """Ten a row; the label is the index of the first."""
    run, made = several
    async with tensor(run, "aten.mul.Tensor", 1) as screen:
        lines = cells(screen)
        assert [int(one) for row in lines for one in row] == made["tripled"][0].tolist()
        assert [len(row) for row in lines] == [10, 10, 10, 7]
        await screen.press("G", "$")
        assert "cell [36] = 108" in header(screen)


async def test_formats(several: tuple[Path, Truth]) -> None:
    """`%` goes round them; hexadecimal and binary are the bits that were there."""
    run, made = several
    scaled = made["scaled"][0]
    async with tensor(run, "aten.mul.Tensor", 0, (200, 60)) as screen:
        for how, rtol in (("%.6g", 1e-5), ("%.3e", 1e-3), ("exact", 0.0)):
            await screen.press("%")
            assert f"fmt {how}" in header(screen)
            shown = np.array([[float(one) for one in row] for row in cells(screen)], np.float32)
            np.testing.assert_allclose(shown, scaled[0], rtol=rtol)
        await screen.press("%")
        bits = [[f"{one:08x}" for one in row] for row in scaled[0].view(np.uint32)]
        assert cells(screen) == bits
        await screen.press("%")
        assert cells(screen)[0][0] == f"{int(scaled[0].view(np.uint32)[0, 0]):032b}"
    async with tensor(run, "aten.neg.default") as screen:
        assert "bf16[2,2]  8 B" in header(screen)
        await screen.press("%", "%", "%", "%")
        assert cells(screen)[0] == ["bf80", "4020"]


async def test_complex_and_empty_ones(several: tuple[Path, Truth]) -> None:
    """Both parts; and nothing to go to where there are no elements."""
    run, made = several
    async with tensor(run, "aten.exp.default") as screen:
        shown = [[complex(one) for one in row] for row in cells(screen)]
        np.testing.assert_allclose(shown, made["turned"][0], rtol=2e-2)
        await screen.press("v", "j", "%")
    async with tensor(run, "aten.cos.default") as screen:
        await screen.press("j", "l", "G", "n", "v", "]", "x", "%")
        assert "no elements" in header(screen)


async def test_the_map(several: tuple[Path, Truth], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without colours it is of characters: a sign, a shade, and NaN by its glyph."""
    run, made = several
    monkeypatch.setenv("GRAPHLENS_ASCII", "1")
    async with tensor(run, "aten.sqrt.default") as screen:
        await screen.press("j", "v")
        text = screen.text()
        assert text.isascii()
        lines = text.splitlines()
        first = next(k for k, line in enumerate(lines) if "- values" in line) + 2
        roots = made["roots"][0][0]
        for k, row in enumerate(roots):
            shown = lines[first + k][6 : 6 + 2 * len(row)]
            for column, value in enumerate(row):
                if (k, column) != (1, 0):
                    assert ("X" in shown[2 * column : 2 * column + 2]) == bool(np.isnan(value))
        assert "[" in lines[first + 1]


async def test_of_a_part_places_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is said how much there is."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(keeping, "LARGEST", 80)  # twenty elements: two rows
    tensor_ = torch.arange(1.0, 101.0).reshape(10, 10)
    tensor_[6, 3] = 0
    with recording(tmp_path / "run.glens"):
        tensor_.log()
    async with tensor(tmp_path / "run.glens", "aten.log.default") as screen:
        assert "20 of 100 kept" in header(screen)
        assert "a part, [6, 0] to [7, 9]" in screen.text()
        await screen.press("n")
        assert "cell [6,3] = −∞  ← log(0)" in header(screen)
        labels = [line.split()[0] for line in frame(screen, "values")[1:]]
        assert labels == ["6", "7"]
        await ask(screen, "@", "1,1")
        assert "there is no element 1,1 here" in screen.status()


async def test_only_what_is_seen_is_formatted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the tensor is."""
    torch = pytest.importorskip("torch")
    with recording(tmp_path / "run.glens", keep=Keep.of("all")):
        torch.ones(1500, 1500).mul(2)
    formatted = 0
    ours = cells_module.cell_text

    def counting(*args: Any) -> str:
        nonlocal formatted
        formatted += 1
        return ours(*args)

    monkeypatch.setattr("graphlens_tui.grid.cell_text", counting)
    async with tensor(tmp_path / "run.glens", "aten.mul.Tensor") as screen:
        formatted = 0
        await screen.press("G")
        assert 0 < formatted < 2 * 40 * 20
        assert "cell [1499,0] = 2.0" in header(screen)


# ── what was not kept ────────────────────────────────────────────────────────────────────────


async def test_what_is_known_of_what_was_not_kept(tmp_path: Path) -> None:
    """Type, range, and the command that keeps it; with whom it was kept, if it was."""
    torch = pytest.importorskip("torch")
    run = tmp_path / "run.glens"
    weight = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = torch.optim.SGD([weight], lr=0.01)
    with recording(run):
        for _ in range(2):
            p = (weight * 0).relu()
            loss = p.log().sum()
            loss.backward()
            optimizer.step()
    seq = ops(graphlens.load(run).main).index("aten.mul.Tensor")
    async with showing(Saved(run), (120, 40)) as screen:
        screen.app.go_to(Seq(seq))
        await screen.rest()
        await screen.press("3")
        await screen.wait(lambda: "not kept" in screen.text())
        text = screen.text()
        assert "graphlens record --keep step:0:1 " in text
        assert "f32[2,3]   6 elements" in text and "values   0" in text
    async with tensor(run, "aten.relu.default") as screen:
        log = ops(graphlens.load(run).main).index("aten.log.default")
        assert f"values, kept with #{log}" in screen.text()
        assert cells(screen) == [["0"] * 3] * 2


async def test_what_was_written_through_a_view_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    """What an operation reads then is no output of another one."""
    torch = pytest.importorskip("torch")
    tensor_ = torch.ones(3, 4)
    with recording(tmp_path / "run.glens", keep=Keep.of("all")):
        made = tensor_ + 1
        made[1, 2] = float("nan")
        made.mul(2)
    async with tensor(tmp_path / "run.glens", "aten.mul.Tensor") as screen:
        assert "written through a view" in screen.text()
        assert "cursor linked" not in screen.text()
