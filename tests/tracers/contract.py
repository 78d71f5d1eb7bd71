"""What every tracer must do. A framework's test subclasses it and says how to run something."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factories import new_run
from graphlens_tracers.api import Options, Tracer
from graphlens_tracers.sink import LogSink


class TracerContract:
    """Subclass, and override the four methods that raise."""

    def tracer(self) -> Tracer:
        """A new tracer."""
        pytest.fail("say which tracer")

    def compute(self) -> bytes:
        """Something deterministic that the framework computes, as bytes."""
        pytest.fail("say what to compute")

    def global_state(self) -> list[Any]:  # Any: whatever the tracer replaces or hooks into
        """Everything of the framework's and Python's that `start` may change."""
        pytest.fail("say what may change")

    def fail(self) -> None:
        """Something of the framework that raises."""
        pytest.fail("say what fails")

    @pytest.fixture
    def sink(self, tmp_path: Path) -> LogSink:
        new_run(tmp_path / "run.glens")
        (tmp_path / "live").mkdir()
        return LogSink(str(tmp_path / "run.glens"), str(tmp_path / "live"), ["test"])

    def traced(self, sink: LogSink, program: Callable[[], Any]) -> Any:
        tracer = self.tracer()
        tracer.start(sink, Options())
        try:
            return program()
        finally:
            tracer.stop()

    def test_results_are_the_same_to_the_bit(self, sink: LogSink) -> None:
        plain = self.compute()

        assert self.traced(sink, self.compute) == plain
        assert sink.seq > 0

    def test_stop_undoes_what_start_did(self, sink: LogSink) -> None:
        before = self.global_state()
        tracer = self.tracer()
        tracer.start(sink, Options())
        during = self.global_state()
        tracer.stop()
        tracer.stop()

        assert during != before  # else this test looks at the wrong things
        assert self.global_state() == before

    def test_a_tracer_may_start_again(self, sink: LogSink) -> None:
        self.traced(sink, self.compute)
        first = sink.seq
        self.traced(sink, self.compute)

        assert sink.seq == 2 * first

    def test_an_exception_looks_as_it_does_without_us(self, sink: LogSink) -> None:
        assert self.traced(sink, self.where_it_failed) == self.where_it_failed()

    def where_it_failed(self) -> list[tuple[str, int | None]]:
        try:
            self.fail()
        except Exception as error:
            return [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        pytest.fail("nothing failed")
