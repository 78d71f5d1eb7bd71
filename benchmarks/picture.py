"""What a picture costs: choosing, placing and drawing, without reading a run. CPU seconds."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from graphlens.exporters import Options
from graphlens.exporters.svg import picture
from models import Model, flat, shapeless, transformer


def measured(name: str, model: Model, options: Options, repeat: int) -> None:
    """Print the best of several."""
    best, size = float("inf"), 0
    subject = model.subject()
    for _ in range(repeat):
        began = time.process_time()
        size = len(picture(subject, options))
        best = min(best, time.process_time() - began)
    print(f"{name:44} {len(model.nodes):7,} ops  {best:7.3f} s  {size / 1000:8.0f} kB")


def main() -> None:
    """A line a graph."""
    measured("GPT-2, 12 layers, forward and backward", transformer(12), Options(), 5)
    measured("GPT-2, 12 layers, everything open", transformer(12), Options(full=True), 2)
    measured("the same 350 layers long", transformer(350), Options(), 2)
    measured("a loop of 20,000 operations", flat(5_000), Options(), 2)
    measured("20,000 operations without a pattern", shapeless(20_000), Options(), 2)


if __name__ == "__main__":
    main()
