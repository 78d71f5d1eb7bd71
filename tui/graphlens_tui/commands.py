"""What the keys do: each `do_` and an action's id of the table in `keys`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphlens import rules
from graphlens.session import Call
from graphlens.text import clean
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import NodeId, Seq
from graphlens_tui import details, saying
from graphlens_tui.errands import Errands
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.judging import Judge
from graphlens_tui.messages import Chosen
from graphlens_tui.model import Mode, Place
from graphlens_tui.palette import DARK_THEME, LIGHT_THEME, Palette
from graphlens_tui.panes import Pane
from graphlens_tui.query import WORDS, Query
from graphlens_tui.search import Search
from graphlens_tui.timeline import Line, Sort
from graphlens_tui.widgets.dialogs import Ask, Choice, Reading

if TYPE_CHECKING:
    from graphlens_tui.panes.output import OutputPane

MOST_CHOICES = 60
"""Operations that are offered to choose from."""
LETTERS = "123456789abcdefhilmnoprstuvwxyz"
"""What they are chosen by; without j, k, q and g, which move."""


class Commands(Errands, inherit_bindings=False):
    """The app as its keys see it."""

    glyphs: Glyphs
    palette: Palette
    output: OutputPane
    panes: list[Pane]
    trail: list[Seq | Mode | Place]
    judge: Judge
    finding: Search | None = None
    _asked: str = ""

    def highlight(self, found: frozenset[NodeId]) -> None:
        """Underline the names of these nodes."""
        raise AssertionError("lanes and boxes do it")

    def pane(self) -> Pane:
        """The pane that has the keys."""
        raise AssertionError("the app knows")

    def go_to(self, seq: Seq, *, jump: bool = True) -> None:
        """Select an operation in the graph; a jump can be taken back."""
        if self.mode is not Mode.GRAPH:
            self.trail.append(self.mode)
            self.show_mode(Mode.GRAPH)
            self.call_after_refresh(self.graph.show, seq)  # there is room for it only then
            self.say(f"{self.keymap_.shown('back')} goes back")
            return
        if jump and self.at is not None and self.at != seq:
            self.trail.append(self.at)
            del self.trail[:-200]
        self.graph.show(seq)

    def on_chosen(self, event: Chosen) -> None:
        """Show an operation, of whatever process, in the graph."""
        raise AssertionError("the app shows it")

    def go_back_to(self, place: Place) -> None:
        """Show the process that was shown before, and the operation that was selected."""
        raise AssertionError("the app shows it")

    def enter_call(self, call: Call) -> None:
        """Select the headline of a call; as every jump, it can be taken back."""
        if self.at is not None:
            self.trail.append(self.at)
        self.graph.show(call.first, call.call)

    def entered(self, line: Line | None) -> Call | None:
        """The call that the operation on a line made: a function, a branch, a loop's first round."""
        shown = self.model.shown
        if shown is None or line is None or line.sort is not Sort.OP:
            return None
        node = shown.timeline.node(line)
        seen = None if node is None else shown.process.nodes.get(node)
        return None if seen is None or seen.calls is None else shown.timeline.inside(line.seq)

    # ── moving ───────────────────────────────────────────────────────────────────────────────

    def do_down(self) -> None:
        self.pane().move(1)

    def do_up(self) -> None:
        self.pane().move(-1)

    def do_half_down(self) -> None:
        self.pane().move(max(1, self.pane().rows // 2))

    def do_half_up(self) -> None:
        self.pane().move(-max(1, self.pane().rows // 2))

    def do_page_down(self) -> None:
        self.pane().move(max(1, self.pane().rows - 1))

    def do_page_up(self) -> None:
        self.pane().move(-max(1, self.pane().rows - 1))

    def do_top(self) -> None:
        self.pane().move_to(end=False)

    def do_bottom(self) -> None:
        self.pane().move_to(end=True)

    def do_next_step(self) -> None:
        self.graph.move_step(1)

    def do_previous_step(self) -> None:
        self.graph.move_step(-1)

    # ── finding ──────────────────────────────────────────────────────────────────────────────

    def _go_to_ill(self, seq: int | None, otherwise: str) -> None:
        if seq is not None:
            self.go_to(Seq(seq))
        elif self.model.ill.known:
            self.say(otherwise)
        else:
            self.say("still looking at the numbers")

    def do_next_ill(self) -> None:
        at = -1 if self.at is None else self._last_seq()
        self._go_to_ill(self.model.ill.after(at), "no NaN or infinity after this")

    def do_previous_ill(self) -> None:
        self._go_to_ill(self.model.ill.before(self.at or 0), "no NaN or infinity before this")

    def do_first_ill(self) -> None:
        findings = self.health.findings
        origin = None if findings is None else findings.answer["origin"]
        if origin is not None:
            self.on_chosen(Chosen(origin["process"], Seq(origin["seq"])))
            return
        first = self.model.ill.after(-1)
        self._go_to_ill(first, "no NaN and no infinity in what was looked at")
        if first is None:
            return
        if findings is None:
            self.judge.ask()
            self.say("the first that is not finite: the verdict is still being worked out")
        else:
            self.say("the first that is not finite: nothing harmful was found")

    def _last_seq(self) -> int:
        """The last operation that the cursor is past: on a headline that before its step."""
        return int(self.at or 0) - (1 if self.graph.on_headline else 0)

    def do_search(self) -> None:
        self.push_screen(Ask(f"search: {WORDS}", self._asked), self.search_for)

    def search_for(self, asked: str | None) -> None:
        """Go to the next operation that fits a query; an empty one ends the search."""
        if asked is None or self.model.shown is None:
            return
        self._asked = asked
        self.finding = self.searched(asked)
        if self.finding is not None:
            self._find(forward=True)
        elif not asked.strip():
            self.highlight(frozenset())

    def searched(self, asked: str) -> Search | None:
        """A search for what was typed; None when that is nothing, or, which is said, no query."""
        shown = self.model.shown
        try:
            query = Query.parsed(asked)
        except ValueError as error:
            self.say(clean(str(error), 200), wrong=True)
            return None
        if shown is None or query.empty:
            return None
        return Search(query, shown.process, shown.timeline, lambda: self.model.ill)

    def _find(self, *, forward: bool) -> None:
        finding = self.finding
        if finding is None:
            self.say("nothing is searched for; / begins")
            return
        at = self._last_seq() if forward else int(self.at or 0)
        seq = finding.next(at, forward=forward)
        wrapped = seq is None
        if seq is None:
            seq = finding.next(-1 if forward else 1 << 61, forward=forward)
        self.highlight(finding.marked)
        if seq is None:
            self.say(f"nothing fits {self._asked!r}", wrong=True)
            return
        self.go_to(Seq(seq))
        around = ", from the other end" if wrapped else ""
        self.say(f"{finding.count():,} fit {self._asked!r}{around}")

    def do_next_match(self) -> None:
        self._find(forward=True)

    def do_previous_match(self) -> None:
        self._find(forward=False)

    # ── following values ─────────────────────────────────────────────────────────────────────

    def _choose(self, title: str, found: list[tuple[Seq, str]], none: str) -> None:
        if not found:
            self.say(none)
        elif len(found) == 1:
            self.go_to(found[0][0])
        else:
            by_letter = dict(zip(LETTERS, found[:MOST_CHOICES], strict=False))
            answers = [
                (letter, self.glyphs.text(f"#{seq}  {name}")) for letter, (seq, name) in by_letter.items()
            ]
            more = f"the first {len(answers)} of {len(found)}" if len(found) > len(answers) else ""

            def chosen(letter: str | None) -> None:
                if letter is not None:
                    self.go_to(by_letter[letter][0])

            self.push_screen(Choice(title, more, answers), chosen)

    def _operations(self, *, makers: bool) -> list[tuple[Seq, str]]:
        shown = self.model.shown
        if shown is None or self.at is None or self.graph.on_headline:
            return []
        try:
            return details.operations_of(shown, self.at, makers=makers)
        except UnknownOp:
            return []

    def do_producer(self) -> None:
        self._choose("made by", self._operations(makers=True), "no operation of this run made what it reads")

    def do_consumer(self) -> None:
        self._choose("used by", self._operations(makers=False), "nothing in this step reads what it makes")

    def do_twin(self) -> None:
        shown = self.model.shown
        if shown is not None and self.at is not None:
            self._choose(
                "its other half", details.twins_of(shown, self.at), "it has no other half in this step"
            )

    def do_back(self) -> None:
        if self.mode is Mode.TENSOR:
            self.show_mode(self.came_from)
        elif self.mode is not Mode.GRAPH:
            self.show_mode(Mode.GRAPH)
        elif self.trail:
            before = self.trail.pop()
            if isinstance(before, Mode):
                self.show_mode(before)
            elif isinstance(before, Place):
                self.go_back_to(before)
            else:
                self.go_to(before, jump=False)
        else:
            self.say("there is no jump to take back")

    # ── modes ────────────────────────────────────────────────────────────────────────────────

    def do_graph_mode(self) -> None:
        self.show_mode(Mode.GRAPH)

    def do_health_mode(self) -> None:
        self.show_mode(Mode.HEALTH)

    def do_judge(self) -> None:
        self.judge.ask()
        self.say("judging again")

    def do_rules(self) -> None:
        text = " ".join(rule.text for rule in self.judge.rules)
        self.push_screen(Ask(f"rules, for example: {rules.STANDARD}", text), self._rule)

    def _rule(self, text: str | None) -> None:
        if text is None:
            return
        try:
            self.judge.rules = rules.parsed(text)
        except ValueError as error:
            self.say(str(error), wrong=True)
            return
        self.judge.ask()
        self.say("holding the run against these rules")

    # ── folding ──────────────────────────────────────────────────────────────────────────────

    def do_fold(self) -> None:
        self.graph.toggle()

    def fold_to(self, depth: int) -> None:
        """Open so many levels of modules."""
        self.graph.fold_to(depth)

    def do_fold_steps(self) -> None:
        self.graph.fold_to(None)

    def do_follow(self) -> None:
        if not self.model.live:
            self.say("the run has ended: there is nothing to follow")
        elif self.graph.following:
            self.graph.following = False
            self.say("not following any more")
        else:
            self.graph.move_to(end=True)

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def do_theme(self) -> None:
        self.theme = LIGHT_THEME.name if self.current_theme.dark else DARK_THEME.name

    def do_about(self) -> None:
        self._read("about this run", saying.about_lines(self.model, self.palette))

    def do_help(self) -> None:
        kinds = [type(pane) for pane in self.panes]
        self._read("keys", saying.help_lines(self.keymap_, kinds, self.palette))

    def _read(self, title: str, lines: list[list[Any]]) -> None:  # Any: pieces of a line
        hint = "j k scroll, any other key closes"
        self.push_screen(Reading(title, lines, self.glyphs, self.palette, hint))
