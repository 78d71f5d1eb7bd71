"""Rows with the arguments that vary from one run of an operation to the next.

`quick.py` writes the common row itself, in the same words as `ScalarRows.write_with`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial

from graphlens_tracers import page as at
from graphlens_tracers.pytorch.plan import Node
from graphlens_tracers.rows import Rows
from graphlens_tracers.sink import LogSink
from graphlens_tracers.wire import AT_SCALARS, MAX_SCALARS, SCALAR, WHOLE_LIST


class ScalarRows(Rows):
    """Writes the rows of one thread.

    Attributes:
        said: By node: its varying arguments, as this page has them.
    """

    def __init__(self, sink: LogSink) -> None:
        super().__init__(sink)
        self.said: dict[int, Sequence[float]] = {}

    def write_with(self, node: Node, began: int, took: int, scalars: Sequence[float]) -> None:
        """As `write`, with the row's varying arguments."""
        self.write(node, began, took, (lambda row: self.scalars(row, node, scalars)) if scalars else None)

    def scalars(self, row: int, node: Node, scalars: Sequence[float]) -> None:
        """The varying arguments of a row, where they are not what this page said last."""
        if self.said.get(node.id) == scalars:
            return
        self.said[node.id] = scalars
        sink = self.sink
        varying = sorted(node.varying)
        first = varying[0]
        pairs = list(zip(varying, scalars, strict=False))
        if (
            len(pairs) > 1
            and node.lists[first] == len(pairs) - 1
            and list(scalars).count(scalars[0]) == len(pairs)
        ):
            pairs = [(first | WHOLE_LIST, scalars[0])]
        for which, value in pairs:
            if sink.scalars >= MAX_SCALARS or which & ~WHOLE_LIST >= WHOLE_LIST:
                words = f"{node.info.name}: some of its {len(pairs)} varying arguments"
                self.later.append(partial(sink.gap, "dropped", words))
                break
            try:
                SCALAR.pack_into(
                    sink.page.bytes, AT_SCALARS + sink.scalars * SCALAR.size, row, which, float(value)
                )
            except OverflowError:
                words = f"{node.info.name}: an integer argument beyond float64"
                self.later.append(partial(sink.gap, "dropped", words))
                continue
            sink.scalars += 1
        sink.page.u64[at.SCALARS] = sink.scalars

    def scalar(self, row: int, node: Node, which: int, scalars: Sequence[float]) -> None:
        """The only varying argument of a row, which is not what this page said last."""
        self.said[node.id] = scalars
        sink = self.sink
        at_scalar = AT_SCALARS + sink.scalars * SCALAR.size
        try:
            SCALAR.pack_into(sink.page.bytes, at_scalar, row, which, scalars[0])
        except (OverflowError, struct.error):
            del self.said[node.id]
            self.scalars(row, node, scalars)
            return
        sink.scalars += 1
        sink.page.u64[at.SCALARS] = sink.scalars

    def emptied(self) -> None:
        """The page is empty: the next row begins a block, and says its varying arguments."""
        self.said.clear()
        super().emptied()
