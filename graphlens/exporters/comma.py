"""The operations that ran as CSV, a row each: for spreadsheets, and whatever reads text.

A cell that a spreadsheet would take for a formula begins with an apostrophe; lists are JSON.
"""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, BinaryIO

from graphlens.exporters import Options
from graphlens.plain import number as plain_number
from graphlens.text import clean

if TYPE_CHECKING:
    from graphlens.exporters._table import Batch, Form
    from graphlens.store import Run

COLUMNS = (
    "run rank process step epoch role seq call graph node op phase module file line thread began_ns took_ns "
    "nan inf raised min max inputs outputs"
).split()
LONGEST = 32_000
"""Characters of a cell: spreadsheets take no more."""


class CSV:
    """The exporter."""

    name = "csv"
    suffix = ".csv"

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the operations that `options` choose."""
        from graphlens.exporters._table import Table  # numpy: not for finding out which formats there are

        table = Table(run, options)
        whos = table.whos()
        text = io.TextIOWrapper(out, "utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for who in whos:
            for batch in table.batches(who):
                writer.writerows(_rows(cell(run.info.name), batch))
        text.detach()


EXPORTER = CSV()


def cell(said: str) -> str:
    """Text that is text to a spreadsheet, too."""
    said = clean(said, LONGEST)
    return f"'{said}" if said[:1] in ("=", "+", "-", "@", "'") else said


def number(value: float) -> str:
    """A number so that it reads back equal."""
    return (
        repr(value)
        if math.isfinite(value)
        else "nan"
        if math.isnan(value)
        else "inf"
        if value > 0
        else "-inf"
    )


def _rows(run: str, batch: Batch) -> list[list[object]]:
    from graphlens.exporters._table import INF, NAN, RAISED  # as above

    who, rows, ranges = batch.who, batch.rows, batch.ranges
    offsets = ranges.offsets.tolist()
    slots, lows, highs = ranges.slot.tolist(), ranges.low.tolist(), ranges.high.tolist()
    fixed: dict[int, list[object]] = {}
    columns = zip(
        *(
            rows.seq.tolist(),
            rows.node.tolist(),
            batch.thread.tolist(),
            rows.began.tolist(),
            rows.took.tolist(),
        ),
        *(batch.flag(bit) for bit in (NAN, INF, RAISED)),
        *(batch.low.tolist(), batch.high.tolist(), batch.seen.tolist()),
        strict=True,
    )
    found: list[list[object]] = []
    for k, (seq, node, thread, began, took, nan, inf, raised, low, high, seen) in enumerate(columns):
        form, call = batch.forms[k], batch.calls[k]
        if id(form) not in fixed:
            line = form.line if form.line >= 0 else None
            fixed[id(form)] = [cell(form.op), form.phase, cell(form.module), cell(form.file), line]
        numbers = {slots[j]: (lows[j], highs[j]) for j in range(offsets[k], offsets[k + 1])}
        step, epoch, role, called, graph = (
            (None,) * 5 if call is None else (call.step, call.epoch, call.role, call.call, call.graph)
        )
        found.append(
            [run, who.process.rank, who.number, step, epoch, role, seq, called, graph, node, *fixed[id(form)]]
            + [thread, began, took, int(nan), int(inf), int(raised)]
            + ([number(low), number(high)] if seen else [None, None])
            + [json.dumps(list(form.inputs)), _outputs(form, numbers)]
        )
    return found


def _outputs(form: Form, numbers: dict[int, tuple[float, float]]) -> str:
    told: list[dict[str, object]] = []
    for slot, (value, spec) in enumerate(zip(form.values, form.specs, strict=True)):
        one: dict[str, object] = {"value": value, "shape": spec.shape, "dtype": spec.dtype}
        low, high = numbers.get(slot, (1.0, 0.0))
        if not low > high:
            one |= {"min": plain_number(low), "max": plain_number(high)}
        told.append(one)
    return json.dumps(told, separators=(",", ":"))
