"""Runs with hostile names, and what an exporter makes of a run."""

from __future__ import annotations

import io
from pathlib import Path

from factories import leaf, new_run, ran, seen
from graphlens.exporters import Exporter, Options, check, exporter_for
from graphlens.store import Run
from graphlens_tracers.errors import NotInstalled
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    GraphId,
    ModuleCallId,
    ModuleCallSeen,
    ScopeId,
    ScopeSeen,
    Seq,
    SiteId,
    SiteSeen,
)

HOSTILE = [
    "quo\"te's `tick`",
    "]]> <!--",
    "&amp;&lt;&#x41;&evil;",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "+1-1",
    "@SUM(A1)",
    "nul \x00 esc \x1b[31m bell \x07",
    "new\nline\r\ttab",
    "bidi \u202eevil\u202c \u2066x\u2069 zero\u200bwidth \ufeff",
    "half \ud800 character",
    'back\\slash \\N \\"',
    "a:b -> c; subgraph end",
    '%%{init: {"theme": "x"}}%% #35; end',
    "../../etc/passwd/",
    "🙂 名前 ميسا Ω",
    "$(touch x) ${x} {{x}}",
    "",
    "x" * 1_000_000,
]


def hostile_run(path: Path) -> Run:
    """A chain of operations, each with everything about it called by one of the names."""
    log = new_run(path, name='run "]]> <x> &amp; =1')
    nodes, leaves = [], []
    for k, name in enumerate(HOSTILE):
        log.declare(
            ScopeSeen(ScopeId(k), None, name, name),
            ModuleCallSeen(ModuleCallId(k), None, ScopeId(k)),
            SiteSeen(SiteId(k), None, f"/{name}/{name}.py", k + 1, 0, k + 1, 9, name),
        )
        leaves.append(leaf(1000 + k, name, "parameter", 2, 3))
        inputs = [1000 + k] if k == 0 else [k - 1, 1000 + k]
        nodes.append(
            ran(k, inputs=inputs, op=name or "empty", scope=ScopeId(k), module_call=k, site=k, form=name)
        )
    log.declare(*seen(*nodes, leaves=leaves, name=HOSTILE[3]))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train"))
    log.ran(*range(len(nodes)))
    log.calls(CallEnded(CallId(0), Seq(len(nodes) - 1)))
    log.finish()
    return Run(path)


def needs(exporter: Exporter) -> bool:
    """Whether an exporter has what it needs."""
    try:
        check(exporter)
    except NotInstalled:
        return False
    return True


def exported(run: Run, name: str, options: Options | None = None) -> bytes:
    """What an exporter writes."""
    out = io.BytesIO()
    exporter_for("-", name).export(run, out, options or Options())
    return out.getvalue()
