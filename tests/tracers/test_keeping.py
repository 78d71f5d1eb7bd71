"""What is kept of tensors: against the tensors themselves."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlens
from graphlens.cli import main
from graphlens.elements import read
from graphlens_tracers import keeping
from graphlens_tracers.api import Keep
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.events import Kept, Seq, Spec
from recorded import ops, recording, tensorflow


def _kept(path: Path) -> dict[str, dict[tuple[int | None, int | None], Any]]:
    """By operation, the last of its name: what is kept of it."""
    process = graphlens.load(path).main
    found: dict[str, dict[tuple[int | None, int | None], Any]] = {}
    for seq, op in enumerate(ops(process)):
        kept = process.kept(Seq(seq))
        if kept:
            found[op] = {key: process.elements(one) for key, one in kept.items()}
    return found


# ── PyTorch ──────────────────────────────────────────────────────────────────────────────────


def test_inputs_and_output_of_a_birth_are_kept_and_a_constant_is_none(tmp_path: Path) -> None:
    """`masked_fill(-inf)` is meant so; the logarithm of 0 is not."""
    torch = pytest.importorskip("torch")
    masked = torch.tensor([2.0, 1.0, 3.0])
    with recording(tmp_path / "run.glens"):
        masked.masked_fill(torch.tensor([False, False, True]), float("-inf")).exp().log()
    kept = _kept(tmp_path / "run.glens")

    assert "aten.masked_fill.Scalar" not in kept
    log = kept["aten.log.default"]
    assert log[None, 0].whole and log[0, None].spec.dtype == "float32"
    assert log[0, None].array == pytest.approx([np.exp(2.0), np.exp(1.0), 0.0])
    assert log[None, 0].array == pytest.approx([2.0, 1.0, -np.inf])


@pytest.mark.parametrize("words", ["none", "bad", "all", "step:1:2"])
def test_what_is_kept_is_what_was_asked_for(tmp_path: Path, words: str) -> None:
    """Of the steps that were named everything, leaves that were read included."""
    torch = pytest.importorskip("torch")
    made: list[list[Any]] = []

    def program() -> None:
        weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
        optimizer = torch.optim.SGD([weight], lr=0.5)
        for step in range(3):
            batch = torch.full((4, 2), float(step + 1))
            out = batch @ weight
            loss = (out.t() * 2).square().mean()
            optimizer.zero_grad()
            loss.backward()
            made.append([out.detach().numpy().copy(), weight.detach().numpy().copy()])
            optimizer.step()

    with recording(tmp_path / "run.glens", keep=Keep.of(words)):
        program()
    process = graphlens.load(tmp_path / "run.glens").main
    steps = {
        call.step
        for call in process.calls()
        if any(process.kept(Seq(seq)) for seq in range(call.first, call.last + 1))
    }
    assert steps == {"none": set(), "bad": set(), "all": {0, 1, 2}, "step:1:2": {1}}[words] | (
        {None} if words == "all" and None in steps else set()
    )
    for call in process.calls():
        if call.step not in steps or call.step is None:
            continue
        out, weight = made[call.step]
        for seq in range(call.first, call.last + 1):
            kept = process.kept(Seq(seq))
            node = process.nodes[process.op(Seq(seq)).node.node]
            assert {slot for _, slot in kept if slot is not None} == set(range(len(node.outputs))), node.op
            if node.op == "aten.mm.default" and node.phase == "forward":
                np.testing.assert_array_equal(process.elements(kept[None, 0]).array, out)
                np.testing.assert_array_equal(process.elements(kept[1, None]).array, weight)
            if node.op == "aten.t.default" and node.phase == "forward":
                np.testing.assert_array_equal(process.elements(kept[None, 0]).array, out.T)


def test_every_type_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    """Also views, conjugates, negatives, expanded and empty tensors."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    kinds = [
        torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128, torch.bool,
        torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    ]  # fmt: skip
    given = [(torch.randn(4, 3) * 5).to(kind) for kind in kinds]
    given += [torch.randn(4, 3).t(), torch.randn(4, 3)[::2, 1:], torch.randn(1, 3).expand(5, 3)]
    given += [torch.randn(3, dtype=torch.complex64).conj(), torch.randn(3, dtype=torch.complex64).conj().imag]
    given += [torch.empty(0, 3), torch.tensor(2.5)]

    with recording(tmp_path / "run.glens", keep=Keep.of("all")):
        for tensor in given:
            tensor.clone()
    process = graphlens.load(tmp_path / "run.glens").main
    clones = [Seq(seq) for seq, op in enumerate(ops(process)) if op == "aten.clone.default"]

    assert len(clones) == len(given)
    for seq, tensor in zip(clones, given, strict=True):
        wanted = tensor.resolve_conj().resolve_neg().numpy()
        for kept in process.kept(seq).values():
            found = process.elements(kept).array
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)


def test_bfloat16_is_read_as_float32(tmp_path: Path) -> None:
    """Which holds each of its numbers."""
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([1.0, -2.5, float("inf"), float("nan"), 3e38]).bfloat16()
    with recording(tmp_path / "run.glens", keep=Keep.of("all")):
        tensor.clone()
    np.testing.assert_array_equal(
        _kept(tmp_path / "run.glens")["aten.clone.default"][None, 0].array, tensor.float().numpy()
    )


def test_of_a_large_tensor_the_part_around_the_first_bad_place_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part of an input of the same shape is the same one."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(keeping, "LARGEST", 40)  # ten elements
    tensor = torch.arange(1.0, 121.0).reshape(4, 6, 5)
    tensor[2, 3, 1] = 0
    with recording(tmp_path / "run.glens"):
        tensor.log()
    log = _kept(tmp_path / "run.glens")["aten.log.default"]
    for key, whole in (((None, 0), tensor.log()), ((0, None), tensor)):
        found = log[key]
        flat = whole.flatten().numpy()
        assert not found.whole and found.size == 120 and len(found.array) == 10
        np.testing.assert_array_equal(found.array, flat[found.start : found.start + 10])
        bad = int(np.flatnonzero(found.array == (-np.inf if key[0] is None else 0))[0])
        assert found.place(bad) == (2, 3, 1)


def test_births_are_kept_as_long_as_there_is_room(tmp_path: Path) -> None:
    """The first of each place and kind; sixteen of a kind."""
    torch = pytest.importorskip("torch")
    lines = "\n".join("    zeros.log(); (zeros / zeros)" for _ in range(20))
    code = compile(f"for _ in range(3):\n{lines}\n", "births.py", "exec")
    with recording(tmp_path / "run.glens"):
        exec(code, {"zeros": torch.zeros(2)})
    process = graphlens.load(tmp_path / "run.glens").main
    kept = [op for seq, op in enumerate(ops(process)) if process.kept(Seq(seq))]
    assert kept.count("aten.log.default") == kept.count("aten.div.Tensor") == 16


def test_a_full_disk_is_said_and_the_script_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept after it."""
    torch = pytest.importorskip("torch")
    write = os.pwrite

    def full(fd: int, data: Any, at: int) -> int:
        if "values-" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data, at)

    monkeypatch.setattr(os, "pwrite", full)
    with recording(tmp_path / "run.glens"):
        assert torch.zeros(2).log().tolist() == [-np.inf, -np.inf]
    process = graphlens.load(tmp_path / "run.glens").main
    assert not any(process.kept(Seq(seq)) for seq in range(process.end))
    assert [gap.what for gap in process.gaps] == [
        "elements of tensors that could not be written: No space left on device"
    ]


# ── TensorFlow ───────────────────────────────────────────────────────────────────────────────


def test_what_runs_eagerly_is_kept_alike(tmp_path: Path) -> None:
    """Births by default; everything when asked for."""
    tf = pytest.importorskip("tensorflow")
    given = tf.constant([[1.0, 0.0], [4.0, -1.0]])
    for words in ("bad", "all"):
        path = tmp_path / f"{words}.glens"
        with recording(path, of=tensorflow, keep=Keep.of(words)):
            root = tf.sqrt(given)
            tf.reduce_sum(tf.cast(given, tf.int32))
        kept = _kept(path)
        np.testing.assert_array_equal(kept["Sqrt"][None, 0].array, root.numpy())
        np.testing.assert_array_equal(kept["Sqrt"][0, None].array, given.numpy())
        assert ("Sum" in kept) == (words == "all")
        if words == "all":
            assert kept["Cast"][None, 0].array.tolist() == [[1, 0], [4, -1]]


# ── printing ─────────────────────────────────────────────────────────────────────────────────


def test_a_kept_tensor_is_printed_and_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole, or what an expression makes of it; what was not kept says how it can be."""
    torch = pytest.importorskip("torch")
    run, file = tmp_path / "run.glens", tmp_path / "x.npy"
    given = torch.tensor([[1.0, 0.0], [4.0, -1.0]])
    with recording(run):
        given.log().mean()

    assert main(["show", str(run), "tensor", "0", "--input", "0", "--save", str(file)]) == 0
    assert np.load(file).tolist() == given.tolist()
    assert "op 0, input 0: float32[2, 2]" in capsys.readouterr().out

    assert main(["show", str(run), "tensor", "0", "--view", "x.isnan().sum(1)", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["elements"], answer["view_shape"], answer["whole"]) == ([0, 1], [2], True)

    assert main(["show", str(run), "tensor", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["elements"][1:] == ["-inf", pytest.approx(np.log(4)), "nan"]

    for words, said in (
        (["1"], "to see it: graphlens record --keep"),
        (["0", "--output", "1"], "there is no output 1"),
        (["0", "--view", "y"], "'y' is not known here"),
        (["9"], "no op 9"),
    ):
        assert main(["show", str(run), "tensor", *words]) != 0
        assert said in capsys.readouterr().err


# ── reading ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kept",
    [
        Kept(Spec((2,), "float32"), 0, 8, 1),  # another CRC
        Kept(Spec((2,), "float32"), 4, 8, 0),  # beyond the end
        Kept(Spec((2,), "float32"), -4, 8, 0),
        Kept(Spec((1,), "float32"), 0, 8, 0),  # more than it has
        Kept(Spec((2,), "float32"), 0, 7, 0),
        Kept(Spec((2,), "float32"), 0, -8, 0),
        Kept(Spec((2,), "object"), 0, 8, 0),
        Kept(Spec(None, "float32"), 0, 8, 0),
        Kept(Spec((-2,), "float32"), 0, 8, 0),
        Kept(Spec((1 << 62, 1 << 62), "float32"), 0, 1 << 40, 0),
        Kept(Spec((0, 1 << 62, 1 << 62), "float32"), 0, 0, 0),
        Kept(Spec((2,), "float32"), 1 << 70, 8, 0),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, kept: Kept) -> None:
    """A run may be anybody's."""
    path = tmp_path / "values-1-0.bin"
    path.write_bytes(bytes(8))
    with pytest.raises(BadRunFile):
        read(path, kept)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Elements come out of the run's own file."""
    (tmp_path / "other").write_bytes(bytes(8))
    path = tmp_path / "values-1-0.bin"
    path.symlink_to(tmp_path / "other")
    with pytest.raises(BadRunFile):
        read(path, Kept(Spec((2,), "float32"), 0, 8, 0))


def test_words_that_mean_nothing_are_refused() -> None:
    """As `--keep` says them."""
    for words in ("", "some", "step:1", "step:a:b", "step:1:2:3"):
        with pytest.raises(ValueError, match="none of"):
            Keep.of(words)
    assert Keep.of("step::3").everything(0) and not Keep.of("step::3").everything(3)
    assert Keep.of("all").everything(None) and not Keep.of("step:0:").everything(None)
