"""The command line and the palette: words for what keys do, with arguments."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from textual.events import Key

import graphlens
from graphlens import runs
from graphlens.text import clean
from graphlens_tracers.errors import GraphlensError, UnknownOp, Usage
from graphlens_tracers.events import Seq
from graphlens_tui import keys, vocabulary
from graphlens_tui.filtering import Filtering
from graphlens_tui.fuzzy import best
from graphlens_tui.messages import RunChosen
from graphlens_tui.model import Mode
from graphlens_tui.palette import DARK_THEME, LIGHT_THEME
from graphlens_tui.places import Place, named, places
from graphlens_tui.query import NODE_FIELDS
from graphlens_tui.vocabulary import BY_WORD, Meant, Offer, Word
from graphlens_tui.widgets.dialogs import Ask
from graphlens_tui.widgets.lines import TypedLine

MOST_REMEMBERED = 200
"""Lines of the history."""


class Commanding(Filtering, inherit_bindings=False):
    """The app as words see it: each `word_` and a word of `vocabulary`.

    Attributes:
        typed: The lines of this session, the oldest first.
    """

    typed: list[str]

    def _act(self, action: str) -> None:
        raise AssertionError("the app does it")

    # ── the line ─────────────────────────────────────────────────────────────────────────────

    def do_command(self) -> None:
        """Ask for a line."""
        prompt = "op 84, step 3, filter nan, open RUN, any action; tab: what there is"
        line = TypedLine(prompt, self._offers(), self.glyphs, self.palette, history=self.typed)
        self.push_screen(line, self.run_line)

    def typed_before(self, event: Key) -> None:
        """A key that a pane was given before the line was there: it belongs to the line."""
        if isinstance(self.screen, (Ask, TypedLine)):
            event.stop()
            event.prevent_default()
            self.screen.post_message(Key(event.key, event.character))

    def run_line(self, line: str | None) -> None:
        """Do what a line says; what is wrong with it is said."""
        line = (line or "").strip()
        if not line:
            return
        if line not in self.typed[-1:]:
            self.typed.append(line)
            del self.typed[:-MOST_REMEMBERED]
        try:
            self._do(vocabulary.meant(line))
        except GraphlensError as error:
            self.say(clean(str(error.args[0]) if error.args else str(error), 300), wrong=True)

    def _do(self, meant: Meant) -> None:
        if meant.word is None:
            only = keys.BY_ID[meant.action].only
            if only and only != self.mode:
                raise Usage(
                    f"{meant.action} is for the {only} mode: {self.keymap_.shown(f'{only}_mode')} goes there"
                )
            self._act(meant.action)
            return
        word: Callable[[str], None] = getattr(self, f"word_{meant.word.name}")
        if not meant.word.form and meant.rest:
            raise Usage(f"{meant.word.name} takes nothing more: {clean(meant.rest, 60)!r}")
        word(meant.rest)

    # ── what is offered ──────────────────────────────────────────────────────────────────────

    def _offers(self) -> Callable[[str], Iterable[Offer]]:
        """Completes a line; what has to be read for it is read once."""
        read: dict[str, Sequence[str]] = {}

        def complete(line: str) -> Iterable[Offer]:
            word = BY_WORD.get(line.partition(" ")[0].casefold())
            arguments: Sequence[str] = ()
            if word is not None and " " in line:
                if word.name not in read:
                    read[word.name] = self._arguments(word)
                arguments = read[word.name]
            return vocabulary.offers(line, self.keymap_, arguments)

        return complete

    def _arguments(self, word: Word) -> Sequence[str]:
        """What may follow a word."""
        name = word.name
        if name in ("mode", "theme"):
            return [str(one) for one in Mode] if name == "mode" else ["light", "dark"]
        if name == "fold":
            return [str(depth) for depth in range(10)]
        if name == "help":
            return [*BY_WORD, *keys.BY_ID]
        if name == "open":
            return ["last", *(one.name for one in reversed(runs.entries()))]
        if name in ("search", "filter"):
            fields = [f"{field}:" for field in NODE_FIELDS]
            return ["nan", "inf", ">1e4", "<1e-7", "step:", "!", *fields]
        if name in ("op", "pt", "ni", "li", "lo", "lt"):
            options = {"li": ["-r"], "lo": ["-r"], "lt": ["-f nan", "-n", "-t", "-fenn"]}.get(name, [])
            return options + list(dict.fromkeys(one.name for one in self._near()))
        return ["-f has_inf_or_nan", "-t"] if name == "run" else ()

    def _near(self) -> Sequence[Place]:
        shown = self.model.shown
        if shown is None or self.at is None:
            return []
        call = shown.process.call_at(self.at)
        found = list(places(shown, self.at))
        if call is None or call.step is None:  # before the first step: that is of interest, too
            at, calls = self.at, shown.process.calls()
            later = next((one for one in calls if one.step is not None and one.first > at), None)
            found += [] if later is None else places(shown, later.first)
        return found

    # ── the palette ──────────────────────────────────────────────────────────────────────────

    def do_palette(self) -> None:
        """Find an action, a module or an operation, and do it or go there."""
        things = self._things()
        prompt = "an action, a module or an operation of this step: a few letters"
        line = TypedLine(prompt, lambda asked: best(asked, things), self.glyphs, self.palette, chooses=True)
        self.push_screen(line, self.run_line)

    def _things(self) -> list[tuple[str, str, Offer]]:
        """Everything the palette knows, with its name and what is said about it."""
        found = []
        for action in keys.ACTIONS:
            if action.help and action.only in ("", self.mode):
                key = self.keymap_.shown(action.id)
                offer = Offer(action.id, action.help, key)
                found.append((action.id.replace("_", " "), f"{action.label} {action.help}", offer))
        for place in self._near():
            offer = Offer(f"op {place.seq}", f"go to {place.name}   {place.where}")
            found.append((place.name, f"{place.where} go to op {place.seq}", offer))
        return found

    # ── words ────────────────────────────────────────────────────────────────────────────────

    def word_op(self, rest: str) -> None:
        number, colon, after = rest.partition(":")
        who = self.model.who()
        if colon and number.isdecimal() and after.isdecimal() and who is not None:
            if int(number) != who.number:
                raise Usage(f"op {rest} is of another process than the graph, which shows {who.number}")
            rest = after
        self.go_to(named(self.model, rest, self.at))

    def word_step(self, rest: str) -> None:
        shown = self.model.shown
        if not rest.isdecimal() or len(rest) > 18:
            raise Usage(f"{clean(rest, 40)!r} is no step: step 3")
        calls = [] if shown is None else [one for one in shown.process.calls() if one.step is not None]
        found = next((one for one in calls if one.step == int(rest)), None)
        if found is None:
            steps = [one.step for one in calls if one.step is not None]
            there = f"there are steps {min(steps)} to {max(steps)}" if steps else "no step has run"
            raise UnknownOp(f"there is no step {rest}: {there}")
        if self.mode is not Mode.GRAPH:
            self.go_to(found.first)
        self.enter_call(found)

    def word_fold(self, rest: str) -> None:
        if not rest.isdecimal() or len(rest) > 1:
            raise Usage("fold 0 to 9: so many levels of modules stay open")
        if self.mode is not Mode.GRAPH:
            self.show_mode(Mode.GRAPH)
        self.graph.fold_to(int(rest) or None)

    def word_search(self, rest: str) -> None:
        self.search_for(rest)

    def word_filter(self, rest: str) -> None:
        self.filter_by(rest)

    def word_mode(self, rest: str) -> None:
        modes = [str(mode) for mode in Mode]
        if rest.casefold() not in modes:
            near = difflib.get_close_matches(rest.casefold()[:60], modes, 1)
            raise Usage(f"there is no mode {clean(rest, 40)!r}: {near[0] if near else ', '.join(modes)}")
        self._act(f"{rest.casefold()}_mode")

    def word_open(self, rest: str) -> None:
        self.on_run_chosen(RunChosen(runs.entry(runs.resolve(rest))))

    def word_export(self, rest: str) -> None:
        self.export_to(rest)

    def word_theme(self, rest: str) -> None:
        themes = {"light": LIGHT_THEME.name, "dark": DARK_THEME.name}
        if rest.casefold() not in themes:
            raise Usage(f"theme light, or theme dark, not {clean(rest, 40)!r}")
        self.theme = themes[rest.casefold()]

    def word_rules(self, rest: str) -> None:
        self._rule(rest)

    def word_help(self, rest: str) -> None:
        meant = vocabulary.meant(rest)
        if meant.word is None:
            action = keys.BY_ID[meant.action]
            keys_ = " ".join(self.keymap_.keys[action.id])
            self.say(f"{action.id}: {action.help or 'see the table of keys'}   {keys_}")
        else:
            self.say(f"{meant.word.name} {meant.word.form}: {meant.word.help}")

    def word_version(self, rest: str) -> None:
        self.say(f"graphlens {graphlens.__version__}")

    # ── of the tensor ────────────────────────────────────────────────────────────────────────

    def _in_tensor_mode(self) -> None:
        if self.mode is not Mode.TENSOR:
            raise Usage(f"that is for the tensor mode: {self.keymap_.shown('tensor_mode')} goes there")

    def word_save(self, rest: str) -> None:
        self._in_tensor_mode()
        self._save_as(rest)

    def word_against(self, rest: str) -> None:
        self._in_tensor_mode()
        self._against(rest)

    def word_element(self, rest: str) -> None:
        self._in_tensor_mode()
        self._go_to_element(rest)

    def see(self, seq: Seq, key: tuple[int | None, int | None], expression: str) -> None:
        """Show an output of an operation in the Tensor mode, by an expression."""
        self.tensor.open(seq, key)
        if self.mode is not Mode.TENSOR:
            self.came_from = self.mode
            self.show_mode(Mode.TENSOR)
        if expression.strip() not in ("", "x"):
            self.tensor.view(expression)
