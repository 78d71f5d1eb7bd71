"""What is drawn in an SVG of ours, and what of it lies on something else."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from typing import NamedTuple

from graphlens.letters import width

SVG = "{http://www.w3.org/2000/svg}"


class Ink(NamedTuple):
    """Something drawn: where, and what it says or which box it is."""

    x0: float
    y0: float
    x1: float
    y1: float
    what: str


def read(document: str) -> ET.Element:
    """The document's root; raises when it is not well-formed."""
    return ET.fromstring(document)


def inks(root: ET.Element) -> tuple[list[Ink], list[Ink]]:
    """Every box and every text, in the coordinates of the document."""
    boxes: list[Ink] = []
    texts: list[Ink] = []

    def walk(element: ET.Element, dx: float, dy: float, box: str) -> None:
        moved = re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
        if moved:
            dx, dy = dx + float(moved[1]), dy + float(moved[2])
        box = element.get("data-id", box)
        if element.tag == f"{SVG}rect" and box and "stroke" in element.attrib:
            x, y = float(element.get("x", 0)) + dx, float(element.get("y", 0)) + dy
            w, h = float(element.get("width", 0)), float(element.get("height", 0))
            boxes.append(Ink(x, y, x + w, y + h, box))
        if element.tag == f"{SVG}text":
            texts.append(text_ink(element, dx, dy))
        for child in element:
            walk(child, dx, dy, box)

    walk(root, 0.0, 0.0, "")
    return boxes, texts


def text_ink(element: ET.Element, dx: float, dy: float) -> Ink:
    """Where a text is, by the metrics of Helvetica."""
    spans = list(element) or [element]
    wide, tall = 0.0, 0.0
    for span in spans:
        size = float(span.get("font-size", "0"))
        mono = "Menlo" in span.get("font-family", "")
        wide += width(span.text or "", size, bold=span.get("font-weight") == "600", mono=mono)
        wide += float(span.get("dx", 0))
        tall = max(tall, size)
    x, y = float(element.get("x", 0)) + dx, float(element.get("y", 0)) + dy
    shift = {"middle": wide / 2, "end": wide}.get(element.get("text-anchor", ""), 0.0)
    said = "".join(element.itertext())
    return Ink(x - shift, y - 0.72 * tall, x - shift + wide, y, said)


def overlap(a: Ink, b: Ink, slack: float = 0.5) -> bool:
    """They share more than a hair."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack


def overlaps(document: str) -> list[str]:
    """Pairs of boxes, of texts, and texts that leave their box or the page."""
    root = read(document)
    boxes, texts = inks(root)
    found = []
    for a, b in itertools.combinations(boxes, 2):
        if a.what != b.what and overlap(a, b):
            found.append(f"boxes {a.what} and {b.what}")
    for a, b in itertools.combinations(texts, 2):
        if overlap(a, b):
            found.append(f"texts {a.what!r} and {b.what!r}")
    for text, box in itertools.product(texts, boxes):
        inside = text.x0 >= box.x0 - 1 and text.x1 <= box.x1 + 1
        if overlap(text, box) and not inside:
            found.append(f"text {text.what!r} and the border of {box.what}")
    page = Ink(0, 0, float(root.get("width", 0)), float(root.get("height", 0)), "page")
    for one in boxes + texts:
        if one.x0 < 0 or one.y0 < 0 or one.x1 > page.x1 + 1 or one.y1 > page.y1 + 1:
            found.append(f"{one.what!r} leaves the page")
    return found
