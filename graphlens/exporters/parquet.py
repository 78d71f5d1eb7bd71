"""The operations that ran as Parquet, a row each: for DuckDB, Polars, Spark, Ray and pandas.

One file, or a folder of the files of many runs, partitioned as Hive does: `run=NAME/rank=N/`.
"""

# pyright: reportMissingImports=false
# pyarrow is an extra: it need not be there.

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from graphlens.exporters import Options
from graphlens.text import without_surrogates

if TYPE_CHECKING:
    from graphlens.exporters._table import Batch, Form, Table
    from graphlens.processes import Who
    from graphlens.store import Run

Arrow = Any
"""pyarrow has no types of its own."""


class Parquet:
    """The exporter."""

    name = "parquet"
    suffix = ".parquet"
    module, extra = "pyarrow", "parquet"

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the operations that `options` choose."""
        from graphlens.exporters._table import Table  # numpy: not for finding out which formats there are

        table = Table(run, options)
        _write(table, table.whos(), out, whole=True)

    def parts(self, run: Run, options: Options) -> Iterator[tuple[str, Callable[[BinaryIO], None]]]:
        """A file for each process, in the folder of its rank."""
        from graphlens.exporters._table import Table  # as above

        table = Table(run, options)
        for who in table.whos():
            path = f"rank={who.process.rank}/process-{who.number}.parquet"
            yield path, lambda file, who=who: _write(table, [who], file, whole=False)  # type: ignore[misc]

    def part_of(self, name: str) -> str:
        """ "run=train-1", with what a path cannot hold as %xx, as Hive has it."""
        return f"run={quote(without_surrogates(name), safe='')}"


EXPORTER = Parquet()


def schema(*, whole: bool) -> Arrow:
    """The columns; `whole`: with those that are otherwise in the path."""
    import pyarrow as pa  # an extra

    words, numbers = pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.int64())
    output = pa.struct(
        {
            "value": pa.int64(),
            "shape": numbers,
            "dtype": pa.string(),
            "min": pa.float64(),
            "max": pa.float64(),
        }
    )
    columns = {"run": words, "rank": pa.int32()} if whole else {}
    columns |= {"process": pa.int32(), "step": pa.int64(), "epoch": pa.int64(), "role": words}
    columns |= {"seq": pa.int64(), "call": pa.int32(), "graph": pa.int32(), "node": pa.int64()}
    columns |= {"op": words, "phase": words, "module": words, "file": words, "line": pa.int32()}
    columns |= {"thread": pa.int32(), "began_ns": pa.int64(), "took_ns": pa.int64()}
    columns |= {"nan": pa.bool_(), "inf": pa.bool_(), "raised": pa.bool_()}
    columns |= {"min": pa.float64(), "max": pa.float64(), "inputs": numbers, "outputs": pa.list_(output)}
    return pa.schema(columns, metadata={"graphlens": "graphlens/ops/1"})


def _write(table: Table, whos: list[Who], out: BinaryIO, *, whole: bool) -> None:
    import pyarrow.parquet as pq  # an extra

    columns = schema(whole=whole)
    with pq.ParquetWriter(out, columns, compression="zstd") as writer:
        for who in whos:
            for batch in table.batches(who):
                writer.write_batch(_arrow(table.run.info.name, batch, columns, whole=whole))


def _arrow(run: str, batch: Batch, columns: Arrow, *, whole: bool) -> Arrow:
    import pyarrow as pa  # an extra

    from graphlens.exporters._table import INF, NAN, RAISED  # as above

    rows, calls, count = batch.rows, batch.calls, len(batch.rows.seq)
    forms, of = _distinct(batch.forms)
    known: dict[str, list[str | None]] = {
        "op": [form.op for form in forms],
        "phase": [form.phase for form in forms],
        "module": [form.module for form in forms],
        "file": [form.file or None for form in forms],
    }
    unseen = ~batch.seen
    found: dict[str, Arrow] = {
        "run": _words([run], pa.array([0] * count, pa.int32())),
        "rank": pa.array([batch.who.process.rank] * count, pa.int32()),
        "process": pa.array([batch.who.number] * count, pa.int32()),
        "step": pa.array([None if call is None else call.step for call in calls], pa.int64()),
        "epoch": pa.array([None if call is None else call.epoch for call in calls], pa.int64()),
        "role": pa.array([call.role if call else None for call in calls], pa.string()).dictionary_encode(),
        "seq": pa.array(rows.seq),
        "call": pa.array([None if call is None else call.call for call in calls], pa.int32()),
        "graph": pa.array([None if call is None else call.graph for call in calls], pa.int32()),
        "node": pa.array(rows.node).cast(pa.int64()),
        **{name: _words(words, of) for name, words in known.items()},
        "line": pa.array([form.line if form.line >= 0 else None for form in forms], pa.int32()).take(of),
        "thread": pa.array(batch.thread).cast(pa.int32()),
        "began_ns": pa.array(rows.began),
        "took_ns": pa.array(rows.took),
        "nan": pa.array(rows.flags & NAN != 0),
        "inf": pa.array(rows.flags & INF != 0),
        "raised": pa.array(rows.flags & RAISED != 0),
        "min": pa.array(batch.low, mask=unseen),
        "max": pa.array(batch.high, mask=unseen),
        "inputs": pa.array(
            [[None if one < 0 else one for one in form.inputs] for form in forms], pa.list_(pa.int64())
        ).take(of),
        "outputs": _outputs(batch, forms, of),
    }
    return pa.record_batch([found[name].cast(columns.field(name).type) for name in columns.names], columns)


def _distinct(forms: list[Form]) -> tuple[list[Form], Arrow]:
    """Each form once, and which one each row has."""
    import pyarrow as pa  # an extra

    place: dict[int, int] = {}
    kept: list[Form] = []
    of: list[int] = []
    for form in forms:
        at = place.setdefault(id(form), len(kept))
        if at == len(kept):
            kept.append(form)
        of.append(at)
    return kept, pa.array(of, pa.int32())


def _words(words: list[str | None], of: Arrow) -> Arrow:
    """A column of few words: each of them once, and a number a row."""
    import pyarrow as pa  # an extra

    clean = [None if word is None else without_surrogates(word) for word in words]
    encoded = pa.array(clean, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(of), encoded.dictionary)


def _outputs(batch: Batch, forms: list[Form], of: Arrow) -> Arrow:
    """A list of structs a row: what each output was, and its range where that was looked at."""
    import numpy as np
    import pyarrow as pa  # an extra

    starts = np.cumsum([0, *(len(form.specs) for form in forms)])
    which = of.to_numpy()
    sizes = np.diff(starts)[which]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    total = int(offsets[-1])
    entry = pa.array(np.arange(total) + np.repeat(starts[which] - offsets[:-1], sizes))
    low, high, seen = np.empty(total), np.empty(total), np.zeros(total, np.bool_)
    ranges = batch.ranges
    looked = ~(ranges.low > ranges.high) & (ranges.slot < sizes[batch.row])
    at = (offsets[:-1][batch.row] + ranges.slot)[looked]
    low[at], high[at], seen[at] = ranges.low[looked], ranges.high[looked], True
    every = [(value, spec) for form in forms for value, spec in zip(form.values, form.specs, strict=True)]
    shapes = [None if spec.shape is None else list(spec.shape) for _, spec in every]
    children = [
        pa.array([value for value, _ in every], pa.int64()).take(entry),
        pa.array(shapes, pa.list_(pa.int64())).take(entry),
        pa.array([without_surrogates(spec.dtype) for _, spec in every], pa.string()).take(entry),
        pa.array(low, mask=~seen),
        pa.array(high, mask=~seen),
    ]
    struct = pa.StructArray.from_arrays(children, ["value", "shape", "dtype", "min", "max"])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), struct)
