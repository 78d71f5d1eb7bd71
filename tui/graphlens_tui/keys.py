"""The one table from action to key to help text: bindings, footer and help are all made from it.

Keys may be pressed one after the other ("gd"). Where one is an action and begins a longer one ("g"),
it acts when nothing follows in time, or when something else does. A person's own keys come from
`keys.toml`:

    [keys]
    follow = ["F", "ctrl+f"]

`settings` has what else can be written there.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 0.5
"""Seconds to wait whether a longer sequence is meant."""

NAMED = frozenset(
    "space tab enter escape backspace delete insert home end pageup pagedown up down left right".split()
    + [f"f{n}" for n in range(1, 25)]
)
"""Keys that have a name instead of a character, as Textual says it."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does.

    Attributes:
        id: What code and `keys.toml` call it; the app's method is `do_` and this.
        keys: What to press, as people write it: "j", "gd", "ctrl+d", "shift+tab".
        help: For the table that `?` shows.
        label: For the footer; "" when it is not there.
        group: Under which heading the help has it.
        only: The mode in which alone it has these keys, and before others; "" for everywhere.
    """

    id: str
    keys: tuple[str, ...]
    help: str
    group: str
    label: str = ""
    only: str = ""


ACTIONS: tuple[Action, ...] = (
    Action("graph_mode", ("1",), "the graph", "Modes", "Graph"),
    Action("step_mode", ("2",), "step by step: hold the script at its operations", "Modes", "Step"),
    Action("tensor_mode", ("3",), "the elements that were kept of the operation's output", "Modes", "Tensor"),
    Action("health_mode", ("4",), "health: the verdict, and where it comes from", "Modes", "Health"),
    Action("runs_mode", ("5",), "the saved runs: open, compare, export, delete", "Modes", "Runs"),
    Action("down", ("j", "down"), "one line down", "Move"),
    Action("up", ("k", "up"), "one line up", "Move"),
    Action("half_down", ("ctrl+d",), "half a screen down", "Move"),
    Action("half_up", ("ctrl+u",), "half a screen up", "Move"),
    Action("page_down", ("pagedown", "ctrl+f"), "a screen down", "Move"),
    Action("page_up", ("pageup", "ctrl+b"), "a screen up", "Move"),
    Action("top", ("g", "gg", "home"), "to the first line", "Move"),
    Action("bottom", ("G", "end"), "to the last line", "Move"),
    Action("next_step", ("}",), "to the next step", "Move"),
    Action("previous_step", ("{",), "to the beginning of this step, or of the one before", "Move"),
    Action("next_ill", ("]n",), "to the next NaN or infinity", "Find", "Next NaN"),
    Action("previous_ill", ("[n",), "to the previous NaN or infinity", "Find"),
    Action("first_ill", ("!",), "to the verdict's operation, else to the first NaN or infinity", "Find"),
    Action("search", ("/",), "search: words, op: mod: shape: line: phase: step: nan >1e4 !not",
           "Find", "Search"),
    Action("filter", ("&",), "show only what fits, in the same words; escape shows all again", "Find"),
    Action("next_match", ("n",), "to the next match", "Find"),
    Action("previous_match", ("N",), "to the previous match", "Find"),
    Action("producer", ("gd",), "to the operation that made an input", "Follow values", "Producer"),
    Action("consumer", ("gr",), "to an operation that reads the result", "Follow values"),
    Action("twin", ("gt",), "to its other half: forward or backward", "Follow values"),
    Action("back", ("backspace",), "back to where you jumped from", "Follow values", "Back"),
    Action("trace", ("t",), "highlight what it was computed from, and what reads it", "Follow values"),
    Action("next_call", (")",), "the same operation in the next step or call", "Follow values"),
    Action("previous_call", ("(",), "the same operation in the step or call before", "Follow values"),
    Action("fold", ("space",), "fold or unfold the module call, or the step", "Fold", "Fold"),
    *(
        Action(f"fold_to_{depth}", (f"z{depth}",), "", "Fold")
        for depth in range(1, 10)
    ),
    Action("fold_steps", ("z0",), "fold every step to its headline", "Fold"),
    Action("judge", ("r",), "judge again what has run so far", "Health", "Judge again"),
    Action("rules", ("e",), "edit the rules that the whole run is held against", "Health", "Rules"),
    Action("pause", ("p",), "stop a script that runs, at its next operation", "Step", "Pause"),
    Action("step_into", ("s", "f11"), "to the next operation", "Step", "Into", "step"),
    Action("step_over", ("n", "f10"), "to the next one of this module, or outside", "Step", "Next", "step"),
    Action("step_out", ("u", "shift+f11", "f23"), "out of this module", "Step", "Out", "step"),
    Action("go_on", ("c", "f5"), "on, to the next breakpoint", "Step", "Go on", "step"),
    Action("after", (".",), "run this operation, and stop right after it", "Step", only="step"),
    Action("step_line", ("l",), "to the next line of your source", "Step", only="step"),
    Action("to_cursor", ("t",), "on, to the line of the cursor", "Step", only="step"),
    Action("to_phase", ("P",), "to the next phase: forward, backward, optimizer", "Step", only="step"),
    Action("to_training_step", ("}",), "to the next training step", "Step", only="step"),
    Action("to_non_finite", ("]n",), "to the birth of the next NaN or infinity", "Step", only="step"),
    Action("back_into", ("S",), "back by one operation; the script stays held", "Step", only="step"),
    Action("back_over", ("N",), "back by one operation of this module", "Step", only="step"),
    Action("back_out", ("U",), "back to before this module", "Step", only="step"),
    Action("back_on", ("C",), "back to the breakpoint before", "Step", only="step"),
    Action("break_here", ("b", "f9"), "stop at this line or operation, or no more", "Step", "Break", "step"),
    Action("watch", ("w",), "stop after what makes nan, absmax>1e4, ...", "Step", "Watch", "step"),
    Action("toggle_breakpoint", ("space",), "let the chosen breakpoint stop, or not", "Step", only="step"),
    Action("delete_breakpoint", ("d", "delete"), "delete the chosen breakpoint", "Step", only="step"),
    Action("evaluate", ("e",), "Python in the frame of the script", "Step", "Eval", "step"),
    Action("inspect", ("i",), "the elements of the operation's tensors", "Step", only="step"),
    Action("replace", ("I",), "replace a tensor by an expression, and go on with it", "Step", only="step"),
    Action("restart", ("R",), "run the script again, to the same operation", "Step", only="step"),
    Action("words", (":",), "words of the debugger: until, tbreak, pdb, detach, ...", "Step", only="step"),
    Action("next_section", ("tab",), "to the next frame of the screen", "Step", only="step"),
    Action("previous_section", ("shift+tab",), "to the frame before", "Step", only="step"),
    Action("step_detail", ("enter",), "to it in the graph, or to its elements", "Step", only="step"),
    Action("left", ("h", "left"), "one column to the left", "Tensor", only="tensor"),
    Action("right", ("l", "right"), "one column to the right", "Tensor", only="tensor"),
    Action("first_column", ("0",), "to the first column", "Tensor", only="tensor"),
    Action("last_column", ("$",), "to the last column", "Tensor", only="tensor"),
    Action("next_index", ("]",), "the next index of the chosen dimension", "Tensor", only="tensor"),
    Action("previous_index", ("[",), "the index before", "Tensor", only="tensor"),
    Action("dimension", ("d",), "choose the next dimension", "Tensor", only="tensor"),
    Action("along_x", ("x",), "show the chosen dimension across; it changes places", "Tensor", only="tensor"),
    Action("along_y", ("y",), "show the chosen dimension down; it changes places", "Tensor", only="tensor"),
    Action("element", ("@",), "go to an element: 3,7", "Tensor", only="tensor"),
    Action("next_bad", ("n", "]n"), "to the next element that is not finite", "Tensor", "Next ∞/NaN",
           "tensor"),
    Action("previous_bad", ("N", "[n"), "to the previous one", "Tensor", only="tensor"),
    Action("next_part", ("i",), "the next of its outputs and inputs", "Tensor", only="tensor"),
    Action("previous_part", ("I",), "the one before", "Tensor", only="tensor"),
    Action("step_after", ("}",), "the same in the next step in which it was kept", "Tensor", only="tensor"),
    Action("step_before", ("{",), "the same in the step before", "Tensor", only="tensor"),
    Action("heat", ("v",), "numbers, or a map of their sizes", "Tensor", "Map", "tensor"),
    Action("number_format", ("%",), "the next format of numbers", "Tensor", only="tensor"),
    Action("expression", ("e",), "see an expression over x; an empty line goes back", "Tensor",
           "Expression", "tensor"),
    Action("difference", ("D",), "hold it against another step or operation", "Tensor", "Diff", "tensor"),
    Action("save", ("w",), "save what is seen as .npy", "Tensor", "Save .npy", "tensor"),
    Action("mark", ("m",), "mark the run, or take its mark away; two can be compared", "Runs", "Mark"),
    Action("compare", ("=",), "what differs between the two marked runs", "Runs", "Compare"),
    Action("delete", ("d", "delete"), "delete the run, after a question", "Runs", "Delete"),
    Action("boxes", ("B",), "the graph as boxes, or as lanes again", "Boxes", "Boxes"),
    Action("box_left", ("h", "left"), "to the box on the left", "Boxes", only="boxes"),
    Action("box_right", ("l", "right"), "to the box on the right", "Boxes", only="boxes"),
    Action("larger", ("+",), "say more in each box: names, shapes, numbers", "Boxes", "Zoom", "boxes"),
    Action("smaller", ("-",), "say less", "Boxes", only="boxes"),
    Action("plumbing", ("v",), "show or hide operations that compute nothing", "Boxes", "Plumbing", "boxes"),
    Action("overview", ("m",), "show or hide the overview", "Boxes", only="boxes"),
    Action("follow", ("f",), "follow the end of a run that grows, or stop following", "View", "Follow"),
    Action("next_pane", ("tab",), "to the next pane", "View"),
    Action("previous_pane", ("shift+tab",), "to the previous pane", "View"),
    Action("detail", ("enter",), "unfold, into the function it calls, or to the details", "View", "Go there"),
    Action("zoom", ("z", "zz"), "give the pane the whole screen, or take it back", "View"),
    Action("output", ("o",), "the script's output, whole screen; typing goes to it", "View", "Output"),
    Action("export", ("x",), "write a picture of the step under the cursor, or of the run", "View", "Export"),
    Action("copy", ("y",), "copy where the operation is, to the terminal's clipboard", "View"),
    Action("edit", ("ctrl+e",), "its source line, in your editor (VISUAL or EDITOR)", "View"),
    Action("command", (":",), "a line of words: every action, op 84, step 3, open RUN, and tfdbg's", "View"),
    Action("palette", ("ctrl+p",), "an action, a module, an operation, by a few letters", "View"),
    Action("side_wider", ("<",), "the details wider; the mouse can drag the line, too", "View"),
    Action("side_narrower", (">",), "the details narrower", "View"),
    Action("bottom_higher", ("+",), "the output below the graph higher", "View"),
    Action("bottom_lower", ("-",), "the output lower", "View"),
    Action("sizes", ("|",), "all panes as large as they were at first", "View"),
    Action("source", ("s",), "the source, whole screen: what each line computed in this step", "View"),
    Action("graphs", ("P",), "a list of graphs, functions and processes: go to one", "View"),
    Action("theme", ("T",), "light or dark", "View"),
    Action("about", ("a",), "about this run: how it ended, what was not seen", "View"),
    Action("help", ("?", "f1"), "this table", "View", "Help"),
    Action("leave", ("q", "ctrl+q", "ctrl+c"), "leave; asks when the script still runs", "View", "Leave"),
)  # fmt: skip
"""Everything that has a key, in the order of the help."""

GRAPH_ONLY = frozenset(
    "next_step previous_step next_match previous_match producer consumer twin fold fold_steps follow".split()
    + "trace next_call previous_call source graphs boxes".split()
    + [f"fold_to_{depth}" for depth in range(1, 10)]
)
"""What is about the lines of the graph, and does nothing elsewhere."""
RUNS_ONLY = frozenset(("mark", "compare", "delete"))
"""What is about the list of saved runs."""
BY_ID = {action.id: action for action in ACTIONS}
LEAVE_OUTPUT = ("escape", "ctrl+o")
"""While keys go to the script, these two come back to us; all others are the script's."""


def tokens(key: str) -> tuple[str, ...]:
    """The single presses of a key as people write it: "gd" is two, "ctrl+d" and "space" are one."""
    return (key,) if key in NAMED or ("+" in key and len(key) > 1) else tuple(key)


@dataclass
class Keymap:
    """Which presses do what.

    Attributes:
        keys: For each action what to press.
        wrong: What of the person's own keys could not be used, a sentence each.
    """

    keys: dict[str, tuple[str, ...]] = field(default_factory=lambda: {one.id: one.keys for one in ACTIONS})
    wrong: list[str] = field(default_factory=list)
    _table: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict, repr=False)
    _begin: set[tuple[str, tuple[str, ...]]] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        for action, keys in self.keys.items():
            only = BY_ID[action].only
            for key in keys:
                presses = tokens(key)
                if (only, presses) in self._table:
                    self.wrong.append(
                        f"{key!r} is both {self._table[only, presses]} and {action}; it stays the first"
                    )
                    continue
                self._table[only, presses] = action
                self._begin.update((only, presses[:cut]) for cut in range(1, len(presses)))

    def action(self, presses: tuple[str, ...], mode: str = "") -> str | None:
        """What a whole sequence does in a mode."""
        return self._table.get((mode, presses)) or self._table.get(("", presses))

    def begins(self, presses: tuple[str, ...], mode: str = "") -> bool:
        """Whether a longer sequence begins like this."""
        return (mode, presses) in self._begin or ("", presses) in self._begin

    def shown(self, action: str) -> str:
        """The first key of an action, for the footer; "" when it has none."""
        return next(iter(self.keys.get(action, ())), "")


def merged(wishes: Mapping[str, Sequence[str]], wrong: list[str]) -> Keymap:
    """The table with a person's own keys in it: theirs win over ours."""
    keys: dict[str, tuple[str, ...]] = {}
    for action, wished in wishes.items():
        if action not in BY_ID:
            wrong.append(f"there is no action {action!r}")
        elif not isinstance(wished, list) or not all(isinstance(key, str) and key for key in wished):
            wrong.append(f"{action}: must be a list of keys")
        else:
            keys[action] = tuple(wished)
    taken = {tokens(key) for wished in keys.values() for key in wished}
    for ours in ACTIONS:
        if ours.id not in keys:
            keys[ours.id] = tuple(key for key in ours.keys if tokens(key) not in taken)
    return Keymap(keys, wrong)


def keys_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where a person's own keys are: $GRAPHLENS_KEYS, else graphlens/keys.toml among the settings."""
    if chosen := environment.get("GRAPHLENS_KEYS"):
        return Path(chosen)
    settings = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(settings) if os.path.isabs(settings) else Path(environment.get("HOME", "")) / ".config"
    return folder / "graphlens" / "keys.toml"


def load(path: Path | None = None) -> Keymap:
    """The keys of this person; what is wrong with their file is said in `wrong`, and ours are used."""
    file = keys_file() if path is None else path
    try:
        wishes = tomllib.loads(file.read_text(encoding="utf-8")).get("keys", {})
    except FileNotFoundError:
        return Keymap()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return Keymap(wrong=[f"{file} cannot be read: {error}"])
    if not isinstance(wishes, dict):
        return Keymap(wrong=[f"{file}: keys must be a table"])
    return merged(wishes, [])


def help_rows(keymap: Keymap) -> list[tuple[str, str, str]]:
    """(heading, keys, what they do) for each row of the help; the nine folds are one row."""
    rows = []
    for action in ACTIONS:
        keys = " ".join(keymap.keys[action.id])
        if action.id == "fold_to_1":
            last = " ".join(keymap.keys["fold_to_9"])
            rows.append((action.group, f"{keys}…{last}", "fold modules so that this many levels are open"))
        elif not action.id.startswith("fold_to_"):
            rows.append((action.group, keys, action.help))
    return rows
