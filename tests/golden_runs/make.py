"""Record the golden runs again: `PYTHONPATH=tests python tests/golden_runs/make.py NAME`, once a format.

A run is kept as `NAME.zip` and what it says as `NAME.json`, for the readers of later versions. The
paths of the machine that it was made on are others in it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from graphlens.cli import main
from graphlens.store import Run
from graphlens_tracers import wire

HERE = Path(__file__).parent
SCRIPTS = HERE.parent / "scripts" / "golden_runs"
_WHEN = (2026, 1, 1, 0, 0, 0)


def facts(path: Path) -> dict[str, Any]:
    """What a run says: what ran, in which order and in which lines, its numbers, and what went wrong."""
    run = Run(path)
    (process,) = run.processes()
    rows, ranges = process.rows(0, process.end), process.ranges(0, process.end)
    ops = Counter(process.nodes[node].op for node in rows.node.tolist())
    with contextlib.redirect_stdout(io.StringIO()) as said:
        main(["why", "--json", str(path)])
    why = json.loads(said.getvalue())
    return {
        "ops": dict(sorted(ops.items())),
        "rows": [len(rows.seq), rows.node.tolist()],
        "bad": process.bad_rows().tolist(),
        "ranges": [
            [repr(float(low)), repr(float(high))] for low, high in zip(ranges.low, ranges.high, strict=True)
        ],
        "calls": [[call.first, call.last, call.step, call.role] for call in process.calls()],
        "graphs": [[graph.name, graph.kind, list(graph.nodes)] for graph in process.graphs()],
        "why": {key: why["origin"][key] for key in ("seq", "step", "kind", "op", "line", "code")},
    }


def _elsewhere(data: bytes, here: str) -> bytes:
    """The same file as a machine with other paths would have written it."""
    for old, new in ((here, "/project"), (sys.prefix, "/python"), (sys.base_prefix, "/python")):
        data = data.replace(old.encode(), new.encode())
    return data


def _made(file: Path, here: str) -> bytes:
    data = file.read_bytes()
    if file.name == "run.json":
        known = json.loads(_elsewhere(data, here)) | {"host": "golden", "pages": "/dev/shm/graphlens-golden"}
        return json.dumps(known, indent=1).encode()
    if file.suffix != ".log":
        return data
    return b"".join(
        wire.frame(one.kind, _elsewhere(bytes(one.body), here), one.base, one.presupposed)
        for one in wire.frames(data)
    )


def make(name: str) -> None:
    """Record a script, keep the run, and what it says."""
    with tempfile.TemporaryDirectory() as folder:
        here = os.path.realpath(folder)
        Path(here, f"{name}.py").write_bytes((SCRIPTS / f"{name}.py").read_bytes())
        home = Path(here, "home")
        subprocess.run(
            [sys.executable, "-m", "graphlens", "record", f"{name}.py"],
            cwd=here, env=os.environ | {"GRAPHLENS_HOME": str(home)}, check=True,
        )  # fmt: skip
        (run,) = home.glob("*.glens")
        (HERE / f"{name}.json").write_text(json.dumps(facts(run), indent=1) + "\n")
        with zipfile.ZipFile(HERE / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(run.rglob("*")):
                if file.is_file():
                    made = _made(file, here)
                    if found := re.findall(rb"/(?:tmp|home|root)/[\w./-]*", made):
                        raise SystemExit(f"{file.name} still names {found[0].decode()}")
                    packed.writestr(
                        zipfile.ZipInfo(f"{name}.glens/{file.relative_to(run)}", _WHEN),
                        made,
                        zipfile.ZIP_DEFLATED,
                    )


if __name__ == "__main__":
    make(sys.argv[1])
