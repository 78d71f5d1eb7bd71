"""Damaged and hostile run files without end: `python tests/trust/fuzz.py SECONDS [SEED [FOLDER]]`.

Half of the inputs are damaged bytes: what is read of them must be what was written. Half are made
on purpose: a frame's body is changed and its checksum is right again, or `run.json` is; then nothing
may be raised but our own errors. No input may take a second. What breaks this is left in FOLDER.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from factories import OpRow, PageWriter, leaf, new_run, ran, seen, site
from graphlens.store import Process, Run
from graphlens_tracers import wire
from graphlens_tracers.errors import GraphlensError
from graphlens_tracers.events import CallBegan, CallEnded, CallId, GraphId, Seq

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 1, 255, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**64, 10**400, 1.5, float("nan"),
    float("inf"), "", "x", "\x1b]52;c;AAAA\x07", "\x9b31m", "\u202e", "\x00", "\ud800", "a" * 5000,
    "../../etc/passwd", "/dev/zero", [], {}, [[]],
)  # fmt: skip
"""What a field of JSON is replaced by."""
NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    (1 << 62) + 1,
    (1 << 64) - 1,
)
WEIGHTS = {".log": 10, ".json": 3, ".page": 1}
"""How often a file of that kind is the one."""
SLOWEST = 1.0
"""Seconds of CPU that opening may take at most: other work on the machine is not ours."""


class Wrong(AssertionError):
    """What was read is not what was written."""


def base(path: Path) -> None:
    """A run with every kind of frame, two segments, and a page of a process that still runs."""
    log = new_run(path, state="running")
    nodes = [ran(0, inputs=[100], site=0), ran(1, inputs=[0, 0], op="aten.log.default"), ran(2, inputs=[1])]
    log.declare(site(0, 3), *seen(*nodes))
    for step in range(4):
        if step == 2:
            log.segment += 1
            log.declare(leaf(500), *seen(nodes[0], ran(3, inputs=[0]), graph=1)[1:])
        first, which = log.seq, [0, 3] if step == 3 else [0, 1, 2]
        log.calls(CallBegan(CallId(step), GraphId(int(step == 3)), Seq(first), step, "train"))
        log.ran(*[OpRow(node, [(step, step + node)], 1000 * first, 500 + first) for node in which])
        log.calls(CallEnded(CallId(step), Seq(log.seq - 1)))
    PageWriter(log, rows=[OpRow(0, [(1.0, 2.0)])]).write(log.directory / "pages")


def facts(process: Process) -> dict[tuple[str, Any], Any]:
    """All that a process says, one entry a fact."""
    rows, ranges = process.rows(0, process.end), process.ranges(0, process.end)
    found: dict[tuple[str, Any], Any] = {("node", k): node for k, node in process.nodes.items()}
    for k, seq in enumerate(rows.seq.tolist()):
        found["row", seq] = int(rows.node[k]), int(rows.began[k]), int(rows.took[k])
        for j in range(ranges.offsets[k], ranges.offsets[k + 1]):
            found["range", (seq, int(ranges.slot[j]))] = repr((ranges.low[j], ranges.high[j]))
    return found


def look(path: Path, honest: bool = True) -> dict[tuple[str, Any], Any]:
    """Ask a run for everything that the screens ask it for; of what nobody forged graphs are sound."""
    run = Run(path)
    run.output()
    found: dict[tuple[str, Any], Any] = {}
    for process in run.processes():
        found |= facts(process)
        for graph in process.graphs():
            made = process.graph(graph.graph)
            if honest:
                made.check()
        calls = process.calls()
        process.bad_rows()
        process.unusual(0, process.end)
        process.scalars(0, process.end)
        _ = process.gaps, process.running(), process.rank, calls
        for seq in process.rows(0, process.end).seq.tolist()[:3]:
            process.op(seq)
    return found


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Some bytes are others, gone, new, zero, or twice."""
    at, size = chance.randrange(len(data) + 1), chance.choice((1, 1, 2, 8, 40, 300))
    match chance.randrange(6):
        case 0:
            return data[:at]
        case 1:
            flipped = bytearray(data)
            flipped[at % len(data)] ^= chance.randrange(1, 256)
            return bytes(flipped)
        case 2:
            return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]
        case 3:
            return data[:at] + chance.randbytes(size) + data[at:]
        case 4:
            return data[:at] + data[at + size :]
        case _:
            return data[:at] + data[max(at - size, 0) : at] + data[at:]


def changed_json(value: Any, chance: random.Random) -> Any:
    """One part of it is something else."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        return {**value, key: changed_json(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        kind = chance.random()
        if kind < 0.1:
            return value[:at] + value[at + 1 :]
        if kind < 0.2:
            return [*value, value[at]]
        return [*value[:at], changed_json(value[at], chance), *value[at + 1 :]]
    if isinstance(value, int) and chance.random() < 0.5:
        return value + chance.choice((-1, 1, 7, 1 << 33))
    return chance.choice(HOSTILE)


def changed_body(kind: int, body: bytes, chance: random.Random) -> bytes:
    """A body that its checksum will be right for."""
    if kind in (wire.Kind.DECLARATIONS, wire.Kind.CALLS, wire.Kind.FACTS) and chance.random() < 0.9:
        return json.dumps(changed_json(json.loads(body), chance)).encode()
    if chance.random() < 0.5 or len(body) < 8:
        return damaged(body, chance)
    width = chance.choice((2, 4, 8))
    at = chance.randrange(len(body) // width) * width
    number = chance.choice(NUMBERS) & ((1 << 8 * width) - 1)
    return body[:at] + number.to_bytes(width, "little") + body[at + width :]


def forged(data: bytes, chance: random.Random) -> bytes:
    """A log whose frames are sound, and one of which says something else."""
    found = list(wire.frames(data))
    which = chance.randrange(len(found))
    out = bytearray()
    for k, frame in enumerate(found):
        body, base_seq, presupposed = bytes(frame.body), frame.base, frame.presupposed
        if k == which:
            if chance.random() < 0.1:
                base_seq, presupposed = chance.choice(NUMBERS), chance.choice(NUMBERS) & 0xFFFFFFFF
            else:
                body = changed_body(frame.kind, body, chance)
        out += wire.frame(frame.kind, body, base_seq, presupposed)
    return bytes(out)


class Fuzz:
    """One run directory whose files are replaced one after the other."""

    def __init__(self, where: Path, keep: Path, seed: int) -> None:
        self.path, self.keep = where / "run.glens", keep
        base(self.path)
        self.whole = look(self.path)
        found = {file: file.read_bytes() for file in sorted(self.path.rglob("*")) if file.is_file()}
        self.files = {file: data for file, data in found.items() if file.suffix in WEIGHTS}
        self.weights = [WEIGHTS[file.suffix] for file in self.files]
        self.chance = random.Random(seed)
        self.inputs = self.bytes = self.slowest = 0.0

    def one(self) -> None:
        """One input.

        Raises:
            Exception: Something is wrong with us.
        """
        chance = self.chance
        file = chance.choices(list(self.files), self.weights)[0]
        data, honest = self.files[file], False
        if file.suffix == ".json":
            made = json.dumps(changed_json(json.loads(data), chance)).encode()
            made = made if chance.random() < 0.8 else damaged(data, chance)
        elif file.suffix == ".log" and chance.random() < 0.6:
            made = forged(data, chance)
        else:
            made, honest = damaged(data, chance), file.suffix == ".log"
        file.write_bytes(made)
        began = time.process_time()
        try:
            found = look(self.path, honest)
        except GraphlensError:
            found = {}
        except Exception:
            self._leave(file, made)
            raise
        finally:
            took = time.process_time() - began
            file.write_bytes(data)
        self.inputs, self.bytes, self.slowest = (
            self.inputs + 1,
            self.bytes + len(made),
            max(self.slowest, took),
        )
        if took > SLOWEST:
            self._leave(file, made)
            raise Wrong(f"took {took:.2f} s")
        if honest and any(self.whole.get(key) != value for key, value in found.items()):
            self._leave(file, made)
            raise Wrong("what was read was never written")

    def _leave(self, file: Path, made: bytes) -> None:
        self.keep.mkdir(parents=True, exist_ok=True)
        (self.keep / f"{len(list(self.keep.iterdir())):04}.{file.name}").write_bytes(made)


def main() -> None:
    """Fuzz for as long as was said, and say how much that was."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    keep = Path(sys.argv[3] if len(sys.argv) > 3 else tempfile.gettempdir()) / "graphlens-fuzz"
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as where:
        fuzz = Fuzz(Path(where), keep, seed)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                fuzz.one()
            except Exception as error:
                trace, place = error.__traceback__, ""
                while trace is not None:
                    place, trace = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}", trace.tb_next
                key = f"{type(error).__name__} at {place}"
                if key not in found:
                    print(f"{key}: {str(error)[:100]}", flush=True)
                found[key] = found.get(key, 0) + 1
    print(f"{fuzz.inputs:.0f} inputs, {fuzz.bytes:.0f} bytes, the slowest {fuzz.slowest:.3f} s, seed {seed}")
    print(f"{sum(found.values())} were wrong, in {len(found)} ways", f"(kept in {keep})" if found else "")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
