"""What a picture says about itself: its title, and what is folded, hidden and left out."""

from __future__ import annotations

from graphlens.letters import count_text, elements
from graphlens.view.links import Drawing
from graphlens.view.subject import Forward, Subject
from graphlens_tracers.events import Phase

NAMED = ("name scope", "variable_scope")
"""Kinds of TensorFlow's scopes, which are no classes."""


def notes_of(drawing: Drawing) -> list[str]:
    """What is shown and what is not."""
    forward, tree = drawing.forward, drawing.tree
    notes = [f"{len(forward.nodes):,} ops in {sum(1 for box in drawing.boxes if box.members):,} boxes"]
    parameters = {
        leaf.value: elements(leaf.spec)
        for row in forward.reads
        for read in row
        if (leaf := drawing.subject.leaves.get(read.value)) is not None and leaf.kind == "parameter"
    }
    if parameters:
        notes.append(f"{count_text(sum(parameters.values()))} parameters")
    drawn = {i for i, extra in enumerate(drawing.extra) if not extra}
    folded = [g for g in tree.copies if tree.groups[g].first in drawn]
    if folded:
        said = [f"{drawing.name_of(g)} ×{len(tree.copies[g])}" for g in folded[:3]]
        more = f" and {len(folded) - 3} more" if len(folded) > 3 else ""
        notes.append("drawn once: " + ", ".join(said) + more)
    hidden = [
        f"{count:,} {what}{'s' if count != 1 else ''}"
        for count, what in (
            (forward.aliases, "no-op"),
            (forward.numbers, "constant"),
            (forward.dead, "dead end"),
        )
        if count
    ]
    if hidden:
        notes.append("hidden: " + ", ".join(hidden))
    if drawing.subject.outside:
        notes.append(f"not in this part: {drawing.subject.outside:,} ops")
    left: dict[Phase, int] = {}
    shown = {node.node for node in forward.nodes}
    for node in drawing.subject.nodes:
        if node.node not in shown and node.phase in (Phase.OPTIMIZER, Phase.OTHER):
            left[node.phase] = left.get(node.phase, 0) + 1
    if left:
        notes.append("left out: " + ", ".join(f"{count:,} {phase} ops" for phase, count in left.items()))
    return notes


def title_of(subject: Subject, forward: Forward) -> str:
    """The models in the picture by their classes, and which part of them it is."""
    whole = _models(subject, forward)
    return f"{whole} · {subject.part}" if subject.part else whole


def _models(subject: Subject, forward: Forward) -> str:
    """The classes of the outermost modules; the subject's own name where there is none."""
    roots: dict[str, str] = {}
    for call in {node.module_call: None for node in forward.nodes if node.module_call is not None}:
        said = subject.module_calls.get(call)
        while said is not None and said.parent is not None and said.parent in subject.module_calls:
            if (
                said.scope not in subject.regions
                and subject.module_calls[said.parent].scope in subject.regions
            ):
                break
            said = subject.module_calls[said.parent]
        scope = subject.scopes.get(said.scope) if said is not None else None
        if (
            said is not None
            and scope is not None
            and scope.kind not in NAMED
            and said.scope not in subject.regions
        ):
            roots[str(said.scope)] = scope.kind or scope.path
    names: dict[str, int] = {}
    for name in roots.values():
        names[name] = names.get(name, 0) + 1
    if not names:
        return subject.name
    titles = [name if count == 1 else f"{count} {name}" for name, count in names.items()]
    return " + ".join(titles[:3]) + (f" + {len(titles) - 3} more" if len(titles) > 3 else "")
