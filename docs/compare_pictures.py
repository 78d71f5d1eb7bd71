"""Makes docs/pictures.md: pictures of docs/models, beside those that other tools make of the same models.

    pip install torchviz torchview torchlens transformers diffusers tensorflow  # and Graphviz' dot, for them
    python docs/compare_pictures.py                # takes minutes; --models cnn,lstm for some of them

What is not installed, fails or takes longer than a minute is said in the place of its picture. Each tool runs
in a process of its own, as its documentation shows; TorchLens is asked for its automatic collapse.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURES = Path(__file__).with_name("pictures") / "models"
PAGE = Path(__file__).with_name("pictures.md")
SECONDS = 60
WIDE, TALL = 640, 1_600
"""Of what other tools have drawn, in pixels; the rest of a larger picture is scaled away."""

TITLES = {
    "cnn": "A small convolutional network",
    "lstm": "An LSTM",
    "gpt2": "GPT-2, 12 layers, forward and backward",
    "gpt2-forward": "GPT-2, forward alone",
    "gpt2-nan": "GPT-2 with a NaN: the norm of layer 5 is broken",
    "resnet50": "ResNet-50",
    "unet": "A U-Net",
    "gan": "One step of a GAN",
    "diffusion": "A diffusion U-Net of `diffusers`",
    "deep": "76,000 operations",
    "keras_functional": "A functional Keras model",
    "tf_control": "A `tf.function` with a loop and a branch",
    "tf1_session": "A graph of TensorFlow 1",
}
OF_TENSORFLOW = ("keras_functional", "tf_control", "tf1_session")
WORDS = {"gpt2-forward": ["gpt2"], "gpt2-nan": ["gpt2", "--nan"]}
OPTIONS = {"gpt2-forward": ["--phase", "forward"]}

OURS = """
import json, sys, time
from graphlens.exporters import Options
from graphlens.notebook import load
import graphlens.exporters.svg as svg, graphlens.exporters._chosen as chosen
run, options = load(sys.argv[1]), Options(phase=sys.argv[3])
run.processes()
began = time.process_time()
subject = chosen.subject_for(run, options)
document = svg.picture(subject, options)
took = time.process_time() - began
open(sys.argv[2], "w").write(document)
print("TOLD", json.dumps([took, len(svg.view_for(subject, options).boxes)]))
"""
OTHERS = """
import json, os, re, runpy, sys
script, tool, target, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = script
made = runpy.run_path(script)
import torch
model = made.get("model", made.get("discriminator"))
name = os.path.basename(script).removesuffix(".py")
given = {
    "resnet50": lambda: [torch.rand(2, 3, 64, 64)],
    "deep": lambda: [torch.rand(4, 16)],
    "diffusion": lambda: [made["images"], made["times"]],
}.get(name, lambda: [next(made[key] for key in ("images", "ids", "real") if key in made)])()
if name == "lstm":
    given = [given[0][:, :-1]]

def spent():
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system

def torchviz():
    import torchviz
    out = model(*given)
    out = getattr(out, "logits", getattr(out, "sample", out))
    return torchviz.make_dot(out.mean(), params=dict(model.named_parameters())).pipe("svg")

def torchview():
    import torchview
    # a cache among the results is none of the things that it knows
    data = {"input_ids": given[0], "use_cache": False} if name == "gpt2" else given
    return torchview.draw_graph(model, input_data=data, expand_nested=True).visual_graph.pipe("svg")

def torchlens():
    import torchlens
    trace = torchlens.trace(model, given)
    trace.draw(collapse="auto", vis_outpath=target, vis_fileformat="svg", vis_save_only=True)
    with open(target + ".svg", "rb") as file:
        return file.read()

began = spent()
drawn = {"torchviz": torchviz, "torchview": torchview, "torchlens": torchlens}[tool]()
took = spent() - began
with open(target + ".svg", "wb") as file:
    file.write(drawn)
print("TOLD", json.dumps([took, len(re.findall(rb'<g id="node\\d+"', drawn))]))
"""


@dataclass
class Drawn:
    """A picture and what it took: CPU seconds, boxes; or why there is none."""

    file: str = ""
    seconds: float = 0.0
    boxes: int = 0
    size: int = 0
    why: str = ""


@dataclass
class Row:
    """One model."""

    name: str
    ours: Drawn
    others: dict[str, Drawn] = field(default_factory=dict)


def python(code: str, *words: object, seconds: float | None = None) -> tuple[Any, str]:  # Any: JSON
    """What a piece of code tells, run in a process of its own; or None and the last thing that it said."""
    command = [sys.executable, "-c", code, *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"not done within {seconds} s"
    told = re.search(r"^TOLD (.*)$", done.stdout, re.MULTILINE)
    if told is not None:
        return json.loads(told[1]), ""
    return None, (done.stderr.strip() or "nothing was said").splitlines()[-1][:160]


def ours(name: str, runs: Path) -> Drawn:
    """Record the model, unless it is, and draw it."""
    script, *words = WORDS.get(name, [name])
    run = runs / f"{'-'.join(word.strip('-') for word in (script, *words))}.glens"
    if not run.exists():
        command = [
            sys.executable,
            "-m",
            "graphlens",
            "record",
            "-q",
            "-o",
            str(run),
            f"docs/models/{script}.py",
        ]
        subprocess.run([*command, *words], cwd=ROOT, check=True, capture_output=True)
    file = PICTURES / f"{name}.svg"
    phase = "forward" if name.endswith("-forward") else "auto"
    told, why = python(OURS, run, file, phase)
    if told is None:
        raise SystemExit(f"{name}: {why}")
    seconds, boxes = told
    return Drawn(f"pictures/models/{file.name}", seconds, boxes, file.stat().st_size)


def theirs(name: str, tool: str) -> Drawn:
    """The same model by another tool, kept as a small PNG."""
    with tempfile.TemporaryDirectory(prefix="graphlens-pictures-") as folder:
        target = Path(folder, "drawn")
        told, why = python(OTHERS, f"docs/models/{name}.py", tool, target, seconds=SECONDS)
        if told is None:
            return Drawn(why=why)
        seconds, boxes = told
        svg = target.with_suffix(".svg").read_bytes()
    file = PICTURES / f"{name}-{tool}.png"
    try:
        file.write_bytes(shrunk(svg))
    except MemoryError as error:  # Cairo's own way to say that it is too large
        return Drawn("", seconds, boxes, len(svg), f"cannot be rasterized: {error}")
    return Drawn(f"pictures/models/{file.name}", seconds, boxes, len(svg))


def shrunk(svg: bytes) -> bytes:
    """A PNG of it, no larger than `WIDE` and `TALL`, in few colours."""
    import cairosvg
    from PIL import Image

    found = re.search(rb'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', svg)
    wide, tall = (float(one) for one in found.groups()) if found else (WIDE, TALL)
    scale = min(WIDE / wide, TALL / tall, 1.0)
    png = cairosvg.svg2png(
        bytestring=svg, output_width=max(round(wide * scale), 1), output_height=max(round(tall * scale), 1)
    )
    assert png is not None, "without a place to write to, it is given back"
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    out = io.BytesIO()
    paper.convert("RGB").quantize(24).save(out, "PNG", optimize=True)
    return out.getvalue()


# ── the page ─────────────────────────────────────────────────────────────────────────────────

HEAD = """# Pictures

What `graphlens export RUN -o picture.svg` draws of the scripts in [docs/models](models), and what other
tools draw of the same models. Ours are the files as they are written, in the reader's colours; those of
others are scaled down to fit on a page, so look at their shape, and at their number of boxes. Seconds are
CPU seconds: of ours from an opened run, without the recording that [performance.md](performance.md)
measures; of others from a model that is built, with its one run and with Graphviz.
Of the GAN the others draw the discriminator alone. torchview is given `use_cache=False` for GPT-2: it
fails on a cache among the results.
`python docs/compare_pictures.py` makes this page again.

| | needs | shows |
|---|---|---|
| graphlens | itself alone | forward, backward, parameters, kept tensors, NaN; also TensorFlow |
| torchviz | PyTorch, Graphviz' `dot` | what autograd has kept for its backward pass |
| torchview | PyTorch, `dot` | modules and shapes of the forward pass |
| TorchLens | PyTorch, `dot`, IPython, pandas | operations, modules and parameters of the forward pass |
"""


def cell(one: Drawn) -> str:
    """ "12 boxes, 0.31 s, 40 kB", or why not."""
    if not one.boxes:
        return one.why
    said = f"{one.boxes:,} boxes, {one.seconds:.2f} s, {max(one.size // 1000, 1):,} kB"
    return f"{said}; {one.why}" if one.why else said


def page(rows: list[Row]) -> str:
    """The whole page."""
    lines = [HEAD]
    for row in rows:
        lines += [f"## {TITLES[row.name]}", ""]
        drawn = {"graphlens": row.ours, **row.others}
        lines.append("| " + " | ".join(drawn) + " |")
        lines.append("|" + "---|" * len(drawn))
        wide = {"graphlens": 300}
        lines.append(
            "| "
            + " | ".join(
                f'<img src="{one.file}" width="{wide.get(tool, 180)}" alt="{row.name} by {tool}">'
                if one.file
                else ""
                for tool, one in drawn.items()
            )
            + " |"
        )
        lines += ["| " + " | ".join(cell(one) for one in drawn.values()) + " |", ""]
    return "\n".join(lines)


def main() -> None:
    """Draw, measure, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, help="where runs are kept")
    parser.add_argument("--models", default=",".join(TITLES))
    args = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="graphlens-pictures-") as temporary:
        runs = args.runs or Path(temporary)
        for name in args.models.split(","):
            row = Row(name, ours(name, runs))
            if name not in OF_TENSORFLOW and name not in WORDS:
                row.others = {tool: theirs(name, tool) for tool in ("torchviz", "torchview", "torchlens")}
            print(
                name, cell(row.ours), *(f"{tool}: {cell(one)}" for tool, one in row.others.items()), sep=" | "
            )
            rows.append(row)
    PAGE.write_text(page(rows))


if __name__ == "__main__":
    main()
