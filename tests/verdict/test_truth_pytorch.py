"""What the comments of every PyTorch case claim is what the run shows, without graphlens."""

from __future__ import annotations

from pathlib import Path

import pytest

from verdict.observed_pytorch import Event, Seen, observed
from verdict.truth import Origin, cases, truth

CASES = cases("pytorch")


def same_place(event: Event, claim: Origin) -> bool:
    """The line, the operation and what it made."""
    return (event.line, event.op, event.kind) == (claim.line, claim.op, claim.kind)


def shows(event: Event, claim: Origin, seen: Seen) -> bool:
    """All that a claim of a harmful number says of its birth."""
    if not same_place(event, claim) or event.step != claim.step:
        return False
    own = event.phase == "forward" and not claim.forward  # which part of a script that is, its author says
    if event.phase != claim.phase and not (own and claim.phase in ("data", "optimizer", "other")):
        return False
    if not claim.forward:
        return event.module == claim.module
    return (claim.forward, claim.module) in seen.ran[claim.line] and differentiates(event, claim.forward)


def differentiates(event: Event, forward: str) -> bool:
    """The autograd node has the name of the forward operation."""
    name = forward.split(".")[1].replace("_", "")
    return event.node.lower().startswith(name.lower())


def declared(event: Event) -> bool:
    """The script says the number itself, as a mask or a border."""
    return event.how == "constant" or (event.how == "outside" and event.kind == "inf")


def harmed(seen: Seen, index: int, claim: Origin) -> bool:
    """The first harm after the event is the one claimed; one that is only printed is found by its words."""
    first = next((what for after, what, _ in seen.harms if after > index), "output")
    if first == "output":
        if claim.phase == "optimizer" and claim.reached == "parameter":
            return True  # a new tensor takes the parameter's place: only its author knows that
        said = any(word in seen.printed + seen.error for word in ("nan", "inf"))
        return claim.reached in ("output", "loss") and said
    if claim.phase == "backward" and first == "parameter":
        return claim.reached == "gradient"  # of an update without an optimizer
    return first == claim.reached


def test_there_are_enough() -> None:
    """A third of them healthy."""
    healthy = [path for path in CASES if truth(path).born is None]
    assert len(CASES) >= 120 and 3 * len(healthy) >= len(CASES)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_truth(path: Path) -> None:
    claims, seen = truth(path), observed(path)

    for claim in claims.benign:
        assert any(same_place(event, claim) for event in seen.events + seen.unread), claim
    for claim in claims.also:
        assert any(shows(event, claim, seen) for event in seen.events), claim
    harmless = [
        any(same_place(event, claim) for claim in claims.benign)
        and not (claims.born and shows(event, claims.born, seen))
        for event in seen.events
    ]
    if claims.born is None:
        # NaN of infinities that are marked is where they pass.
        made = [e for e, known in zip(seen.events, harmless, strict=True) if not known]
        assert [event for event in made if event.how != "indeterminate"] == []
        assert (seen.harms, seen.left, seen.error) == ([], set(), "")
        return
    # A constant is no birth, and neither are infinities from outside, unless it is the one that is claimed.
    births = [
        index
        for index, event in enumerate(seen.events)
        if not harmless[index] and (not declared(event) or same_place(event, claims.born))
    ]
    assert births, seen.events
    assert shows(seen.events[births[0]], claims.born, seen), seen.events[births[0]]
    assert harmed(seen, births[0], claims.born), seen.harms[:3]
