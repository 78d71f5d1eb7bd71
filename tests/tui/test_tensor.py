"""The Tensor mode: what it says of a recorded run is held against the numbers that NumPy has of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import graphlens
from graphlens_tracers.api import Keep
from graphlens_tui.widgets.dialogs import Choice
from recorded import ops, recording, tensorflow
from screens import same_as_golden
from tensor_screens import Truth, ask, cells, frame, header, known, tensor

# ── PyTorch ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Two steps; in the second the logarithm of 0 is taken in three of four rows."""
    torch = pytest.importorskip("torch")
    made: Truth = {"p": [], "log": [], "x": [], "w": []}
    run = tmp_path_factory.mktemp("trained") / "run.glens"
    torch.manual_seed(3)
    weight = torch.nn.Parameter(torch.randn(5, 6))
    optimizer = torch.optim.SGD([weight], lr=0.01)
    with recording(run, keep=Keep.of("all")):
        for step in range(2):
            x = torch.randn(4, 5) * torch.tensor([[0.0], [1.0], [1.0], [1.0]])
            p = ((x @ weight) * (1 if step == 0 else 500)).softmax(-1)
            log = p.log()
            loss = -(log * torch.eye(6)[:4]).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for name, one in (("p", p), ("log", log), ("x", x), ("w", weight)):
                made[name].append(one.detach().numpy().copy())
    assert np.isinf(made["log"][1]).any() and np.isfinite(made["log"][0]).all()
    return run, made


async def test_cells_and_the_linked_input(trained: tuple[Path, Truth]) -> None:
    """Every number of the slice; under the cursor the exact one, and what it was computed of."""
    run, made = trained
    log, p = made["log"][1], made["p"][1]
    async with tensor(run, "aten.log.default", 1) as screen:
        shown = [[float(one.replace("−∞", "-inf")) for one in row] for row in cells(screen)]
        np.testing.assert_allclose(shown, log, rtol=6e-3)
        read = [[float(one) for one in row] for row in cells(screen, "input 0")]
        np.testing.assert_allclose(read, p, rtol=6e-3)
        assert "_softmax f32[4,6] — cursor linked" in screen.text()
        for row, column, keys in (
            (0, 0, ""),
            (1, 0, "j"),
            (1, 2, "ll"),
            (3, 2, "G"),
            (3, 5, "$"),
            (0, 0, "g0"),
        ):
            await screen.press(*keys)
            if keys.startswith("g"):
                await screen.wait(lambda: screen.app.tensor.sheet.place[0] == 0)  # type: ignore[union-attr]
                await screen.rest()
            value = "−∞" if np.isinf(log[row, column]) else str(log[row, column])
            assert f"cell [{row},{column}] = {value}  ← log(" in header(screen)
            linked = re.search(r"log\((.*?)\)", header(screen))
            assert linked and float(linked[1]) == pytest.approx(float(p[row, column]), rel=6e-3)
            assert screen.text().count("▶") == 2


async def test_statistics_and_difference(trained: tuple[Path, Truth]) -> None:
    """Of this step, beside them those of the step before, and how they differ."""
    run, made = trained
    now, before = made["log"][1], made["log"][0]
    async with tensor(run, "aten.log.default", 1, (160, 50)) as screen:
        lines = [line for line in frame(screen, "statistics")[1:] if line.strip()]
        table = {line[:11].strip(): line.split()[-2:] for line in lines}
        finite = now[np.isfinite(now)].astype(np.float64)
        assert frame(screen, "statistics")[0].split() == ["step", "1", "step", "0"]
        assert table["min"][0] == "−∞" and float(table["min"][1]) == pytest.approx(before.min(), rel=6e-3)
        assert float(table["mean fin."][0]) == pytest.approx(finite.mean(), rel=6e-3)
        assert float(table["std fin."][1]) == pytest.approx(before.astype(np.float64).std(), rel=6e-3)
        assert float(table["p50"][0]) == pytest.approx(np.percentile(finite, 50), rel=6e-3)
        assert float(table["p99"][1]) == pytest.approx(np.percentile(before, 99), rel=6e-3)
        assert table["−∞"] == [str(int(np.isinf(now).sum())), "0"]
        text = "\n".join(frame(screen, "Δ against step 0"))
        assert "max|Δ| ∞" in text
        assert f"changed {(now != before).sum()}/{now.size}" in text
        assert f"new non-finite {np.isinf(now).sum()}" in text
        scale = float(np.abs(made["p"][1]).mean() / np.abs(made["p"][0]).mean())
        found = re.search(r"in0 mean \|x\|  (.*?)×", text)
        assert found and float(found[1]) == pytest.approx(scale, rel=6e-3)


async def test_non_finite_places_and_rows(trained: tuple[Path, Truth]) -> None:
    """Their places with what was read there, the rows of the batch that they hit, and keys between them."""
    run, made = trained
    log, p = made["log"][1], made["p"][1]
    places = [tuple(place) for place in np.argwhere(~np.isfinite(log)).tolist()]
    async with tensor(run, "aten.log.default", 1, (160, 60)) as screen:
        lines = frame(screen, "non-finite")
        assert f"non-finite ({len(places)})" in screen.text()
        listed = [re.search(r"\[(\d+),(\d+)\] +(\S+) +in0 = (\S+)", line) for line in lines]
        found = [(int(one[1]), int(one[2])) for one in listed if one]
        assert found == places
        assert all(one[3] == "−∞" and float(one[4]) == p[int(one[1]), int(one[2])] for one in listed if one)
        rows = " ".join(str(int(many)) for many in (~np.isfinite(log)).sum(1))
        assert f"by row: {rows}" in "\n".join(lines)
        sheet = screen.app.tensor.sheet
        assert sheet is not None
        for place in places:
            await screen.press("n")
            assert tuple(sheet.place) == place
        await screen.press("n")
        assert "no NaN or infinity after" in screen.status()
        await screen.press("[n")
        assert tuple(sheet.place) == places[-2]


async def test_against_another_operation(trained: tuple[Path, Truth]) -> None:
    """`D` takes a step or an operation; of another shape there is no difference, and nonsense is said."""
    run, made = trained
    seqs = ops(graphlens.load(run).main)
    softmax = [k for k, name in enumerate(seqs) if name == "aten._softmax.default"]
    product = seqs.index("aten.mm.default")
    del made
    async with tensor(run, "aten.log.default", 1) as screen:
        for words, said in (
            (f"op {softmax[1]}", f"Δ against op {softmax[1]}"), ("step 0", "Δ against step 0"),
            (f"#{product}", f"Δ against op {product}"), ("", "Δ against step 0"),
        ):  # fmt: skip
            await ask(screen, "D", words)
            await screen.wait(lambda: said in screen.text())  # noqa: B023  # it waits here
        for words, said in (
            ("step 7", "did not run in step 7"),
            ("op 99999", "99999"),
            ("so", "neither a step"),
        ):
            await ask(screen, "D", words)
            assert said in screen.status()


async def test_the_same_in_other_steps(trained: tuple[Path, Truth]) -> None:
    """`{` and `}` go to them; the last one says that there is no more."""
    run, _ = trained
    async with tensor(run, "aten.log.default", 1) as screen:
        await screen.press("j", "l")
        for key, step in (("{", 0), ("}", 1)):
            await screen.press(key)
            await screen.wait(lambda: f"step {step} ·" in header(screen))  # noqa: B023  # it waits here
            await known(screen)
            assert "cell [1,1] = " in header(screen)
        await screen.press("}")
        await screen.wait(lambda: "not kept after" in screen.status())


async def test_expressions(trained: tuple[Path, Truth]) -> None:
    """The title says which is seen; a wrong one is said, and what was seen stays."""
    run, made = trained
    async with tensor(run, "aten._softmax.default", 0) as screen:
        await ask(screen, "e", "x[1:].flip(1)")
        await screen.wait(lambda: "x → x[1:].flip(1)" in screen.text())
        await known(screen)
        shown = [[float(one) for one in row] for row in cells(screen, "x → ")]
        np.testing.assert_allclose(shown, made["p"][0][1:, ::-1], rtol=6e-3)
        assert "f32[4,6] → f32[3,6]" in header(screen)
        assert "an expression is seen" in screen.text()
        await ask(screen, "e", "x.nothing()")
        await screen.wait(lambda: "there is no 'nothing'" in screen.status())
        assert "x → x[1:].flip(1)" in screen.text()
        await ask(screen, "e", "")
        await screen.wait(lambda: "─ values" in screen.text())


async def test_saving_never_overwrites_silently(trained: tuple[Path, Truth], tmp_path: Path) -> None:
    """What is seen is what NumPy reads back."""
    run, made = trained
    file = tmp_path / "p.npy"
    async with tensor(run, "aten._softmax.default", 0) as screen:
        await ask(screen, "w", str(file))
        await screen.wait(lambda: "saved" in screen.status())
        np.testing.assert_array_equal(np.load(file), made["p"][0])
        await ask(screen, "e", "x.sum(1)")
        await screen.wait(lambda: "x.sum(1)" in screen.text())
        await ask(screen, "w", str(file))
        await screen.wait(lambda: isinstance(screen.app.screen, Choice))
        assert "overwrite?" in screen.text()
        await screen.press("c")
        np.testing.assert_array_equal(np.load(file), made["p"][0])
        await ask(screen, "w", str(file))
        await screen.press("o")
        await screen.wait(lambda: np.load(file).shape == (4,))
        await ask(screen, "w", str(tmp_path / "no" / "such.npy"))
        await screen.wait(lambda: "cannot write" in screen.status())


async def test_in_and_out(trained: tuple[Path, Truth]) -> None:
    """From the graph and from Health, back to where one came from, and into the graph."""
    run, _ = trained
    async with tensor(run, "aten.log.default", 1) as screen:
        app = screen.app
        here = app.tensor.op
        assert here is not None
        await screen.press("backspace")
        assert str(app.mode) == "graph" and app.at == here.seq
        await screen.press("4")
        await screen.wait(lambda: app.health.selected() is not None)
        stop = app.health.selected()
        assert stop is not None
        await screen.press("3")
        assert str(app.mode) == "tensor" and app.tensor.op is not None and app.tensor.op.seq == stop.target[1]
        await screen.press("backspace")
        assert str(app.mode) == "health"
        await screen.press("3", "enter")
        assert str(app.mode) == "graph"
        await screen.press("backspace")
        assert str(app.mode) == "tensor"


async def test_round_outputs_and_inputs(trained: tuple[Path, Truth]) -> None:
    """`i` goes on, `I` goes back; a product is not linked, though its inputs are shown."""
    run, made = trained
    async with tensor(run, "aten.mm.default", 0) as screen:
        assert "not linked: matmul is not element by element" in screen.text()
        assert "←" not in header(screen)
        await screen.press("i")
        await known(screen)
        assert "input 0" in header(screen)
        shown = [[float(one) for one in row] for row in cells(screen)]
        np.testing.assert_allclose(shown, made["x"][0], rtol=6e-3)
        await screen.press("I", "I")
        assert "input 1" in header(screen)


# ── TensorFlow, screens ──────────────────────────────────────────────────────────────────────


async def test_tensorflow_eager(tmp_path: Path) -> None:
    """The same of a run of TensorFlow."""
    tf = pytest.importorskip("tensorflow")
    given = tf.constant([[1.0, 0.0, 4.0], [0.0, 2.0, 0.5]])
    with recording(tmp_path / "run.glens", of=tensorflow, keep=Keep.of("all")):
        log = tf.math.log(given)
        (log + tf.constant([1.0, 2.0, 3.0])).numpy()
    async with tensor(tmp_path / "run.glens", "Log") as screen:
        shown = [[float(one.replace("−∞", "-inf")) for one in row] for row in cells(screen)]
        np.testing.assert_allclose(shown, log.numpy(), rtol=6e-3)
        await screen.press("n", "n")
        assert "cell [1,0] = −∞  ← Log(0)" in header(screen)
        assert "by row: 1 1" in screen.text()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_screens(tmp_path: Path, size: tuple[int, int]) -> None:
    """What a person sees, with numbers that are the same everywhere."""
    run = exact(tmp_path / "run.glens")
    async with tensor(run, "aten.log.default", 1, size) as screen:
        await screen.press("n")
        same_as_golden(screen.text(), f"tensor_{size[0]}x{size[1]}")
        await screen.press("tab", "tab")
        if size == (80, 24):
            same_as_golden(screen.text(), "tensor_80x24_tab")


async def test_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but ASCII, numbers and map."""
    monkeypatch.setenv("GRAPHLENS_ASCII", "1")
    async with tensor(exact(tmp_path / "run.glens"), "aten.log.default", 1) as screen:
        text = screen.text()
        assert text.isascii()
        same_as_golden(text, "tensor_ascii_120x40")


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (10, 2), (20, 8), (400, 3), (30, 100), (112, 9)], ids=str)
async def test_no_terminal_is_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    """While somebody drags a window there is any size for a moment."""
    async with tensor(exact(tmp_path / "run.glens"), "aten.log.default", 1) as screen:
        await screen.pilot.resize_terminal(*size)
        await screen.press("j", "l", "tab", "v", "n", "x", "v", "i", "I")
        await screen.pilot.resize_terminal(80, 24)
        await screen.rest()
        assert "1 Graph" in screen.text()


EXACT = """\
weight = torch.nn.Parameter(torch.arange(12.0).reshape(3, 4))
optimizer = torch.optim.SGD([weight], lr=1.0)
for step in range(2):
    batch = torch.tensor([[1.0, 2.0, 4.0], [0.5, 0.0, 1.0], [-1.0, 0.0, 0.0]])
    scores = (batch * 2**step @ weight).relu() + (1 - step)
    loss = (2.0 ** scores.log().floor().clamp(-4, 4)).sum()
    loss.backward()
    optimizer.step()
"""


def exact(run: Path) -> Path:
    """Two steps of sums and products that are exact, so that they are the same on every machine."""
    torch = pytest.importorskip("torch")
    code = compile(EXACT, "exact.py", "exec")
    with recording(run, keep=Keep.of("all")):
        exec(code, {"torch": torch})
    return run
