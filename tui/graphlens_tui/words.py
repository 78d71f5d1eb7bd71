"""Numbers, times and endings as people say them, in as few characters as a column has."""

from __future__ import annotations

import math
import signal
import time

from graphlens.session import OutputSeen, RunInfo, RunState


def number(value: float) -> str:
    """Four digits: "-1349", "804.4", "1.9e4"; infinities and NaN by sign."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value + 0.0:.4g}"  # no "-0"
    if "e" in text:
        digits, _, power = f"{value:.3g}".partition("e")
        text = f"{digits}e{int(power)}"
    return text


def between(low: float | None, high: float | None) -> str:
    """The range of some numbers: "-1…2.5", or the one number when they are all the same."""
    if low is None or high is None:
        return ""
    if math.isnan(low) or math.isnan(high):
        return "NaN"
    return number(low) if low == high else f"{number(low)}…{number(high)}"


def health(output: OutputSeen) -> str:
    """What is not finite, with counts where they are known: "NaN×32 ∞×4"."""
    parts = []
    for count, what in ((output.nan, "NaN"), (output.pos_inf, "∞"), (output.neg_inf, "-∞")):
        if count:
            parts.append(f"{what}×{count}")
    if parts:
        return " ".join(parts)
    low, high = output.low, output.high
    if low is not None and high is not None and (math.isnan(low) or math.isnan(high)):
        return "NaN"
    return between(low, high)


def values(output: OutputSeen) -> str:
    """The numbers of an output in one word; "" when they were not looked at."""
    if not output.looked_at:
        return ""
    if output.low is None and not (output.nan or output.pos_inf or output.neg_inf):
        return "empty"
    return health(output) if output.finite is False else between(output.low, output.high)


def duration(took_ns: int) -> str:
    """ "19 µs", "1.50 ms"."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if took_ns >= size:
            amount = took_ns / size
            return f"{amount:.{2 if amount < 10 else 1 if amount < 100 else 0}f} {unit}"
    return f"{took_ns} ns"


def count(many: int) -> str:
    """At most five characters: "9,999", "87.3k", "1.00M"."""
    if many < 10_000:
        return f"{many:,}"
    for unit, size in (("M", 10**6), ("k", 10**3)):
        if many >= size:
            amount = many / size
            return f"{amount:.{2 if amount < 10 else 1 if amount < 100 else 0}f}{unit}"
    raise AssertionError("unreachable: every count of five digits has thousands")


def signal_name(number: int) -> str:
    """ "SIGKILL"; real-time signals have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def ending(state: RunState, info: RunInfo) -> str:
    """How a run stands, in a word or two."""
    if state is RunState.FINISHED:
        if info.signal is not None:
            return f"killed by {signal_name(info.signal)}"
        return f"exit code {info.exit_code}" if info.exit_code else "finished"
    return str(state)


def why_ended(state: RunState, info: RunInfo) -> str:
    """The same as a sentence for somebody who wonders; "" while it runs."""
    if state is RunState.LOST:
        return "its recorder was killed, or its machine stopped"
    if state is not RunState.FINISHED:
        return ""
    if info.signal is not None:
        return f"the script was killed by {signal_name(info.signal)}"
    return f"the script ended with exit code {info.exit_code}"


def when(at: float, now: float) -> str:
    """A moment in the past: "12:41 today", "yesterday", "Nov 20", "2025-11-20"."""
    try:
        then, today = time.localtime(at), time.localtime(now)
        before = time.localtime(now - 86_400)
    except (OverflowError, ValueError, OSError):  # a run.json may say anything
        return "?"
    if then[:3] == today[:3]:
        return time.strftime("%H:%M today", then)
    if then[:3] == before[:3]:
        return "yesterday"
    if then.tm_year == today.tm_year:
        return f"{time.strftime('%b', then)} {then.tm_mday}"
    return time.strftime("%Y-%m-%d", then)


def moment(at: float) -> str:
    """ "2025-11-20 12:41:09"."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "?"
