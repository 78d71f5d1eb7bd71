"""The words of TensorFlow's old debugger, tfdbg, for what we have of it."""

from __future__ import annotations

import re

from graphlens.text import clean
from graphlens_tracers.errors import Usage
from graphlens_tracers.events import Seq
from graphlens_tui.commanding import Commanding
from graphlens_tui.inventory import files_lines, source_lines
from graphlens_tui.model import Mode
from graphlens_tui.places import named, reached
from graphlens_tui.vocabulary import options

DEPTH = 20
"""Operations after each other that -r follows, as tfdbg does; -d says otherwise."""
FILTERS = {
    "has_inf_or_nan": "nan inf", "nan": "nan", "inf": "inf", "has_nan": "nan", "has_inf": "inf",
}  # fmt: skip
"""Its filters, as queries."""
_X = re.compile(r"x(?![\w:/])")
_NAMED = re.compile(r"([^\[\]\s`]+?)(?::(in)?([0-9]{1,4}))?((?:\[|\.[a-z_]+\()[^`]*)?")
_TICKED = re.compile(r"`([^`]+)`")


class DebuggerWords(Commanding, inherit_bindings=False):
    """The app as these words see it."""

    def word_lt(self, rest: str) -> None:
        known = {"-f": True, "-n": True, "-t": True, "-fenn": True, "-r": False}
        found, others = options(rest, known, "lt")
        query = [] if "-f" not in found else [_filter(found["-f"])]
        query += [f"re:{found['-n']}"] if "-n" in found else []
        query += [f"re:{found['-t']}"] if "-t" in found else []
        query += [f"!re:{found['-fenn']}"] if "-fenn" in found else []
        self.filter_by(" ".join([*query, *others]))

    def word_pt(self, rest: str) -> None:
        if _X.match(rest):
            self.word_eval(rest)
            return
        words = [word for word in rest.split(" ") if word not in ("-a", "-s")]  # all is shown in any case
        found = _NAMED.fullmatch(" ".join(words).strip())
        if found is None:
            raise Usage(f"{clean(rest, 60)!r}: pt x[0,:], or pt NAME:0[0,:] with the name or number of an op")
        name, inside, slot, expression = found.groups()
        key = (int(slot), None) if inside else (None, int(slot or 0))
        self.see(named(self.model, name, self.at), key, f"x{expression}" if expression else "")

    def word_eval(self, rest: str) -> None:
        names = set(_TICKED.findall(rest))
        if len(names) > 1:
            raise Usage("an expression is over one tensor")
        if names:
            name, _, slot = names.pop().partition(":")
            key = (None, int(slot) if slot.isdecimal() and len(slot) < 5 else 0)
            self.see(named(self.model, name, self.at), key, _TICKED.sub("x", rest))
        elif self.mode is Mode.TENSOR and self.tensor.op is not None:
            self.tensor.view("" if rest.strip() == "x" else rest)
        else:
            self.see(named(self.model, "", self._under_cursor()), (None, 0), rest)

    def word_ni(self, rest: str) -> None:
        _, others = options(rest, {"-a": False, "-d": False, "-t": False}, "ni")  # the details have all of it
        self.go_to(named(self.model, " ".join(others), self._under_cursor()))
        self.call_after_refresh(self._to_details)

    def _to_details(self) -> None:
        side = next((pane for pane in self.panes if pane.SLOT == "side"), None)
        if side is not None and self.mode is Mode.GRAPH:
            side.focus()

    def word_li(self, rest: str) -> None:
        self._around("li", rest, makers=True)

    def word_lo(self, rest: str) -> None:
        self._around("lo", rest, makers=False)

    def _around(self, word: str, rest: str, *, makers: bool) -> None:
        """What an operation reads, or what reads it; with -r all of it, as a filter."""
        found, others = options(rest, {"-r": False, "-d": True, "-c": False}, word)
        depth = found.get("-d", str(DEPTH))
        if not depth.isdecimal() or len(depth) > 6:
            raise Usage(f"{word} -d needs a number, not {clean(depth, 40)!r}")
        name = " ".join(others)
        seq, shown = named(self.model, name, self._under_cursor()), self.model.shown
        if "-r" not in found or shown is None:
            self.go_to(seq)
            self._act("producer" if makers else "consumer")
            return
        seqs = reached(shown, seq, int(depth), makers=makers)
        self.show_only(f"{'what led to' if makers else 'what came of'} op {seq}, {depth} deep at most", seqs)
        self.go_to(seq)

    def word_run(self, rest: str) -> None:
        found, others = options(rest, {"-f": True, "-t": True, "-n": False}, "run")
        if others:
            raise Usage(f"run takes no {clean(others[0], 40)!r}: the script runs, or has run, by itself")
        if "-f" in found:
            _filter(found["-f"])
            self._act("next_ill")
            return
        times = found.get("-t", "1")
        if not times.isdecimal() or len(times) > 6:
            raise Usage(f"run -t needs a number, not {clean(times, 40)!r}")
        if self.mode is not Mode.GRAPH:
            self.show_mode(Mode.GRAPH)
        self.graph.move_step(max(1, int(times)))

    def word_ls(self, rest: str) -> None:
        shown = self.model.shown
        if shown is None:
            raise Usage("nothing was recorded")
        self._read("source files", files_lines(shown.process, self.session.run.info.cwd, self.palette))

    def word_ps(self, rest: str) -> None:
        shown, at = self.model.shown, self._under_cursor()
        if shown is None:
            raise Usage("nothing was recorded")
        file, _, line = rest.strip().removeprefix("-b").strip().rpartition(":")
        if not line.isdecimal():
            file, line = rest.strip(), "1"
        if not rest.strip() and at is not None:
            site = shown.process.op(at).site
            file, line = ("", "1") if site is None else (site.file, str(max(1, site.line - 8)))
        title, lines = source_lines(
            shown.process, self.session.run.info.cwd, file, self.model.ill, self.palette
        )
        self._read(title, lines[max(0, int(line[:9]) - 1) :])

    def _under_cursor(self) -> Seq | None:
        op = self._selected_op()
        return None if op is None else op.seq


def _filter(name: str) -> str:
    query = FILTERS.get(name.casefold())
    if query is None:
        raise Usage(f"there is no filter {clean(name, 40)!r}: {', '.join(FILTERS)}")
    return query
