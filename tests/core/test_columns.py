"""Rows and ranges as columns: what was written is what is read, for every width and any cut."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import LogWriter, OpRow, Ranged, leaf, new_run, out, pack_range, ran, seen, site, write_run
from graphlens.session import INF, NAN, RAISED
from graphlens.store import Process, Run
from graphlens_tracers import wire
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import (
    Bound,
    CallBegan,
    CallEnded,
    CallId,
    GraphId,
    Numerics,
    Phase,
    Seq,
    Spec,
    Unusual,
    ValueId,
)
from graphlens_tracers.wire import Kind

WIDTHS: list[Ranged] = ["", "f2", "b2", "f4", "f8"]


def exact(ranged: str, number: float) -> float:
    """What is left of a number in that dtype."""
    low = np.frombuffer(pack_range(ranged, number, number), np.uint8)
    if ranged == "f2":
        return float(low[:2].view("<f2")[0])
    if ranged == "b2":
        return float((low[:2].view("<u2").astype("<u4") << 16).view("<f4")[0])
    return float(low[:4].view("<f4")[0]) if ranged == "f4" else float(low[:8].view("<f8")[0])


numbers = st.one_of(
    st.floats(-60000, 60000, width=32), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-30])
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_ranges_of_every_width_come_back(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each in its own dtype, with outputs that have none in between."""
    widths = data.draw(st.lists(st.lists(st.sampled_from(WIDTHS), max_size=3), min_size=1, max_size=5))
    value = iter(range(10**6))
    nodes = [
        ran(k, outputs=[out(next(value), ranged=ranged) for ranged in node]) for k, node in enumerate(widths)
    ]
    log = new_run(tmp_path_factory.mktemp("columns") / "run.glens").declare(*seen(*nodes))
    rows: list[OpRow] = []
    for _ in range(data.draw(st.integers(1, 4))):
        frame = [
            OpRow(
                node,
                [(data.draw(numbers), data.draw(numbers)) for ranged in widths[node] if ranged],
            )
            for node in data.draw(st.lists(st.integers(0, len(nodes) - 1), min_size=1, max_size=12))
        ]
        log.ran(*frame)
        rows += frame
    process = Run(log.directory).main
    start = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(start, len(rows)))
    read, columns = process.ranges(start, stop), process.rows(start, stop)

    expected = [
        (k - start, slot, exact(ranged, low), exact(ranged, high))
        for k in range(start, stop)
        for (slot, ranged), (low, high) in zip(
            [(slot, ranged) for slot, ranged in enumerate(widths[rows[k].node]) if ranged],
            rows[k].ranges,
            strict=True,
        )
    ]
    found = [
        (k, int(read.slot[j]), float(read.low[j]), float(read.high[j]))
        for k in range(stop - start)
        for j in range(read.offsets[k], read.offsets[k + 1])
    ]
    assert str(found) == str(expected)  # as text: NaN equals NaN there, and -0.0 is not 0.0
    for k in range(stop - start):
        mine = [(low, high) for at, _, low, high in expected if at == k]
        nan = any(math.isnan(low) or math.isnan(high) for low, high in mine)
        inf = any(
            math.isinf(low) or math.isinf(high) for low, high in mine if (low, high) != (math.inf, -math.inf)
        )
        assert columns.flags[k] == (NAN if nan else 0) | (INF if inf else 0)
    bad = process.rows(0, len(rows))
    assert process.bad_rows().tolist() == bad.seq[bad.flags != 0].tolist()


def test_rows_come_in_any_part(tmp_path: Path) -> None:
    """Cut anywhere, over frames, the parts are the whole."""
    process = Run(write_run(tmp_path / "run.glens", nodes=90, steps=60)).main
    whole = process.rows(0, process.end)
    cuts = [0, 1, 7, 2047, 2048, 2049, 4000, process.end]
    parts = [process.rows(start, stop) for start, stop in pairwise(cuts)]

    assert np.concatenate([part.seq for part in parts]).tolist() == whole.seq.tolist()
    assert np.concatenate([part.node for part in parts]).tolist() == whole.node.tolist()
    assert np.concatenate([part.call for part in parts]).tolist() == whole.call.tolist()
    assert np.concatenate([part.began for part in parts]).tolist() == whole.began.tolist()
    assert [column.dtype for column in (whole.seq, whole.node, whole.call, whole.flags)] == [
        np.int64, np.uint32, np.int32, np.uint8,
    ]  # fmt: skip
    assert (process.op_count, process.end) == (len(whole.seq), len(whole.seq))


def test_frames_that_are_known_are_read_beside_new_ones(tmp_path: Path) -> None:
    """Only so many are kept: the new ones take the place of those that come after them."""
    log = new_run(tmp_path)
    log.declare(*seen(ran(0)))
    for number in range(40):
        log.ran(OpRow(0, ranges=((float(number), float(number)),)))
    process = Run(tmp_path).main

    later = process.ranges(20, 36).low.tolist()
    all_of_them = process.ranges(10, 36).low.tolist()

    assert later == [float(number) for number in range(20, 36)]
    assert all_of_them == [float(number) for number in range(10, 36)]


def test_no_rows_are_empty_columns(tmp_path: Path) -> None:
    """A run that was only just started has a screen too."""
    process = Run(new_run(tmp_path / "run.glens").directory).main

    assert process.rows(0, 100).seq.tolist() == []
    assert process.ranges(0, 100).offsets.tolist() == [0]
    assert process.bad_rows().tolist() == []
    assert process.calls() == []
    assert (process.op_count, process.running(), process.finished) == (0, None, False)


def test_ranges_that_come_later_than_their_rows(tmp_path: Path) -> None:
    """On a GPU they arrive when the device has caught up."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0)))
    log.ran(OpRow(0, [(1, 2)]))
    log.path.write_bytes(log.path.read_bytes())
    data = log.path.read_bytes()
    ranges = [frame for frame in wire.frames(data) if frame.kind is Kind.RANGES]
    log.path.write_bytes(data[: ranges[0].start])
    run = Run(log.directory)
    before = run.main.ranges(0, 1)
    log.path.write_bytes(data)
    run.refresh()

    assert before.offsets.tolist() == [0, 0]
    assert run.main.ranges(0, 1).high.tolist() == [2]


def small(tmp_path: Path) -> tuple[LogWriter, Process]:
    """Two steps of matmul, in-place update, backward; a leaf that is bound to an earlier op."""
    log = new_run(tmp_path / "run.glens")
    nodes = [
        ran(0, inputs=[100, None], op="aten.mm.default", site=1),
        ran(1, inputs=[0, 0]),
        ran(2, inputs=[1], phase=Phase.BACKWARD, twin=0, outputs=[out(2), out(3, ranged="")]),
    ]
    log.declare(site(0, 40), site(1, 12, outer=0), *seen(*nodes, leaves=[leaf(100, "fc1.weight")]))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    log.ran(OpRow(0, [(1, 2)], 10, 7), OpRow(1, [(3, 4)], 81, 8), OpRow(2, [(math.nan, math.nan)], 153, 9))
    log.calls(CallEnded(CallId(0), Seq(2)), CallBegan(CallId(1), GraphId(0), Seq(3), 1, "train"))
    log.ran(OpRow(0), OpRow(1, [(-math.inf, 4)]), OpRow(2, [(5, 6)]))
    log.facts(
        Bound(CallId(1), ValueId(100), producer=Seq(2)),
        Unusual(Seq(2), 0, Numerics(8, 3, 1, 0, -1.0, 9.0, None, ((0, 1), (2, 2)))),
        Unusual(Seq(5), -1, error="RuntimeError: too large"),
        Unusual(Seq(4), 0, spec=Spec((2, 2), "float32")),
    )
    return log, Run(log.directory).main


def test_an_op_has_everything_put_together(tmp_path: Path) -> None:
    """What the detail pane shows."""
    _, process = small(tmp_path)
    op = process.op(Seq(2))

    assert (op.node.node, op.graph, op.took_ns, op.began_ns) == (2, 0, 9, 153)
    assert op.call is not None
    assert (op.call.step, op.call.first, op.call.last) == (0, 0, 2)
    assert op.inputs == ((1, 1),)
    first, second = op.outputs
    assert (first.nan, first.pos_inf, first.neg_inf, first.where) == (3, 1, 0, ((0, 1), (2, 2)))
    assert first.numerics is not None
    assert (first.finite, second.finite, second.looked_at) == (False, None, False)
    assert process.op(Seq(0)).site == process.sites[1]  # type: ignore[index]
    assert process.op(Seq(0)).inputs == ((100, None), (None, None))


def test_a_leaf_may_be_what_an_earlier_call_made(tmp_path: Path) -> None:
    """A fact says which op."""
    _, process = small(tmp_path)

    assert process.op(Seq(3)).inputs[0] == (100, 2)
    assert process.op(Seq(4)).inputs == ((0, 3), (0, 3))


def test_an_output_without_a_count_says_so(tmp_path: Path) -> None:
    """Only the first ill outputs of a call are counted: the rest is known to be ill, not how much."""
    _, process = small(tmp_path)
    output = process.op(Seq(4)).outputs[0]

    assert (output.low, output.high) == (-math.inf, 4)
    assert (output.nan, output.pos_inf, output.finite) == (None, None, False)
    assert output.spec.shape == (2, 2)


def test_an_empty_range_is_an_empty_tensor_or_one_that_was_not_read(tmp_path: Path) -> None:
    """(+inf, -inf): its shape tells which."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0, outputs=[out(0, 0, 5), out(1, 2)])))
    log.ran(OpRow(0))
    empty, unread = Run(log.directory).main.op(Seq(0)).outputs

    assert (empty.looked_at, empty.nan, empty.low, empty.finite) == (True, 0, None, True)
    assert (unread.looked_at, unread.nan, unread.low, unread.finite) == (False, None, None, None)


def test_flags_say_what_is_ill_and_what_raised(tmp_path: Path) -> None:
    """Facts add to what the ranges say."""
    _, process = small(tmp_path)

    assert process.rows(0, 6).flags.tolist() == [0, 0, NAN | INF, 0, INF, RAISED]
    assert process.bad_rows().tolist() == [2, 4]
    assert process.op(Seq(5)).error == "RuntimeError: too large"
    assert [fact.seq for fact in process.unusual(3, 5)] == [4]


@pytest.mark.parametrize("seq", [-1, 6, 10**12])
def test_an_op_that_never_ran_is_refused(tmp_path: Path, seq: int) -> None:
    """With what there is."""
    _, process = small(tmp_path)

    with pytest.raises(UnknownOp, match="0 to 5"):
        process.op(Seq(seq))


def test_scalars_hold_until_the_next_one_in_their_frame(tmp_path: Path) -> None:
    """A learning rate is written when it changes."""
    log = new_run(tmp_path / "run.glens").declare(*seen(ran(0), ran(1)))

    def frame(first: int, *scalars: tuple[int, int, float]) -> None:
        heads = b"".join(wire.BLOCK.pack(2 * k, 0, 0, first + 2 * k) for k in range(3))
        body = wire.ROWS_HEADER.pack(6, 3, len(scalars), 0) + heads + bytes(6 * 6)
        log.put(Kind.ROWS, body + b"".join(wire.SCALAR.pack(*one) for one in scalars), first)

    frame(0, (1, 0, 0.5), (3, 2, 7.0), (5, 0, 0.25))
    frame(6, (1, wire.WHOLE_LIST, 3.0))
    process = Run(log.directory).main

    assert process.scalars(0, 12) == {
        1: {0: 0.5}, 3: {0: 0.5, 2: 7.0}, 5: {2: 7.0, 0: 0.25},
        7: {wire.WHOLE_LIST: 3.0}, 9: {wire.WHOLE_LIST: 3.0}, 11: {wire.WHOLE_LIST: 3.0},
    }  # fmt: skip
    assert process.scalars(3, 4) == {3: {0: 0.5, 2: 7.0}}


def test_ids_of_nodes_need_not_count_up(tmp_path: Path) -> None:
    """A table by id would take 32 GB here."""
    far = 4_000_000_000
    nodes = [ran(far, inputs=[], outputs=[out(0, ranged="f8")]), ran(5, outputs=[out(1)])]
    log = new_run(tmp_path / "run.glens").declare(*seen(*nodes))
    log.ran(OpRow(far, [(1, 2)]), OpRow(5, [(3, 4)]), OpRow(far, [(5, 6)]))
    process = Run(log.directory).main

    assert process.ranges(0, 9).low.tolist() == [1, 3, 5]
    assert process.rows(0, 9).node.tolist() == [far, 5, far]


@pytest.mark.parametrize("pause", [0, 63, 64, 2_000_000, 2_097_088, 2_097_152, 5_000_000, 268_000_000])
def test_a_pause_comes_back_within_its_unit(tmp_path: Path, pause: int) -> None:
    """Short ones in units of 64 ns, long ones of 8192."""
    log = new_run(tmp_path / "run.glens")
    log.declare(*seen(ran(0), ran(1, inputs=[0])))
    log.ran(OpRow(0, [(1, 2)], 1000, 10), OpRow(1, [(1, 2)], 1010 + pause, 10))
    log.finish()

    began = Run(tmp_path / "run.glens").main.rows(0, 2).began.tolist()
    assert began[0] == 1000
    assert 0 <= 1010 + pause - began[1] < (64 if pause < 64 << 15 else 8192)
