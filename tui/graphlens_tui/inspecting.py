"""What the keys of the Tensor mode do."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from textual.app import App

from graphlens.elements import Array
from graphlens.session import Session
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import Seq
from graphlens_tui.elsewhere import op_in_step, same_ops
from graphlens_tui.keys import Keymap
from graphlens_tui.listing import Opened
from graphlens_tui.messages import Said
from graphlens_tui.model import Mode, Model
from graphlens_tui.panes.graph import GraphPane
from graphlens_tui.panes.health import HealthPane
from graphlens_tui.panes.tensor import TensorPane
from graphlens_tui.tensors import find
from graphlens_tui.widgets.dialogs import Ask, Choice


class Inspecting(App[Opened], inherit_bindings=False):
    """The app as the keys of the Tensor mode see it."""

    session: Session
    model: Model
    keymap_: Keymap
    graph: GraphPane
    health: HealthPane
    tensor: TensorPane
    at: Seq | None
    mode: Mode
    came_from: Mode = Mode.GRAPH

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Say something in the status line until the next key."""
        raise AssertionError("the app says it")

    def show_mode(self, mode: Mode) -> None:
        """Give the whole screen to a mode."""
        raise AssertionError("the app shows it")

    def go_to(self, seq: Seq, *, jump: bool = True) -> None:
        """Select an operation in the graph; a jump can be taken back."""
        raise AssertionError("the commands do it")

    # ── in and out ───────────────────────────────────────────────────────────────────────────

    def do_tensor_mode(self) -> None:
        """Of the operation under the cursor of the mode that is left."""
        if self.mode is Mode.TENSOR:
            return
        seq = None if self.mode is Mode.GRAPH and self.graph.on_headline else self.at
        if self.mode is Mode.HEALTH:
            stop, who = self.health.selected(), self.model.who()
            if stop is None or who is None or stop.target[0] != who.number:
                self.say("the cursor is on no operation of the process that is shown")
                return
            seq = Seq(stop.target[1])
        if seq is None:
            self.say("the cursor is on no operation")
            return
        try:
            self.tensor.open(seq)
        except UnknownOp as error:
            self.say(str(error), wrong=True)
            return
        self.came_from = self.mode
        self.show_mode(Mode.TENSOR)

    def do_graph_of_tensor(self) -> None:
        """Show the operation in the graph."""
        if self.tensor.op is not None:
            self.go_to(self.tensor.op.seq)

    def do_next_part(self) -> None:
        self.tensor.other_part(1)

    def do_previous_part(self) -> None:
        self.tensor.other_part(-1)

    def do_step_after(self) -> None:
        self._another_step(forward=True)

    def do_step_before(self) -> None:
        self._another_step(forward=False)

    def _another_step(self, *, forward: bool) -> None:
        shown, op, key = self.model.shown, self.tensor.op, self.tensor.key
        if shown is None or op is None or self._is_of_held():
            return
        process, seq = shown.process, op.seq

        def search() -> None:
            for other, name in same_ops(process, seq, forward=forward):
                if find(process, process.op(other), key, far=False) is not None:
                    self.call_from_thread(self.tensor.open, other, key)
                    self.post_message(Said(name))
                    return
            self.post_message(Said(f"it was not kept {'after' if forward else 'before'} this"))

        self.run_worker(search, thread=True, group="step", exclusive=True)

    # ── the cursor ───────────────────────────────────────────────────────────────────────────

    def do_left(self) -> None:
        self.tensor.move_by(0, -1)

    def do_right(self) -> None:
        self.tensor.move_by(0, 1)

    def do_first_column(self) -> None:
        self.tensor.move_by(0, -(1 << 40))

    def do_last_column(self) -> None:
        self.tensor.move_by(0, 1 << 40)

    def do_next_bad(self) -> None:
        self._go_to_bad(forward=True)

    def do_previous_bad(self) -> None:
        self._go_to_bad(forward=False)

    def _go_to_bad(self, *, forward: bool) -> None:
        why = self.tensor.go_to_bad(forward=forward)
        if why:
            self.say(why)

    def do_element(self) -> None:
        self.push_screen(Ask("element, for example 3,7", ""), self._go_to_element)

    def _go_to_element(self, text: str | None) -> None:
        sheet = self.tensor.sheet
        if not text or sheet is None:
            return
        if not re.fullmatch(r"[@\[(\s]*-?\d{1,18}(\s*,\s*-?\d{1,18})*[\])\s]*", text):
            self.say(f"{text!r} is no place: 3,7", wrong=True)
        elif not sheet.go_to([int(number) for number in re.findall(r"-?\d+", text)]):
            self.say(f"there is no element {text.strip()} here", wrong=True)
        self.tensor.move_by(0, 0)

    # ── the slice ────────────────────────────────────────────────────────────────────────────

    def do_next_index(self) -> None:
        self._turn(1)

    def do_previous_index(self) -> None:
        self._turn(-1)

    def _turn(self, by: int) -> None:
        sheet = self.tensor.sheet
        if sheet is None:
            return
        if not sheet.turn(by):
            self.say("there is no further index" if sheet.hidden else "all its dimensions are seen")
        self.tensor.move_by(0, 0)

    def do_dimension(self) -> None:
        sheet = self.tensor.sheet
        if sheet is not None and not sheet.choose():
            self.say("all its dimensions are seen")
        self.tensor.move_by(0, 0)

    def do_along_x(self) -> None:
        self._assign(across=True)

    def do_along_y(self) -> None:
        self._assign(across=False)

    def _assign(self, *, across: bool) -> None:
        sheet = self.tensor.sheet
        if sheet is not None and not sheet.assign(across=across):
            self.say("it has one dimension")
        self.tensor.move_by(0, 0)

    # ── looks ────────────────────────────────────────────────────────────────────────────────

    def do_heat(self) -> None:
        self.tensor.toggle_heat()

    def do_number_format(self) -> None:
        self.tensor.next_format()

    def do_expression(self) -> None:
        if self.tensor.tensor is None:
            self.say("there are no elements")
            return
        prompt = "an expression over x, for example x[0].flip(1) or torch.fft.rfft(x).abs()"
        self.push_screen(Ask(prompt, self.tensor.expression), self._view)

    def _view(self, text: str | None) -> None:
        if text is not None:
            self.tensor.view("" if text.strip() == "x" else text)

    # ── differences ──────────────────────────────────────────────────────────────────────────

    def _is_of_held(self) -> bool:
        """Whether the tensor is that of an operation that has no row yet; says so."""
        if self.tensor.held is not None:
            self.say("it is held: it can be held against others once it is recorded")
        return self.tensor.held is not None

    def do_difference(self) -> None:
        if self._is_of_held():
            return
        self.push_screen(Ask("against: step 3, or op 84; empty: the step before", ""), self._against)

    def _against(self, text: str | None) -> None:
        shown, op = self.model.shown, self.tensor.op
        if text is None or shown is None or op is None:
            return
        found = re.fullmatch(r"\s*(?:(step|op|#)?\s*(\d{1,18}))?\s*", text)
        if found is None:
            self.say(f"{text!r} is neither a step nor an op", wrong=True)
            return
        kind, digits = found.groups()
        if digits is None:
            self.tensor.hold_against(None)
            return
        process, seq, name = shown.process, Seq(int(digits)), f"{kind if kind == 'step' else 'op'} {digits}"
        try:
            seq = op_in_step(process, op.seq, seq) if kind == "step" else process.op(seq).seq
        except UnknownOp as error:
            self.say(str(error), wrong=True)
            return
        if find(process, process.op(seq), self.tensor.key) is None:
            self.say(f"it was not kept in {name}", wrong=True)
        else:
            self.tensor.hold_against((seq, name))

    # ── saving ───────────────────────────────────────────────────────────────────────────────

    def do_save(self) -> None:
        op, key = self.tensor.op, self.tensor.key
        if self.tensor.tensor is None or op is None:
            self.say("there are no elements")
            return
        which = f"out{key[1]}" if key[1] is not None else f"in{key[0]}"
        self.push_screen(Ask("save as", f"op{op.seq}-{which}.npy"), self._save_as)

    def _save_as(self, name: str | None) -> None:
        tensor = self.tensor.tensor
        if not name or not name.strip() or tensor is None:
            return
        path = Path(name.strip()).expanduser()
        array = tensor.view.array
        if not path.exists():
            self._save(path, array, "xb")
            return

        def answered(answer: str | None) -> None:
            if answer == "o":
                self._save(path, array, "wb")

        answers = [("o", "overwrite it"), ("c", "cancel")]
        self.push_screen(Choice("overwrite?", f"{path} is there already", answers), answered)

    def _save(self, path: Path, array: Array, mode: str) -> None:
        """Write away from this thread."""

        def write() -> None:
            try:
                with path.open(mode) as out:
                    np.save(out, array, allow_pickle=False)
            except OSError as error:
                self.post_message(Said(f"cannot write {path}: {error.strerror}", wrong=True))
            else:
                self.post_message(Said(f"saved {path}"))

        self.run_worker(write, thread=True, group="save")
