"""How good and how dear pictures of real models are: overlaps, crossings, turns and area, time and memory.

    python benchmarks/drawings.py                    # records docs/models, which takes minutes
    python benchmarks/drawings.py --runs DIRECTORY   # of NAME.glens each, as an earlier call left them
    python benchmarks/drawings.py --beside           # and torchview of the same models, where it is installed

Crossings, turns and area are those of the forward half, beside Graphviz' `dot` on the same view: the same
boxes, frames and links, with the same room for what stands around a box. A turn is a quarter of a circle,
summed up along all lines as they are drawn. Times are CPU seconds of one call in a fresh process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from graphlens.exporters import Options
from graphlens.exporters._cards import size
from graphlens.exporters._chosen import subject_for
from graphlens.exporters._graphviz import Unplaced
from graphlens.exporters._graphviz import place as by_dot
from graphlens.exporters.svg import curve, picture, view_for
from graphlens.layout import Scene, place
from graphlens.notebook import load
from graphlens.view import View

ROOT = Path(__file__).resolve().parents[1]
MODELS = (
    "cnn", "gpt2", "gpt2 --nan", "resnet50", "unet", "lstm", "gan", "keras_functional", "tf_control",
    "tf1_session", "diffusion", "deep",
)  # fmt: skip
OF_TENSORFLOW = ("keras_functional", "tf_control", "tf1_session")
LIMIT = 60
"""Seconds that another tool has for one model."""
STEPS = 8
"""Straight pieces that a curve is taken for."""
Points = list[tuple[float, float]]


def record(name: str, folder: Path) -> Path | None:
    """The run of a script of docs/models, recorded unless it is there; None where it fails."""
    script, *words = name.split()
    run = folder / f"{name.replace(' --', '-')}.glens"
    if not run.exists():
        command = ["-m", "graphlens", "record", "-q", "-o", str(run), f"docs/models/{script}.py", *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(f"{name}: {(done.stderr.strip() or '?').splitlines()[-1][:200]}", file=sys.stderr)
            return None
    return run


# ── lines as they are drawn ──────────────────────────────────────────────────────────────────


def flattened(path: str) -> Points:
    """The points that a path of ours passes: lines, and curves in pieces."""
    points: Points = []
    for letter, rest in re.findall(r"([MVHCQ])([^MVHCQ]*)", path):
        values = [float(one) for one in re.findall(r"-?[\d.]+", rest)]
        if letter == "M":
            points.append((values[0], values[1]))
        elif letter == "V":
            points.append((points[-1][0], values[0]))
        elif letter == "H":
            points.append((values[0], points[-1][1]))
        else:
            per = 6 if letter == "C" else 4
            for k in range(0, len(values), per):
                pairs = list(zip(values[k : k + per : 2], values[k + 1 : k + per : 2], strict=True))
                points += _bezier([points[-1], *pairs])
    return points


def _bezier(control: Points) -> Points:
    found: Points = []
    for step in range(1, STEPS + 1):
        level = control
        while len(level) > 1:
            t = step / STEPS
            level = [
                (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in itertools.pairwise(level)
            ]
        found.append(level[0])
    return found


def quarter_turns(points: Points) -> float:
    """How much a line turns, in quarters of a circle."""
    angles = [
        math.atan2(b[1] - a[1], b[0] - a[0])
        for a, b in itertools.pairwise(points)
        if math.hypot(b[0] - a[0], b[1] - a[1]) > 0.2
    ]
    turned = 0.0
    for before, after in itertools.pairwise(angles):
        turned += abs((after - before + math.pi) % (2 * math.pi) - math.pi)
    return turned / (math.pi / 2)


def crossings(view: View, lines: list[Points]) -> int:
    """Pairs of lines of different ends that cross."""
    count = 0
    for a, b in itertools.combinations(range(len(lines)), 2):
        one, other = view.links[a], view.links[b]
        if {one.source, one.target} & {other.source, other.target} or not lines[a] or not lines[b]:
            continue
        count += _cross(lines[a], lines[b])
    return count


def _cross(a: Points, b: Points) -> bool:
    low_a, high_a = min(y for _, y in a), max(y for _, y in a)
    low_b, high_b = min(y for _, y in b), max(y for _, y in b)
    if high_a < low_b or high_b < low_a:
        return False
    return any(_meets(p, q, r, s) for p, q in itertools.pairwise(a) for r, s in itertools.pairwise(b))


def _meets(
    p: tuple[float, float], q: tuple[float, float], r: tuple[float, float], s: tuple[float, float]
) -> bool:
    def side(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0


# ── measures ─────────────────────────────────────────────────────────────────────────────────


def quality(run: Path) -> dict[str, object]:
    """The measures of one picture."""
    sys.path.insert(0, str(ROOT / "tests"))
    from inks import overlaps

    options = Options()
    subject = subject_for(load(run), options)
    document = picture(subject, options)
    view = view_for(subject, options)
    sizes = [size(box) for box in view.boxes]
    heads = [30.0 for _ in view.frames]
    found: dict[str, object] = {
        "ops": view.ops,
        "boxes": len(view.boxes),
        "kB": len(document) / 1000,
        "overlaps": len(overlaps(document)),
    }
    scenes: dict[str, Scene] = {"own": place(view, sizes, heads)}
    try:
        scenes["dot"] = by_dot(view, sizes, heads)
    except Unplaced as error:
        print(f"{run.stem}: {error}", file=sys.stderr)
    for engine, scene in scenes.items():
        lines = [
            flattened(curve(wire, bezier=scene.curved)[0]) if len(wire) > 1 else [] for wire in scene.wires
        ]
        found[f"crossings {engine}"] = crossings(view, lines)
        found[f"turns {engine}"] = sum(quarter_turns(line) for line in lines)
        found[f"area {engine}"] = scene.width * scene.height
    return found


CHILD = """
import json, resource, sys, time
from graphlens.notebook import load
from graphlens.exporters import Options
run = load(sys.argv[1])
run.processes()
import graphlens.exporters.svg, graphlens.exporters._chosen
began = time.process_time()
document = graphlens.exporters.svg.picture(graphlens.exporters._chosen.subject_for(run, Options()))
took = time.process_time() - began
print(json.dumps([took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def cost(run: Path) -> tuple[float, float]:
    """CPU seconds from an opened run to its picture, and the most memory in MB; the best of three."""
    found = []
    for _ in range(3):
        told = subprocess.run([sys.executable, "-c", CHILD, str(run)], check=True, capture_output=True).stdout
        found.append(json.loads(told))
    return min(one[0] for one in found), min(one[1] for one in found)


BESIDE = """
import json, resource, runpy, sys
sys.argv = sys.argv[1:]
made = runpy.run_path(sys.argv[0])
import torch, torchview

def spent():
    both = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in both)

given = next((made[key] for key in ("images", "ids", "real") if key in made), None)
if "gpt2" in sys.argv[0]:
    given = {"input_ids": given, "use_cache": False}
elif "resnet50" in sys.argv[0]:
    given = torch.rand(2, 3, 64, 64)
elif "diffusion" in sys.argv[0]:
    given = [made["images"], made["times"]]
elif "deep" in sys.argv[0]:
    given = torch.rand(4, 16)
model = made.get("model", made.get("discriminator"))
began = spent()
drawn = torchview.draw_graph(model, input_data=given, expand_nested=True, depth=99)
drawn.visual_graph.pipe("svg")
print("BESIDE", json.dumps(spent() - began))
"""


def beside(name: str) -> float | None:
    """CPU seconds of torchview's picture of the same model, `dot` included; None where it fails."""
    script = str(ROOT / "docs" / "models" / f"{name}.py")
    command = [sys.executable, "-c", BESIDE, script]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        print(f"{name}: torchview: not done within {LIMIT} s", file=sys.stderr)
        return None
    told = re.search(r"BESIDE (.*)", done.stdout)
    if told is None:
        print(f"{name}: torchview: {(done.stderr.strip() or '?').splitlines()[-1][:200]}", file=sys.stderr)
        return None
    return float(told[1])


def main() -> None:
    """A row a model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, help="where runs are kept")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--beside", action="store_true", help="torchview, too")
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="graphlens-drawings-") as temporary:
        folder = args.runs or Path(temporary)
        folder.mkdir(exist_ok=True)
        columns = "ops, boxes, kB, overlaps, crossings / dot, turns / dot, area / dot, s, MB, torchview s"
        print(f"| | {' | '.join(columns.split(', '))} |\n|---|{'---:|' * len(columns.split(', '))}")
        for name in args.models.split(","):
            run = record(name, folder)
            if run is None:
                continue
            one, (took, memory) = quality(run), cost(run)
            cells = [f"{one['ops']:,}", f"{one['boxes']}", f"{one['kB']:.0f}", f"{one['overlaps']}"]
            for what, form in (("crossings", ".0f"), ("turns", ".0f"), ("area", ".3g")):
                own, other = one[f"{what} own"], one.get(f"{what} dot")
                assert isinstance(own, int | float)
                if isinstance(other, int | float):
                    ratio = f" = {own / other:.2f}" if other else ""
                    scale = 1e6 if what == "area" else 1
                    cells.append(f"{own / scale:{form}} / {other / scale:{form}}{ratio}")
                else:
                    cells.append(f"{own:{form}} / –")
            cells += [f"{took:.3f}", f"{memory:.0f}"]
            other = beside(name) if args.beside and " " not in name and name not in OF_TENSORFLOW else None
            cells.append("" if other is None else f"{other:.2f} = {took / other:.3f}×")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
