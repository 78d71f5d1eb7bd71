"""What the cases say of themselves is what running them without graphlens shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from verdict.observed_tensorflow import Observed, Observer, Seen  # needs TensorFlow
from verdict.truth import Origin, Truth, cases, truth

CASES = cases("tensorflow")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_says_what_running_it_shows(path: Path) -> None:
    """Else the verdict is measured by what is wrong."""
    claims, shown = truth(path), Observer(path).observe()

    for benign in claims.benign:
        assert any(_same(benign, seen) for seen in shown.seen), f"not seen: {benign}"
    if claims.born is None:
        _is_healthy(claims, shown)
    else:
        _is_ill(claims, claims.born, shown)


@pytest.mark.parametrize("wrong", ["step=2", "op=Sqrt", "reached=gradient", "module=model"])
def test_a_wrong_claim_is_found(tmp_path: Path, wrong: str) -> None:
    """Else all of them would be believed."""
    field = wrong.partition("=")[0]
    case = CASES[0].with_name("softmax_then_log.py").read_text(encoding="utf-8")
    (tmp_path / "case.py").write_text(re.sub(rf"{field}=\S*", wrong, case), encoding="utf-8")

    with pytest.raises(AssertionError):
        test_a_case_says_what_running_it_shows(tmp_path / "case.py")


def test_a_third_of_the_cases_is_healthy() -> None:
    """A verdict that blames everything would pass the others."""
    healthy = [path for path in CASES if truth(path).born is None]

    assert len(CASES) >= 80 and 3 * len(healthy) >= len(CASES)


def _is_healthy(claims: Truth, shown: Observed) -> None:
    assert claims.benign, "nothing in it is not finite"
    assert not claims.also and shown.raised is None and not shown.bad
    assert "nan" not in shown.printed and "inf" not in shown.printed
    for seen in shown.seen:
        assert not seen.made or _is_benign(claims, seen), f"not told: {seen}"


def _is_ill(claims: Truth, born: Origin, shown: Observed) -> None:
    harmful = [seen for seen in shown.seen if seen.line and not _is_benign(claims, seen)]
    if born.phase != "data":
        harmful = [seen for seen in harmful if seen.made]
    first = harmful[0]
    for origin, seen in [(born, first)] + [(o, _find(o, harmful)) for o in claims.also]:
        phases = seen.phases | ({"data"} if not seen.made else set())
        assert _same(origin, seen) and origin.phase in phases, f"{origin}: {seen}"
        assert origin.step is None or origin.step in seen.steps, f"{origin}: {seen}"
        assert origin.module == seen.module and origin.forward == seen.forward, f"{origin}: {seen}"
        assert origin.iteration is None or origin.iteration in seen.iterations, f"{origin}: {seen}"
    reached = next((kind for number, kind in shown.harms if number >= first.number), None)
    assert born.reached == (reached or ("loss" if shown.raised else "output"))


def _find(origin: Origin, among: list[Seen]) -> Seen:
    return next(seen for seen in among if _same(origin, seen))


def _same(origin: Origin, seen: Seen) -> bool:
    return (origin.line, origin.op, origin.kind) == (seen.line, seen.op, seen.kind)


def _is_benign(claims: Truth, seen: Seen) -> bool:
    return any(_same(benign, seen) for benign in claims.benign)
