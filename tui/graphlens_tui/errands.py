"""What keys do with an operation outside of the terminal UI: copy where it is, open its line in an editor."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from textual.app import SuspendNotSupported

from graphlens.session import Op
from graphlens.text import clean
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import Seq
from graphlens_tui.inspecting import Inspecting
from graphlens_tui.model import Mode


class Errands(Inspecting, inherit_bindings=False):
    """The app as these keys see it."""

    def do_copy(self) -> None:
        """The place of the selected operation, to the terminal's clipboard (OSC 52)."""
        op = self._selected_op()
        if op is None:
            self.say("no operation is selected")
            return
        place = "" if op.site is None else f"{op.site.file}:{op.site.line} "
        text = clean(f"{place}{op.node.op} #{op.seq}", 500)
        self.copy_to_clipboard(text)
        self.say(f"copied {text}")

    def do_edit(self) -> None:
        """The source line of the selected operation, in the person's editor."""
        op = self._selected_op()
        if op is None or op.site is None:
            self.say("no source line is known of this")
            return
        file = Path(self.session.run.info.cwd, op.site.file)
        command = editor(os.environ)
        if not file.is_file():
            self.say(f"{clean(str(file), 200)} is not there", wrong=True)
        elif not command:
            self.say("which editor? set VISUAL or EDITOR", wrong=True)
        else:
            self._edit([*command, f"+{op.site.line}", str(file)])

    def _edit(self, command: list[str]) -> None:
        try:
            with self.suspend():
                code = subprocess.call(command)
        except SuspendNotSupported:
            self.say("this terminal cannot be given to an editor", wrong=True)
        except OSError as error:
            self.say(f"cannot run {clean(command[0], 100)}: {error.strerror}", wrong=True)
        else:
            if code:
                self.say(f"{clean(command[0], 100)} ended with exit code {code}", wrong=True)

    def _selected_op(self) -> Op | None:
        """The operation under the cursor of the mode that is shown."""
        process, seq = self.model.process(), self.at
        if self.mode is Mode.TENSOR:
            return self.tensor.op
        if self.mode is Mode.HEALTH:
            stop, who = self.health.selected(), self.model.who()
            here = stop is not None and who is not None and stop.target[0] == who.number
            seq = Seq(stop.target[1]) if stop is not None and here else None
        elif self.mode is Mode.RUNS or self.graph.on_headline:
            seq = None
        if process is None or seq is None:
            return None
        try:
            return process.op(seq)
        except UnknownOp:
            return None  # it runs still


def editor(environment: Mapping[str, str]) -> list[str]:
    """The person's editor as a command; empty when nobody says which."""
    words = environment.get("VISUAL") or environment.get("EDITOR") or ""
    try:
        return shlex.split(words)
    except ValueError:
        return []
